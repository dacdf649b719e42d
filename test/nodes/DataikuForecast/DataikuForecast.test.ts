import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import { jsonOf, pairsOf, run, storeHistory, wire } from '../demo';
import { fieldsOf } from '../shared/served';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const byStore = { identifierColumns: 'store' };
const forecast = async (
	items: IDataObject[],
	options: IDataObject = {},
	parameters: IDataObject = {},
	more: { endpointId?: string; onError?: 'continueRegularOutput' } = {},
) => {
	const { identifierColumns = '', ...own } = options;
	const all = { identifierColumns, ...parameters };
	return await run('dataikuForecast', { url: proxy.url, items, options: own, parameters: all, ...more });
};

const stores = (...names: string[]) => names.flatMap((name) => storeHistory(name));
const lastOf = (items: IDataObject[], store: unknown) => items.map((item) => item.store).lastIndexOf(store as string);
/** Date by date, so that the series are mixed. */
const mixed = (items: IDataObject[]) => [...items].sort((a, b) => String(a.date).localeCompare(String(b.date)));

const visitors = Array.from({ length: 24 }, (_, n) => ({
	month: `${2022 + Math.floor(n / 12)}-${String(1 + (n % 12)).padStart(2, '0')}-01`,
	visitors: 1500 + 20 * n + 100 * (n % 12),
}));

describe.each([
	['in one request', {}],
	['told apart by identifier columns', byStore],
])('several series %s', (_name, options) => {
	it('return an item per series and step, with the identifiers among the fields', async () => {
		const items = stores('Lyon', 'Paris');
		const { output, error } = await forecast(items, options);

		expect(error).toBeUndefined();
		expect(output).toHaveLength(14);
		for (const { json, pairedItem } of output) {
			expect(Object.keys(json).sort()).toEqual([
				'forecast',
				'ignored',
				'quantiles',
				'quantilesValues',
				'store',
				'time',
				'timeseriesIdentifier',
			]);
			expect(json.timeseriesIdentifier).toEqual({ store: json.store });
			expect(pairedItem).toEqual({ item: lastOf(items, json.store) });
		}
		const lyon = jsonOf(output).filter(({ store }) => store === 'Lyon');
		expect(lyon.map(({ time }) => String(time).slice(0, 10))).toEqual(
			items.filter(({ store, sales }) => store === 'Lyon' && sales === undefined).map(({ date }) => date),
		);
	});

	it('return an item per series, with lists', async () => {
		const items = mixed(stores('Lyon', 'Paris', 'Lille'));
		const steps = jsonOf((await forecast(items, options)).output);
		const { output } = await forecast(items, options, { output: 'perSeries' });

		expect(jsonOf(output).map(({ store }) => store)).toEqual(['Lyon', 'Paris', 'Lille']);
		expect(pairsOf(output)).toEqual(['Lyon', 'Paris', 'Lille'].map((store) => ({ item: lastOf(items, store) })));
		for (const { store, ...json } of jsonOf(output)) {
			const own = steps.filter((step) => step.store === store);
			expect(json).toEqual({
				timeseriesIdentifier: { store },
				time: own.map(({ time }) => time),
				forecast: own.map((step) => step.forecast),
				quantiles: [0.1, 0.5, 0.9],
				quantilesValues: own.map(({ quantilesValues }) => quantilesValues),
				ignored: false,
			});
			expect(own).toHaveLength(7);
		}
	});

	it('are recognized when the response has their numbers as text', async () => {
		const items = mixed([...storeHistory(7), ...storeHistory(12)]);
		for (const identifier of [Number, String]) {
			const results = [12, 7].map((store) => ({ forecast: 1, timeseriesIdentifier: { store: identifier(store) } }));
			proxy.setFault({ kind: 'answer', body: { results } });
			const { output, error } = await forecast(items, options);

			expect(error).toBeUndefined();
			const pairs = output.map(({ json, pairedItem }) => [Number(json.store), pairedItem]);
			expect(new Map(pairs as Array<[number, object]>)).toEqual(
				new Map([12, 7].map((store) => [store, { item: lastOf(items, store) }])),
			);
			expect(pairs).toHaveLength(2);
		}
	});

	it('keep integers beyond 2^53 exactly', async () => {
		const results = '[{"forecast": 9007199254740993, "timeseriesIdentifier": {"store": 123456789012345678901}}]';
		const body = `{"results": ${results}}`;
		proxy.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body });
		const items = [{ store: '123456789012345678901', date: '2024-05-01', sales: 1 }];
		const { output, error } = await forecast(items, options);

		expect(error).toBeUndefined();
		expect(jsonOf(output)).toMatchObject([{ store: '123456789012345678901', forecast: '9007199254740993' }]);
	});
});

