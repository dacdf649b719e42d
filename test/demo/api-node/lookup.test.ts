import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

interface Results {
	results: object[];
}

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

const lookup = async (endpoint: string, ...records: object[]) => {
	const items = records.map((data) => ({ data, context: { source: 'test' } }));
	return (await ask<Results>(node, `open/${endpoint}/lookup-multi`, { items })).body.results;
};

test('a single lookup returns a list of one result', async () => {
	const { body } = await ask<Results>(node, 'open/customer/lookup', { data: { customer_id: 'C001' } });
	expect(body.results).toEqual([
		{ data: { name: 'Ana Costa', segment: 'gold', city: 'Lyon', customer_age_days: 1480, chargebacks: 0 } },
	]);
});

test('a batch returns one result per record, in order, whatever the results are', async () => {
	const records = ['C008', 'C999', 'C007', 'C006'].map((customer_id) => ({ customer_id }));
	expect(await lookup('customer', ...records)).toEqual([
		{ data: expect.objectContaining({ name: '李明' }) },
		{ data: {} },
		{ ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' },
		{ data: expect.objectContaining({ name: "Finn O'Brien", city: null }) },
	]);
});

test('all of several key columns must match, numbers or text', async () => {
	const results = await lookup(
		'price',
		{ country: 'GB', sku: 'A-100' },
		{ country: 'US', sku: 42 },
		{ country: 'FR', sku: 42 },
	);
	expect(results).toEqual([
		{ data: { price: 17.5, currency: 'GBP', vat: 0.2 } },
		{ data: { price: 5, currency: 'USD', vat: null } },
		{ data: {} },
	]);
});

test('a missing match and a missing key have the configured results', async () => {
	expect(await lookup('customer', {})).toEqual([{ data: {} }]);
	expect(await lookup('known_customer', { customer_id: 'C999' })).toEqual([
		{ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' },
	]);
	expect(await lookup('price', { sku: 'A-100' }, { country: null, sku: 'A-100' })).toEqual([
		{ ignored: true, ignoreReason: 'MISSING_LOOKUP_KEY' },
		{ ignored: true, ignoreReason: 'MISSING_LOOKUP_KEY' },
	]);
	const answer = await ask<ErrorBody>(node, 'open/known_customer/lookup', { data: {} });
	expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('customer_id') } });
});
