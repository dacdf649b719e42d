import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	type ForecastResult,
	InvalidCallError,
	type JsonObject,
	type RecordOutcome,
	seriesKey,
	StatusError,
} from '../../client';
import { positive, type Target, targetReader } from '../shared/callSettings';
import { Execution } from '../shared/Execution';
import { mayBeFull } from '../shared/fullResponse';
import { outputNamed, successItem } from '../shared/outputItems';
import { combine } from '../shared/parameters';
import { columnNames } from '../shared/records';

/** The history of one series, or of all together when no column tells them apart. */
interface Series {
	columns: readonly string[];
	records: JsonObject[];
	/** The input items that these come from. */
	itemIndexes: number[];
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

/** What the forecast of some series, sent together and told apart or not, becomes. */
type ForecastOutput = (
	results: ForecastResult[],
	response: IDataObject,
) => Array<{ json: IDataObject; of?: JsonObject }>;

/** The results of each series, in the order of the response. */
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

const withoutEmpty = (columns: JsonObject) =>
	Object.fromEntries(
		Object.entries(columns).filter(([, value]) => value !== undefined && value !== null),
	) as IDataObject;

const outputs: Record<string, ForecastOutput> = {
	flat: (results) =>
		results.map(({ timeseriesIdentifier, time, forecast, quantiles, quantilesValues, ignored, ignoreReason }) => ({
			json: withoutEmpty({
				...timeseriesIdentifier,
				time,
				forecast,
				...Object.fromEntries((quantiles ?? []).map((q, n) => [`quantile_${q}`, quantilesValues?.[n]])),
				...(ignored === true && { ignored, ignoreReason }),
			}),
			of: timeseriesIdentifier,
		})),
	perStep: (results) =>
		results.map((result) => ({
			json: { ...(result.timeseriesIdentifier as IDataObject), ...(result as IDataObject) },
			of: result.timeseriesIdentifier,
		})),
	perSeries: (results) =>
		bySeries(results).map((steps) => ({
			json: {
				...(steps[0]!.timeseriesIdentifier as IDataObject),
				timeseriesIdentifier: steps[0]!.timeseriesIdentifier as IDataObject,
				time: steps.map((step) => step.time),
				forecast: steps.map((step) => step.forecast),
				quantiles: steps[0]!.quantiles,
				quantilesValues: steps.map((step) => step.quantilesValues) as unknown as IDataObject[],
				ignored: steps.some((step) => step.ignored),
			},
			of: steps[0]!.timeseriesIdentifier,
		})),
	fullResponse: (results, response) => [{ json: { results: results, ...response } }],
};

/** All items are the history: told apart by identifier columns and spread over requests, or sent in one. */
export async function forecastItems(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	return await Execution.run(context, 'forecast', async (execution) => {
		for (const { target, series } of await readSeries(execution)) {
			const all = [...series.values()];
			for (let n = 0; n < all.length; n += target.batchSize) {
				const some = all.slice(n, n + target.batchSize);
				await execution.start(target.maxConcurrency, async () => await send(execution, target, some));
			}
		}
	});
}

function forecastTargetReader({ parameters }: Execution) {
	const target = targetReader(parameters);
	const identifierColumns = parameters.reader<unknown>('identifierColumns', '');
	const most = parameters.reader<unknown>('options.seriesPerRequest', 100);
	const seriesPerRequest = positive(most, 'Series per Request');
	return combine<ForecastTarget>([target, identifierColumns, most], (i) => ({
		...target(i),
		identifierColumns: columnNames(identifierColumns(i)),
		batchSize: seriesPerRequest(i),
	}));
}

/** Reads every item as one line of the history of a series. */
async function readSeries(execution: Execution): Promise<SeriesGroup[]> {
	const groups = new Map<string, SeriesGroup>();
	const targetOf = forecastTargetReader(execution);
	const unread: number[] = [];

	await execution.forEach(
		targetOf,
		(itemIndex, target, records) => {
			const { identifierColumns: columns } = target;
			for (const record of records) checkIdentified(record, columns);
			const name = targetOf.constant ? '' : JSON.stringify(target);
			let group = groups.get(name);
			if (!group) groups.set(name, (group = { target, series: new Map() }));
			for (const record of records) {
				const key = seriesKey(columns, record);
				let series = group.series.get(key);
				if (!series) group.series.set(key, (series = { columns, records: [], itemIndexes: [] }));
				series.records.push(record);
				series.itemIndexes.push(itemIndex);
			}
			return undefined;
		},
		{
			recordOf: execution.records.list,
			unread: (itemIndex) => unread.push(itemIndex),
		},
	);
	const all = [...groups.values()];
	for (const itemIndex of unread) failWithout(execution, itemIndex, all);
	return all;
}

function checkIdentified(record: JsonObject, columns: readonly string[]): void {
	const missing = columns.find((column) => record[column] === undefined || record[column] === null);
	if (missing === undefined) return;
	throw new InvalidCallError(`The record has no '${missing}', which is one of the identifier columns`, {
		advice: 'Without it, the series that the record belongs to is unknown.',
	});
}

/** A forecast from a history that lacks a line looks like any other: the series that lost one fails. */
function failWithout(execution: Execution, unread: number, groups: readonly SeriesGroup[]): void {
	const { json } = execution.items[unread]!;
	const tells = ({ target }: SeriesGroup) => target.identifierColumns.every((column) => json[column] != null);
	if (!groups.every(tells)) {
		execution.remark('An item could not be read, and its series is unknown: a forecast may lack this line');
	}
	for (const { target, series } of groups.filter(tells)) {
		const { identifierColumns: columns } = target;
		const key = seriesKey(columns, json);
		const lost = series.get(key);
		if (!lost) continue;
		series.delete(key);
		const error = new InvalidCallError(`Item ${unread}, a line of this series, could not be read`, {
			advice: 'A forecast without it would be wrong, so nothing was sent.',
		});
		execution.fail(error, { itemIndex: lost.itemIndexes.at(-1)!, target });
	}
}

async function send(execution: Execution, target: ForecastTarget, series: readonly Series[]): Promise<void> {
	const records = series.map((each) => each.records);
	const outputOf = execution.parameters.reader<string>('output', 'flat');
	const outcomes = await execution.session
		.settle('forecast', target.endpointId, records, { ...target, responseHeaders: mayBeFull(outputOf) })
		.catch((error: unknown) => series.map((): RecordOutcome => ({ error: error as ApiNodeError })));

	outcomes.forEach((outcome, n) => {
		const { itemIndexes } = series[n]!;
		const last = itemIndexes.at(-1)!;
		const place = { itemIndex: last, target };
		if (outcome.error) return execution.fail(withDateAdvice(outcome.error, series[n]!), place, outcome.untried);
		try {
			const results = outcome.result.results as ForecastResult[];
			if (results.length === 0) {
				throw new ApiNodeError('No forecast came for this series', {
					advice: 'It may have no past: each series needs records that hold its date and its target.',
				});
			}
			const made = outputNamed(outputs, outputOf(last))(results, outcome.response as IDataObject);
			const lastItemOf = lastItems(series[n]!);
			execution.emit(
				itemIndexes[0]!,
				made.map(({ json, of }) => successItem(json, of ? lastItemOf(of) : last)),
			);
		} catch (error) {
			execution.fail(error, place);
		}
	});
}

/** Finds the last input item of a series within records that were not told apart by all that the model tells apart. */
function lastItems({ columns, records, itemIndexes }: Series): (identifier: JsonObject) => number {
	const last = itemIndexes.at(-1)!;
	let index: Map<string, number> | undefined;
	return (identifier) => {
		const names = Object.keys(identifier);
		if (names.every((name) => columns.includes(name))) return last;
		index ??= new Map(records.map((record, n) => [seriesKey(names, record), itemIndexes[n]!]));
		return index.get(seriesKey(names, identifier)) ?? last;
	};
}

const looksLikeDate = /"\d{4}-\d{2}(-\d{2})?|":\s*\d{10,13}[,}]/;

/** A model needs a date in every record; which column it is in, only the endpoint knows. */
function withDateAdvice(error: ApiNodeError, { records }: Series): ApiNodeError {
	const refused = error instanceof StatusError && [400, 422, 500].includes(error.status);
	if (!refused || records.some((record) => looksLikeDate.test(JSON.stringify(record)))) return error;
	return error.withAdvice('No record carries a date: each needs the time column of the model, such as "2026-05-31".');
}
