import type { OperationName } from '../../client/internal';

/** For each operation, for messages: the node, the kind of endpoint that it calls, and the name of its fields. */
export const operationNames: Record<OperationName, { node: string; kind: string; fields: string }> = {
	predict: { node: 'Dataiku Predict', kind: 'a prediction model', fields: 'fields' },
	predictEffect: { node: 'Dataiku Predict Effect', kind: 'a causal model', fields: 'fields' },
	lookup: { node: 'Dataiku Lookup', kind: 'a lookup', fields: 'columns' },
	forecast: { node: 'Dataiku Forecast', kind: 'a forecasting model', fields: 'columns' },
	sqlQuery: { node: 'Dataiku SQL Query', kind: 'an SQL query', fields: 'parameters' },
	runFunction: { node: 'Dataiku Run Function', kind: 'a function', fields: 'arguments' },
};
