import {
	type BatchOptions,
	type BatchTarget,
	batchTarget,
	type RecordOperation,
	type SettledRecords,
	type SettledResults,
} from './batches/batchTarget';
import { RecordBatcher, type RecordOutcome } from './batches/RecordBatcher';
import { iteratorOf, type RecordSource, settleAll, type SettledRecord } from './batches/settleAll';
import { type ApiNodeError, InvalidCallError, ResponseError } from './errors';
import { isObject, isResult } from './json';
import { type Operation, operations } from './operations';
import type { RawResponse } from './RawResponse';
import { jsonText, recordBody, requestSettings } from './requestBody';
import type { SessionState } from './SessionState';
import { tell } from './tell';
import { onAbort } from './traffic/cancellation';
import type { ApiRequest, CallOptions, Transport } from './traffic/Transport';
import type {
	EffectOptions,
	FeaturesRecord,
	ForecastOptions,
	ForecastResult,
	FunctionResponse,
	JsonObject,
	LookupOptions,
	LookupRecord,
	LookupResult,
	PredictionResult,
	PredictOptions,
	PredictRecordOptions,
	QueryResponse,
	RecordResponse,
	RecordsResponse,
	UnrepeatableOptions,
} from './types';
import { callHeaders } from './wire/callHeaders';
import type { ApiResponse } from './wire/exchangeJson';
import { endpointPath, servicePath } from './wire/location';

export interface SettleOptions<Name extends RecordOperation = RecordOperation> extends BatchOptions {
	/** Called once for each record, by its index, as soon as its outcome is known. */
	onOutcome?: (index: number, outcome: RecordOutcome<SettledResults[Name]>) => void;
}

export interface SettleAllOptions extends BatchOptions {
	/** Outcomes come in the order of the records. Default: false. */
	inOrder?: boolean;
}

/** The methods that a client and its sessions share. */
export abstract class ApiNodeMethods {
	readonly #transport: Transport;
	readonly #serviceId: string;

	protected constructor(transport: Transport, serviceId: string) {
		this.#transport = transport;
		this.#serviceId = serviceId;
	}

	/** The session that a call belongs to. */
	protected abstract sessionOfCall(): SessionState;

