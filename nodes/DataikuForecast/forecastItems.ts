import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	type ForecastResult,
	hadNotFinite,
	InvalidCallError,
	isBlank,
	type JsonObject,
	type RecordOutcome,
	seriesFinder,
	seriesKey,
	setOwn,
	StatusError,
} from '../../client/internal';
import { addColumn } from '../shared/columns';
import { callTo, positive, type Target, targetReader } from '../shared/callSettings';
import { Execution } from '../shared/Execution';
import { mayBeFull } from '../shared/fullResponse';
import { notFiniteRead } from '../shared/hints';
import { outputNamed, successItem } from '../shared/outputItems';
import { type Place, sentence, type Slot } from '../shared/nodeErrors';
import { combine, demanded, isNone, textOf } from '../shared/parameters';
import { columnNames, fieldAt } from '../shared/records';
import { shortened } from '../shared/shortened';

/** The history of one series, or of all series together if no column tells them apart. */
interface Series {
	columns: readonly string[];
	records: JsonObject[];
	itemIndexes: number[];
	slot: Slot;
}

interface Line {
	columns: string[];
	record: JsonObject;
}

/** Series that may share a request. */
interface SeriesGroup {
	target: ForecastTarget;
	series: Map<string, Series>;
}

interface ForecastTarget extends Target {
	identifierColumns: string[];
	batchSize: number;
}

type Success = Extract<RecordOutcome, { error?: undefined }>;

type ForecastOutput = (
	results: ForecastResult[],
	response: IDataObject,
	beside: typeof besideIdentifier,
) => Array<{ json: IDataObject; of?: JsonObject }>;

/**
 * A forecast's columns next to the identifier of its series. If both have a column of the same name, the forecast's becomes
 * `result_<name>`.
 */
function besideIdentifier(identifier: JsonObject | undefined, columns: JsonObject, prefix = ''): IDataObject {
	const json: JsonObject = { ...identifier };
	for (const column of Object.keys(columns)) {
		let name = prefix + column;
		while (Object.hasOwn(json, name)) name = `result_${name}`;
		setOwn(json, name, columns[column]);
	}
	return json as IDataObject;
}

/** Groups results by series, in the order of the response. */
function bySeries(results: ForecastResult[]): ForecastResult[][] {
	const groups = new Map<string, ForecastResult[]>();
	for (const result of results) {
		const key = JSON.stringify(result.timeseriesIdentifier ?? {});
		const steps = groups.get(key);
		if (steps) steps.push(result);
		else groups.set(key, [result]);
	}
	return [...groups.values()];
}

/** Removes the columns that a result lacks. A forecast without a value stays null. */
const withoutAbsent = (columns: JsonObject) =>
	Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)) as IDataObject;

/** A column per quantile. If quantiles and values do not match, both are kept as lists. */
function quantileColumns({ quantiles, quantilesValues }: ForecastResult): JsonObject {
	const arePairs = Array.isArray(quantiles) && Array.isArray(quantilesValues);
	const names = arePairs ? quantiles.map((q) => `quantile_${q}`) : [];
	const fit = arePairs && names.length === quantilesValues.length && new Set(names).size === names.length;
	if (fit) return Object.fromEntries(names.map((name, n) => [name, quantilesValues[n]]));
	return { quantiles: quantiles ?? undefined, quantilesValues: quantilesValues ?? undefined };
}

const documented = new Set([
	'timeseriesIdentifier',
	'time',
	'forecast',
	'quantiles',
	'quantilesValues',
	'ignored',
	'ignoreReason',
]);
/** Undocumented keys of a result, such as those of prediction intervals. */
const otherKeys = (result: ForecastResult) => Object.keys(result).filter((name) => !documented.has(name));

