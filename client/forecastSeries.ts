import { ApiNodeError } from './errors';
import { isObject } from './json';
import type { JsonObject } from './types';

/**
 * What tells a series from others: the values of its identifier columns. The same for a number and its text, since the API
 * node may respond with `"7"` for a store that was sent as 7.
 */
export function seriesKey(columns: readonly string[], values: JsonObject): string {
	const texts = columns.map((column) => String(asSent(values[column])));
	return texts.length === 1 ? texts[0]! : JSON.stringify(texts);
}

/** A date, for one, goes as text. */
const asSent = (value: unknown): unknown =>
	isObject(value) && typeof value.toJSON === 'function' ? (value.toJSON as () => unknown)() : value;

/**
 * Gives each series its results. A response is not aligned with the request: only the identifiers tell which results belong
 * to which series.
 *
 * @param series the keys of the series that were sent
 * @param columns the columns that identify a series; none for one series, or for several that are not told apart
 */
export function resultsBySeries(
	results: JsonObject[],
	series: readonly string[],
	columns: readonly string[] = [],
): JsonObject[] {
	if (columns.length === 0) return [{ results }];
	const rows = new Map<string, JsonObject[]>(series.map((key) => [key, []]));
	for (const result of results) {
		const { timeseriesIdentifier } = result;
		const own = rows.get(seriesKey(columns, isObject(timeseriesIdentifier) ? timeseriesIdentifier : {}));
		if (!own) throw otherSeries(columns, result);
		own.push(result);
	}
	return [...rows.values()].map((each) => ({ results: each }));
}

/** No ResponseError: the parts would be sent again, fail as well, and perhaps in words that mislead. */
function otherSeries(columns: readonly string[], { timeseriesIdentifier = {} }: JsonObject): ApiNodeError {
	const theirs = Object.keys(timeseriesIdentifier as JsonObject).join(', ') || 'nothing';
	const advice = `The model identifies its series by ${theirs}: correct the identifier columns.`;
	return new ApiNodeError(`The forecast is not of the series that ${columns.join(', ')} identify`, { advice });
}
