import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

interface Selected {
	columns: string[];
	rows: Array<Array<string | null>>;
}

let node: ApiNode;
beforeEach(async () => {
	node = await startApiNode();
});
afterEach(() => node.close());

const query = <T = Selected>(id: string, parameters: object | string = {}) =>
	ask<T>(node, `open/${id}/query`, parameters);
const payments = async () => (await query('payments')).body.rows;

test('a SELECT returns columns and rows, with values as strings or null', async () => {
	const { body } = await query('customer_transactions', { customer_id: 'C001', min_amount: 150 });
	expect(body.columns).toEqual(['id', 'amount', 'merchant', 'note']);
	expect(body.rows).toHaveLength(20);
	for (const [id, amount, , note] of body.rows) {
		expect(Number(amount)).toBeGreaterThanOrEqual(150);
		expect(note).toBe(Number(id) % 5 === 0 ? null : `No. ${id}`);
	}
	expect(body.rows.flat().some((value) => value === null)).toBe(true);
});

test('a parameter is a value, never SQL', async () => {
	const { status, body } = await query('customer_transactions', { customer_id: "' OR 1=1 --", min_amount: 0 });
	expect([status, body.rows]).toEqual([200, []]);
});

test('a null parameter matches nothing', async () => {
	expect((await query('customer_transactions', { customer_id: null, min_amount: 0 })).body.rows).toEqual([]);
});

test.each(['{}', ''])('a query without parameters accepts the body %j', async (body) => {
	expect((await query('payments', body)).body).toMatchObject({ columns: ['id', 'customer_id', 'amount'], rows: [] });
});

test('ten thousand rows arrive in one response', async () => {
	const { rows } = (await query('all_transactions')).body;
	expect(rows).toHaveLength(10_000);
	expect(new Set(rows.map(([id]) => id)).size).toBe(10_000);
});

test('a join keeps both columns of the same name', async () => {
	const { body } = await query('customer_orders', { customer_id: 'C006' });
	expect(body.columns).toEqual(['id', 'name', 'city', 'id', 'amount', 'note']);
	expect(body.rows[0]?.slice(0, 4)).toEqual(['C006', "Finn O'Brien", null, '5']);
});

test('an INSERT returns the number of rows, which are there afterwards', async () => {
	const { body } = await query<object>('add_payment', { customer_id: 'C001', amount: 12.5 });
	expect(body).toMatchObject({ updatedRows: 1 });
	expect(body).not.toHaveProperty('rows');
	expect(await payments()).toEqual([['1', 'C001', '12.5']]);
});

test('several statements return the sum of their rows, and fail together within one commit', async () => {
	expect((await query<object>('transfer', { from: 'C001', to: 'C002', amount: 60 })).body).toMatchObject({
		updatedRows: 2,
	});
	const overdrawn = await query<ErrorBody>('transfer', { from: 'C001', to: 'C002', amount: 60 });
	expect(overdrawn).toMatchObject({ status: 500, body: { detailedMessage: expect.stringContaining('balance >= 0') } });
	// C002 had 100 and received 60: it can pay back 160 only if the failed transfer left nothing behind.
	expect((await query('transfer', { from: 'C002', to: 'C001', amount: 161 })).status).toBe(500);
	expect((await query('transfer', { from: 'C002', to: 'C001', amount: 160 })).status).toBe(200);
});

test('a failure after a commit keeps what was committed', async () => {
	expect((await query('settle', { customer_id: 'C004' })).status).toBe(500);
	expect(await payments()).toEqual([['1', 'C004', '1']]);
});

test.each([
	['is missing', { customer_id: 'C001' }, "needs parameter 'min_amount'"],
	['is a list', { customer_id: ['C001'], min_amount: 0 }, "'customer_id' must be a single value"],
])('a 400 says when a parameter %s', async (_case, parameters, message) => {
	const answer = await query<ErrorBody>('customer_transactions', parameters);
	expect(answer.status).toBe(400);
	expect(answer.body.message).toContain(message);
});