const outputs: Record<string, ForecastOutput> = {
	flat: (results, _response, beside) =>
		results.map((result) => {
			const { timeseriesIdentifier, time, forecast, ignored, ignoreReason } = result;
			const columns: JsonObject = { time, forecast, ...quantileColumns(result) };
			if (ignored === true) Object.assign(columns, { ignored, ignoreReason });
			for (const name of otherKeys(result)) addColumn(columns, name, result[name]);
			return { json: withoutAbsent(beside(timeseriesIdentifier, columns)), of: timeseriesIdentifier };
		}),
	perStep: (results, _response, beside) =>
		results.map((result) => ({
			json: beside(result.timeseriesIdentifier, result),
			of: result.timeseriesIdentifier,
		})),
	perSeries: (results, _response, beside) =>
		bySeries(results).map((steps) => {
			const { timeseriesIdentifier, quantiles } = steps[0]!;
			const reason = steps.find((step) => step.ignoreReason !== undefined)?.ignoreReason;
			const columns: JsonObject = {
				timeseriesIdentifier,
				time: steps.map((step) => step.time),
				forecast: steps.map((step) => step.forecast),
				quantiles,
				quantilesValues: steps.map((step) => step.quantilesValues),
				ignored: steps.some((step) => step.ignored),
				...(reason !== undefined && { ignoreReason: reason }),
			};
			for (const name of new Set(steps.flatMap(otherKeys))) {
				addColumn(
					columns,
					name,
					steps.map((step) => step[name] ?? null),
				);
			}
			return { json: beside(timeseriesIdentifier, columns), of: timeseriesIdentifier };
		}),
	fullResponse: (results, response) => [{ json: { results: results, ...response } }],
};

const identifierKept =
	'An identifier column has the same name as a forecast column. The forecast column is output as "result_<name>". To change the names, set "Column Prefix"';

/**
 * All items together are the history. Series that identifier columns tell apart may be sent in separate requests; otherwise,
 * everything is one request.
 */
export async function forecastItems(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	return await Execution.run(context, 'forecast', async (execution) => {
		for (const { target, series } of await readSeries(execution)) {
			for (const each of series.values()) {
				const turn = execution.turn();
				if (turn) await turn;
				await add(each, target, execution);
			}
		}
	});
}

function forecastTargetReader(execution: Execution) {
	const { parameters } = execution;
	const target = targetReader(execution);
	const identifierColumns = demanded(parameters.reader<unknown>('identifierColumns', ''), 'Identifier Columns', true);
	const most = parameters.reader<unknown>('options.seriesPerRequest', 100);
	const seriesPerRequest = positive(most, 'Series per Request');
	return combine<ForecastTarget>([target, identifierColumns, most], (i) => ({
		...target(i),
		identifierColumns: columnNames(identifierColumns(i)),
		batchSize: seriesPerRequest(i),
	}));
}

async function readSeries(execution: Execution): Promise<SeriesGroup[]> {
	const groups = new Map<string, SeriesGroup>();
	const targetOf = forecastTargetReader(execution);
	const unread: number[] = [];

	await execution.forEach(
		targetOf,
		(itemIndex, target, records) => {
			const { json } = execution.items[itemIndex]!;
			const name = targetOf.constant ? '' : JSON.stringify(target);
			const group = groups.get(name) ?? { target, series: new Map<string, Series>() };
			// Nearly all items have one record.
			if (records.length === 1) {
				const line = lineOf(records[0]!, target, json);
				groups.set(name, group);
				addLine(execution, itemIndex, line, group);
				return undefined;
			}
			const lines: Line[] = [];
			const reading = execution.through(records, (record) => lines.push(lineOf(record, target, json)));
			// Either all rows of an item are added, or none.
			const put = () => {
				groups.set(name, group);
				return execution.through(lines, (line) => addLine(execution, itemIndex, line, group));
			};
			return reading ? reading.then(put) : put();
		},
		{
			recordOf: execution.records.list,
			unread: (itemIndex) => unread.push(itemIndex),
		},
	);
	const all = [...groups.values()];
	await failUnread(execution, unread, all);
	return all;
}

/** @throws InvalidCallError for a record without a series */
function lineOf(record: JsonObject, { identifierColumns: paths }: ForecastTarget, json: JsonObject): Line {
	const areNames = paths.every((path) => Object.hasOwn(record, path));
	const columns = areNames ? paths : paths.map((path) => columnIn(record, path, json));
	checkIdentified(record, columns);
	return { columns, record };
}

