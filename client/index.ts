/** The entry point of the client for its users. The nodes of this package use `internal.ts`, which has more. */
export { ApiNodeClient, type ApiNodeClientOptions, type SessionOptions } from './ApiNodeClient';
export type { SettleAllOptions, SettleOptions } from './ApiNodeMethods';
export type {
	BatchOptions,
	RecordOperation,
	RecordOutcome,
	RecordSource,
	SettledRecord,
	SettledRecords,
	SettledResults,
} from './batches/types';
export { Deployment, type DeploymentOptions } from './Deployment';
export {
	ApiNodeError,
	CancelledError,
	ConnectionError,
	type ErrorDetails,
	InvalidCallError,
	ResponseError,
	StatusError,
	TimeoutError,
} from './errors';
export { hadNotFinite } from './json';
export type { EndpointSchema, FieldSchema, FieldType } from './openapi/EndpointSchema';
export { type Misfit, misfitCheck } from './openapi/misfits';
export { misfitWords } from './openapi/misfitWords';
export { type DocumentedEndpoint, ServiceDocument } from './openapi/ServiceDocument';
export type { OperationName } from './operations';
export type { CallOptions, Lookup, TlsOptions } from './options';
export { RawResponse } from './RawResponse';
export type { Session } from './Session';
export type { ClientEvent, Credential, TokenSource } from './traffic/Caller';
export type * from './types';
