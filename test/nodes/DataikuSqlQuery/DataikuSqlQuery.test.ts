import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, inOrder } from '../../support/chaosProxy';
import { jsonOf, pairsOf, run, wire } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const query = async (
	endpointId: string,
	items: IDataObject[],
	parameters: IDataObject = {},
	options: IDataObject = {},
	onError?: 'continueRegularOutput',
) => await run('dataikuSqlQuery', { url: proxy.url, endpointId, items, parameters, options, onError });

/** What was paid since this was asked last. */
async function payments(): Promise<IDataObject[]> {
	const all = jsonOf((await run('dataikuSqlQuery', { url: node.url, endpointId: 'payments' })).output);
	const since = all.slice(known);
	known = all.length;
	return since;
}
let known = 0;
const answer = (body: object) => proxy.setFault({ kind: 'answer', body });

describe('a query', () => {
	it('returns an item per row, with the columns as fields and null for null', async () => {
		const { output } = await query('customer_transactions', [{ customer_id: 'C001', min_amount: 190 }]);

		expect(wire(proxy)).toEqual([
			{ path: 'demo/customer_transactions/query', body: { customer_id: 'C001', min_amount: 190 } },
		]);
		expect(output.length).toBeGreaterThan(5);
		for (const { json } of output) expect(Object.keys(json)).toEqual(['id', 'amount', 'merchant', 'note']);
		expect(jsonOf(output).some(({ note }) => note === null)).toBe(true);
		expect(jsonOf(output).every(({ amount }) => typeof amount === 'string' && Number(amount) >= 190)).toBe(true);
	});

	it('renames columns that have the same name', async () => {
		const { output } = await query('customer_orders', [{ customer_id: 'C001' }]);
		expect(Object.keys(output[0]!.json)).toEqual(['id', 'name', 'city', 'id_2', 'amount', 'note']);
		expect(output[0]!.json).toMatchObject({
			id: 'C001',
			name: 'Ana Costa',
			id_2: expect.stringMatching(/^\d+$/) as string,
		});
	});

	it.each<[string, string[], string[]]>([
		['a name that another column has already', ['id', 'id', 'id_2', 'id'], ['id', 'id_3', 'id_2', 'id_4']],
		['a name that all objects have', ['constructor', 'a', 'toString'], ['constructor', 'a', 'toString']],
		['the same name three times', ['a', 'a', 'a'], ['a', 'a_2', 'a_3']],
	])('keeps the value of each column: %s', async (_name, columns, keys) => {
		answer({ columns, rows: [columns.map((_column, n) => String(n))] });
		const { output } = await query('any', [{}]);
		expect(Object.entries(output[0]!.json)).toEqual(keys.map((key, n) => [key, String(n)]));
	});

	it('keeps the values of a row that has more values than there are columns', async () => {
		answer({ columns: ['a', 'column_3'], rows: [['1'], ['1', '2', '3', '4']] });
		expect(jsonOf((await query('any', [{}])).output)).toEqual([
			{ a: '1', column_3: null, column_3_2: null, column_4: null },
			{ a: '1', column_3: '2', column_3_2: '3', column_4: '4' },
		]);
	});

	it('accepts columns that are described by objects', async () => {
		answer({
			columns: [
				{ name: 'id', type: 'bigint' },
				{ name: 'n', type: 'int' },
			],
			rows: [['1']],
		});
		expect(jsonOf((await query('any', [{}])).output)).toEqual([{ id: '1', n: null }]);
	});

	it('pairs each row with its query, in the order of the input', async () => {
		const items = ['C003', 'C001', 'C002'].map((customer_id) => ({ customer_id, min_amount: 150 }));
		proxy.setFault(({ n }) => ({ kind: 'delay', ms: 30 - 10 * n }));
		const { output } = await query('customer_transactions', items, { output: 'perQuery' });

		const direct = async (item: IDataObject) =>
			jsonOf(
				(await run('dataikuSqlQuery', { url: node.url, items: [item], parameters: { output: 'perQuery' } })).output,
			)[0];
		expect(jsonOf(output)).toEqual([await direct(items[0]!), await direct(items[1]!), await direct(items[2]!)]);
		expect(pairsOf(output)).toEqual([{ item: 0 }, { item: 1 }, { item: 2 }]);
	});

	it('returns one item per query, with lists', async () => {
		const { output } = await query('customer_orders', [{ customer_id: 'C001' }], { output: 'perQuery' });
		expect(output).toHaveLength(1);
		expect(output[0]!.json.columns).toEqual(['id', 'name', 'city', 'id', 'amount', 'note']);
		expect(output[0]!.json.rows).toHaveLength(10);
	});

	it('returns the whole response', async () => {
		const { output } = await query('customer_orders', [{ customer_id: 'C001' }], { output: 'fullResponse' });
		expect(Object.keys(output[0]!.json).sort()).toEqual(['apiContext', 'columns', 'headers', 'rows', 'timing']);
	});

	it('returns no item, with a hint, when there are no rows', async () => {
		const items = [
			{ customer_id: 'nobody', min_amount: 0 },
			{ customer_id: 'C001', min_amount: 199 },
			{ customer_id: 'C001', min_amount: 999 },
		];
		const { output, hints } = await query('customer_transactions', items);

		expect(new Set(output.map(({ pairedItem }) => JSON.stringify(pairedItem)))).toEqual(new Set(['{"item":1}']));
		expect(hints).toEqual([{ message: 'No rows found (2 items, first: 0, 2).', type: 'info', location: 'outputPane' }]);
	});

	it('returns 10,000 rows for one item', async () => {
		const { output } = await query('all_transactions', [{}]);
		expect(output).toHaveLength(10_000);
		expect(output[9_999]).toMatchObject({ json: { id: '10000' }, pairedItem: { item: 0 } });
	});

	it('returns integers beyond 2^53 exactly', async () => {
		const body = '{"columns": ["id"], "rows": [[9007199254740993], [12]]}';
		proxy.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body });
		expect(jsonOf((await query('any', [{}])).output)).toEqual([{ id: '9007199254740993' }, { id: 12 }]);
	});

	it('renames a column that would make n8n treat the row as a failed item', async () => {
		answer({ columns: ['error', 'details'], rows: [['E1', 'x']] });
		expect(jsonOf((await query('any', [{}], {}, {}, 'continueRegularOutput')).output)).toEqual([
			{ result_error: 'E1', details: 'x' },
		]);
	});
});

