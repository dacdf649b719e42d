import { jsonText, recordBody, recordText, requestSettings } from './bodies';
import { AnswerError, InvalidCallError } from './errors';
import { isObject } from './json';
import { endpointPath, servicePath } from './location';
import { type Operation, operations } from './operations';
import {
	type Distribute,
	oneResultPerRecord,
	type RecordOutcome,
	settleRecords,
	type SettleOptions,
} from './settleRecords';
import { type CallOptions, type RawAnswer, Transport, type TransportOptions } from './Transport';
import type {
	DispatchOptions,
	EffectOptions,
	ExplanationOptions,
	FeaturesRecord,
	ForecastOptions,
	ForecastResult,
	JsonObject,
	LookupOptions,
	LookupRecord,
	LookupResult,
	PredictionResult,
	PredictOptions,
	PredictRecordOptions,
	QueryAnswer,
	RecordAnswer,
	RecordsAnswer,
	UnrepeatableOptions,
} from './types';

export interface ApiNodeClientOptions extends TransportOptions {
	/** The service whose endpoints are called. */
	serviceId: string;
}

/** Names of the operations that take several records in a request without side effects. */
export type RecordOperation = 'predict' | 'predictEffect' | 'lookup' | 'forecast';

export interface SettleCallOptions extends SettleOptions, DispatchOptions, ExplanationOptions {
	/** Use the action for one record; only with one record. */
	single?: boolean;
	/** Which results belong to which record. Default: one each, in order. */
	distribute?: Distribute;
}

/**
 * Client of the user API of a Dataiku API node: the methods of `dataikuapi.APINodeClient` 14.3.3 in camel case, with the
 * same bodies on the wire and the whole answer as the result. Beyond it: connections kept and shared, retries where they
 * are safe, several instances, an adaptive limit on requests in flight, cancelling.
 *
 * Every method throws an {@link ApiNodeError}: InvalidCallError before anything is sent, ConnectionError, TimeoutError,
 * StatusError, AnswerError, CancelledError. Integers beyond 2^53 in an answer arrive as strings of their digits.
 *
 * Source: Dataiku DSS documentation, "API node user API", and the API reference of the API node.
 */
export class ApiNodeClient {
	private readonly transport: Transport;
	private readonly serviceId: string;

	/** @throws InvalidCallError when the URL, a certificate or a key cannot be read */
	constructor(options: ApiNodeClientOptions) {
		this.serviceId = options.serviceId;
		this.transport = new Transport(options);
	}

	/** Scores one record. @param features feature to value; null and missing are the same to a model */
	async predictRecord(
		endpointId: string,
		features: JsonObject,
		options: PredictRecordOptions = {},
	): Promise<RecordAnswer<PredictionResult>> {
		const answer = await this.callOne(operations.predict, endpointId, features, options);
		return this.fitting(answer, isObject(answer.result));
	}

	/** Scores several records in one request; `results` are in their order. */
	async predictRecords(
		endpointId: string,
		records: FeaturesRecord[],
		options: PredictOptions = {},
	): Promise<RecordsAnswer<PredictionResult>> {
		return await this.callSeveral(operations.predict, endpointId, records, options);
	}

	/**
	 * Forecasts one horizon after the last date of each series.
	 *
	 * @param records one per series and date, the history first, future values of external features after it
	 * @returns one result per series and step
	 */
	async forecast(
		endpointId: string,
		records: JsonObject[],
		options: ForecastOptions = {},
	): Promise<RecordsAnswer<ForecastResult>> {
		requireList(records);
		const wrong = records.findIndex((record) => !isObject(record));
		if (wrong >= 0) throw new InvalidCallError(`Record ${wrong} is not an object`);
		const body = jsonText({ items: records, ...requestSettings(options) });
		const answer = await this.call(operations.forecast, endpointId, body, options);
		const { results } = answer;
		return this.fitting(answer, Array.isArray(results) && results.every(isObject));
	}

	/** Predicts the effect of a treatment on one record. */
	async predictEffect(endpointId: string, features: JsonObject, options: EffectOptions = {}): Promise<RecordAnswer> {
		const answer = await this.callOne(operations.predictEffect, endpointId, features, options);
		return this.fitting(answer, isObject(answer.result));
	}

