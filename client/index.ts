/** The only entry point of the client. Code outside of this folder imports nothing else from it. */
export { ApiNodeClient, type ApiNodeClientOptions, type SessionOptions } from './ApiNodeClient';
export type { SettleAllOptions, SettleOptions } from './ApiNodeMethods';
export type { BatchOptions, BatchTarget, RecordOperation, SettledRecords, SettledResults } from './batches/batchTarget';
export type { RecordBatcher, RecordOutcome } from './batches/RecordBatcher';
export type { RecordSource, SettledRecord } from './batches/settleAll';
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
export { seriesFinder, seriesKey } from './forecastSeries';
export {
	hadNotFinite,
	hasKeys,
	heldNumber,
	mayBeRounded,
	parseGiven,
	parseJson,
	parseResponse,
	sentNumber,
	setOwn,
} from './json';
export { closeNames } from './openapi/closeNames';
export type { EndpointSchema, FieldSchema, FieldType } from './openapi/EndpointSchema';
export { isBlank } from './openapi/FieldRule';
export { fieldWords } from './openapi/fieldWords';
export { type Misfit, misfitCheck } from './openapi/misfits';
export { fieldNouns, listed, misfitWords } from './openapi/misfitWords';
export { type DocumentedEndpoint, ServiceDocument } from './openapi/ServiceDocument';
export { type Operation, type OperationName, operations } from './operations';
export { RawResponse } from './RawResponse';
export type { Session } from './Session';
export type { ClientEvent, Credential, TokenSource } from './traffic/Caller';
export { type CallOptions, checkCredential } from './traffic/Transport';
export type * from './types';
export { callHeaders } from './wire/callHeaders';
export { type Location, parseLocations } from './wire/location';
export { pasted, pastedSecret } from './wire/pasted';
export { redactor } from './wire/secretHeaders';
export type { TlsOptions } from './wire/tls';
