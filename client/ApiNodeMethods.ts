import { type BatchTarget, batchTarget } from './batches/batchTarget';
import { RecordBatcher } from './batches/RecordBatcher';
import { iteratorOf, settleAll } from './batches/settleAll';
import type {
	BatchOptions,
	RecordOperation,
	RecordOutcome,
	RecordSource,
	SettledRecord,
	SettledRecords,
	SettledResults,
} from './batches/types';
import { type ApiNodeError, InvalidCallError, ResponseError } from './errors';
import { isObject, isResult } from './json';
import { type Operation, operations } from './operations';
import type { RawResponse } from './RawResponse';
import { jsonText, recordBody, requestSettings } from './requestBody';
import type { SessionState } from './SessionState';
import { notify } from './notify';
import { onAbort } from './traffic/cancellation';
import type { CallOptions } from './options';
import type { ApiRequest, Transport } from './traffic/Transport';
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
	/** Called once for each record, with its index, as soon as its outcome is known. */
	onOutcome?: (index: number, outcome: RecordOutcome<SettledResults[Name]>) => void;
}

export interface SettleAllOptions extends BatchOptions {
	/** Yields the outcomes in the order of the records. Default: false. */
	inOrder?: boolean;
}

export abstract class ApiNodeMethods {
	readonly #transport: Transport;
	readonly #serviceId: string;

	/** @internal */
	protected constructor(transport: Transport, serviceId: string) {
		this.#transport = transport;
		this.#serviceId = serviceId;
	}

	/** The session that a call made on this object belongs to. @internal */
	protected abstract sessionOfCall(): SessionState;

	/** Takes records one by one. @param signal ends everything that the batcher does @internal */
	batcher(signal?: AbortSignal): RecordBatcher {
		return new RecordBatcher(this.#transport, this.sessionOfCall(), signal);
	}

	/** The destination of a batcher's records. @throws InvalidCallError when the options are invalid for every record @internal */
	target<Name extends RecordOperation>(operation: Name, endpointId: string, options: BatchOptions): BatchTarget<Name> {
		return batchTarget(this.#transport, this.#serviceId, operation, endpointId, options);
	}

	/** Scores one record. @param features values by feature; most models treat null as missing */
	async predictRecord<Features extends object = JsonObject, Result = PredictionResult>(
		endpointId: string,
		features: Features,
		options: PredictRecordOptions = {},
	): Promise<RecordResponse<Result>> {
		const response = await this.#callOne(operations.predict, endpointId, features, options);
		return fitting(response, isResult(response.result));
	}

	/** Scores several records in one request. `results` has their order. */
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
	 * @param records one per series and date: first the history, then the future values of external features
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

	/** Predicts the effect of a treatment on several records in one request. `results` has their order. */
	async predictEffects(
		endpointId: string,
		records: readonly FeaturesRecord[],
		options: EffectOptions = {},
	): Promise<RecordsResponse> {
		return await this.#callSeveral(operations.predictEffect, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's query. It is retried only while the API node cannot have received it, unless `repeatable` is set.
	 *
	 * @param parameters the query's named parameters
	 * @returns columns and rows (strings and nulls), or the number of rows that a statement changed. Dataiku does not
	 *   document the response to several SELECTs, so any other response is returned as it is.
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

	/** Looks up several records in one request. `results` has their order. */
	async lookupRecords(
		endpointId: string,
		records: readonly LookupRecord[],
		options: CallOptions = {},
	): Promise<RecordsResponse<LookupResult>> {
		return await this.#callSeveral(operations.lookup, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's function. It is retried only while the API node cannot have received it, unless `repeatable` is
	 * set.
	 *
	 * @param args the function's named arguments
	 * @returns the JSON of the response, by default the function's value in Dataiku's envelope; null for an empty response;
	 *   a RawResponse if the response is not JSON
	 */
	async runFunction<Response = FunctionResponse>(
		endpointId: string,
		args: object = {},
		options: UnrepeatableOptions = {},
	): Promise<Response | RawResponse | null> {
		return (await this.#callOnce('runFunction', endpointId, args, options)) as Response | RawResponse | null;
	}

	/**
	 * Sends any number of records in batches, as `predictRecords`, `predictEffects`, `lookupRecords` and `forecast` do.
	 * Each record has its own outcome: a batch that fails is sent again in parts, until only the bad records fail.
	 *
	 * @param records `{ features, context? }`; `{ data, context? }` for lookup; the rows of one series for forecast
	 * @returns one outcome per record, in their order. The result of a series is `{ results }`, with one entry per step.
	 * @throws CancelledError, or InvalidCallError when the whole call is invalid. Any other error is the outcome of a
	 *   record.
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
	 * Like {@link settle}, for records that do not fit into memory: it reads records while the caller takes outcomes. It
	 * yields outcomes as they become known, each with its `record` and `index`. Leaving the loop or aborting `signal`
	 * closes the source and cancels the requests in progress.
	 *
	 * @param records a list, a generator or a stream of objects. An incomplete batch is sent after a second without a new
	 *   record.
	 * @throws CancelledError; InvalidCallError when the whole call is invalid; an error of the source, after the outcomes
	 *   of the records before it
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

	/** Returns the service's OpenAPI 2 document, which lists the endpoints that have documentation. */
	async openApi(options: CallOptions = {}): Promise<JsonObject> {
		const path = `${servicePath(options.serviceId ?? this.#serviceId)}/swagger`;
		const response = await this.#get(path, options);
		return fitting(response, isObject(response));
	}

	/** Resolves when an instance responds to `GET /isAlive/`. That request needs no key and does not depend on a service. */
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
		if (!isObject(record)) throw new InvalidCallError(`'${key}' must be an object`);
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
			throw new InvalidCallError(`'${operation === 'sqlQuery' ? 'parameters' : 'arguments'}' must be an object`);
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

/** Returns the value for the caller, after passing status and headers to `onResponse`. */
function valueOf({ value, head }: ApiResponse, { onResponse }: CallOptions): unknown {
	if (onResponse) notify(onResponse, head());
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
