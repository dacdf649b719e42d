import { checkRange } from '../checkRange';
import { InvalidCallError } from '../errors';
import { type RequestSettings, requestSettings } from '../requestBody';
import type { EndpointMemory } from '../traffic/EndpointMemory';
import { limitsOf, type Transport } from '../traffic/Transport';
import { callHeaders } from '../wire/callHeaders';
import { endpointPath } from '../wire/location';
import type { SecretHeaders } from '../wire/secretHeaders';
import type { BatchOptions, RecordOperation } from './types';

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
