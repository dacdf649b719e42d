import { ApiNodeError, InvalidCallError } from './errors';
import { isObject } from './json';
import type { Distribute } from './Settlement';
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
 * @param columns the columns that identify a series; none for one series, or for several that are not told apart
 * @throws InvalidCallError when a series cannot be told from the others
 */
export function resultsBySeries(
	series: ReadonlyArray<readonly JsonObject[]>,
	columns: readonly string[] = [],
): Distribute {
	if (columns.length === 0) {
		if (series.length > 1) throw new InvalidCallError('Several series need identifier columns that tell them apart');
		return (results) => [{ results }];
	}
	const keys = series.map(([first]) => seriesKey(columns, first ?? {}));
	if (new Set(keys).size < keys.length) {
		throw new InvalidCallError(`Two of the series have the same ${columns.join(', ')}`);
	}
	return (results, records) => {
		const rows = new Map<string, JsonObject[]>(records.map((n) => [keys[n]!, []]));
		for (const result of results) {
			const { timeseriesIdentifier } = result;
			const own = rows.get(seriesKey(columns, isObject(timeseriesIdentifier) ? timeseriesIdentifier : {}));
			if (!own) throw otherSeries(columns, result);
			own.push(result);
		}
		return [...rows.values()].map((each) => ({ results: each }));
	};
}

/** No ResponseError: the parts would be sent again, fail as well, and perhaps in words that mislead. */
function otherSeries(columns: readonly string[], { timeseriesIdentifier = {} }: JsonObject): ApiNodeError {
	const theirs = Object.keys(timeseriesIdentifier as JsonObject).join(', ') || 'nothing';
	const advice = `The model identifies its series by ${theirs}: correct the identifier columns.`;
	return new ApiNodeError(`The forecast is not of the series that ${columns.join(', ')} identify`, { advice });
}