	/** Predicts the effect of a treatment on several records in one request; `results` are in their order. */
	async predictEffects(
		endpointId: string,
		records: FeaturesRecord[],
		options: EffectOptions = {},
	): Promise<RecordsAnswer> {
		return await this.callSeveral(operations.predictEffect, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's query. It is not retried once it may have been sent, unless `repeatable` is set.
	 *
	 * @param parameters the query's named parameters
	 * @returns columns and rows (texts and nulls), or the number of rows that a statement changed; how several SELECTs are
	 *   answered is not public, so that whatever comes is passed on
	 */
	async sqlQuery(
		endpointId: string,
		parameters: JsonObject = {},
		options: UnrepeatableOptions = {},
	): Promise<QueryAnswer> {
		return (await this.callOnce('sqlQuery', endpointId, parameters, options)) as QueryAnswer;
	}

	/** Looks up one record. @returns the first result, as the Python client does; its row is in `data` */
	async lookupRecord(endpointId: string, record: JsonObject, options: LookupOptions = {}): Promise<LookupResult> {
		const answer = await this.callOne(operations.lookup, endpointId, record, options);
		const results = answer.results;
		this.fitting(answer, Array.isArray(results) && results.length === 1 && isObject(results[0]));
		return (results as LookupResult[])[0];
	}

	/** Looks up several records in one request; `results` are in their order. */
	async lookupRecords(
		endpointId: string,
		records: LookupRecord[],
		options: CallOptions = {},
	): Promise<RecordsAnswer<LookupResult>> {
		return await this.callSeveral(operations.lookup, endpointId, records, options);
	}

	/**
	 * Runs the endpoint's function. It is not retried once it may have been sent, unless `repeatable` is set.
	 *
	 * @param args the function's named arguments
	 * @returns the answer's JSON, the function's value in `response`; a RawAnswer when the function answered something else
	 */
	async runFunction(
		endpointId: string,
		args: JsonObject = {},
		options: UnrepeatableOptions = {},
	): Promise<unknown | RawAnswer> {
		return await this.callOnce('runFunction', endpointId, args, options);
	}

	/**
	 * Like `predictRecords`, `predictEffects`, `lookupRecords` and `forecast`, but each record has an outcome of its own: one
	 * bad record does not take the others with it, however the API node refuses it.
	 *
	 * @param records texts made by {@link recordText}, so that a record is serialised once however often it is sent; for
	 *   forecast, the JSON of a series' lines, separated by commas
	 * @returns as many outcomes as records, in their order
	 * @throws CancelledError and InvalidCallError, nothing else
	 */
	async settle(
		operation: RecordOperation,
		endpointId: string,
		records: readonly string[],
		options: SettleCallOptions = {},
	): Promise<RecordOutcome[]> {
		if (records.length === 0) return [];
		const { single = false, distribute = oneResultPerRecord } = options;
		if (single && records.length !== 1) throw new InvalidCallError('The action for one record takes one record');
		const path = endpointPath(options.serviceId ?? this.serviceId, endpointId);
		const settings = requestSettings(options);
		const request = { operation: operations[operation], path, single, records, settings, distribute };
		return await settleRecords(this.transport, request, options);
	}

	/** The service's OpenAPI 2 document, which an API node serves for endpoints that have documentation. */
	async openApi(options: CallOptions = {}): Promise<JsonObject> {
		const answer = await this.transport.get(`${servicePath(options.serviceId ?? this.serviceId)}/swagger`, options);
		return this.fitting(answer, isObject(answer));
	}

	/** Resolves when an instance answers `GET /isAlive/`, which needs no key and proves nothing about a service. */
	async isAlive(options: CallOptions = {}): Promise<void> {
		await this.transport.get('/isAlive/', { ...options, acceptAny: true });
	}

	/** Closes all connections; calls under way fail. */
	async destroy(): Promise<void> {
		await this.transport.destroy();
	}

	private async callOne(
		operation: Operation,
		endpointId: string,
		record: JsonObject,
		options: PredictRecordOptions,
	): Promise<JsonObject> {
		if (!isObject(record)) throw new InvalidCallError(`The ${operation.recordKey} must be an object`);
		const body = recordBody(recordText(operation, record, options.context), requestSettings(options));
		return await this.call(operation, endpointId, body, options);
	}

	private async callSeveral<Answer>(
		operation: Operation,
		endpointId: string,
		records: Array<FeaturesRecord | LookupRecord>,
		options: PredictOptions,
	): Promise<Answer> {
		const key = operation.recordKey!;
		requireList(records);
		const wrong = records.findIndex((record) => !isObject((record as unknown as JsonObject)?.[key]));
		if (wrong >= 0) throw new InvalidCallError(`Record ${wrong} has no '${key}' object`);
		const body = jsonText({ items: records, ...requestSettings(options) });
		const several = { ...operation, action: operation.batchAction! };
		const answer = await this.call(several, endpointId, body, options);
		const { results } = answer;
		return this.fitting(answer, Array.isArray(results) && results.length === records.length && results.every(isObject));
	}

	private async callOnce(
		operation: 'sqlQuery' | 'runFunction',
		endpointId: string,
		parameters: JsonObject,
		options: UnrepeatableOptions,
	): Promise<unknown> {
		const path = endpointPath(options.serviceId ?? this.serviceId, endpointId);
		if (!isObject(parameters)) {
			throw new InvalidCallError(`The ${operation === 'sqlQuery' ? 'parameters' : 'arguments'} must be an object`);
		}
		return await this.transport.send(
			{
				path: `${path}/${operations[operation].action}`,
				endpoint: path,
				body: jsonText(parameters),
				repeatable: options.repeatable ?? false,
				acceptAny: operation === 'runFunction',
			},
			options,
		);
	}

	private async call(
		operation: Operation,
		endpointId: string,
		body: string,
		options: CallOptions,
	): Promise<JsonObject> {
		const path = endpointPath(options.serviceId ?? this.serviceId, endpointId);
		const { action, repeatable } = operation;
		const answer = await this.transport.send({ path: `${path}/${action}`, endpoint: path, body, repeatable }, options);
		return this.fitting(answer, isObject(answer));
	}

	private fitting<Answer>(answer: unknown, fits: boolean): Answer {
		if (fits) return answer as Answer;
		const advice = 'Check that the endpoint is of the kind that this method calls.';
		throw new AnswerError('The answer does not fit the request', { advice }, 'misfit');
	}
}

function requireList(records: unknown): void {
	if (!Array.isArray(records)) throw new InvalidCallError('The records must be a list');
}
