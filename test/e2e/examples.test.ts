import { randomUUID } from 'node:crypto';
import type { IDataObject, INode, IRun } from 'n8n-workflow';
import { startApiNode } from '../../demo/api-node';
import { examples, type Example } from '../../demo/demo';
import type { N8nRest } from '../../demo/n8n/rest';
import { credentialOf, itemsOf, running } from './running';

const { n8n, signIn, url, apiNodeUrl } = running();
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

const post = async (body: object, path = 'score-payment') =>
	await fetch(`${url}/webhook/${path}`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	});

test('the batch example gives each of its twenty payments a score and puts the riskiest first', async () => {
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

test("the batch example returns the same scores when it runs from n8n's command line", async () => {
	const [fromCommandLine, fromEditor] = [
		await n8n.execute('dataiku-batch'),
		await rest.run('dataiku-batch', 'Score the payments'),
	];
	const predictions = scored(itemsOf(fromCommandLine, 'Riskiest first')).map(({ prediction }) => prediction);
	expect(predictions).toHaveLength(20);
	expect(predictions).toEqual(scored(itemsOf(fromEditor, 'Riskiest first')).map(({ prediction }) => prediction));
});

test('the real-time example returns the score when a payment is posted', async () => {
	const answer = await post({ ...payment, customer_id: 'C003' });
	expect(answer.status).toBe(200);
	expect(await answer.json()).toMatchObject({ prediction: 'fraud', probas: { fraud: expect.any(Number) } });
});

test.each([
	['a value of the wrong type', { ...payment, amount: 'a lot' }, 'amount'],
	['a misspelled name', { amuont: 20, country: 'FR' }, 'did you mean `amount`?'],
	['nothing at all', {}, 'The record is empty'],
	['a list instead of a record', [payment, payment], 'must be a JSON object'],
	['a country that is not listed', { ...payment, country: 'Narnia' }, 'Narnia'],
])('the real-time example responds with a 400 and the reason when a payment has %s', async (_name, bad, reason) => {
	const answer = await post(bad);
	expect(answer.status).toBe(400);
	expect(await answer.json()).toEqual({ error: expect.stringContaining(reason) });
});

test.each([
	['is gone', { url: 'http://127.0.0.1:9' }],
	['refuses the key', { apiKey: 'wrong' }],
	['does not have the service', { serviceId: 'fruad' }],
	['has an invalid URL', { url: 'ftp://apinode.internal' }],
])('the real-time example responds with a 502 that names nothing internal when the API node %s', async (what, data) => {
	const credential = { url: apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key', ...data };
	const body = { name: what, type: 'dataikuApiNodeApi', data: credential };
	const dataikuApiNodeApi = await rest.call<{ id: string; name: string }>('POST', '/credentials', body);
	const webhook = await nodeOf('dataiku-real-time', 'Payment');
	const path = what.replaceAll(' ', '-');
	const id = await importVariant('dataiku-real-time', {
		Payment: { parameters: { ...webhook.parameters, path }, webhookId: path },
		'Dataiku Predict': { credentials: { dataikuApiNodeApi } },
	});
	await rest.publish(id);
	try {
		let answer = await post(payment, path);
		while (answer.status === 404) answer = await post(payment, path);
		expect(answer.status).toBe(502);
		expect(await answer.json()).toEqual({ error: 'The payment could not be scored. Try again later.' });
	} finally {
		await rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
});

test("the real-time example returns each caller's own score when twenty callers send payments at once", async () => {
	const answers = await Promise.all(
		Array.from({ length: 20 }, async (_, i) => await (await post({ ...payment, amount: 10 * i })).json()),
	);
	const risks = (answers as Array<{ probas: { fraud: number } }>).map(({ probas }) => probas.fraud);
	expect(new Set(risks).size).toBe(20);
	expect(risks).toEqual([...risks].sort((a, b) => a - b));
});

test('the scheduled example gives each ticket to the team that the model predicts', async () => {
	const run = await rest.run('dataiku-scheduled', 'Every hour');
	const all = scored(itemsOf(run, 'Dataiku Predict'));
	expect(all).toHaveLength(6);
	for (const team of ['billing', 'sales', 'technical']) {
		const expected = all.filter(({ prediction }) => prediction === team).map(({ ticket }) => ticket);
		expect(scored(itemsOf(run, `To ${team}`)).map(({ ticket }) => ticket)).toEqual(expected);
		expect(expected).not.toHaveLength(0);
	}
});

test('the scheduled example runs on its schedule once it is published', async () => {
	const everySecond = {
		'Every hour': { parameters: { rule: { interval: [{ field: 'seconds', secondsInterval: 1 }] } } },
	};
	const id = await importVariant('dataiku-scheduled', everySecond);
	await rest.publish(id);
	try {
		const execution = await firstExecution(id);
		expect(scored(itemsOf(await rest.finished(execution), 'Dataiku Predict'))).toHaveLength(6);
	} finally {
		await rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
});

/** An example as its own workflow, with changes to nodes by their names. */
async function importVariant(exampleId: string, changes: Record<string, Partial<INode>>): Promise<string> {
	const example = (await examples()).find(({ id }) => id === exampleId) as Example;
	const nodes = example.nodes.map((node) => ({ ...node, ...changes[node.name] }));
	const body = { ...example, id: undefined, name: `${example.name}, changed`, nodes };
	return (await rest.call<{ id: string }>('POST', '/workflows', body)).id;
}

async function nodeOf(exampleId: string, name: string): Promise<INode> {
	const example = (await examples()).find(({ id }) => id === exampleId);
	return example!.nodes.find((node) => node.name === name)!;
}

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
		['O-5', null],
	]);
	expect(scored(orders).map(({ prediction }) => prediction)).toContain('fraud');
});

test('the forecast example writes one row per store and day, and none twice when it runs again', async () => {
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

test('the campaign example sends coupons only to customers whose behavior a coupon changes', async () => {
	const run = await rest.run('dataiku-campaign', 'Plan the campaign');
	const chosen = scored(itemsOf(run, 'Send a coupon'));
	const others = scored(itemsOf(run, 'No coupon'));
	expect(chosen.length + others.length).toBe(8);
	expect(chosen).not.toHaveLength(0);
	expect(others).not.toHaveLength(0);
	expect(Math.min(...chosen.map(({ predictedEffect }) => predictedEffect))).toBeGreaterThan(5);
	expect(Math.max(...others.map(({ predictedEffect }) => predictedEffect))).toBeLessThanOrEqual(5);
});

test('the query example returns the rows, and an empty list when there are none', async () => {
	const ask = async (query: string) => await (await fetch(`${url}/webhook/transactions?${query}`)).json();
	const rows = (await ask('customer_id=C001&min_amount=50')) as Array<{ amount: string }>;
	expect(rows.length).toBeGreaterThan(0);
	expect(rows.every(({ amount }) => Number(amount) >= 50)).toBe(true);
	expect(await ask('customer_id=nobody')).toEqual([]);
});

test.each([
	['lacks the customer', 'min_amount=50', /customer_id/],
	['has an amount that is not a number', 'customer_id=C001&min_amount=much', /min_amount.*'much'/],
	['has no parameter', '', /customer_id/],
])('the query example responds with a 400 and the reason when a request %s', async (_what, query, reason) => {
	const answer = await fetch(`${url}/webhook/transactions?${query}`);
	expect(answer.status).toBe(400);
	expect(await answer.json()).toEqual({ error: expect.stringMatching(reason) });
});

const health = async (path = 'model-health') => {
	const answer = await fetch(`${url}/webhook/${path}`);
	return { status: answer.status, body: (await answer.json()) as { healthy: boolean; reason?: string } };
};

test('the health example returns 200 when the known record gets the expected score', async () => {
	expect(await health()).toEqual({ status: 200, body: { healthy: true, score: expect.closeTo(0.994, 3) } });
});

test.each<[string, string, (node: INode) => Partial<INode>, RegExp]>([
	[
		'returns another score',
		'Known record',
		({ parameters }) => ({
			parameters: { ...parameters, jsonOutput: String(parameters.jsonOutput).replace('0.994', '0.5') },
		}),
		/^The known record scores 0\.994\d*, not 0\.5$/,
	],
	[
		'is gone',
		'Dataiku Predict',
		({ parameters }) => ({
			parameters: { ...parameters, endpointId: { __rl: true, mode: 'id', value: 'fraud_of_old' } },
		}),
		/has no endpoint "fraud_of_old"/,
	],
])('the health example returns 503 with the reason when the model %s', async (what, name, change, reason) => {
	const path = what.replaceAll(' ', '-');
	const webhook = await nodeOf('dataiku-health', 'Health');
	const id = await importVariant('dataiku-health', {
		Health: { parameters: { ...webhook.parameters, path }, webhookId: path },
		[name]: change(await nodeOf('dataiku-health', name)),
	});
	await rest.publish(id);
	try {
		// n8n makes a published webhook known a moment later.
		let answer = await health(path);
		while (answer.status === 404) answer = await health(path);
		expect(answer).toEqual({
			status: 503,
			body: { healthy: false, reason: expect.stringMatching(reason) },
		});
	} finally {
		await rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
});

test('the feedback example writes the outcome of a payment next to its score', async () => {
	const scores = scored(itemsOf(await rest.run('dataiku-feedback', 'Score the payments'), 'Dataiku Predict'));
	const { prediction } = scores.find(({ payment_id }) => payment_id === 'P-2')!;
	const tell = async (body: object) => {
		const answer = await fetch(`${url}/webhook/payment-outcome`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify(body),
		});
		return [answer.status, await answer.json()];
	};
	const outcome = { payment_id: 'P-2', outcome: 'fraud' };
	expect(await tell(outcome)).toEqual([200, { ...outcome, prediction }]);
	expect(await tell({ ...outcome, payment_id: 'P-99' })).toEqual([404, { error: 'This payment was not scored' }]);
	for (const incomplete of [
		{},
		{ payment_id: 'P-2' },
		{ payment_id: 2, outcome: 'fraud' },
		{ ...outcome, outcome: '' },
	]) {
		expect(await tell(incomplete)).toEqual([400, { error: 'payment_id and outcome are required, as text' }]);
	}
});

test("the feedback example makes the API node log each payment's ID, which is not a feature", async () => {
	const apiNode = await startApiNode();
	try {
		const credentials = await credentialOf(rest, apiNode.url);
		const id = await importVariant('dataiku-feedback', { 'Dataiku Predict': { credentials } });
		const payments = itemsOf(await rest.run(id, 'Score the payments'), 'Payments');
		const [request] = apiNode.requests.recent;
		expect(request?.body).toEqual({
			items: payments.map(({ payment_id, ...features }) => ({ features, context: { payment_id } })),
		});
	} finally {
		await apiNode.close();
	}
});

test('the canary example shows the predictions of both generations for each payment, and where they differ', async () => {
	const run = await rest.run('dataiku-canary', 'Compare the generations');
	const [agreed, doubtful] = [itemsOf(run, 'Agree'), itemsOf(run, 'To a human')];
	expect(doubtful).toMatchObject([{ payment_id: 'P-4', live_prediction: 'legitimate', canary_prediction: 'fraud' }]);
	expect(agreed).toHaveLength(7);
	for (const json of [...agreed, ...doubtful]) {
		const [live, canary] = [json.live_proba_fraud, json.canary_proba_fraud] as [number, number];
		expect(live).not.toBe(canary);
		expect(json.difference).toBeCloseTo(canary - live, 10);
		expect(json.live_prediction === json.canary_prediction).toBe(agreed.includes(json));
	}
});

/** The rows of a data table, as the editor lists them. */
async function rowsOf<Row>(name: string): Promise<Row[]> {
	const { data: tables } = await rest.call<{ data: Array<{ id: string; projectId: string; name: string }> }>(
		'GET',
		'/data-tables-global',
	);
	const found = tables.find((table) => table.name === name);
	if (!found) return [];
	const rows: Row[] = [];
	for (;;) {
		const page = `/projects/${found.projectId}/data-tables/${found.id}/rows?take=250&skip=${rows.length}`;
		const { data, count } = await rest.call<{ data: Row[]; count: number }>('GET', page);
		rows.push(...data);
		if (rows.length >= count || data.length === 0) return rows;
	}
}

test('the example for many workers scores every record of its chunks once, and none again when it is restarted', async () => {
	const start = await importVariant('dataiku-workers', {});
	const ofTheSchedule = [await importVariant('dataiku-chunk', {}), await importVariant('dataiku-give-out', {})];
	await rest.run(start, 'Start the batch');
	for (const id of ofTheSchedule) await rest.publish(id);
	const chunks = async () => await rowsOf<{ done: boolean; given: number }>('Batch chunks');
	for (let open = 1; open > 0; await new Promise((resolve) => setTimeout(resolve, 200))) {
		open = (await chunks()).filter(({ done }) => !done).length;
	}
	await rest.run(start, 'Start the batch');
	for (const id of ofTheSchedule) await rest.call('POST', `/workflows/${id}/deactivate`, {});
	expect((await chunks()).map(({ given }) => given)).toEqual(Array(10).fill(1));
	const results = await rowsOf<{ record: number; prediction: string; double: boolean }>('Batch results');
	expect(results).toHaveLength(2_000);
	expect(new Set(results.map(({ record }) => record)).size).toBe(2_000);
	expect(results.every(({ prediction, double }) => prediction !== '' && !double)).toBe(true);
});

test('the what-if example writes an email for each refused payment, and none for the others', async () => {
	const run = await rest.run('dataiku-what-if', 'Review the payments');
	expect(itemsOf(run, 'Let through')).toMatchObject([{ payment_id: 'P-2', what_if: 'reached', suggestions: [] }]);
	const mails = itemsOf(run, 'Write the mail') as Array<{ subject: string; text: string }>;
	expect(mails.map(({ subject }) => subject)).toEqual(['Payment P-1 was refused', 'Payment P-3 was refused']);
	for (const { text } of mails)
		expect(text).toMatch(/would let this payment through with these changes:\n- (amount|hour|card_present): .* → /);
	const [refused] = itemsOf(run, 'Dataiku What-If') as Array<{
		suggestions: Array<{ changes: Array<{ feature: string }> }>;
	}>;
	const changed = refused!.suggestions.flatMap(({ changes }) => changes.map(({ feature }) => feature));
	expect(changed.filter((name) => ['country', 'merchant_category'].includes(name))).toEqual([]);
});

test('the rescoring example scores each open payment once and stores the generation that scored it', async () => {
	const run = await rest.run('dataiku-rescore', 'Another generation');
	const payments = itemsOf(run, 'With generation');
	expect(payments).toHaveLength(8);
	const { serviceGeneration: generation } = itemsOf(run, 'Dataiku Predict')[0]!.apiContext as {
		serviceGeneration: string;
	};
	expect(generation).toMatch(/^v[12]$/);
	for (const [n, json] of payments.entries()) {
		const prediction = expect.stringMatching(/^(fraud|legitimate)$/);
		expect(json).toEqual({ payment_id: `P-${n + 1}`, prediction, proba_fraud: expect.any(Number), generation });
	}
});

test('the drift example writes an email for each event', async () => {
	const mails = itemsOf(await rest.run('dataiku-drift', 'Drift, down or up'), 'To the owner');
	expect(mails.map(({ subject }) => subject)).toEqual(['Test: fraud: drift', 'Test: fraud: down', 'Test: fraud: up']);
	expect(mails[0]!.text).toMatch(/^Endpoint 'fraud' scores 2 test records differently.*\n\nBefore: [\d.]+, since 20/);
});

test('the nightly example sends only records that are new, changed, failed last time or scored by another generation', async () => {
	const apiNode = await startApiNode();
	try {
		const credentials = await credentialOf(rest, apiNode.url);
		/** What the workflow says of such payments, and the amounts that reach the API node. */
		const night = async (...payments: object[]) => {
			const id = await importVariant('dataiku-changed', {
				Payments: { parameters: { jsCode: `return ${JSON.stringify(payments.map((json) => ({ json })))}` } },
				'Which generation': { credentials, parameters: { ...probe.parameters, recordJson: '{"amount": 0.5}' } },
				'Dataiku Predict': { credentials },
			});
			const earlier = new Set(apiNode.requests.recent);
			const [told] = itemsOf(await rest.run(id, 'Every night'), 'What was done');
			const amounts = apiNode.requests.recent
				.filter((request) => !earlier.has(request))
				.flatMap(({ body }) => (body as { items: Array<{ features: { amount: unknown } }> }).items)
				.map(({ features }) => features.amount);
			return [told!.message, [...new Set(amounts)].filter((amount) => amount !== 0.5)];
		};
		const probe = await nodeOf('dataiku-changed', 'Which generation');
		const [first, second, third] = [10, 20, 30].map((amount) => ({ ...payment, payment_id: randomUUID(), amount }));
		const broken = { ...third, amount: 'a lot' };
		apiNode.activate('v1');
		expect(await night(first!, second!, broken)).toEqual(['0 of 3 unchanged, 2 scored, 1 failed', [10, 20, 'a lot']]);
		expect(await night(first!, second!, broken)).toEqual(['2 of 3 unchanged, 0 scored, 1 failed', ['a lot']]);
		expect(await night(first!, second!, third!)).toEqual(['2 of 3 unchanged, 1 scored, 0 failed', [30]]);
		expect(await night(first!, second!, third!)).toEqual(['3 of 3 unchanged, 0 scored, 0 failed', []]);
		const seen = { ...first, last_seen: 'today' };
		expect(await night(seen, { ...second, amount: 21 }, third!)).toEqual([
			'2 of 3 unchanged, 1 scored, 0 failed',
			[21],
		]);
		expect(await night(seen, second!, third!)).toEqual(['2 of 3 unchanged, 1 scored, 0 failed', [20]]);
		apiNode.activate('v2');
		expect(await night(seen, broken, second!)).toEqual(['0 of 3 unchanged, 2 scored, 1 failed', [10, 'a lot', 20]]);
		const rows = await rowsOf<{ payment_id: string; generation: string; prediction: string }>('Payment scores');
		expect(rows.map(({ payment_id, generation }) => [payment_id, generation])).toEqual([
			[first!.payment_id, 'v2'],
			[third!.payment_id, 'v1'],
			[second!.payment_id, 'v2'],
		]);
		for (const { prediction } of rows) expect(prediction).toMatch(/^(fraud|legitimate)$/);
	} finally {
		await apiNode.close();
	}
});

test("the photos example classifies n8n's stored files by their shape and names the file that is not a picture", async () => {
	const run = await rest.run('dataiku-photos', 'Check the photos');
	const found = (name: string) =>
		itemsOf(run, name).map(({ prediction, format, width }) => [prediction, format, width]);
	expect(found('Portraits')).toEqual([['portrait', 'PNG', 40]]);
	expect(found('Others')).toEqual([
		['landscape', 'PNG', 60],
		['landscape', 'GIF', 7],
		['square', 'PNG', 16],
	]);
	expect(itemsOf(run, 'Not a picture')).toMatchObject([{ error: expect.stringContaining("Feature 'input' must be") }]);
});

test('the evaluation example reports for each labeled payment whether the model is right, and how many it got right', async () => {
	const correct: unknown[] = [];
	let row: IDataObject | undefined;
	let run: IRun;
	// As the editor does when the workflow is executed there: once more while rows are left.
	do {
		run = await rest.run('dataiku-evaluation', 'A labeled payment', row);
		row = itemsOf(run, 'A labeled payment')[0]!;
		correct.push(...itemsOf(run, 'Right or wrong').map(({ Categorization }) => Categorization));
	} while (row._rowsLeft !== 0);
	expect(correct).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0]);
	expect(itemsOf(run, 'Accuracy')).toEqual([{ message: '10 of 12 right (83%)', missed_frauds: 1, false_alarms: 1 }]);
	const rows = await rowsOf<{ label: string; prediction: string; proba_fraud: number }>('Labeled payments');
	expect(rows.map(({ label, prediction }) => Number(label === prediction))).toEqual(correct);
	for (const { proba_fraud } of rows) expect(proba_fraud).toEqual(expect.any(Number));
});