it('returns the whole response of one request', async () => {
	const { output } = await forecast(stores('Lyon', 'Paris'), {}, { output: 'fullResponse' });

	expect(output).toHaveLength(1);
	const { results, timing, apiContext } = output[0]!.json;
	expect(results).toHaveLength(14);
	expect(timing).toMatchObject({ wait: expect.any(Number) as number });
	expect(apiContext).toMatchObject({ serviceId: 'demo', endpointId: 'store_sales' });
	expect(pairsOf(output)).toEqual([{ item: 41 }]);
});

it('returns the part of the whole response that belongs to each series', async () => {
	const { output } = await forecast(stores('Lyon', 'Paris'), byStore, { output: 'fullResponse' });

	expect(proxy.requests).toHaveLength(1);
	expect(
		jsonOf(output).map(({ results }) => (results as IDataObject[]).map((row) => row.timeseriesIdentifier)),
	).toEqual(['Lyon', 'Paris'].map((store) => Array.from({ length: 7 }, () => ({ store }))));
	for (const { apiContext } of jsonOf(output)) expect(apiContext).toMatchObject({ endpointId: 'store_sales' });
});

it('spreads many series over parallel requests, with the same result as in one request', async () => {
	const names = Array.from({ length: 9 }, (_, n) => `Store ${n}`);
	const items = mixed(stores(...names));
	const whole = await forecast(items, byStore);
	proxy.requests.length = 0;
	proxy.setFault({ kind: 'delay', ms: 20 });
	const { output } = await forecast(items, { ...byStore, seriesPerRequest: 2 });

	const requests = wire(proxy).map(({ body }) => body.items as IDataObject[]);
	expect(requests.map((lines) => new Set(lines.map(({ store }) => store)).size).sort()).toEqual([1, 2, 2, 2, 2]);
	for (const lines of requests) expect(lines.length % 21).toBe(0);
	expect(requests.flat()).toHaveLength(items.length);
	expect(Math.max(...proxy.requests.map(({ outstanding }) => outstanding))).toBeGreaterThan(1);
	expect(output).toEqual(whole.output);
});

it('sends the rows of a series in the order of the items, with the dispatch settings', async () => {
	const items = storeHistory('Lyon');
	await forecast(items, { forcedGeneration: 'v1' });
	await forecast(items, { ...byStore, dispatchKey: 'k' });

	expect(wire(proxy)).toEqual([
		{ path: 'demo/store_sales/forecast', body: { items, dispatch: { forcedGeneration: 'v1' } } },
		{ path: 'demo/store_sales/forecast', body: { items, dispatch: { dispatchKey: 'k' } } },
	]);
});

it('forecasts a series without identifiers', async () => {
	const { output } = await forecast(visitors, {}, {}, { endpointId: 'monthly_visitors' });

	expect(output).toHaveLength(12);
	expect(Object.keys(output[0]!.json)).not.toContain('month');
	expect(output[0]!.json).toMatchObject({ timeseriesIdentifier: {}, quantiles: [0.025, 0.5, 0.975] });
	expect(pairsOf(output)).toEqual(Array.from({ length: 12 }, () => ({ item: 23 })));
	const widths = jsonOf(output).map(({ quantilesValues }) => {
		const [low, , high] = quantilesValues as [number, number, number];
		return high - low;
	});
	expect(widths).toEqual([...widths].sort((a, b) => a - b));
});

