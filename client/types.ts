import type { CallOptions } from './traffic/Transport';

/** Any JSON object. */
export type JsonObject = Record<string, unknown>;

/** What a response contains in addition to its body. */
export interface ResponseHead {
	/** 200 to 299: a function may choose its own. */
	status: number;
	/**
	 * By their names in lower case; what came several times is joined by commas. Without cookies, authentication, and headers
	 * that echo the client's key or token.
	 */
	headers: Record<string, string>;
}

/** Which generation of the service answers, where several are live (Dataiku: "multi-version prediction"). */
export interface DispatchOptions {
	/** Name of the generation; takes precedence over `dispatchKey`. */
	forcedGeneration?: string;
	/** Calls with the same key are answered by the same generation. */
	dispatchKey?: string;
}

/** What is left out takes the setting of the endpoint. */
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
	/** Logged by the API node, not used. */
	context?: object;
}
export interface ForecastOptions extends CallOptions, DispatchOptions {}
export interface EffectOptions extends CallOptions, DispatchOptions {}
export interface LookupOptions extends CallOptions {
	/** Logged by the API node, not used. */
	context?: object;
}
export interface UnrepeatableOptions extends CallOptions {
	/** The query or function may run twice: it is retried as a prediction is. Default: false. */
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

/** Beside every result: durations, and which service generation answered. */
export interface ResponseContext {
	timing?: JsonObject;
	apiContext?: { serviceId: string; endpointId: string; serviceGeneration: string } & JsonObject;
}
export interface PredictionResult extends JsonObject {
	/** A class name, a number, or whatever a custom model returns; null is possible. */
	prediction?: unknown;
	/** Class to probability. */
	probas?: Record<string, number>;
	/** Feature to signed influence. */
	explanations?: Record<string, number>;
	/** True when the API node ignored the record, for the reason given. */
	ignored?: boolean;
	ignoreReason?: string;
}
export interface LookupResult extends JsonObject {
	data: JsonObject;
	ignored?: boolean;
	ignoreReason?: string;
}
/** One series at one step. */
export interface ForecastResult extends JsonObject {
	forecast: number;
	ignored: boolean;
	/** Probabilities, and the value of each. */
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
/** Rows of texts and nulls, or the number of rows that a statement changed. Anything else is passed on as it came. */
export type QueryResponse = ResponseContext &
	JsonObject & { columns?: unknown[]; rows?: Array<Array<string | null>>; updatedRows?: number };
/** The value that a function returned, in Dataiku's envelope. */
export interface FunctionResponse<Value = unknown> extends ResponseContext {
	response: Value;
}
