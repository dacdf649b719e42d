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

/** What is a record of each operation; for forecast, the lines of one series. */
export interface SettledRecords {
	predict: FeaturesRecord;
	predictEffect: FeaturesRecord;
	lookup: LookupRecord;
	forecast: readonly object[];
}

/** The result of one record of each operation. */
export interface SettledResults {
	predict: PredictionResult;
	predictEffect: JsonObject;
	lookup: LookupResult;
	/** One for each step. */
	forecast: { results: ForecastResult[] };
}

export interface BatchOptions extends Omit<CallOptions, 'onResponse'>, DispatchOptions, ExplanationOptions {
	/** Records in one request; 1 calls the action for one record. Default: 100. */
	batchSize?: number;
	/** Bytes of the records in one request. Default: 512 KiB, half of what proxies commonly allow. */
	maxBodyBytes?: number;
	/** Forecast: the columns that identify a series. Needed for more than one. */
	identifierColumns?: readonly string[];
	/**
	 * A record that the endpoint has served: a batch that is refused is not sent again in parts if this is refused, too. Default:
	 * none.
	 */
	control?: FeaturesRecord;
	/** Puts the headers of the response that a result came in into its outcome, as `response.headers`. Default: false. */
	responseHeaders?: boolean;
}

/** Where a record goes and how: records whose targets agree share requests. */
export interface BatchTarget<Name extends RecordOperation = RecordOperation> {
	/** What targets that agree have in common, as a text. */
	readonly key: string;
	/** Of it, what requests share whose successes count for each other. */
	readonly shared: string;
	readonly operation: Name;
	/** The endpoint's. */
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
/** Tells an object from others. */
function numberOf(object: object): number {
	if (!numbers.has(object)) numbers.set(object, numbered++);
	return numbers.get(object)!;
}

/** @throws InvalidCallError for what is wrong whatever the record */
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
