import { type ApiNode, startApiNode } from '../../demo/api-node';
import { ApiNodeClient, RawResponse } from '../../client';
import { Stage } from './harness';

const stage = new Stage();
let node: ApiNode;
let client: ApiNodeClient;
beforeAll(async () => {
	node = await startApiNode();
	client = new ApiNodeClient({ url: node.url, serviceId: 'demo', apiKey: 'demo-key' });
});
afterAll(async () => {
	await client.destroy();
	await node.close();
});

const risky = { amount: 900, hour: 3, country: 'US', merchant_category: 'gift_cards', card_present: false };
const usual = { amount: 15, hour: 12, country: 'FR', merchant_category: 'grocery', card_present: true };
const ambiguous = { ...usual, customer_id: 'C007' };

const context = (endpointId: string) => ({
	timing: expect.objectContaining({ prediction: expect.any(Number) }),
	apiContext: { serviceId: 'demo', endpointId, serviceGeneration: expect.stringMatching(/^v[12]$/) },
});

describe('returns the whole response of', () => {
	test('predictRecord: a classification with its explanations', async () => {
		const answer = await client.predictRecord('fraud', risky, { withExplanations: true, nExplanations: 2 });

		expect(answer).toEqual({
			result: {
				ignored: false,
				prediction: 'fraud',
				probas: { legitimate: expect.any(Number), fraud: expect.any(Number) },
				probaPercentile: 99,
				explanations: expect.any(Object),
			},
			...context('fraud'),
		});
		expect(Object.keys(answer.result.explanations!)).toHaveLength(2);
	});

	test('predictRecord: a regression with the requested generation', async () => {
		const features = { surface: 92, rooms: 4, built: 1987, city: 'Lyon', garden: true };
		const options = { withExplanations: false, forcedGeneration: 'v1' };
		const answer = await client.predictRecord('house_price', features, options);
		expect(answer.result).toEqual({ ignored: false, prediction: expect.any(Number) });
		expect(answer.apiContext).toMatchObject({ serviceGeneration: 'v1' });
	});

	test('predictRecord: an ignored record', async () => {
		expect((await client.predictRecord('fraud', ambiguous)).result).toEqual({
			ignored: true,
			ignoreReason: 'MULTIPLE_LOOKUP_MATCHES',
		});
	});

	test('predictRecord: a custom model with its own keys and no prediction', async () => {
		const { result } = await client.predictRecord('unusual_amount', { merchant_category: 'fuel' });
		expect(result).toHaveProperty('prediction', null);
		expect(Object.keys(result)).not.toEqual(['prediction', 'ignored']);
	});

	test('predictRecords: one result per record, in their order', async () => {
		const records = [risky, usual, ambiguous].map((features) => ({ features, context: { from: 'a test' } }));
		const answer = await client.predictRecords('fraud', records);
		expect(answer).toEqual({
			results: [
				expect.objectContaining({ prediction: 'fraud' }),
				expect.objectContaining({ prediction: 'legitimate' }),
				{ ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' },
			],
			...context('fraud'),
		});
		expect(await client.predictRecords('fraud', [])).toMatchObject({ results: [] });
	});

	test('forecast: one result per step of the series', async () => {
		const history = Array.from({ length: 36 }, (_, i) => ({
			month: new Date(Date.UTC(2021, i, 1)).toISOString().slice(0, 10),
			visitors: 1_000 + 10 * i,
		}));
		const { results } = await client.forecast('monthly_visitors', history);
		expect(results).toHaveLength(12);
		expect(results[0]).toEqual({
			forecast: expect.any(Number),
			ignored: false,
			quantiles: expect.any(Array),
			quantilesValues: expect.any(Array),
			time: expect.stringContaining('2024-01-01'),
			timeseriesIdentifier: expect.any(Object),
		});
	});

	test('predictEffect and predictEffects: all keys of the result', async () => {
		const features = { age: 34, visits: 6, basket: 38.5, loyalty: 'silver' };
		const one = await client.predictEffect('coupon_effect', features);
		const several = await client.predictEffects('coupon_effect', [{ features }, { features }]);
		expect(Object.keys(one.result).length).toBeGreaterThan(1);
		expect(one).toEqual({ result: one.result, ...context('coupon_effect') });
		expect(several.results).toEqual([one.result, one.result]);
	});

	test('sqlQuery: columns and rows of texts and nulls', async () => {
		const answer = await client.sqlQuery('customer_orders', { customer_id: 'C001' });
		expect(answer.columns).toEqual(['id', 'name', 'city', 'id', 'amount', 'note']);
		expect(answer.rows).toHaveLength(10);
		expect(answer.rows!.flat().every((cell) => cell === null || typeof cell === 'string')).toBe(true);
		expect((await client.sqlQuery('all_transactions')).rows).toHaveLength(10_000);
	});

	test('sqlQuery: the number of rows that a statement changed', async () => {
		const answer = await client.sqlQuery('add_payment', { customer_id: 'C001', amount: 3 });
		expect(answer).toMatchObject({ updatedRows: 1 });
		expect((await client.sqlQuery('payments')).rows).toEqual([
			['1', 'C001', '3.0'].map((cell): unknown => expect.stringContaining(cell.split('.')[0]!)),
		]);
	});

	test('lookupRecord: the first of the results, not the list', async () => {
		const found = await client.lookupRecord('customer', { customer_id: 'C001' });
		expect(found).toEqual({ data: expect.objectContaining({ name: expect.any(String) }) });
		expect(await client.lookupRecord('customer', { customer_id: 'nobody' })).toEqual({ data: {} });
		expect(await client.lookupRecord('known_customer', { customer_id: 'nobody' })).toEqual({
			ignored: true,
			ignoreReason: 'NO_LOOKUP_MATCH',
		});
	});

	test('lookupRecords: one result per record, in their order', async () => {
		const records = ['C002', 'nobody', 'C001'].map((customer_id) => ({ data: { customer_id } }));
		const { results } = await client.lookupRecords('customer', records);
		expect(results).toEqual([
			await client.lookupRecord('customer', { customer_id: 'C002' }),
			{ data: {} },
			await client.lookupRecord('customer', { customer_id: 'C001' }),
		]);
		expect(results[0]).not.toEqual(results[2]);
	});

	test("runFunction: the function's value in `response`, of any type", async () => {
		expect(await client.runFunction('add', { a: 2, b: 3 })).toEqual({ response: 5, ...context('add') });
		expect(await client.runFunction('nothing')).toMatchObject({ response: null });
		expect(await client.runFunction('echo', { a: [{ b: null }] })).toMatchObject({ response: { a: [{ b: null }] } });
	});

	test('settle: one result per record, with the part of the response that all records share', async () => {
		const records = [risky, usual].map((features) => ({ features }));
		const outcomes = await client.settle('predict', 'fraud', records);
		expect(outcomes).toEqual([
			{ result: expect.objectContaining({ prediction: 'fraud' }), response: context('fraud') },
			{ result: expect.objectContaining({ prediction: 'legitimate' }), response: context('fraud') },
		]);
		expect(await client.settle('predict', 'fraud', [])).toEqual([]);
	});

	test('settle: one lookup, whose response is also a list', async () => {
		const record = { data: { customer_id: 'C001' } };
		const [outcome] = await client.settle('lookup', 'customer', [record], { batchSize: 1 });
		expect(outcome).toMatchObject({ result: { data: { name: expect.any(String) } } });
	});

	test('openApi: the paths of the service below its own key', async () => {
		const document = await client.openApi();
		expect(document).toMatchObject({ swagger: '2.0' });
		expect(Object.keys(document.paths as object).some((path) => path.includes('/fraud/predict'))).toBe(true);
	});
});

describe("returns a function's response unchanged when it is", () => {
	const raw = async (endpoint: string, args: Record<string, unknown>) => {
		const answer = await client.runFunction(endpoint, args);
		expect(answer).toBeInstanceOf(RawResponse);
		return answer as RawResponse;
	};

	test('text', async () => {
		const answer = await raw('report_text', { title: 'Été', lines: ['Lyon 120', '€'] });
		expect([answer.contentType, answer.text()]).toEqual(['text/plain', 'Été\nLyon 120\n€']);
	});

	test('XML', async () => {
		const answer = await raw('report_xml', { title: 'Sales' });
		expect([answer.contentType, answer.text()]).toEqual([
			'application/xml',
			'<?xml version="1.0"?><report title="Sales"></report>',
		]);
	});

	test('a PNG image, byte for byte', async () => {
		const answer = await raw('chart', { values: [3, 1, 4] });
		expect(answer.contentType).toBe('image/png');
		expect(answer.data.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
		expect(Buffer.from(answer.data.subarray(-8, -4)).toString('latin1')).toBe('IEND');
	});

	test.each<[string, Buffer, string, string]>([
		[
			'in the charset that it names',
			Buffer.from('caf\u00e9', 'latin1'),
			'text/plain; charset="ISO-8859-1"',
			'caf\u00e9',
		],
		['in UTF-8 where it names none', Buffer.from('caf\u00e9'), 'text/csv', 'caf\u00e9'],
		['of nothing at all', Buffer.alloc(0), '', ''],
	])('text %s', async (_name, body, type, shown) => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ body, headers: type ? { 'content-type': type } : {} }),
		});
		const answer = (await client.runFunction('e')) as RawResponse;
		expect(answer).toBeInstanceOf(RawResponse);
		expect([answer.contentType, answer.text()]).toEqual([type.split(';')[0], shown]);
	});

	test.each(['application/json', 'application/problem+json; charset=utf-8', 'text/json'])(
		'JSON as %s',
		async (type) => {
			const { client } = await stage.chaosAndClient({
				respond: () => ({ body: '["bare"]', headers: { 'content-type': type } }),
			});
			expect(await client.runFunction('e')).toEqual(['bare']);
		},
	);
});

