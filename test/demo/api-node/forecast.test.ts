import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

interface Row {
	forecast: number;
	ignored: boolean;
	quantiles: number[];
	quantilesValues: number[];
	time: string;
	timeseriesIdentifier: Record<string, string>;
}

const dateOf = (day: number) => new Date(Date.UTC(2024, 0, 1 + day)).toISOString();
const past = 56;
/** Eight weeks and the promotions of a ninth: a level, a slope, busy Saturdays, and 30 more on a promotion. */
const salesOf = (day: number, promo: number, level: number) =>
	level + 0.5 * day + (day % 7 === 5 ? 40 : 0) + 30 * promo;
const history = (store: string, level: number) =>
	Array.from({ length: past + 7 }, (_, day) => {
		const promo = day % 10 === 8 ? 1 : 0;
		return { date: dateOf(day), store, promo, ...(day < past && { sales: salesOf(day, promo, level) }) };
	});

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

const forecast = (items: object[] | object, endpoint = 'store_sales') =>
	ask<{ results: Row[] } & ErrorBody>(node, `open/${endpoint}/forecast`, { items });

test('each series is forecast for one horizon after its last date', async () => {
	const { body } = await forecast([...history('Lyon', 100), ...history('Paris', 200)]);
	expect(body.results).toHaveLength(14);
	expect(Object.keys(body.results[0]!)).toEqual([
		'forecast',
		'ignored',
		'quantiles',
		'quantilesValues',
		'time',
		'timeseriesIdentifier',
	]);
	expect(body.results[0]).toMatchObject({
		ignored: false,
		quantiles: [0.1, 0.5, 0.9],
		time: '2024-02-26T00:00:00.000000Z',
		timeseriesIdentifier: { store: 'Lyon' },
	});
	expect(body.results[1]).toMatchObject({ time: body.results[0]?.time, timeseriesIdentifier: { store: 'Paris' } });
	const paris = body.results.filter(({ timeseriesIdentifier }) => timeseriesIdentifier.store === 'Paris');
	expect(paris.map(({ time }) => time.slice(0, 10))).toEqual(
		Array.from({ length: 7 }, (_, step) => dateOf(past + step).slice(0, 10)),
	);
});

test('the forecast contains trend, season and future promotions', async () => {
	const { body } = await forecast(history('Lyon', 100));
	body.results.forEach((row, step) => {
		const day = past + step;
		expect(Math.abs(row.forecast - salesOf(day, day % 10 === 8 ? 1 : 0, 100))).toBeLessThan(6);
	});
});

test('quantiles lie around the forecast and widen with the horizon', async () => {
	const noisy = history('Lyon', 100).map((row, day) =>
		'sales' in row ? { ...row, sales: Number(row.sales) + ((day * 37) % 11) } : row,
	);
	const { body } = await forecast(noisy);
	const widths = body.results.map(({ quantilesValues }) => quantilesValues[2]! - quantilesValues[0]!);
	for (const { forecast: mean, quantilesValues } of body.results) expect(quantilesValues[1]).toBeCloseTo(mean, 9);
	expect(widths[0]).toBeGreaterThan(1);
	for (let step = 1; step < widths.length; step++) expect(widths[step]).toBeGreaterThan(widths[step - 1]!);
});

test('the order of the records does not matter, and a missing day lies between its neighbours', async () => {
	const whole = history('Lyon', 100);
	const { body } = await forecast(whole);
	expect((await forecast([...whole].reverse())).body.results).toEqual(body.results);
	const gap = await forecast(whole.filter((_row, day) => day !== 30));
	const [withGap, without] = [gap.body.results[6]!, body.results[6]!];
	expect(withGap.time).toBe(without.time);
	expect(Math.abs(withGap.forecast - without.forecast)).toBeLessThan(10);
});

test('a series without identifier has monthly steps', async () => {
	const visitors = Array.from({ length: 36 }, (_, month) => ({
		month: new Date(Date.UTC(2021, month, 1)).toISOString().slice(0, 10),
		visitors: 1_000 + 10 * month + (month % 12 === 7 ? 500 : 0),
	}));
	const { body } = await forecast(visitors, 'monthly_visitors');
	expect(body.results.map(({ time }) => time.slice(0, 7))).toEqual(
		Array.from({ length: 12 }, (_, month) => `2024-${String(month + 1).padStart(2, '0')}`),
	);
	expect(body.results[0]?.timeseriesIdentifier).toEqual({});
	expect(body.results[7]?.forecast).toBeGreaterThan(body.results[6]!.forecast + 300);
});

test('a short history is enough for a trend', async () => {
	const { body } = await forecast(
		[
			{ month: '2024-01-01', visitors: 10 },
			{ month: '2024-02-01', visitors: 12 },
		],
		'monthly_visitors',
	);
	expect(body.results[0]?.forecast).toBeCloseTo(14, 6);
	expect(body.results[11]?.forecast).toBeCloseTo(36, 6);
});

test.each([
	['no record has a date', [{ store: 'Lyon', sales: 3 }], "No record has a date in column 'date'"],
	['there is no record', [], "No record has a date in column 'date'"],
	['items are not a list', {}, "must have an array 'items'"],
	['a date cannot be read', [{ date: 'soon', store: 'Lyon', sales: 3 }], 'Item 0: \'date\' is not a date: "soon"'],
	['a series has no history', history('Lyon', 100).slice(past), 'store = "Lyon" has no past'],
	['the target is a text', [{ date: '2024-01-01', store: 'Lyon', sales: 'many' }], "Item 0: 'sales' must be a number"],
	['a future promotion is missing', history('Lyon', 100).slice(0, -1), "has no 'promo' for 2024-03-03"],
	['a date comes twice', [...history('Lyon', 100), history('Lyon', 100)[0]], 'Item 63: a second record'],
	[
		'a date has a time',
		[{ date: '2024-01-01T12:00:00Z', store: 'Lyon', sales: 3, promo: 0 }, ...history('Lyon', 100)],
		'step',
	],
])('the response is a 400 with the reason when %s', async (_case, items, message) => {
	const answer = await forecast(items);
	expect(answer.status).toBe(400);
	expect(answer.body.message).toContain(message);
});