describe('a statement', () => {
	const payment = { customer_id: 'C001', amount: 25 };
	beforeEach(async () => void (await payments()));

	it.each(['perRow', 'perQuery'])('returns the number of rows that it changed, with "%s"', async (output) => {
		const items = [payment, { ...payment, amount: 30 }];
		expect(jsonOf((await query('add_payment', items, { output })).output)).toEqual([
			{ updatedRows: 1 },
			{ updatedRows: 1 },
		]);
		expect((await payments()).map(({ amount }) => Number(amount)).sort()).toEqual([25, 30]);
	});

	it.each(['perRow', 'perQuery', 'fullResponse'])(
		'causes one hint that a commit is not proven, unless the endpoint commits, with "%s"',
		async (output) => {
			const items = [payment, { ...payment, amount: 30 }];
			const { hints } = await query('add_payment', items, { output });
			expect(hints).toHaveLength(1);
			expect(hints[0]!.message).toMatch(/^The changes may be lost: .*"post-commit".*"Committed by the Endpoint"/);
			expect((await query('add_payment', items, { output }, { committed: true })).hints).toEqual([]);
			expect((await query('payments', [{}], { output })).hints).toEqual([]);
		},
	);

	it('is sent once when the connection breaks after it', async () => {
		proxy.setFault({ kind: 'reset', when: 'during' });
		const { error } = await query('add_payment', [payment]);

		expect(error?.message).toMatch(
			/ closed the connection without a complete response \(item 0, endpoint 'add_payment'\)$/,
		);
		expect(proxy.requests).toHaveLength(1);
		expect(await payments()).toHaveLength(1);
	});

	it.each([503, 500, 429])('is sent once when the response is a %d', async (status) => {
		proxy.setFault(inOrder({ kind: 'answer', status }));
		expect((await query('add_payment', [payment])).error?.message).toContain(String(status));
		expect(proxy.requests).toHaveLength(1);
	});

	it('is sent again when it is marked as safe to repeat', async () => {
		proxy.setFault(inOrder({ kind: 'reset', when: 'during' }));
		const { output, hints } = await query('add_payment', [payment], {}, { repeatable: true });

		expect(jsonOf(output)).toEqual([{ updatedRows: 1 }]);
		expect(hints[0]!.message).toBe('1 request retried.');
		expect(await payments()).toHaveLength(2);
	});

	it('is sent again only for the items whose option says so, also as text', async () => {
		// The first request of each item is refused.
		const seen = new Set<string>();
		proxy.setFault(({ body }) => (seen.size < seen.add(body).size ? { kind: 'answer', status: 503 } : undefined));
		const items = [true, false, 'true', 'false'].map((safe, n) => ({ ...payment, amount: n + 1, safe }));
		const { output } = await run('dataikuSqlQuery', {
			url: proxy.url,
			endpointId: 'add_payment',
			items,
			options: { repeatable: '={{ $json.safe }}', maxConcurrency: 4 },
			parameters: { recordSource: 'inputItem', include: 'except', excludeFields: 'safe' },
			onError: 'continueRegularOutput',
		});

		expect(wire(proxy)).toHaveLength(6);
		expect(jsonOf(output).map((json) => 'error' in json)).toEqual([false, true, false, true]);
	});

	it('is not sent again, with the reason, when it fails half-way', async () => {
		const { error } = await query('transfer', [{ from: 'C001', to: 'C002', amount: 500 }]);
		expect(error?.message).toMatch(/^CHECK constraint failed/);
		expect(proxy.requests).toHaveLength(1);

		expect((await query('settle', [{ customer_id: 'C001' }])).error?.description).toMatch(
			/failed to process the request \(500\)/,
		);
		expect(await payments()).toHaveLength(1);
	});

	it('lets other statements finish before the node stops when it fails', async () => {
		proxy.setFault(({ body }) => (body.includes('-1') ? undefined : { kind: 'delay', ms: 150 }));
		const items = [payment, { ...payment, amount: -1 }];
		const { error } = await query('add_payment', items);

		expect(error?.message).toMatch(/\(item 1, /);
		expect(await payments()).toHaveLength(1);
	});
});

describe('a response of an unknown shape', () => {
	it.each<[string, object, IDataObject]>([
		[
			'several results',
			{ results: [{ columns: ['a'], rows: [['1']] }] },
			{ results: [{ columns: ['a'], rows: [['1']] }] },
		],
		['a list', [{ a: 1 }], { result: [{ a: 1 }] }],
		['rows that are objects', { columns: ['a'], rows: [{ a: 1 }] }, { columns: ['a'], rows: [{ a: 1 }] }],
	])('is passed on with a hint: %s', async (_name, body, full) => {
		answer(body);
		const headers = expect.objectContaining({ 'content-type': 'application/json' }) as IDataObject;
		expect(jsonOf((await query('any', [{}], { output: 'fullResponse' })).output)).toEqual([{ ...full, headers }]);
		for (const output of ['perRow', 'perQuery']) {
			const { output: items, hints, error } = await query('any', [{}], { output });
			expect(error).toBeUndefined();
			expect(jsonOf(items)).toEqual([{ result: body }]);
			expect(hints[0]!.message).toMatch(/^The response is not a query result: .* \(item 0\)\.$/);
		}
	});

	it.each(['perRow', 'perQuery'])('returns the updated rows beside a table without columns: %s', async (output) => {
		answer({ columns: [], rows: [], updatedRows: 4 });
		expect(jsonOf((await query('any', [{}], { output })).output)).toEqual([{ updatedRows: 4 }]);
		answer({ columns: ['id'], rows: [['7']], updatedRows: 1 });
		const [item] = jsonOf((await query('any', [{}], { output })).output);
		expect(item).toEqual(output === 'perRow' ? { id: '7' } : { columns: ['id'], rows: [['7']] });
	});
});

it('runs queries in parallel up to the limit', async () => {
	proxy.setFault({ kind: 'delay', ms: 10 });
	const items = Array.from({ length: 40 }, (_, n) => ({ customer_id: 'C001', min_amount: n }));
	const { output } = await query('customer_transactions', items, { output: 'perQuery' }, { maxConcurrency: 4 });

	expect(output).toHaveLength(40);
	expect(proxy.requests).toHaveLength(40);
	expect(Math.max(...proxy.requests.map(({ outstanding }) => outstanding))).toBe(4);
});

it('keeps the input beside each row when the option is on, and columns take precedence', async () => {
	answer({
		columns: ['id', 'total'],
		rows: [
			['1', '9'],
			['2', null],
		],
	});
	const { output } = await query('any', [{ customer: 'C001', id: 'mine' }], {}, { keepInput: true });
	expect(jsonOf(output).map((json) => Object.entries(json))).toEqual([
		[
			['id', '1'],
			['total', '9'],
			['customer', 'C001'],
		],
		[
			['id', '2'],
			['total', null],
			['customer', 'C001'],
		],
	]);
});

it('converts only texts that a number represents exactly when the option is on', async () => {
	const exact = [
		...['0', '-3', '12.50', '0.1', '9007199254740991', '1234567.000', '0.00', '1000000', '-0.0000001', '0.0000001'],
		// Java writes its doubles like this, and databases like that.
		...['1.23456789E7', '1.0E-5', '-4.9E-324', '1.7976931348623157E308', '1.0E23', '0.0E0', '1.5e-07', '2.50E+3'],
	];
	const other = [
		...['007', '9007199254740993', '0.12345678901234567890', '1e3', '+1', '-0', ' 1', '', '1.', 'Infinity', 'NaN'],
		...[
			'1E5',
			'1e400',
			'1.0E400',
			'1.0E-400',
			'-0.0',
			'+5',
			'.5',
			'5.',
			'1_000',
			'1,5',
			'1 ',
			'1.5 E3',
			'1.5E',
			'0x10',
		],
		...['00.5', '20000000000000000000', '0.10000000000000001', '1.2345678901234567890E7', '1.5E3.2', '12e', '1.5E7\n'],
	];
	for (const output of ['perRow', 'perQuery']) {
		answer({ columns: ['exact', 'other'], rows: [...exact, ...other].map((text, n) => [exact[n] ?? null, text]) });
		const { output: items } = await query('any', [{}], { output }, { convertNumbers: true });
		const rows =
			output === 'perRow'
				? jsonOf(items)
				: (items[0]!.json.rows as unknown[][]).map(([e, o]) => ({ exact: e, other: o }));
		expect(rows.map((row) => row.exact).filter((value) => value !== null)).toEqual(exact.map(Number));
		expect(rows.slice(exact.length).map((row) => row.other)).toEqual(other);
	}
	answer({ columns: ['n'], rows: [['1']] });
	expect(jsonOf((await query('any', [{}])).output)).toEqual([{ n: '1' }]);
});