it('uses the future values of an external feature', async () => {
	const history = storeHistory('Lyon', 28).map((line, n) =>
		line.sales === undefined
			? line
			: { ...line, promo: n % 5 === 0 ? 1 : 0, sales: Number(line.sales) + (n % 5 === 0 ? 80 : 0) },
	);
	const future = (promo: number) => history.map((line) => ('sales' in line ? line : { ...line, promo }));
	const sum = async (promo: number) =>
		jsonOf((await forecast(future(promo))).output).reduce((total, { forecast: value }) => total + Number(value), 0);

	expect((await sum(1)) - (await sum(0))).toBeGreaterThan(7 * 40);
});

it('accepts a different target and endpoint per item', async () => {
	const items = [...storeHistory('Lyon'), ...visitors].map((item) => ({
		...item,
		id: 'month' in item ? 'monthly_visitors' : 'store_sales',
	}));
	const { output, error } = await run('dataikuForecast', {
		url: proxy.url,
		items,
		endpointId: '={{ $json.id }}',
		parameters: {
			identifierColumns: '={{ $json.store ? "store" : "" }}',
			recordSource: 'inputItem',
			include: 'except',
			excludeFields: 'id',
		},
	});

	expect(error).toBeUndefined();
	expect(output).toHaveLength(7 + 12);
	expect(new Set(pairsOf(output).map((pair) => (pair as { item: number }).item))).toEqual(new Set([20, 44]));
});

it('accepts different identifier columns per item', async () => {
	const items = [...storeHistory('Lyon'), ...storeHistory('Paris')];
	const { output, error } = await forecast(items, {
		identifierColumns: '={{ $json.store === "Lyon" ? "" : "store" }}',
	});

	expect(error).toBeUndefined();
	expect(proxy.requests).toHaveLength(2);
	expect(jsonOf(output).map(({ store }) => store)).toEqual([
		...Array<string>(7).fill('Lyon'),
		...Array<string>(7).fill('Paris'),
	]);
});

it('pairs with the last item of a series when the given columns only identify groups of series', async () => {
	const items = ['a', 'b', 'a', 'b'].map((product, n) => ({
		date: `2024-05-0${n + 1}`,
		store: 'Lyon',
		product,
		sales: n,
	}));
	const results = ['b', 'a'].map((product) => ({ forecast: 1, timeseriesIdentifier: { store: 'Lyon', product } }));
	proxy.setFault({ kind: 'answer', body: { results } });
	const { output } = await forecast(items, byStore);

	expect(output.map(({ json, pairedItem }) => [json.product, pairedItem])).toEqual([
		['b', { item: 3 }],
		['a', { item: 2 }],
	]);
});

