import type { CallOptions } from './options';

export type JsonObject = Record<string, unknown>;

/** What a response contains in addition to its body. */
export interface ResponseHead {
	/** 200 to 299. A function can choose its own status. */
	status: number;
	/**
	 * Names are in lower case, and the values of a repeated header are joined by commas. Headers are left out if they are
	 * cookies, if they are for authentication, or if they contain the client's key or token.
	 */
	headers: Record<string, string>;
}

/** Selects the generation of the service that responds, if several are live (Dataiku: "multi-version prediction"). */
export interface DispatchOptions {
	/** Name of the generation; takes precedence over `dispatchKey`. */
	forcedGeneration?: string;
	/** Calls with the same key go to the same generation. */
	dispatchKey?: string;
}

/** Options that are left out use the settings of the endpoint. */
export interface ExplanationOptions {
	withExplanations?: boolean;
	explanationMethod?: 'ICE' | 'SHAPLEY';
	/** Explanations per prediction. */
	nExplanations?: number;
	/** Precision of SHAPLEY, 25 to 1000: higher is more precise and slower. */
	nExplanationsMcSteps?: number;
}

export interface PredictOptions extends CallOptions, DispatchOptions, ExplanationOptions {}
export interface PredictRecordOptions extends PredictOptions {
	/** The API node logs it and does not use it otherwise. */
	context?: object;
}
export interface ForecastOptions extends CallOptions, DispatchOptions {}
export interface EffectOptions extends CallOptions, DispatchOptions {}
export interface LookupOptions extends CallOptions {
	/** The API node logs it and does not use it otherwise. */
	context?: object;
}
export interface UnrepeatableOptions extends CallOptions {
	/** The query or function may run twice, so it is retried like a prediction. Default: false. */
	repeatable?: boolean;
}

export interface FeaturesRecord {
	readonly features: object;
	readonly context?: object;
}
export interface LookupRecord {
	readonly data: object;
	readonly context?: object;
}

/** Part of every response: durations, and the generation that responded. */
export interface ResponseContext {
	timing?: JsonObject;
	apiContext?: { serviceId: string; endpointId: string; serviceGeneration: string } & JsonObject;
}
export interface PredictionResult extends JsonObject {
	/** A class name, a number, or any value that a custom model returns. Can be null. */
	prediction?: unknown;
	/** Probability by class. */
	probas?: Record<string, number>;
	/** Signed influence by feature. */
	explanations?: Record<string, number>;
	/** Whether the API node ignored the record. The reason is in `ignoreReason`. */
	ignored?: boolean;
	ignoreReason?: string;
}
export interface LookupResult extends JsonObject {
	data: JsonObject;
	ignored?: boolean;
	ignoreReason?: string;
}
/** Forecast of one series at one step. */
export interface ForecastResult extends JsonObject {
	forecast: number;
	ignored: boolean;
	/** Probabilities. `quantilesValues` has the value of each. */
	quantiles: number[];
	quantilesValues: number[];
	/** ISO 8601. */
	time: string;
	timeseriesIdentifier: JsonObject;
}
export interface RecordResponse<Result = JsonObject> extends ResponseContext {
	result: Result;
}
export interface RecordsResponse<Result = JsonObject> extends ResponseContext {
	results: Result[];
}
/** Rows of strings and nulls, or the number of rows that a statement changed. Any other response is returned as it is. */
export type QueryResponse = ResponseContext &
	JsonObject & { columns?: unknown[]; rows?: Array<Array<string | null>>; updatedRows?: number };
/** The value that a function returned, in Dataiku's envelope. */
export interface FunctionResponse<Value = unknown> extends ResponseContext {
	response: Value;
}