function addLine(execution: Execution, itemIndex: number, { columns, record }: Line, group: SeriesGroup): void {
	const key = seriesKey(columns, record);
	let series = group.series.get(key);
	if (!series) {
		series = { columns, records: [], itemIndexes: [], slot: execution.reserve(itemIndex) };
		group.series.set(key, series);
	}
	series.records.push(record);
	series.itemIndexes.push(itemIndex);
}

/** Finds a column by its name, or by the path of the item's field from which it was made. */
const columnIn = (record: JsonObject, path: string, json: JsonObject): string =>
	Object.hasOwn(record, path) ? path : fieldAt(json, path).name;

/** A blank row of a file has no series. */
const isAbsent = (value: unknown) => isNone(value) || isBlank(value);

function checkIdentified(record: JsonObject, columns: readonly string[]): void {
	const missing = columns.find((column) => isAbsent(record[column]));
	if (missing === undefined) return;
	throw new InvalidCallError(`The record has no '${missing}', which is one of the identifier columns`, {
		advice: 'Without this column, the series of the record is unknown.',
	});
}

/** Fails every series that lost a row, because the forecast from an incomplete history looks like any other. */
async function failUnread(execution: Execution, unread: number[], groups: readonly SeriesGroup[]): Promise<void> {
	if (unread.length === 0) return;
	/** By identifier columns: the number of groups with these columns, and the groups that contain each series. */
	const byColumns = new Map<string, { columns: string[]; count: number; having: Map<string, SeriesGroup[]> }>();
	for (const group of groups) {
		const columns = group.target.identifierColumns;
		const name = JSON.stringify(columns);
		const entry = byColumns.get(name) ?? { columns, count: 0, having: new Map<string, SeriesGroup[]>() };
		byColumns.set(name, entry);
		entry.count++;
		for (const key of group.series.keys()) {
			const having = entry.having.get(key);
			if (having) having.push(group);
			else entry.having.set(key, [group]);
		}
	}
	for (const itemIndex of unread) {
		const turn = execution.turn();
		if (turn) await turn;
		const json = execution.items[itemIndex]!.json ?? {};
		let isKnown = true;
		for (const { columns, count, having } of byColumns.values()) {
			const values = columns.map((path) => fieldAt(json, path).value);
			const tells = !values.some(isAbsent);
			const key = seriesKey(Object.keys(columns), { ...values });
			const lost = tells ? (having.get(key) ?? []) : [];
			// The record may spell the identifier differently from the item.
			if (lost.length < count) isKnown = false;
			for (const { target, series } of lost) {
				const error = new InvalidCallError(`Item ${itemIndex} of this series could not be read`, {
					advice: 'A forecast without this item would be wrong, so nothing was sent.',
				});
				execution.fail(error, placeOf(series.get(key)!, target));
				series.delete(key);
			}
			if (lost.length > 0) having.set(key, []);
		}
		if (!isKnown) {
			execution.remark('An item was skipped because its series is unknown. Forecasts may be incomplete', itemIndex);
		}
	}
}

/** Where the error of a series is reported: at its last row, or in its place among the series of its item. */
function placeOf({ itemIndexes, slot }: Series, target: ForecastTarget): Place {
	const itemIndex = itemIndexes.at(-1)!;
	return { itemIndex, target, slot: itemIndex === itemIndexes[0] ? slot : undefined };
}

function add(series: Series, target: ForecastTarget, execution: Execution): Promise<void> | undefined {
	const { session, batcher } = execution.destinationOf(target);
	const place = placeOf(series, target);
	const outputOf = execution.parameters.reader<string>('output', 'flat');
	const onOutcome = (outcome: RecordOutcome) =>
		execution.attempt(place, () => {
			if (!outcome.error) return emit(series, outcome, outputOf(place.itemIndex), execution);
			const { error, untried } = outcome;
			const failed = isRefusal(error) ? refusedSeries(execution, target, series, error) : { error, place };
			execution.fail(failed.error, failed.place, untried);
		});
	return execution.attempt(place, () => {
		const options = { ...callTo(target), identifierColumns: series.columns, responseHeaders: mayBeFull(outputOf) };
		return batcher.add(series.records, session.target('forecast', target.endpointId, options), onOutcome);
	});
}