describe('reports', () => {
	const day = { date: '2024-05-01', sales: 1, promo: 0 };
	it.each<[string, IDataObject[], IDataObject, RegExp, RegExp]>([
		[
			'records without a date',
			[
				{ store: 'Lyon', sales: 1 },
				{ store: 'Lyon', sales: 2 },
			],
			{},
			/^No record has a date in column 'date' \(/,
			/refused the request \(400\)\. No record has a date\. Each record needs a date/,
		],
		[
			'a series without a past',
			[{ ...day, store: 'New' }],
			byStore,
			/store = "New" has no past/,
			/refused the request \(400\)/,
		],
		[
			'a future without its external feature',
			storeHistory('Lyon').slice(0, 14),
			{},
			/has no 'promo' for/,
			/refused the request \(400\)/,
		],
		[
			'a record without its identifier',
			[...storeHistory('Lyon'), day],
			byStore,
			/^The record has no 'store'.* \(item 21, /,
			/the series of the record is unknown/,
		],
		['an identifier that is null', [{ ...day, store: null }], byStore, /The record has no 'store'/, /unknown/],
		[
			'identifier columns that are not those of the model',
			storeHistory('Lyon'),
			{ identifierColumns: 'promo' },
			/The model does not identify series by promo/,
			/identifies series by store\. Fix the identifier columns/,
		],
	])('%s', async (_name, items, options, message, description) => {
		const { error } = await forecast(items, options);
		expect(error?.message).toMatch(message);
		expect(error?.description).toMatch(description);
		expect(proxy.requests.length).toBeLessThanOrEqual(1);
	});

	it.each([0, 2.5, 'many'])('series per request that are %s', async (seriesPerRequest) => {
		const { error } = await forecast(storeHistory('Lyon'), { ...byStore, seriesPerRequest });
		expect(error?.message).toMatch(/^"Series per Request" must be a positive integer.* \(item 0, /);
		expect(proxy.requests).toEqual([]);
	});

	it('a response without a forecast', async () => {
		proxy.setFault({ kind: 'answer', body: { results: [] } });
		const { error } = await forecast(storeHistory('Lyon'), byStore);
		expect(error?.message).toMatch(/The response has no forecast for this series/);
		expect(error?.description).toMatch(/Each series needs past records/);
	});

	it('nothing when a date has an unknown format', async () => {
		proxy.setFault({ kind: 'answer', status: 400, body: { errorType: 'E', message: 'Bad' } });
		for (const date of ['2024-05-01', '2024-05', 1714521600000]) {
			const { error } = await forecast([{ when: date, visitors: 1 }]);
			expect(error?.message).toMatch(/^Bad \(/);
			expect(error?.description).not.toMatch(/date/);
		}
	});
});

it('fails only a series without history among many', async () => {
	const items = [
		...stores('Lyon', 'Paris'),
		{ date: '2024-05-01', store: 'New', sales: 1, promo: 0 },
		...stores('Lille'),
	];
	const { output, hints } = await forecast(items, byStore, {}, { onError: 'continueRegularOutput' });

	const failed = output.filter(({ json }) => 'error' in json);
	expect(failed.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 42 }]);
	expect(failed[0]!.json.error).toMatch(/store = "New" has no past/);
	expect(output.indexOf(failed[0]!)).toBe(14);
	const rest = output.filter((item) => item !== failed[0]);
	expect(rest.map(({ json }) => json.store)).toEqual(
		['Lyon', 'Paris', 'Lille'].flatMap((store) => Array<string>(7).fill(store)),
	);
	expect(hints[0]!.message).toMatch(/^Item 42 failed: .*store = "New" has no past/);
});

it('fails one item of a request without identifier columns', async () => {
	const { output } = await forecast(
		[{ store: 'Lyon' }, { store: 'Lyon' }],
		{},
		{},
		{ onError: 'continueRegularOutput' },
	);
	expect(output).toMatchObject([{ json: { error: expect.any(String) as string }, pairedItem: { item: 1 } }]);
});

it.each([
	[1, '1.0'],
	[true, 'True'],
	['2024-05-01', '2024-05-01T00:00:00.000Z'],
])("assigns the series %j to the response's %j, and fails only an ambiguous series", async (store, named) => {
	const line = { date: '2024-06-01', sales: 1 };
	const items = [store, 'Lyon', 'one'].map((each) => ({ ...line, store: each }));
	const results = ['other', named, 'Lyon'].map((each) => ({ forecast: 1, timeseriesIdentifier: { store: each } }));
	proxy.setFault({ kind: 'answer', body: { results } });
	const { output } = await forecast(items, byStore, { output: undefined }, { onError: 'continueRegularOutput' });

	expect(proxy.requests).toHaveLength(1);
	expect(output.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }, { item: 2 }]);
	expect(jsonOf(output).map(({ store, error }) => error ?? store)).toEqual([
		named,
		'Lyon',
		expect.stringMatching(/^The response names series store=other, but the request named store=one\./),
	]);
});

