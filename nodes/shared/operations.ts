import type { OperationName } from '../../client';

/** What an endpoint is that a node calls, and which node that is, for people. */
export const operationNames: Record<OperationName, { node: string; kind: string }> = {
	predict: { node: 'Dataiku Predict', kind: 'a prediction model' },
	predictEffect: { node: 'Dataiku Predict Effect', kind: 'a causal model' },
	lookup: { node: 'Dataiku Lookup', kind: 'a lookup' },
	forecast: { node: 'Dataiku Forecast', kind: 'a forecasting model' },
	sqlQuery: { node: 'Dataiku SQL Query', kind: 'a SQL query' },
	runFunction: { node: 'Dataiku Run Function', kind: 'a function' },
};
