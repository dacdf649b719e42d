import { checkRange } from '../checkRange';
import { InvalidCallError } from '../errors';
import { type RequestSettings, requestSettings } from '../requestBody';
import type { EndpointMemory } from '../traffic/EndpointMemory';
import { type CallOptions, limitsOf, type Transport } from '../traffic/Transport';
import type {
	DispatchOptions,
	ExplanationOptions,
	FeaturesRecord,
	ForecastResult,
	JsonObject,
	LookupRecord,
	LookupResult,
	PredictionResult,
} from '../types';
import { callHeaders } from '../wire/callHeaders';
import { endpointPath } from '../wire/location';
import type { SecretHeaders } from '../wire/secretHeaders';

/** Operations on records, which have no side effects. */
export type RecordOperation = 'predict' | 'predictEffect' | 'lookup' | 'forecast';

/** The record type of each operation. For forecast, the rows of one series. */
export interface SettledRecords {
	predict: FeaturesRecord;
	predictEffect: FeaturesRecord;
	lookup: LookupRecord;
	forecast: readonly object[];
}

export interface SettledResults {
	predict: PredictionResult;
	predictEffect: JsonObject;
	lookup: LookupResult;
	/** One result per step. */
	forecast: { results: ForecastResult[] };
}

export interface BatchOptions extends Omit<CallOptions, 'onResponse'>, DispatchOptions, ExplanationOptions {
	/** Records per request. 1 uses the action for a single record. Default: 100. */
	batchSize?: number;
	/** Bytes of the records in one request. Default: 512 KiB, half of the usual limit of proxies. */
	maxBodyBytes?: number;
	/** Forecast: the columns that identify a series. Required for more than one series. */
	identifierColumns?: readonly string[];
	/**
	 * A record that the endpoint serves. If a batch and this record are refused, the batch is not sent again in parts.
	 * Default: none.
	 */
	control?: FeaturesRecord;
	/** Adds the response headers to the outcome of each record, as `response.headers`. Default: false. */
	responseHeaders?: boolean;
}

/** Destination and settings of a record. Records whose targets have the same key share requests. */
export interface BatchTarget<Name extends RecordOperation = RecordOperation> {
	readonly key: string;
	/** Key of the requests for which one success is evidence that the endpoint works. */
	readonly shared: string;
	readonly operation: Name;
	readonly path: string;
	readonly endpoint: EndpointMemory;
	readonly settings: RequestSettings;
	readonly headers: SecretHeaders;
	readonly batchSize: number;
	readonly maxBodyBytes: number;
	readonly options: BatchOptions;
}

const numbers = new WeakMap<object, number>();
let numbered = 0;
/** Identifies an object by a number, for keys. */
function numberOf(object: object): number {
	if (!numbers.has(object)) numbers.set(object, numbered++);
	return numbers.get(object)!;
}

/** @throws InvalidCallError when the options are invalid for every record */
export function batchTarget<Name extends RecordOperation>(
	transport: Transport,
	serviceId: string,
	operation: Name,
	endpointId: string,
	options: BatchOptions,
): BatchTarget<Name> {
	const { batchSize = 100, maxBodyBytes = 512 * 1024 } = options;
	checkRange('batchSize', batchSize, 1);
	if (!Number.isInteger(batchSize)) throw new InvalidCallError(`'batchSize' must be an integer, not ${batchSize}`);
	checkRange('maxBodyBytes', maxBodyBytes, 1);
	limitsOf(options);
	const path = endpointPath(options.serviceId ?? serviceId, endpointId);
	const settings = requestSettings(options);
	const headers = callHeaders(options.headers);
	const { apiKey, bearerToken, tokens } = options;
	const credential = [apiKey, bearerToken, tokens && numberOf(tokens)];
	const shared = JSON.stringify([path, settings, headers.headers, credential]);
	const { timeout, deadline, maxConcurrency, maxAttempts, maxResponseBytes, identifierColumns } = options;
	const limits = [timeout, deadline, maxConcurrency, maxAttempts, maxResponseBytes, identifierColumns];
	const key = JSON.stringify([operation, batchSize, maxBodyBytes, options.responseHeaders, limits]) + shared;
	const endpoint = transport.endpoint(path);
	return { key, shared, operation, path, endpoint, settings, headers, batchSize, maxBodyBytes, options };
}