it.each(['', 'store'])(
	'pairs a series with its item when the response spells it differently: columns %j',
	async (columns) => {
		const items = [1, 2].map((store) => ({ date: '2024-06-01', sales: 1, store }));
		const results = ['2.0', '1.0'].map((store) => ({ forecast: 1, timeseriesIdentifier: { store } }));
		proxy.setFault({ kind: 'answer', body: { results } });
		const { output } = await forecast(items, { identifierColumns: columns });
		const pairs = output.map(({ json, pairedItem }) => [json.store, pairedItem]);
		expect(new Map(pairs as Array<[string, object]>)).toEqual(
			new Map([
				['1.0', { item: 0 }],
				['2.0', { item: 1 }],
			]),
		);
	},
);

it('keeps each series whole when it splits a request that is too large', async () => {
	const items = mixed(stores('Lyon', 'Paris', 'Lille', 'Nantes'));
	const whole = await forecast(items, byStore);
	proxy.requests.length = 0;
	proxy.setFault(({ body }: ChaosRequest) =>
		body.length > 3000 ? { kind: 'answer', status: 413, body: 'Too large' } : undefined,
	);
	const { output } = await forecast(items, byStore);

	expect(output).toEqual(whole.output);
	for (const { body } of wire(proxy).slice(1)) expect((body.items as []).length % 21).toBe(0);
});

describe('as columns, which is the default', () => {
	it('returns an item per series and step: identifiers, time, forecast and quantiles, and no empty columns', async () => {
		const { output } = await forecast(stores('Lyon', 'Paris'), byStore, { output: undefined });
		expect(output).toHaveLength(14);
		for (const { json } of output) {
			expect(Object.keys(json)).toEqual([
				'store',
				'time',
				'forecast',
				...Object.keys(json).filter((name) => /^quantile_0\.\d+$/.test(name)),
			]);
			expect(Object.values(json).every((value) => value !== null && value !== undefined)).toBe(true);
		}
		expect(Object.keys(output[0]!.json).length).toBeGreaterThan(4);
	});

	it('gives each quantile its own value', async () => {
		const step = { forecast: 2, time: '2026-01-01T00:00:00Z', timeseriesIdentifier: {}, ignored: false };
		proxy.setFault({
			kind: 'answer',
			body: { results: [{ ...step, quantiles: [0.1, 0.9], quantilesValues: [1, 3] }] },
		});
		const { output } = await forecast([{ when: '2026-01-01', visitors: 1 }], {}, { output: undefined });
		expect(jsonOf(output)).toEqual([{ time: step.time, forecast: 2, 'quantile_0.1': 1, 'quantile_0.9': 3 }]);
	});
});

