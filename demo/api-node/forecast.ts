import type { Endpoint, Field } from './endpoint';
import { badRequest } from './errors';
import { isObject, type Json, type JsonObject } from './json';
import { type Forecast, holtWinters } from './models/holt-winters';

interface ForecastSettings {
	time: string;
	target: string;
	identifiers: string[];
	/** A feature known in advance, whose future values are sent as records without a target. */
	external?: string;
	step: 'day' | 'month';
	horizon: number;
	/** Number of steps after which the series repeats itself. */
	period: number;
	/** Each quantile with its z-score in the standard normal distribution. */
	quantiles: Array<[quantile: number, z: number]>;
}

interface Point {
	time: number;
	target?: number;
	external?: number;
}

interface Series {
	identifier: JsonObject;
	points: Map<number, Point>;
}

export function forecastEndpoint(id: string, summary: string, settings: ForecastSettings, fields: Field[]): Endpoint {
	return {
		id,
		summary,
		description: `Forecasts ${settings.horizon} ${settings.step}s after the last date of each series.`,
		fields,
		actions: { forecast: ({ items }) => ({ results: forecast(settings, items) }) },
	};
}

function forecast(settings: ForecastSettings, items: Json | undefined) {
	if (!Array.isArray(items)) throw badRequest("The body must have an array 'items'");
	const rows = [...seriesOf(settings, items).values()].flatMap((series) =>
		project(settings, series).map(({ time, mean, deviation }) => ({
			forecast: mean,
			ignored: false,
			quantiles: settings.quantiles.map(([quantile]) => quantile),
			quantilesValues: settings.quantiles.map(([, z]) => mean + z * deviation),
			time: new Date(time).toISOString().replace('Z', '000Z'),
			timeseriesIdentifier: series.identifier,
		})),
	);
	return rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

function seriesOf(settings: ForecastSettings, items: Json[]): Map<string, Series> {
	const { time: timeColumn, identifiers, target, external } = settings;
	if (!items.some((item) => isObject(item) && (item[timeColumn] ?? '') !== '')) {
		throw badRequest(`No record has a date in column '${timeColumn}'`);
	}
	const all = new Map<string, Series>();
	items.forEach((item, index) => {
		if (!isObject(item)) throw badRequest(`Item ${index} must be an object`);
		const time = Date.parse(String(item[timeColumn] ?? ''));
		if (Number.isNaN(time)) {
			throw badRequest(`Item ${index}: '${timeColumn}' is not a date: ${JSON.stringify(item[timeColumn] ?? null)}`);
		}
		const identifier = Object.fromEntries(identifiers.map((column) => [column, item[column] ?? null]));
		const key = JSON.stringify(identifier);
		const series = all.get(key) ?? { identifier, points: new Map<number, Point>() };
		all.set(key, series);
		if (series.points.has(time)) throw badRequest(`Item ${index}: a second record of ${nameOf(series)} at that date`);
		series.points.set(time, {
			time,
			target: numberIn(item, target, index),
			external: external === undefined ? 0 : numberIn(item, external, index),
		});
	});
	return all;
}

function project(settings: ForecastSettings, series: Series): Array<Forecast & { time: number }> {
	const { target, external, horizon, period } = settings;
	const known = [...series.points.values()]
		.filter((point) => point.target !== undefined)
		.sort((a, b) => a.time - b.time);
	if (known.length < 2) {
		throw badRequest(`${nameOf(series)} has no past: it needs two records at least with a '${target}'`);
	}
	const past = regular(settings, series, known);
	const last = known.at(-1)!.time;
	const future = Array.from({ length: horizon }, (_, index) => {
		const time = after(settings, last, index + 1);
		const value = external === undefined ? 0 : series.points.get(time)?.external;
		if (value === undefined) {
			throw badRequest(
				`${nameOf(series)} has no '${external}' for ${day(time)}: a record without '${target}' must give it`,
			);
		}
		return { time, external: value };
	});
	const influence = external === undefined ? 0 : slope(past, period);
	const rest = past.map((point) => point.target - influence * point.external);
	const withoutInfluence = holtWinters(rest, period, horizon);
	return future.map((step, index) => {
		const { mean, deviation } = withoutInfluence[index]!;
		return { time: step.time, mean: mean + influence * step.external, deviation };
	});
}

/** Fills gaps, so that there is one point per step. A missing point is interpolated linearly. */
function regular(settings: ForecastSettings, series: Series, known: Point[]) {
	const points: Array<{ target: number; external: number }> = [];
	const first = known[0]!;
	let previous = first;
	let time = first.time;
	for (let index = 0; index < known.length; time = after(settings, first.time, points.length)) {
		const next = known[index]!;
		if (next.time < time)
			throw badRequest(`${nameOf(series)}: ${day(next.time)} does not lie on a ${settings.step}'s step`);
		const share = next.time === previous.time ? 0 : (time - previous.time) / (next.time - previous.time);
		const [from, to] = [previous.target ?? 0, next.target ?? 0];
		points.push({ target: from + share * (to - from), external: series.points.get(time)?.external ?? 0 });
		if (next.time === time) {
			previous = next;
			index++;
		}
	}
	return points;
}

/** The least-squares effect of the external feature, apart from trend and season. */
function slope(points: Array<{ target: number; external: number }>, period: number): number {
	const target = withoutPattern(
		points.map((point) => point.target),
		period,
	);
	const external = withoutPattern(
		points.map((point) => point.external),
		period,
	);
	const square = external.reduce((sum, value) => sum + value ** 2, 0);
	return square < 1e-9 ? 0 : external.reduce((sum, value, index) => sum + value * target[index]!, 0) / square;
}

function withoutPattern(values: number[], period: number): number[] {
	const season = values.length >= 2 * period ? period : 1;
	const means = Array.from({ length: season }, (_, phase) => {
		const same = values.filter((_value, index) => index % season === phase);
		return same.reduce((sum, value) => sum + value, 0) / same.length;
	});
	const flat = values.map((value, index) => value - means[index % season]!);
	const centre = (flat.length - 1) / 2;
	const spread = flat.reduce((sum, _value, index) => sum + (index - centre) ** 2, 0);
	const trend = flat.reduce((sum, value, index) => sum + value * (index - centre), 0) / spread;
	return flat.map((value, index) => value - trend * (index - centre));
}

function after({ step }: ForecastSettings, time: number, steps: number): number {
	const date = new Date(time);
	if (step === 'day') return date.setUTCDate(date.getUTCDate() + steps);
	return date.setUTCMonth(date.getUTCMonth() + steps);
}

function numberIn(item: JsonObject, column: string, index: number): number | undefined {
	const value = item[column];
	if (value === null || value === undefined || value === '') return undefined;
	const number = typeof value === 'object' ? NaN : Number(value);
	if (Number.isNaN(number))
		throw badRequest(`Item ${index}: '${column}' must be a number, not ${JSON.stringify(value)}`);
	return number;
}

function nameOf({ identifier }: Series): string {
	const values = Object.entries(identifier).map(([column, value]) => `${column} = ${JSON.stringify(value)}`);
	return values.length > 0 ? `The series ${values.join(', ')}` : 'The series';
}

function day(time: number): string {
	return new Date(time).toISOString().slice(0, 10);
}