	/** For records that come one by one. @param signal ends what becomes of them */
	batcher(signal?: AbortSignal): RecordBatcher {
		return new RecordBatcher(this.#transport, this.sessionOfCall(), signal);
	}

	/** Where a batcher sends records. @throws InvalidCallError for what is wrong whatever the record */
	target<Name extends RecordOperation>(operation: Name, endpointId: string, options: BatchOptions): BatchTarget<Name> {
		return batchTarget(this.#transport, this.#serviceId, operation, endpointId, options);
	}

	/** Scores one record. @param features feature to value; to a model, null and missing are the same */
	async predictRecord<Features extends object = JsonObject, Result = PredictionResult>(
		endpointId: string,
		features: Features,
		options: PredictRecordOptions = {},
	): Promise<RecordResponse<Result>> {
		const response = await this.#callOne(operations.predict, endpointId, features, options);
		return fitting(response, isResult(response.result));
	}

	/** Scores several records in one request; `results` are in their order. */
	async predictRecords(
		endpointId: string,
		records: readonly FeaturesRecord[],
		options: PredictOptions = {},
	): Promise<RecordsResponse<PredictionResult>> {
		return await this.#callSeveral(operations.predict, endpointId, records, options);
	}

	/**
	 * Forecasts one horizon after the last date of each series.
	 *
	 * @param records one per series and date, the history first, future values of external features after it
	 * @returns one result per series and step
	 */
	async forecast(
		endpointId: string,
		records: readonly object[],
		options: ForecastOptions = {},
	): Promise<RecordsResponse<ForecastResult>> {
		requireList(records);
		const wrong = records.findIndex((record) => !isObject(record));
		if (wrong >= 0) throw new InvalidCallError(`Record ${wrong} is not an object`);
		const body = jsonText({ items: records, ...requestSettings(options) });
		const response = await this.#call(operations.forecast, endpointId, body, options);
		const { results } = response;
		return fitting(response, Array.isArray(results) && results.every(isObject));
	}

	/** Predicts the effect of a treatment on one record. */
	async predictEffect(endpointId: string, features: object, options: EffectOptions = {}): Promise<RecordResponse> {
		const response = await this.#callOne(operations.predictEffect, endpointId, features, options);
		return fitting(response, isObject(response.result));
	}

	/** Predicts the effect of a treatment on several records in one request; `results` are in their order. */
	async predictEffects(
		endpointId: string,
		records: readonly FeaturesRecord[],
		options: EffectOptions = {},
	): Promise<RecordsResponse> {
		return await this.#callSeveral(operations.predictEffect, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's query. It is not retried once it may have been sent, unless `repeatable` is set.
	 *
	 * @param parameters the query's named parameters
	 * @returns columns and rows (texts and nulls), or the number of rows that a statement changed; how several SELECTs are
	 *   answered is not public, so whatever comes is passed on
	 */
	async sqlQuery(
		endpointId: string,
		parameters: object = {},
		options: UnrepeatableOptions = {},
	): Promise<QueryResponse> {
		return (await this.#callOnce('sqlQuery', endpointId, parameters, options)) as QueryResponse;
	}

	/** Looks up one record. @returns the first result, as the Python client does; its row is in `data` */
	async lookupRecord(endpointId: string, record: object, options: LookupOptions = {}): Promise<LookupResult> {
		const response = await this.#callOne(operations.lookup, endpointId, record, options);
		const { results } = response;
		fitting(response, Array.isArray(results) && results.length === 1 && isObject(results[0]));
		return (results as LookupResult[])[0]!;
	}

	/** Looks up several records in one request; `results` are in their order. */
	async lookupRecords(
		endpointId: string,
		records: readonly LookupRecord[],
		options: CallOptions = {},
	): Promise<RecordsResponse<LookupResult>> {
		return await this.#callSeveral(operations.lookup, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's function. It is not retried once it may have been sent, unless `repeatable` is set.
	 *
	 * @param args the function's named arguments
	 * @returns the JSON of the response, by default the function's value in Dataiku's envelope; null for an empty one; a
	 *   RawResponse when the function responded with something other than JSON
	 */
	async runFunction<Response = FunctionResponse>(
		endpointId: string,
		args: object = {},
		options: UnrepeatableOptions = {},
	): Promise<Response | RawResponse | null> {
		return (await this.#callOnce('runFunction', endpointId, args, options)) as Response | RawResponse | null;
	}

	/**
	 * Like `predictRecords`, `predictEffects`, `lookupRecords` and `forecast`, for any number of records, in batches, each
	 * record with its own outcome: one bad record does not take the others with it, however the API node refuses it.
	 *
	 * @param records `{ features, context? }`, `{ data, context? }` for lookup, the lines of one series for forecast
	 * @returns as many outcomes as records, in their order; a series' result is `{ results }`, one for each step
	 * @throws CancelledError, and InvalidCallError for what is wrong with the whole call; nothing else
	 */
	async settle<Name extends RecordOperation>(
		operation: Name,
		endpointId: string,
		records: ReadonlyArray<SettledRecords[Name]>,
		options: SettleOptions<Name> = {},
	): Promise<Array<RecordOutcome<SettledResults[Name]>>> {
		requireList(records);
		const { onOutcome, signal, ...how } = options;
		const target = this.target(operation, endpointId, how);
		const outcomes = new Array<RecordOutcome<SettledResults[Name]>>(records.length);
		const batcher = this.batcher(signal);
		let failure: ApiNodeError | undefined;
		try {
			for (const [index, record] of records.entries()) {
				const room = batcher.add(record, target, (outcome) => {
					outcomes[index] = outcome;
					return onOutcome?.(index, outcome);
				});
				if (room) await room;
			}
		} catch (error) {
			failure = error as ApiNodeError;
			batcher.stop(failure);
		}
		await batcher.end();
		if (failure) throw failure;
		return outcomes;
	}

	/**
	 * Like {@link settle}, for records that do not fit into memory: reads them while their outcomes are taken. Outcomes come as
	 * they are known, each with its `record` and `index`. To leave the loop, or to abort `signal`, closes the source and cancels
	 * what is under way.
	 *
	 * @param records a list, a generator, a stream of objects: a batch goes out after a second in which none came
	 * @throws CancelledError; InvalidCallError for what is wrong with the whole call; what the source throws, after the outcomes
	 *   of the records before
	 */
	async *settleAll<Name extends RecordOperation>(
		operation: Name,
		endpointId: string,
		records: RecordSource<Name>,
		options: SettleAllOptions = {},
	): AsyncGenerator<SettledRecord<Name>, void, void> {
		const { inOrder = false, signal, ...how } = options;
		const target = this.target(operation, endpointId, how);
		const source = iteratorOf(records);
		const own = new AbortController();
		const abort = () => own.abort(signal?.reason);
		if (signal?.aborted) abort();
		const forget = signal && onAbort(signal, abort);
		try {
			yield* settleAll(this.batcher(own.signal), target, source, inOrder, abort);
		} finally {
			forget?.();
		}
	}

	/** The service's OpenAPI 2 document, which an API node serves for endpoints that have documentation. */
	async openApi(options: CallOptions = {}): Promise<JsonObject> {
		const path = `${servicePath(options.serviceId ?? this.#serviceId)}/swagger`;
		const response = await this.#get(path, options);
		return fitting(response, isObject(response));
	}

	/** Resolves when an instance responds to `GET /isAlive/`, which needs no key and proves nothing about a service. */
	async isAlive(options: CallOptions = {}): Promise<void> {
		await this.#get('/isAlive/', options, true);
	}

	async #callOne(
		operation: Operation,
		endpointId: string,
		record: object,
		options: PredictRecordOptions,
	): Promise<JsonObject> {
		const key = operation.recordKey!;
		if (!isObject(record)) throw new InvalidCallError(`The ${key} must be an object`);
		const { context } = options;
		const text = jsonText({ [key]: record, ...(context !== undefined && { context }) });
		return await this.#call(operation, endpointId, recordBody(text, requestSettings(options)), options, 1);
	}

	async #callSeveral<Response>(
		operation: Operation,
		endpointId: string,
		records: ReadonlyArray<FeaturesRecord | LookupRecord>,
		options: PredictOptions,
	): Promise<Response> {
		const key = operation.recordKey!;
		requireList(records);
		const wrong = records.findIndex((record) => !isObject((record as unknown as JsonObject)?.[key]));
		if (wrong >= 0) throw new InvalidCallError(`Record ${wrong} has no '${key}' object`);
		const body = jsonText({ items: records, ...requestSettings(options) });
		const several = { ...operation, action: operation.batchAction! };
		const response = await this.#call(several, endpointId, body, options, records.length);
		const { results } = response;
		const fits = operation === operations.predict ? isResult : isObject;
		return fitting(response, Array.isArray(results) && results.length === records.length && results.every(fits));
	}

	async #callOnce(
		operation: 'sqlQuery' | 'runFunction',
		endpointId: string,
		parameters: object,
		options: UnrepeatableOptions,
	): Promise<unknown> {
		const path = this.#endpointPath(endpointId, options);
		if (!isObject(parameters)) {
			throw new InvalidCallError(`The ${operation === 'sqlQuery' ? 'parameters' : 'arguments'} must be an object`);
		}
		const request = {
			path: `${path}/${operations[operation].action}`,
			endpoint: this.#transport.endpoint(path),
			body: jsonText(parameters),
			rule: { repeatable: options.repeatable ?? false },
			ofFunction: operation === 'runFunction',
		};
		return await this.#send(request, options);
	}

	async #call(
		operation: Operation,
		endpointId: string,
		body: string,
		options: CallOptions,
		records?: number,
	): Promise<JsonObject> {
		const path = this.#endpointPath(endpointId, options);
		const { action, repeatable } = operation;
		const endpoint = this.#transport.endpoint(path);
		const request = { path: `${path}/${action}`, endpoint, body, rule: { repeatable }, records };
		const response = await this.#send(request, options);
		return fitting(response, isObject(response));
	}

	async #send(request: Omit<ApiRequest, 'order' | 'headers'>, options: CallOptions): Promise<unknown> {
		const headers = callHeaders(options.headers);
		const session = this.sessionOfCall();
		const ordered = { ...request, headers, order: session.nextOrder() };
		return valueOf(await this.#transport.send(ordered, options, session.caller), options);
	}

	async #get(path: string, options: CallOptions, acceptAny = false): Promise<unknown> {
		const request = { path, headers: callHeaders(options.headers), acceptAny };
		return valueOf(await this.#transport.get(request, options, this.sessionOfCall().caller), options);
	}

	#endpointPath(endpointId: string, options: CallOptions): string {
		return endpointPath(options.serviceId ?? this.#serviceId, endpointId);
	}
}

/** What a call resolves with, once `onResponse` has received the rest. */
function valueOf({ value, head }: ApiResponse, { onResponse }: CallOptions): unknown {
	if (onResponse) tell(onResponse, head());
	return value;
}

function fitting<Response>(response: unknown, fits: boolean): Response {
	if (fits) return response as Response;
	const advice = 'Check that the endpoint is of the kind that this method calls.';
	throw new ResponseError('The response does not match the request', { advice }, 'misfit');
}

function requireList(records: unknown): void {
	if (!Array.isArray(records)) throw new InvalidCallError('The records must be a list');
}