describe('the whole history in one item', () => {
	const asList = async (records: unknown, parameters: IDataObject = {}) =>
		await run('dataikuForecast', {
			url: proxy.url,
			items: [{ history: records as IDataObject[] }],
			parameters: { recordSource: 'json', recordJson: '={{ $json.history }}', ...parameters },
			onError: 'continueRegularOutput',
		});

	it('returns its series in its order, including failed ones, when their requests end in another order', async () => {
		// Two requests are on their way at first: once the fourth one has arrived, two others have ended.
		proxy.setFault(async ({ body }) => {
			if (body.includes('Lyon')) await proxy.requestsArrived(4);
			return undefined;
		});
		const history = [...stores('Lyon', 'Paris'), { date: '2024-05-01', store: 'New', promo: 0 }, ...stores('Lille')];
		const { output } = await run('dataikuForecast', {
			url: proxy.url,
			items: [{ history: mixed(history) }, ...stores('Nantes')],
			options: { seriesPerRequest: 1 },
			parameters: {
				...byStore,
				recordSource: 'json',
				recordJson: '={{ $json.history ?? $json }}',
			},
			onError: 'continueRegularOutput',
		});
		const named = jsonOf(output).map(({ store, error }) => (error ? 'failed' : store));
		expect([...new Set(named)]).toEqual(['Lyon', 'Paris', 'failed', 'Lille', 'Nantes']);
	});

	it('lists all errors when several series of the same item fail', async () => {
		const line = (store: string, date: string) => ({ store, date, promo: 0 });
		const { output } = await run('dataikuForecast', {
			url: proxy.url,
			items: [
				{ history: line('A', '2024-05-01') },
				{ history: line('B', '2024-05-01') },
				{ history: [line('A', '2024-05-02'), line('B', '2024-05-02'), line('C', '2024-05-02')] },
			],
			parameters: { ...byStore, recordSource: 'json', recordJson: '={{ $json.history }}' },
			onError: 'continueRegularOutput',
		});
		expect(pairsOf(output)).toEqual(Array(3).fill({ item: 2 }));
		for (const name of ['A', 'B', 'C']) {
			expect(jsonOf(output).filter(({ error }) => String(error).includes(`store = "${name}"`))).toHaveLength(1);
		}
	});

	it.each([{}, { identifierColumns: 'store' }])('is forecast like many items, identified by %j', async (parameters) => {
		const one = await asList(stores('Lyon', 'Paris'), parameters);
		const many = await forecast(stores('Lyon', 'Paris'), {}, parameters);
		expect(jsonOf(one.output)).toEqual(jsonOf(many.output));
		expect(pairsOf(one.output)).toEqual(Array(14).fill({ item: 0 }));
	});

	it('returns all steps of each series, in order, when there are thousands of series', async () => {
		const names = Array.from({ length: 4_000 }, (_, n) => `Store ${n}`);
		const records = names.flatMap((name) => storeHistory(name, 2));
		const { output, error } = await asList(records, byStore);

		expect(error).toBeUndefined();
		const times = new Map(names.map((name) => [name, [] as string[]]));
		for (const { store, time } of jsonOf(output)) times.get(store as string)!.push(String(time).slice(0, 10));
		const expected = storeHistory('any', 2)
			.slice(2)
			.map(({ date }) => date);
		expect([...times.values()].filter((found) => found.join() !== expected.join())).toEqual([]);
		expect(new Set(pairsOf(output).map((pair) => JSON.stringify(pair)))).toEqual(new Set(['{"item":0}']));
	});

	it('gives other work a turn at each row when rows take long, before anything is sent', async () => {
		let clock = 0;
		const now = jest.spyOn(performance, 'now').mockImplementation(() => (clock += 10));
		let turns = 0;
		let turnsBefore: number | undefined;
		const other = () => {
			turns++;
			if (proxy.requests.length > 0) turnsBefore ??= turns;
			else setImmediate(other);
		};
		setImmediate(other);
		const records = Array.from({ length: 100 }, (_, n) => storeHistory(`Store ${n}`, 2)).flat();
		const { error } = await asList(records, byStore);
		now.mockRestore();
		expect(error).toBeUndefined();
		expect(turnsBefore).toBeGreaterThan(records.length);
	});

	it('may be text', async () => {
		expect((await asList(JSON.stringify(storeHistory('Lyon')))).output).toHaveLength(7);
	});

	it('fails the series that cannot be forecast, and keeps the other', async () => {
		const records = [...storeHistory('Lyon'), { date: '2024-05-01', store: 'New', promo: 0 }];
		const { output } = await asList(records, { identifierColumns: 'store' });
		expect(jsonOf(output).map(({ store, error }) => store ?? error)).toEqual([
			...Array<string>(7).fill('Lyon'),
			expect.stringMatching(/store = "New" has no past/),
		]);
	});

	it.each([
		['with a line that is none', [...storeHistory('Lyon'), 7], /The record 21 of the list is a number/],
		['with a line that is empty', [...storeHistory('Lyon'), {}], /The record is empty \(record 21 of the list\)/],
		['that is empty', [], /The list contains no records/],
	])('%s fails, and sends nothing', async (_name, records, message) => {
		const { output } = await asList(records);
		expect(jsonOf(output)).toMatchObject([{ error: expect.stringMatching(message) as string }]);
		expect(proxy.requests).toEqual([]);
	});
});

