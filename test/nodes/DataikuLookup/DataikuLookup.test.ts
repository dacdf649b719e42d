import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());

const lookUp = async (
	endpointId: string,
	items: IDataObject[],
	parameters: IDataObject = {},
	options: IDataObject = {},
) => jsonOf((await run('dataikuLookup', { url: node.url, endpointId, items, parameters, options })).output);

const ana = { name: 'Ana Costa', segment: 'gold', city: 'Lyon', customer_age_days: 1480, chargebacks: 0 };
const severalMatches = { ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' };
const noMatch = { ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' };

describe.each([1, 100])('at batch size %d', (batchSize) => {
	it.each<[string, string, IDataObject, IDataObject]>([
		['puts the columns among the fields', 'customer', { customer_id: 'C001', n: 1 }, ana],
		['lets a column replace a field of its name', 'customer', { customer_id: 'C001', city: 'Elsewhere' }, ana],
		[
			'adds nothing where nothing matches and the endpoint is content with that',
			'customer',
			{ customer_id: 'C999' },
			{},
		],
		['says why the API node ignored the record', 'customer', { customer_id: 'C007' }, severalMatches],
		['says why the API node refuses one without a match', 'known_customer', { customer_id: 'C999' }, noMatch],
		['looks up by several keys', 'price', { country: 'FR', sku: 'A-100' }, { price: 19.9, currency: 'EUR', vat: 0.2 }],
		[
			'keeps a column that is null',
			'price',
			{ country: 'US', sku: 'A-100' },
			{ price: 21.5, currency: 'USD', vat: null },
		],
	])('enriches: %s', async (_name, endpointId, item, added) => {
		expect(await lookUp(endpointId, [item], {}, { batchSize })).toEqual([{ ...item, ...added }]);
	});

	it.each<[string, IDataObject[]]>([
		[
			'withInput',
			[
				{ customer_id: 'C001', result: { data: ana } },
				{ customer_id: 'C007', result: severalMatches },
			],
		],
		['resultOnly', [{ data: ana }, severalMatches]],
	])('returns %s', async (output, expected) => {
		const items = [{ customer_id: 'C001' }, { customer_id: 'C007' }];
		expect(await lookUp('customer', items, { output }, { batchSize })).toEqual(expected);
	});
});

it.each([
	['keep', [0, 1, 2]],
	['drop', [0, 2]],
])('with "%s" for ignored records, returns the items %j', async (ignoredRecords, kept) => {
	const items = ['C001', 'C007', 'C002'].map((customer_id, n) => ({ customer_id, n }));
	expect((await lookUp('customer', items, { ignoredRecords })).map(({ n }) => n)).toEqual(kept);
});

it('treats an ignored record as failed when the setting says so, and returns the others', async () => {
	const { output, errorOutput } = await run('dataikuLookup', {
		url: node.url,
		endpointId: 'customer',
		items: ['C001', 'C007', 'C002'].map((customer_id) => ({ customer_id })),
		parameters: { ignoredRecords: 'error' },
		onError: 'continueErrorOutput',
	});
	expect(jsonOf(output).map(({ customer_id }) => customer_id)).toEqual(['C001', 'C002']);
	expect(jsonOf(errorOutput)).toMatchObject([{ customer_id: 'C007', details: { detail: 'MULTIPLE_LOOKUP_MATCHES' } }]);
});

it('renames a column that would make n8n take the item for a failed one', async () => {
	const data = { error: 'E42', message: 'What the error is about' };
	const proxy = await chaosProxy({ respond: () => ({ body: { results: [{ data }] } }) });
	const { output, errorOutput } = await run('dataikuLookup', {
		url: proxy.url,
		items: [{}],
		parameters: { recordSource: 'json', recordJson: '{"customer_id": "C001"}' },
		onError: 'continueErrorOutput',
	});
	await proxy.close();
	expect({ output: jsonOf(output), errorOutput }).toEqual({
		output: [{ result_error: data.error, message: data.message }],
		errorOutput: [],
	});
});

it('puts a prefix before the added columns, so that none replaces a field', async () => {
	const item = { customer_id: 'C001', city: 'Elsewhere' };
	const columns = Object.fromEntries(Object.entries(ana).map(([name, value]) => [`customer_${name}`, value]));
	expect(await lookUp('customer', [item], {}, { columnPrefix: 'customer_' })).toEqual([{ ...item, ...columns }]);
});

it('reports which keys have no match', async () => {
	const items = ['C001', 'C998', 'C999'].map((customer_id) => ({ customer_id }));
	const { hints } = await run('dataikuLookup', { url: node.url, endpointId: 'known_customer', items });
	expect(hints).toMatchObject([
		{
			message: 'Ignored by the API node: no lookup match (2 items, first: 1: customer_id C998, 2: customer_id C999).',
			type: 'info',
		},
	]);
});

it('keeps a looked-up column whose name has a meaning in JavaScript', async () => {
	const proxy = await chaosProxy({ respond: () => ({ body: '{"results":[{"data":{"__proto__":5,"b":2}}]}' }) });
	for (const options of [{}, { columnPrefix: 'm_' }]) {
		const { output } = await run('dataikuLookup', { url: proxy.url, items: [{ a: 1 }], options });
		const prefix = options.columnPrefix ?? '';
		expect(JSON.stringify(output[0]!.json)).toBe(`{"a":1,"${prefix}__proto__":5,"${prefix}b":2}`);
	}
	await proxy.close();
});
