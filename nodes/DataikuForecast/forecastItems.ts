import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	EndpointVerdict,
	type ForecastResult,
	InvalidCallError,
	type JsonObject,
	type RecordOutcome,
} from '../shared/client';
import { ItemRun } from '../shared/ItemRun';
import { columnNames, recordReader } from '../shared/records';
import { outputNamed, successItem } from '../shared/results';
import { positive, type Target, targetReader } from '../shared/settings';
import { distributeBySeries, type Series, seriesKey } from './series';

/** One request, or as many as its series need to find the bad ones. */
interface Batch {
	target: Target;
	series: Series[];
}

/** What the forecast of some series, sent together and told apart or not, becomes. */
type ForecastOutput = (results: ForecastResult[], answer: IDataObject) => Array<{ json: IDataObject; of?: JsonObject }>;

/** The rows of each series, in the order of the answer. */
function bySeries(results: ForecastResult[]): ForecastResult[][] {
	const groups = new Map<string, ForecastResult[]>();
	for (const result of results) {
		const key = JSON.stringify(result.timeseriesIdentifier ?? {});
		const rows = groups.get(key);
		if (rows) rows.push(result);
		else groups.set(key, [result]);
	}
	return [...groups.values()];
}

const outputs: Record<string, ForecastOutput> = {
	perStep: (results) =>
		results.map((result) => ({
			json: { ...(result.timeseriesIdentifier as IDataObject), ...(result as IDataObject) },
			of: result.timeseriesIdentifier,
		})),
	perSeries: (results) =>
		bySeries(results).map((rows) => ({
			json: {
				...(rows[0].timeseriesIdentifier as IDataObject),
				timeseriesIdentifier: rows[0].timeseriesIdentifier as IDataObject,
				time: rows.map((row) => row.time),
				forecast: rows.map((row) => row.forecast),
				quantiles: rows[0].quantiles,
				quantilesValues: rows.map((row) => row.quantilesValues) as unknown as IDataObject[],
				ignored: rows.some((row) => row.ignored),
			},
			of: rows[0].timeseriesIdentifier,
		})),
	fullResponse: (results, answer) => [{ json: { results: results as unknown as IDataObject[], ...answer } }],
};

/** All items are the history: told apart by identifier columns and spread over requests, or sent in one. */
export async function forecastItems(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	return await ItemRun.of(context, async (run) => {
		const batches = await readBatches(run);
		const verdict = new EndpointVerdict();
		for (const batch of batches) {
			const { maxConcurrency } = batch.target;
			await run.start(maxConcurrency * run.connection.instances, async () => await send(run, batch, verdict));
		}
	});
}

/** Reads every item as one line of history and cuts the series into requests. */
async function readBatches(run: ItemRun): Promise<Batch[]> {
	const { items, parameters } = run;
	const recordOf = recordReader(parameters, items);
	const targetOf = targetReader(parameters);
	const identifiersOf = parameters.reader<string>('options.identifierColumns', '');
	const seriesPerRequest = positive(parameters.reader<unknown>('options.seriesPerRequest', 100), 'Series per Request');
	const groups = new Map<string, { target: Target; most: number; series: Map<string, Series> }>();

	for (let i = 0; i < items.length; i++) {
		if (run.outOfBreath) await run.breathe();
		let target: Target | undefined;
		try {
			target = targetOf(i);
			const record = recordOf(i);
			const columns = columnNames(identifiersOf(i));
			const missing = columns.find((column) => record[column] === undefined || record[column] === null);
			if (missing) {
				throw new InvalidCallError(`The record has no '${missing}', which is one of the identifier columns`, {
					advice: 'Without it, the series that the record belongs to is unknown.',
				});
			}
			const groupKey = targetOf.constant && identifiersOf.constant ? '' : JSON.stringify([target, columns]);
			let group = groups.get(groupKey);
			if (!group) groups.set(groupKey, (group = { target, most: seriesPerRequest(i), series: new Map() }));
			const key = seriesKey(columns, record);
			let series = group.series.get(key);
			if (!series) group.series.set(key, (series = { columns, key, lines: [], itemIndexes: [] }));
			series.lines.push(JSON.stringify(record));
			series.itemIndexes.push(i);
		} catch (error) {
			run.fail(error, { itemIndex: i, endpointId: target?.endpointId });
		}
	}

	const batches: Batch[] = [];
	for (const { target, most, series } of groups.values()) {
		const all = [...series.values()];
		for (let n = 0; n < all.length; n += most) batches.push({ target, series: all.slice(n, n + most) });
	}
	return batches;
}

async function send(run: ItemRun, { target, series }: Batch, verdict: EndpointVerdict): Promise<void> {
	const { connection, statistics } = run;
	const { endpointId } = target;
	const outcomes = await connection.client
		.settle(
			'forecast',
			endpointId,
			series.map(({ lines }) => lines.join(',')),
			{
				...target,
				signal: run.stop.signal,
				tokens: connection.tokens,
				statistics,
				verdict,
				distribute: distributeBySeries(series),
			},
		)
		.catch((error: unknown) => series.map((): RecordOutcome => ({ error: error as ApiNodeError })));
	const outputOf = run.parameters.reader<string>('output', 'perStep');

	outcomes.forEach((outcome, n) => {
		const { itemIndexes } = series[n];
		const last = itemIndexes[itemIndexes.length - 1];
		const place = { itemIndex: last, endpointId };
		if (outcome.error) return run.fail(withDateAdvice(outcome.error, series[n]), place, outcome.untried);
		try {
			const results = outcome.result.results as ForecastResult[];
			if (results.length === 0) {
				throw new ApiNodeError('No forecast came for this series', {
					advice: 'It may have no past: each series needs records that hold its date and its target.',
				});
			}
			const made = outputNamed(outputs, outputOf(last))(results, outcome.answer as IDataObject);
			const lastItemOf = lastItems(series[n]);
			run.emit(
				itemIndexes[0],
				made.map(({ json, of }) => successItem(json, of ? lastItemOf(of) : last)),
			);
		} catch (error) {
			run.fail(error, place);
		}
	});
}

/** Finds the last input item of a series within records that were not told apart by all that the model tells apart. */
function lastItems({ columns, lines, itemIndexes }: Series): (identifier: JsonObject) => number {
	const last = itemIndexes[itemIndexes.length - 1];
	let index: Map<string, number> | undefined;
	return (identifier) => {
		const names = Object.keys(identifier);
		if (names.every((name) => columns.includes(name))) return last;
		index ??= new Map(
			lines.map((line, n) => [seriesKey(names, JSON.parse(line) as JsonObject), itemIndexes[n]] as const),
		);
		return index.get(seriesKey(names, identifier)) ?? last;
	};
}

const looksLikeDate = /"\d{4}-\d{2}(-\d{2})?|":\s*\d{10,13}[,}]/;

/** A model needs a date in every record; which column it is in, only the endpoint knows. */
function withDateAdvice(error: ApiNodeError, { lines }: Series): ApiNodeError {
	if (lines.some((line) => looksLikeDate.test(line)) || error.facts.status === undefined || error.facts.status < 400)
		return error;
	const advice = 'No record carries a date: each needs the time column of the model, such as "2026-05-31".';
	return Object.assign(error, { facts: { ...error.facts, advice } });
}
