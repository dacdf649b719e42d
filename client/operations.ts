/**
 * An operation of the API node's user API: the last part of its URL for one record and for several, the key of a record
 * in the body, and whether it may be sent twice. SQL queries and functions may write data.
 */
export interface Operation {
	readonly action: string;
	readonly batchAction?: string;
	readonly recordKey?: 'features' | 'data';
	readonly repeatable: boolean;
}

export const operations = {
	predict: { action: 'predict', batchAction: 'predict-multi', recordKey: 'features', repeatable: true },
	predictEffect: {
		action: 'predict-effect',
		batchAction: 'predict-effect-multi',
		recordKey: 'features',
		repeatable: true,
	},
	lookup: { action: 'lookup', batchAction: 'lookup-multi', recordKey: 'data', repeatable: true },
	forecast: { action: 'forecast', repeatable: true },
	sqlQuery: { action: 'query', repeatable: false },
	runFunction: { action: 'run', repeatable: false },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;