describe('passes on undocumented parts', () => {
	test.each<[string, object | string]>([
		['results of several SELECTs', { results: [{ columns: ['a'], rows: [['1']] }, { updatedRows: 2 }] }],
		['a list', [{ columns: [], rows: [] }]],
		['null', 'null'],
	])('of a query response: %s', async (_name, body) => {
		const { client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		expect(await client.sqlQuery('e')).toEqual(typeof body === 'string' ? JSON.parse(body) : body);
	});

	test('in the form of unknown keys, next to and inside a result', async () => {
		const body = { result: { whatever: [1, { deep: true }], prediction: {} }, extra: 'kept', timing: null };
		const { client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		expect(await client.predictRecord('e', {})).toEqual(body);
		expect(await client.predictEffect('e', {})).toEqual(body);
	});

	test('although the content type is not JSON, when only JSON makes sense', async () => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ body: '{"result":{"prediction":1}}', headers: { 'content-type': 'text/plain' } }),
		});
		expect(await client.predictRecord('e', {})).toEqual({ result: { prediction: 1 } });
	});
});

describe('never rounds an integer beyond 2^53', () => {
	test('in a prediction: it arrives as a string of its digits', async () => {
		expect(await client.runFunction('big_integers')).toMatchObject({
			response: { id: '9007199254740993', list: ['-18446744073709551617', 12], exact: 1234 },
		});
	});

	test('in the response of any other operation', async () => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({
				body: '{"result":{"data":{}},"results":[{"data":{"id":9007199254740993}}],"rows":[[-9007199254740993]]}',
			}),
		});
		expect(await client.lookupRecord('e', {})).toEqual({ data: { id: '9007199254740993' } });
		expect((await client.lookupRecords('e', [{ data: {} }])).results).toEqual([{ data: { id: '9007199254740993' } }]);
		expect((await client.sqlQuery('e')).rows).toEqual([['-9007199254740993']]);
	});
});

describe('parses a response', () => {
	test.each<[string, string]>([
		['in three-byte pieces, characters cut in two', 'é€🚀'],
		['in three-byte pieces, a big integer cut in two', '🚀'],
	])('%s', async (_name, text) => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ body: `{"result":{"text":"${text}","id":12345678901234567890}}` }),
			faults: { kind: 'dribble', bytes: 3, everyMs: 1 },
		});
		expect((await client.predictRecord('e', {})).result).toEqual({ text, id: '12345678901234567890' });
	});

	test('when it has many megabytes', async () => {
		const results = Array.from({ length: 20_000 }, (_, i) => ({ prediction: i, note: 'x'.repeat(200) }));
		const { client } = await stage.chaosAndClient({ respond: () => ({ body: { results } }) });
		const records = results.map(() => ({ features: {} }));
		expect((await client.predictRecords('e', records)).results).toEqual(results);
	});
});