describe('a record of a list that does not match the document', () => {
	const records = storeHistory('Lyon').map((record, n) => (n === 3 ? { ...record, sales: 'none' } : record));
	const { date: _date, ...dateless } = records[5]!;
	const blank = { date: '', store: '', sales: null };
	const given = (...wrong: IDataObject[]) => [{ history: [...records.slice(0, 5), ...wrong, ...records.slice(5)] }];
	const run = async (items: IDataObject[], checkFeatures: string) => {
		await fieldsOf('store_sales', { type: 'dataikuForecast', url: proxy.url });
		const parameters = { recordSource: 'json', recordJson: '={{ $json.history }}' };
		const { output, hints } = await forecast(items, { checkFeatures }, parameters, {
			onError: 'continueRegularOutput',
		});
		return { errors: jsonOf(output).flatMap(({ error }) => error ?? []), hints };
	};
	const text = "`sales` must be a number, not the text 'none'";

	it('is named in the error', async () => {
		const { errors } = await run(given(dateless, blank, blank), 'error');
		expect(errors[0]).toContain(`${text} (record 3 of the list); `);
		expect(errors[0]).toContain('`date` is missing (record 5 of the list); ');
		expect(errors[0]).toContain('the record contains no values (record 6 of the list)');
	});

	it('is named in the hint, and where the API node refuses the series', async () => {
		const { errors, hints } = await run(given(), 'warn');
		expect(hints.map(({ message }) => message).join(' ')).toContain(`${text} (item 0: record 3)`);
		expect(errors[0]).toContain(`In record 3 of the series, ${text}.`);
	});
});

describe('a series that the API node refuses', () => {
	const items = [...stores('Lyon'), ...stores('Paris')];
	const wrong = items.findIndex(({ store }) => store === 'Paris') + 3;
	const { date: _date, ...dateless } = items[wrong]!;
	const given = items.with(wrong, dateless);
	const failed = async (options: IDataObject) => {
		const { output } = await forecast(given, options, {}, { onError: 'continueRegularOutput' });
		return output.filter(({ json }) => json.error);
	};

	it('fails at the row that does not match the document', async () => {
		await fieldsOf('store_sales', { type: 'dataikuForecast', url: proxy.url });
		for (const options of [byStore, {}]) {
			const [error] = await failed({ ...options, checkFeatures: 'warn' });
			expect(error!.pairedItem).toEqual({ item: wrong });
			expect(error!.json.details).toMatchObject({ item: wrong, endpoint: 'store_sales' });
			expect(error!.json.error).toContain('In this record, `date` is missing.');
		}
	});

	it('fails as a whole when the row is not known', async () => {
		const [ofStore] = await failed(byStore);
		expect(ofStore!.json.error).toMatch(/\(series store Paris, items \d+ to \d+\)/);
		const [ofAll] = await failed({});
		expect(ofAll!.json.error).toContain(`(items 0 to ${items.length - 1})`);
	});
});

it('accepts the path of an identifier column, which is sent under its short name', async () => {
	const items = stores('Lyon', 'Paris').map(({ store, ...rest }) => ({ ...rest, body: { store } }));
	const { output, error } = await forecast(
		items,
		{ identifierColumns: 'body.store' },
		{ recordSource: 'inputItem', include: 'selected', includeFields: 'date, sales, promo, body.store' },
	);
	expect(error).toBeUndefined();
	expect(new Set(jsonOf(output).map(({ store }) => store))).toEqual(new Set(['Lyon', 'Paris']));
});

it('accepts a list of identifier columns from an expression', async () => {
	const { output, error } = await forecast(stores('Lyon', 'Paris'), { identifierColumns: "={{ ['store'] }}" });
	expect(error).toBeUndefined();
	expect(new Set(jsonOf(output).map(({ store }) => store))).toEqual(new Set(['Lyon', 'Paris']));
});
