import type { ApiNodeError } from '../errors';
import type { CallOptions } from '../options';
import type {
	DispatchOptions,
	ExplanationOptions,
	FeaturesRecord,
	ForecastResult,
	JsonObject,
	LookupRecord,
	LookupResult,
	PredictionResult,
	ResponseContext,
	ResponseHead,
} from '../types';

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

/** The outcome of one record: its result with the part of the response that all records of the request share, or its error. */
export type RecordOutcome<Result = JsonObject> =
	| {
			result: Result;
			response: ResponseContext & Partial<Pick<ResponseHead, 'headers'>>;
			error?: undefined;
			untried?: undefined;
	  }
	| {
			result?: undefined;
			response?: undefined;
			error: ApiNodeError;
			/** The record was never sent alone, because the endpoint refused all other records that were. */
			untried?: true;
	  };

export type RecordSource<Name extends RecordOperation> =
	Iterable<SettledRecords[Name]> | AsyncIterable<SettledRecords[Name]>;

/** A record with its outcome and its position in the source, starting at 0. */
export type SettledRecord<Name extends RecordOperation> = RecordOutcome<SettledResults[Name]> & {
	index: number;
	record: SettledRecords[Name];
};
