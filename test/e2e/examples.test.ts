import type { INode } from 'n8n-workflow';
import { examples, type Example } from '../../demo/demo';
import type { N8nRest } from '../../demo/n8n/rest';
import { itemsOf, running } from './running';

const { n8n, signIn, url } = running();
let rest: N8nRest;
beforeAll(async () => {
	rest = await signIn();
});

interface Scored {
	payment_id: string;
	ticket: string;
	order: string;
	customer: string;
	prediction: string;
	proba_fraud: number;
	predictedEffect: number;
}

const scored = (items: object[]) => items as Scored[];
const payment = { amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false };

const post = async (body: object) =>
	await fetch(`${url}/webhook/score-payment`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	});

test('the batch example gives each of its twenty payments a score, riskiest first', async () => {
	const run = await rest.run('dataiku-batch', 'Score the payments');
	const payments = scored(itemsOf(run, 'Riskiest first'));
	expect(new Set(payments.map(({ payment_id }) => payment_id)).size).toBe(20);
	for (const json of payments) {
		expect(json.prediction).toMatch(/^(fraud|legitimate)$/);
		expect(Object.keys(json)[0]).toBe('prediction');
	}
	const risks = payments.map(({ proba_fraud }) => proba_fraud);
	expect(risks).toEqual([...risks].sort((a, b) => b - a));
});

test("the batch example runs from n8n's command line, with the same scores", async () => {
	const [fromCommandLine, fromEditor] = [
		await n8n.execute('dataiku-batch'),
		await rest.run('dataiku-batch', 'Score the payments'),
	];
	const predictions = scored(itemsOf(fromCommandLine, 'Riskiest first')).map(({ prediction }) => prediction);
	expect(predictions).toHaveLength(20);
	expect(predictions).toEqual(scored(itemsOf(fromEditor, 'Riskiest first')).map(({ prediction }) => prediction));
});

test('the real-time example answers a posted payment with its score', async () => {
	const answer = await post({ ...payment, customer_id: 'C003' });
	expect(answer.status).toBe(200);
	expect(await answer.json()).toMatchObject({ prediction: 'fraud', probas: { fraud: expect.any(Number) } });
});

test('the real-time example tells the caller with a 502 what the API node had against a payment', async () => {
	const answer = await post({ ...payment, amount: 'a lot' });
	expect(answer.status).toBe(502);
	expect(await answer.json()).toEqual({ error: expect.stringContaining('amount') });
});

test('the real-time example answers twenty callers at once, each with the score of its own payment', async () => {
	const answers = await Promise.all(
		Array.from({ length: 20 }, async (_, i) => await (await post({ ...payment, amount: 10 * i })).json()),
	);
	const risks = (answers as Array<{ probas: { fraud: number } }>).map(({ probas }) => probas.fraud);
	expect(new Set(risks).size).toBe(20);
	expect(risks).toEqual([...risks].sort((a, b) => a - b));
});

test('the scheduled example hands each ticket to the team that the model picks', async () => {
	const run = await rest.run('dataiku-scheduled', 'Every hour');
	const all = scored(itemsOf(run, 'Dataiku Predict'));
	expect(all).toHaveLength(6);
	for (const team of ['billing', 'sales', 'technical']) {
		const expected = all.filter(({ prediction }) => prediction === team).map(({ ticket }) => ticket);
		expect(scored(itemsOf(run, `To ${team}`)).map(({ ticket }) => ticket)).toEqual(expected);
		expect(expected).not.toHaveLength(0);
	}
});

test('the scheduled example runs by itself once it is published', async () => {
	const example = (await examples()).find(({ id }) => id === 'dataiku-scheduled') as Example;
	const everySecond = (node: INode) =>
		node.name === 'Every hour'
			? { ...node, parameters: { rule: { interval: [{ field: 'seconds', secondsInterval: 1 }] } } }
			: node;
	const body = { ...example, id: undefined, name: 'Every second', nodes: example.nodes.map(everySecond) };
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', body);
	await rest.publish(id);
	try {
		const execution = await firstExecution(id);
		expect(scored(itemsOf(await rest.finished(execution), 'Dataiku Predict'))).toHaveLength(6);
	} finally {
		await rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
});

async function firstExecution(workflowId: string): Promise<string> {
	const filter = encodeURIComponent(JSON.stringify({ workflowId }));
	for (let waited = 0; waited < 20_000; waited += 200) {
		const { results } = await rest.call<{ results: Array<{ id: string }> }>('GET', `/executions?filter=${filter}`);
		if (results[0]) return results[0].id;
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
	throw new Error('No execution within 20 seconds');
}

test('the enriching example scores orders of known customers and gives the doubtful one to a human', async () => {
	const run = await rest.run('dataiku-enrich', 'Score the orders');
	expect(itemsOf(run, 'To a human')).toEqual([
		expect.objectContaining({ order: 'O-3', ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' }),
	]);
	const orders = itemsOf(run, 'Dataiku Predict');
	expect(orders.map(({ order, name }) => [order, name])).toEqual([
		['O-1', 'Ana Costa'],
		['O-2', 'Chloé Martin'],
		['O-4', 'Ben Weiss'],
		['O-5', undefined],
	]);
	expect(scored(orders).map(({ prediction }) => prediction)).toContain('fraud');
});

test('the forecast example writes one row per store and day, and no second one when it runs again', async () => {
	await rest.run('dataiku-forecast', 'Forecast the sales');
	const run = await rest.run('dataiku-forecast', 'Forecast the sales');
	expect(itemsOf(run, 'Dataiku Forecast')).toHaveLength(14);
	const [{ id, projectId }] = itemsOf(run, 'Sales forecast table') as [{ id: string; projectId: string }];
	const { data } = await rest.call<{ data: Array<{ store: string; day: string; forecast: number }> }>(
		'GET',
		`/projects/${projectId}/data-tables/${id}/rows`,
	);
	const days = data.map(({ store, day }) => `${store} ${day}`).sort();
	expect(days).toHaveLength(14);
	expect(days[0]).toBe('Lyon 2024-05-27');
	expect(days[13]).toBe('Nantes 2024-06-02');
	expect(data.every(({ forecast }) => forecast > 0)).toBe(true);
});

test('the campaign example sends coupons to those whom they change, and to nobody else', async () => {
	const run = await rest.run('dataiku-campaign', 'Plan the campaign');
	const chosen = scored(itemsOf(run, 'Send a coupon'));
	const others = scored(itemsOf(run, 'Leave alone'));
	expect(chosen.length + others.length).toBe(8);
	expect(chosen).not.toHaveLength(0);
	expect(others).not.toHaveLength(0);
	expect(Math.min(...chosen.map(({ predictedEffect }) => predictedEffect))).toBeGreaterThan(5);
	expect(Math.max(...others.map(({ predictedEffect }) => predictedEffect))).toBeLessThanOrEqual(5);
});

test('the query example answers with the rows, and with an empty list when there are none', async () => {
	const ask = async (query: string) => await (await fetch(`${url}/webhook/transactions?${query}`)).json();
	const rows = (await ask('customer_id=C001&min_amount=50')) as Array<{ amount: string }>;
	expect(rows.length).toBeGreaterThan(0);
	expect(rows.every(({ amount }) => Number(amount) >= 50)).toBe(true);
	expect(await ask('customer_id=nobody')).toEqual([]);
});

test('each example explains itself on its canvas', async () => {
	for (const { name, nodes } of await examples()) {
		const notes = nodes.filter(({ type }) => type === 'n8n-nodes-base.stickyNote');
		expect([name, notes.length]).toEqual([name, 2]);
	}
});
