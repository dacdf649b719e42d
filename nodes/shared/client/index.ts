export {
	ApiNodeClient,
	type ApiNodeClientOptions,
	type RecordOperation,
	type SettleCallOptions,
} from './ApiNodeClient';
export { recordText } from './bodies';
export {
	AnswerError,
	ApiNodeError,
	CancelledError,
	ConnectionError,
	type FailureFacts,
	InvalidCallError,
	StatusError,
	TimeoutError,
} from './errors';
export { type Operation, operations } from './operations';
export { type Distribute, EndpointVerdict, type RecordOutcome } from './settleRecords';
export type { TlsOptions } from './tls';
export { type CallOptions, CallStatistics, RawAnswer, type TokenSource } from './Transport';
export type * from './types';
