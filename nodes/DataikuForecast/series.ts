import { ApiNodeError, type Distribute, type JsonObject } from '../shared/client';

/** The history of one series, or of all together when no column tells them apart. */
export interface Series {
	/** The identifier columns, empty when series are not told apart. */
	columns: readonly string[];
	key: string;
	/** Its records, as JSON. */
	lines: string[];
	/** The input items that these come from. */
	itemIndexes: number[];
}

/** The same for a number and its text: the API node may answer `"7"` for a store that was sent as 7. */
export function seriesKey(columns: readonly string[], values: JsonObject): string {
	return JSON.stringify(columns.map((column) => String(values[column])));
}

/**
 * Gives each series its rows. An answer is not aligned with the request: only the identifiers tell which rows belong to
 * which series.
 */
export function distributeBySeries(series: readonly Series[]): Distribute {
	const { columns } = series[0];
	return (results, start, end) => {
		if (columns.length === 0) return [{ results }];
		const rows = new Map<string, JsonObject[]>(series.slice(start, end).map(({ key }) => [key, []]));
		for (const result of results) {
			const own = rows.get(seriesKey(columns, (result.timeseriesIdentifier ?? {}) as JsonObject));
			if (!own) throw strange(columns, result);
			own.push(result);
		}
		return [...rows.values()].map((each) => ({ results: each }));
	};
}

/** No AnswerError: that would have the request sent again in parts, which are no better and may fail in words that mislead. */
function strange(columns: readonly string[], { timeseriesIdentifier = {} }: JsonObject): ApiNodeError {
	const theirs = Object.keys(timeseriesIdentifier as JsonObject);
	const advice = `The model tells its series apart by ${theirs.join(', ') || 'nothing'}: correct "Identifier Columns".`;
	return new ApiNodeError(`The forecast is not of the series that ${columns.join(', ')} tell apart`, { advice });
}