function emit(series: Series, { result, response }: Success, output: string, execution: Execution): void {
	const results = result.results as ForecastResult[];
	if (results.length === 0) {
		throw new ApiNodeError('The response has no forecast for this series', {
			advice: 'Each series needs past records with a date and a target.',
		});
	}
	const last = series.itemIndexes.at(-1)!;
	const lacking = results.find(hadNotFinite);
	if (lacking) execution.remark(notFiniteRead, last, textOf(lacking.timeseriesIdentifier));
	const { columnPrefix: prefix } = execution.outputNames(last);
	let clash: string | undefined;
	const beside: typeof besideIdentifier = (identifier, columns) => {
		clash ??= Object.keys(columns).find((name) => Object.hasOwn(identifier ?? {}, prefix + name));
		return besideIdentifier(identifier, columns, prefix);
	};
	const made = outputNamed(outputs, output)(results, response as IDataObject, beside);
	if (clash !== undefined) execution.remark(identifierKept, last, prefix + clash);
	const lastItemOf = lastItems(series);
	const items = made.map(({ json, of }) => successItem(json, of ? lastItemOf(of) : last));
	if (output === 'flat') for (const item of items) execution.columns.add(item, Object.keys(item.json), { prefix });
	execution.emit(series.slot, items);
}

const isRefusal = (error: ApiNodeError) => error instanceof StatusError && [400, 422, 500].includes(error.status);

/**
 * Names the first row of a series that does not match the document, or else the whole series, because the API node names
 * neither.
 */
function refusedSeries(
	{ features }: Execution,
	target: ForecastTarget,
	series: Series,
	error: ApiNodeError,
): { error: ApiNodeError; place: Place } {
	const { columns, records, itemIndexes } = series;
	const whole = placeOf(series, target);
	for (const [n, record] of records.entries()) {
		const misfits = features.misfitsOf(target, record);
		if (misfits.length === 0) continue;
		const place = { ...whole, itemIndex: itemIndexes[n]! };
		// The number of the item does not tell the records of its list apart.
		const which =
			itemIndexes.indexOf(place.itemIndex) < itemIndexes.lastIndexOf(place.itemIndex)
				? `record ${n} of the series`
				: 'this record';
		return { error: error.withAdvice(sentence(`In ${which}, ${misfits.join('; ')}`)), place };
	}
	const [first, last] = [itemIndexes[0]!, itemIndexes.at(-1)!];
	const names = columns.map((column) => `${column} ${shortened(textOf(records[0]![column]), 60)}`);
	const which = names.length > 0 ? `series ${names.join(', ')}, ` : '';
	const named = first === last ? undefined : `${which}items ${first} to ${last}`;
	return { error: withDateAdvice(error, records), place: { ...whole, named } };
}

/** Finds the last input item of a series whose identifier includes columns that the node was not told about. */
function lastItems({ columns, records, itemIndexes }: Series): (identifier: JsonObject) => number {
	const last = itemIndexes.at(-1)!;
	let find: ((identifier: JsonObject) => number) | undefined;
	return (identifier) => {
		const names = Object.keys(identifier);
		if (names.every((name) => columns.includes(name))) return last;
		if (!find) {
			const index = new Map(records.map((record, n) => [seriesKey(names, record), itemIndexes[n]!]));
			const keyOf = seriesFinder(names, index.keys());
			find = (each) => {
				const key = keyOf(each);
				return key === undefined ? last : index.get(key)!;
			};
		}
		return find(identifier);
	};
}

const looksLikeDate = /"\d{4}-\d{2}(-\d{2})?|":\s*\d{10,13}[,}]/;

/** A forecast needs a date in every record, but only the endpoint knows in which column. */
function withDateAdvice(error: ApiNodeError, records: readonly JsonObject[]): ApiNodeError {
	if (records.some((record) => looksLikeDate.test(JSON.stringify(record)))) return error;
	return error.withAdvice(
		'No record has a date. Each record needs a date, such as "2026-05-31", in the time column of the model.',
	);
}
