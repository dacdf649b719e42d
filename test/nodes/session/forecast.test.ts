import type { IDataObject } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { refusal, Scene } from '../../client/session/harness';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { jsonOf, run, storeHistory } from '../demo';

const scene = new Scene();
let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => {
	proxy = await chaosProxy({ upstream: node.url });
	scene.atEnd(async () => await proxy.close());
});

const stores = ['A', 'B', 'C'];
const history = () => stores.flatMap((store) => storeHistory(store));

const forecast = async (items: IDataObject[], parameters: IDataObject = {}, identifierColumns = 'store') =>
	await run('dataikuForecast', {
		url: proxy.url,
		items,
		parameters: { identifierColumns, ...parameters },
		onError: 'continueRegularOutput',
	});

/** The stores that were forecast. */
const forecastStores = (output: Array<{ json: IDataObject }>) =>
	new Set(jsonOf(output as never).flatMap(({ store, error }) => (error ? [] : [store])));

describe('A forecast under "continue" whose series lost a line', () => {
	const broken: Record<string, IDataObject> = {
		'an expression that throws': { recordSource: 'json', recordJson: '={{ $json.broken ? missing.name : $json }}' },
		'JSON that is none': { recordSource: 'json', recordJson: '={{ $json.broken ? "{" : $json }}' },
		'a list': { recordSource: 'json', recordJson: '={{ $json.broken ? [1] : $json }}' },
	};

	it.each(Object.keys(broken))('fails for that series only (%s)', async (what) => {
		const items = history();
		const lost = items.findIndex(({ store }) => store === 'B') + 3;
		items[lost] = { ...items[lost], broken: true };
		const { output, hints } = await forecast(items, broken[what]);

		expect(forecastStores(output)).toEqual(new Set(['A', 'C']));
		const failed = output.filter(({ json }) => json.error);
		const last = items.findLastIndex(({ store }) => store === 'B');
		expect(failed.map(({ pairedItem }) => pairedItem)).toEqual([{ item: lost }, { item: last }]);
		expect(failed[1]!.json.error).toMatch(new RegExp(`Item ${lost} of this series could not be read`));
		for (const { body } of proxy.requests) expect(body).not.toContain('"B"');
		expect(hints[0]?.message).toMatch(/2 of \d+ items failed/);
	});

	it('fails as a whole when no column identifies its series', async () => {
		const items = storeHistory('A');
		items[4] = { ...items[4], broken: true };
		const { output } = await forecast(items, broken['JSON that is none'], '');

		expect(output.filter(({ json }) => !json.error)).toEqual([]);
		expect(proxy.requests).toEqual([]);
	});

	it('has a hint when it is unknown which series lost a row', async () => {
		const items = history();
		delete items[5]!.store;
		const { output, hints } = await forecast(items);

		expect(output.filter(({ json }) => json.error).map(({ pairedItem }) => pairedItem)).toEqual([{ item: 5 }]);
		expect(hints.map(({ message }) => message).join(' ')).toMatch(/Forecasts may be incomplete/);
	});

	it.each(['', ' ', '\t'])('treats a blank identifier as missing: %j', async (store) => {
		const { output, hints } = await forecast([...history(), { date: '', store, sales: '' }]);

		const failed = output.filter(({ json }) => json.error);
		expect(failed.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 63 }]);
		expect(failed[0]!.json.error).toMatch(/^The record has no 'store'/);
		expect(hints.map(({ message }) => message).join(' ')).toMatch(/Forecasts may be incomplete \(item 63\)/);
		expect(proxy.requests.map(({ body }) => body).join('')).not.toContain('"store":""');
	});

	it('has a hint when the record names its series differently from the item', async () => {
		const items = history().map((item) => ({ ...item, store: String(item.store).toLowerCase() })) as IDataObject[];
		items[5] = { ...items[5], broken: true };
		const { hints } = await forecast(items, {
			recordSource: 'json',
			recordJson: '={{ $json.broken ? "{" : { ...$json, store: $json.store.toUpperCase() } }}',
		});
		expect(hints.map(({ message }) => message).join(' ')).toMatch(/Forecasts may be incomplete/);
	});

	it('stops at the row that could not be read under "stop"', async () => {
		const items = history();
		items[5] = { ...items[5], broken: true };
		const { error } = await run('dataikuForecast', {
			url: proxy.url,
			items,
			parameters: { ...broken['JSON that is none'], identifierColumns: 'store' },
		});
		expect(error?.message).toMatch(/ \(item 5, /);
		expect(proxy.requests).toEqual([]);
	});
});

describe('Advice on dates', () => {
	const withoutDates = [
		{ store: 'A', sales: 1 },
		{ store: 'B', sales: 2 },
	];
	const advice = /No record has a date/;

	it.each([401, 403, 404, 429, 503])('is not given on a %d', async (status) => {
		proxy.setFault({ kind: 'answer', ...refusal('No', status), headers: { 'retry-after': '1000' } });
		const { output } = await forecast(withoutDates, {});
		expect(output).toHaveLength(2);
		for (const { error } of jsonOf(output)) expect(error).not.toMatch(advice);
	});

	it('is given on a 400 to the series without one, and to no other that shares the error', async () => {
		proxy.setFault({ kind: 'answer', ...refusal('Missing column') });
		const many = Array.from({ length: 40 }, (_, n) => [
			{ store: `S${n}`, sales: 1, ...(n % 2 === 1 && { date: '2026-05-01' }) },
		]).flat();
		const { output } = await forecast(many);
		expect(output).toHaveLength(40);
		for (const [n, { error, details }] of jsonOf(output).entries()) {
			expect([n, advice.test(String(error))]).toEqual([n, n % 2 === 0]);
			expect([n, advice.test(JSON.stringify(details))]).toEqual([n, n % 2 === 0]);
		}
	});
});
