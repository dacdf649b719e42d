import { ApiNodeError } from './errors';
import { isObject } from './json';
import { shortened } from './shortened';
import type { JsonObject } from './types';

/**
 * Key of a series: the values of its identifier columns. A number has the same key as its text, because the API node may
 * respond with `"7"` for a store that was sent as 7. Null has the same key as a missing value.
 */
export function seriesKey(columns: readonly string[], values: JsonObject): string {
	const texts = columns.map((column) => textOf(values[column]));
	return texts.length === 1 ? texts[0]! : JSON.stringify(texts);
}

/** Dates and other objects count as their JSON text. */
function textOf(value: unknown = null): string {
	if (typeof value !== 'object' || value === null) return String(value);
	const json = JSON.stringify(value) ?? 'null';
	return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/** Returns the same text for all spellings of a number, a boolean or an instant, and for all forms of its letters. */
function spelling(text: string): string {
	if (text.length > 100) return text;
	const word = text.trim().toLowerCase();
	if (word === 'true' || word === 'false') return word;
	if (/^[+-]?\d*\.?\d+(e[+-]?\d+)?$/.test(word)) {
		// A number cannot hold more than 15 digits exactly.
		return word.replace(/\D/g, '').length > 15 ? word.replace(/\.0+$/, '') : `${Number(word)}`;
	}
	const [, day, time = '00:00', zone = 'Z'] =
		/^(\d{4}-\d\d-\d\d)(?:[t ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(z|[+-]\d\d:?\d\d)?)?$/.exec(word) ?? [];
	const instant = day === undefined ? NaN : Date.parse(`${day}T${time}${zone.toUpperCase()}`);
	return Number.isNaN(instant) ? text.normalize() : `at ${instant}`;
}

const spellingOf = (key: string, columns: readonly string[]) =>
	columns.length === 1 ? spelling(key) : JSON.stringify((JSON.parse(key) as string[]).map(spelling));

/**
 * Finds the series that an identifier names: the series that was sent with the same text, or otherwise the only series
 * that is equal when compared as numbers, booleans or dates.
 */
export function seriesFinder(
	columns: readonly string[],
	series: Iterable<string>,
): (identifier: JsonObject) => string | undefined {
	const sent = new Set(series);
	const equal = new Map<string, string | undefined>();
	for (const key of sent) {
		const spelt = spellingOf(key, columns);
		equal.set(spelt, equal.has(spelt) ? undefined : key);
	}
	return (identifier) => {
		const key = seriesKey(columns, identifier);
		return sent.has(key) ? key : equal.get(spellingOf(key, columns));
	};
}

/**
 * Assigns the results to their series. Only the identifiers tell which results belong to which series, because a response
 * does not have the order of the request. A series whose results are ambiguous gets an error.
 *
 * @param series the keys of the series that were sent
 * @param columns the columns that identify a series; none for a single series
 */
export function resultsBySeries(
	results: JsonObject[],
	series: readonly string[],
	columns: readonly string[] = [],
): Array<JsonObject | ApiNodeError> {
	if (columns.length === 0) return [{ results }];
	const rows = new Map<string, JsonObject[]>();
	for (const result of results) {
		const key = seriesKey(columns, identifierIn(result));
		const own = rows.get(key);
		if (own) own.push(result);
		else rows.set(key, [result]);
	}
	const find = seriesFinder(columns, series);
	const isOnly = series.length === 1 && rows.size === 1 && isIdentified(results[0]!, columns);
	const named = new Map<string, JsonObject[][]>(series.map((key) => [key, []]));
	let unknown: JsonObject | undefined;
	for (const each of rows.values()) {
		const key = isOnly ? series[0]! : find(identifierIn(each[0]!));
		if (key === undefined) unknown ??= each[0];
		else named.get(key)!.push(each);
	}
	const alike = (keys: Iterable<string>) => {
		const counts = new Map<string, number>();
		for (const key of keys) {
			const spelt = spellingOf(key, columns);
			counts.set(spelt, (counts.get(spelt) ?? 0) + 1);
		}
		return counts;
	};
	const [asked, came] = [alike(series), alike(rows.keys())];
	const isInstant = (key: string) => /(?:^|")at -?\d+(?:"|$)/.test(spellingOf(key, columns));
	/** Whether the model may have read several series as one. */
	const isMerged = (key: string) => {
		const spelt = spellingOf(key, columns);
		const found = came.get(spelt) ?? 0;
		return found > 0 && found < asked.get(spelt)!;
	};
	return series.map((key) => {
		const [first, second] = named.get(key)!;
		const isAlone = isOnly || !isMerged(key);
		// If an unknown instant comes back, a time zone may have shifted all of them, and then one may equal another series
		// by chance.
		const isShifted = unknown !== undefined && isInstant(seriesKey(columns, identifierIn(unknown))) && isInstant(key);
		const own = isAlone ? (rows.get(key) ?? (second || isShifted ? undefined : first)) : undefined;
		const other = first?.[0] ?? unknown ?? (isAlone ? undefined : results[0]);
		return !own && other ? otherSeries(columns, key, other) : { results: own ?? [] };
	});
}

const identifierIn = ({ timeseriesIdentifier }: JsonObject): JsonObject =>
	isObject(timeseriesIdentifier) ? timeseriesIdentifier : {};

const isIdentified = (result: JsonObject, columns: readonly string[]) =>
	columns.every((column) => Object.hasOwn(identifierIn(result), column));

/** Not a ResponseError: that would send the batch again in parts, which fail as well, perhaps with a misleading message. */
function otherSeries(columns: readonly string[], key: string, result: JsonObject): ApiNodeError {
	const identifier = identifierIn(result);
	if (!isIdentified(result, columns)) {
		const theirs = Object.keys(identifier).join(', ') || 'nothing';
		const advice = `The model identifies series by ${theirs}. Fix the identifier columns.`;
		return new ApiNodeError(`The model does not identify series by ${columns.join(', ')}`, { advice });
	}
	const values = columns.length === 1 ? [key] : (JSON.parse(key) as string[]);
	const shown = (valueOf: (column: string, n: number) => unknown) =>
		columns.map((column, n) => `${column}=${shortened(textOf(valueOf(column, n)), 60)}`).join(', ');
	const [theirs, ours] = [shown((column) => identifier[column]), shown((_column, n) => values[n])];
	return new ApiNodeError(`The response names series ${theirs}, but the request named ${ours}`, {
		advice: 'It is not clear which series is meant. Send the identifiers exactly as the model knows them.',
	});
}
