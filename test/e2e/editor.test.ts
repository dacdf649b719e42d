import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { INode } from 'n8n-workflow';
import type { BrowserContext } from 'playwright-core';
import { type Example, EXAMPLES } from '../../demo/demo';
import type { N8nRest } from '../../demo/n8n/rest';
import { chaosProxy } from '../support/chaosProxy';
import { EditorPage, openBrowser } from './editor-page';
import { credentialOf, running } from './running';

const { signIn, url, apiNodeUrl } = running();
let rest: N8nRest;
let browser: BrowserContext;
beforeAll(async () => {
	rest = await signIn();
	browser = await openBrowser(rest, url);
});
afterAll(async () => await browser.browser()?.close());

const node = (name: string, type: string, parameters: INode['parameters'], x: number): INode => ({
	id: name,
	name,
	type,
	typeVersion: 1,
	position: [x, 0],
	parameters,
});
const manualTrigger = node('Start', 'n8n-nodes-base.manualTrigger', {}, 0);
const payments = [
	{ payment_id: 'P-1', amount: 412.5, hour: 3, country: 'US' },
	{ payment_id: 'P-2', amount: 23.9, hour: 12, country: 'FR' },
	{ payment_id: 'P-3', amount: 18.6, hour: 17, country: 'ES' },
];
const paymentsNode = {
	...node('Payments', 'n8n-nodes-base.code', { jsCode: `return ${JSON.stringify(payments)}` }, 220),
	typeVersion: 2,
};

test('each payment gets a score when a user searches for "dataiku", adds the node and fills it in', async () => {
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, paymentsNode]);
	await editor.search('dataiku', [
		'Dataiku Predict',
		'Dataiku Predict Effect',
		'Dataiku What-If',
		'Dataiku Lookup',
		'Dataiku Forecast',
		'Dataiku SQL Query',
		'Dataiku Run Function',
	]);
	await editor.add('Dataiku Predict');
	await editor.chooseCredential('Dataiku demo');
	const form = editor.formLoaded();
	const entries = await editor.chooseFromList('endpointId', 'fraud: ');
	expect(entries.map((entry) => entry.split(':')[0])).toEqual(
		expect.arrayContaining(['fraud', 'house_price', 'ticket_team']),
	);
	await form;
	const { columns, rows } = await editor.execute();
	expect(columns.slice(0, 4)).toEqual(['prediction', 'payment_id', 'proba_legitimate', 'proba_fraud']);
	expect(rows).toHaveLength(payments.length);
	payments.forEach(({ payment_id }, i) => {
		expect(rows[i]).toMatch(new RegExp(`^(fraud|legitimate).*${payment_id}`));
	});
});

const withEndpoint = (parameters: INode['parameters']): INode => ({
	...node(
		'Dataiku Predict',
		'n8n-nodes-dataiku.dataikuPredict',
		{
			endpointId: { __rl: true, mode: 'id', value: 'fraud' },
			...parameters,
		},
		440,
	),
	credentials: { dataikuApiNodeApi: { id: 'dataiku-demo', name: 'Dataiku demo' } },
});

/** What a person fills in, and what comes of it. */
interface Form {
	endpoint: string;
	items: object[];
	form: Record<string, string>;
	columns: string[];
	rows: RegExp[];
}

const day = (n: number) => new Date(Date.UTC(2024, 4, 1 + n)).toISOString().slice(0, 10);
const sales = Array.from({ length: 14 }, (_, n) => ({
	day: day(n),
	shop: 'Lyon',
	sold: 100 + 10 * (n % 7) + ((n * n) % 5),
	promotion: 0,
}));
const toCome = Array.from({ length: 7 }, (_, n) => ({ day: day(14 + n), shop: 'Lyon', promotion: n % 2 }));
const forms: Record<string, Form> = {
	'Dataiku Predict': {
		endpoint: 'fraud: ',
		items: payments,
		form: {
			amount: '{{ $json.amount }}',
			hour: '{{ $json.hour }}',
			country: '{{ $json.country }}',
			merchant_category: 'electronics',
		},
		columns: ['prediction', 'payment_id', 'proba_legitimate', 'proba_fraud'],
		rows: [/^fraud.*P-1/, /^legitimate.*P-2/, /^legitimate.*P-3/],
	},
	'Dataiku Predict Effect': {
		endpoint: 'coupon_effect: ',
		items: [
			{ customer: 'Ana', age: 34, visits: 6, loyalty: 'silver' },
			{ customer: 'Ben', age: 61, visits: 1, loyalty: 'none' },
		],
		form: { age: '{{ $json.age }}', visits: '{{ $json.visits }}', basket: '38.5', loyalty: 'silver' },
		columns: ['predictedEffect', 'customer', 'treatment'],
		rows: [/^-?\d+\.\d+Ana.*coupon/, /^-?\d+\.\d+Ben.*coupon/],
	},
	'Dataiku What-If': {
		endpoint: 'fraud: ',
		items: payments.slice(0, 1),
		form: { amount: '{{ $json.amount }}', hour: '{{ $json.hour }}', country: '{{ $json.country }}' },
		columns: [
			'prediction',
			'payment_id',
			'proba_legitimate',
			'proba_fraud',
			'proba_percentile',
			'what_if',
			'suggestion',
		],
		rows: [/^fraudP-1.*suggestion1hour: 3 → 6, country: US → DE/, /suggestion2/, /suggestion3/],
	},
	'Dataiku Lookup': {
		endpoint: 'customer: ',
		items: [
			{ order: 'O-1', customer: 'C001' },
			{ order: 'O-2', customer: 'C002' },
		],
		form: { customer_id: '{{ $json.customer }}' },
		columns: ['order', 'customer', 'name', 'segment', 'city'],
		rows: [/^O-1C001Ana Costa/, /^O-2C002Ben Weiss/],
	},
	'Dataiku Forecast': {
		endpoint: 'store_sales: ',
		items: [...sales, ...toCome],
		form: {
			date: '{{ $json.day }}',
			store: '{{ $json.shop }}',
			sales: '{{ $json.sold }}',
			promo: '{{ $json.promotion }}',
		},
		columns: ['store', 'time', 'forecast', 'quantile_0.1'],
		rows: Array.from({ length: 7 }, (_, n) => new RegExp(`^Lyon${day(14 + n)}`)),
	},
	'Dataiku SQL Query': {
		endpoint: 'customer_transactions: ',
		items: [{ customer: 'C001' }],
		form: { customer_id: '{{ $json.customer }}', min_amount: '199.1' },
		columns: ['id', 'amount', 'merchant'],
		rows: [/^9976199\.44Bookshop/, /199\.36/, /199\.28/, /199\.2/, /199\.12/],
	},
	'Dataiku Run Function': {
		endpoint: 'add: ',
		items: [{ net: 40 }, { net: 65 }],
		form: { a: '{{ $json.net }}', b: '2' },
		columns: ['net', 'result'],
		rows: [/^4042$/, /^6567$/],
	},
};

test.each(Object.entries(forms))(
	'%s shows its output when a user fills in its form',
	async (name, { endpoint, items, form, columns, rows }) => {
		const jsCode = `return ${JSON.stringify(items)}`;
		const editor = await EditorPage.open(browser, rest, url, [
			manualTrigger,
			{ ...paymentsNode, name: 'Items', parameters: { jsCode } },
		]);
		await editor.search(name, [name]);
		await editor.add(name);
		await editor.chooseCredential('Dataiku demo');
		await editor.chooseFromList('endpointId', endpoint);
		await editor.executePrevious();
		await editor.fillForm(form);
		const output = await editor.execute();
		expect(output.columns.slice(0, columns.length)).toEqual(columns);
		expect(output.rows).toEqual(rows.map((row) => expect.stringMatching(row) as string));
		await editor.pictureOfNode(name.replace('Dataiku ', '').toLowerCase().replaceAll(' ', '-'));
	},
);

test('Dataiku Trigger shows each chosen event when a user tests it', async () => {
	const editor = await EditorPage.open(browser, rest, url, [
		node(
			'Dataiku Trigger',
			'n8n-nodes-dataiku.dataikuTrigger',
			{
				events: ['generation', 'drift', 'down'],
				testRecords: JSON.stringify(payments.slice(0, 2).map(({ payment_id, ...features }) => features)),
			},
			0,
		),
	]);
	await editor.node('Dataiku Trigger').dblclick();
	await editor.chooseCredential('Dataiku demo');
	await editor.chooseFromList('endpointId', 'fraud: ');
	const { columns, rows } = await editor.execute();
	expect(columns.slice(0, 3)).toEqual(['event', 'message', 'endpoint']);
	expect(rows.map((row) => /^(generation|drift|down)Endpoint 'fraud'/.exec(row)?.[1]).sort()).toEqual([
		'down',
		'drift',
		'generation',
	]);
	await editor.pictureOfNode('trigger');
});

test.each([
	[
		'has no OpenAPI document',
		{ status: 404, body: { errorType: 'NotFoundException', message: 'Not documented' } },
		/No endpoints found\. Check the Service ID, or enter the endpoint "By ID"/,
		/^This service has no OpenAPI document/,
	],
	[
		'serves a broken document',
		{ body: '{"swagger": "2.0", "paths"' },
		/The list of endpoints could not be read: .* is not complete JSON/,
		/^The OpenAPI document could not be read \(.* is not complete JSON\)/,
	],
	[
		'serves a document without fields',
		{ body: { swagger: '2.0', paths: { '/fraud/predict': { post: { parameters: 'none' } } } } },
		undefined,
		/^The OpenAPI document does not list the fields of this endpoint/,
	],
])('the form says so and sends all fields when the API node %s', async (_what, answer, noList, noForm) => {
	const proxy = await chaosProxy({
		upstream: apiNodeUrl,
		faults: ({ path }) => (path.endsWith('/swagger') ? { kind: 'answer', ...answer } : undefined),
	});
	try {
		const credentials = await credentialOf(rest, proxy.url);
		const unset = withEndpoint({ endpointId: { __rl: true, mode: 'list', value: '' } });
		const editor = await EditorPage.open(browser, rest, url, [manualTrigger, paymentsNode, { ...unset, credentials }]);
		await editor.node('Dataiku Predict').dblclick();
		if (noList) expect(await editor.listProblem('endpointId')).toMatch(noList);
		await editor.chooseById('endpointId', 'fraud');
		await editor.page.getByText(noForm).waitFor();
		const { columns, rows } = await editor.execute();
		expect(columns[0]).toBe('prediction');
		expect(rows).toHaveLength(payments.length);
		const sent = proxy.requests.find(({ path }) => path.endsWith('/predict-multi'));
		expect(JSON.parse(sent?.body ?? '')).toEqual({ items: payments.map((features) => ({ features })) });
	} finally {
		await proxy.close();
	}
});

test('a tool has an argument for each documented feature when an endpoint is chosen, and one JSON argument before', async () => {
	const agent = { ...node('AI Agent', '@n8n/n8n-nodes-langchain.agent', { options: {} }, 220), typeVersion: 3.1 };
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, agent]);
	await editor.search('dataiku', ['Dataiku Predict Tool', 'Dataiku Forecast Tool'], 'ai_tool');
	await editor.add('Dataiku Predict Tool');
	await editor.chooseCredential('Dataiku demo');
	await editor.chooseFromList('endpointId', 'fraud: ');
	const parameters = editor.page.getByTestId('node-parameters');
	expect(await editor.parameter('purpose').locator('textarea').inputValue()).toMatch(
		/^Scores one record .* each class\.$/,
	);
	const form = editor.page.getByTestId('resource-mapper-container');
	await form.getByText(/^customer_id/).waitFor();
	expect(await editor.filledByModel(form)).toEqual([
		['amount: Amount in euros', 'amount (number; Amount in euros)'],
		['hour: Hour of the day, 0 to 23', 'hour (integer; Hour of the day, 0 to 23)'],
		// The editor shows no description where there is a list.
		["country: The merchant's country", undefined],
		['merchant_category', undefined],
		['card_present: The card was in the terminal', undefined],
		['customer_age_days: Days since the first purchase', 'customer_age_days (number; Days since the first purchase)'],
		['chargebacks: Disputed payments so far', 'chargebacks (number; Disputed payments so far)'],
		[
			'customer_id: Used to look up what is known about the customer',
			'customer_id (string; Used to look up what is known about the customer)',
		],
	]);
	await editor.choose('recordSource', 'JSON');
	const json = [['JSON', 'The features of one record by name, as a JSON object']];
	await parameters.getByTestId('fromAI-override-field').waitFor();
	expect(await editor.filledByModel(parameters)).toEqual(json);
	await parameters.getByTestId('fromAI-override-field').locator('svg').last().click();
	await parameters.getByTestId('fromAI-override-field').waitFor({ state: 'detached' });
	await parameters.getByTestId('from-ai-override-button').last().click();
	await parameters.getByTestId('fromAI-override-field').waitFor();
	expect(await editor.filledByModel(parameters)).toEqual(json);
});

test('a form keeps its values, and its run stays up to date, when another credential is chosen', async () => {
	const data = { url: apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' };
	const name = 'The same node';
	await rest.call('POST', '/credentials', { name, type: 'dataikuApiNodeApi', data });
	const unset = withEndpoint({ endpointId: { __rl: true, mode: 'list', value: '' } });
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, paymentsNode, unset]);
	await editor.node('Dataiku Predict').dblclick();
	expect(await editor.page.getByTestId('mapping-mode-select').count()).toBe(0);
	await editor.chooseFromList('endpointId', 'fraud: ');
	await editor.page.getByTestId('mapping-mode-select').waitFor();
	await editor.execute();
	await editor.page.getByText('Node executed successfully').waitFor();
	expect(await editor.page.getByText(/parameters have changed/).count()).toBe(0);
	await editor.fillForm({ amount: '{{ $json.amount }}', hour: '7' });
	await editor.choose('output', 'Input and Result');
	await editor.chooseCredential(name);
	await editor.chooseFromList('endpointId', 'fraud: ');
	await editor.page.getByTestId('mapping-mode-select').waitFor();
	expect(await editor.parameter('hour').locator('input').inputValue()).toBe('7');
	await editor.parameter('amount').getByText('{{ $json.amount }}').waitFor();
	expect(await editor.parameter('output').locator('input').inputValue()).toBe('Input and Result');
});

test('a hint before the run names the cost when many items are sent with a batch size of 1', async () => {
	const many = {
		...paymentsNode,
		parameters: { jsCode: 'return Array.from({ length: 1000 }, () => ({ amount: 1 }))' },
	};
	const one = withEndpoint({ options: { batchSize: 1 } });
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, many, one]);
	await editor.node('Dataiku Predict').dblclick();
	await editor.executePrevious();
	await editor.page.getByText('A batch size of 1 sends one request per item').waitFor();
});

test('a hint names the correct feature when a feature is misspelled', async () => {
	const misspelt = {
		...paymentsNode,
		parameters: {
			jsCode: `return ${JSON.stringify(payments.map(({ amount, ...others }) => ({ ...others, amuont: amount })))}`,
		},
	};
	const editor = await EditorPage.open(browser, rest, url, [
		manualTrigger,
		misspelt,
		withEndpoint({ recordSource: 'inputItem' }),
	]);
	await editor.node('Dataiku Predict').dblclick();
	await editor.execute();
	// A run never waits for the document: at the latest the second knows it.
	const hint = editor.page.getByText(/did you mean .*amount/);
	if (!(await hint.isVisible())) await editor.execute();
	await hint.waitFor();
	expect(await hint.textContent()).toContain('(3 items, first: 0, 1, 2)');
});

test("columns and a hint show the rule and the model's own prediction when a business rule decided", async () => {
	const large = [{ ...payments[1], payment_id: 'P-4', amount: 9_000 }, payments[0]!, payments[1]!];
	const editor = await EditorPage.open(browser, rest, url, [
		manualTrigger,
		{ ...paymentsNode, parameters: { jsCode: `return ${JSON.stringify(large)}` } },
		withEndpoint({ endpointId: { __rl: true, mode: 'id', value: 'fraud_with_rules' } }),
	]);
	await editor.node('Dataiku Predict').dblclick();
	await editor.executePrevious();
	const { columns } = await editor.execute();
	expect(columns).toEqual(expect.arrayContaining(['prediction', 'override_rule', 'model_prediction']));
	await editor.page.getByText('In 1 of 3 items a rule decided: large_amount (1)').waitFor();
	await editor.pictureOfNode('override');
});

test("an error shows the API node's own message when a call fails", async () => {
	const wrong = { ...paymentsNode, parameters: { jsCode: 'return [{ amount: "a lot" }]' } };
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, wrong, withEndpoint({})]);
	await editor.node('Dataiku Predict').dblclick();
	await editor.page.getByTestId('node-execute-button').click();
	const title = editor.page.getByTestId('node-error-message');
	await title.waitFor();
	expect(await title.textContent()).toMatch(/^\s*Feature 'amount' must be a number.* \(item 0, endpoint 'fraud'\)/);
});

const predict = node('Dataiku Predict', 'n8n-nodes-dataiku.dataikuPredict', {}, 440);
const right = { url: apiNodeUrl, serviceId: 'demo', apiKey: 'demo-key' };

async function openPredict(): Promise<EditorPage> {
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, predict]);
	await editor.node('Dataiku Predict').dblclick();
	return editor;
}

test('the credential window reports success when the key is right', async () => {
	const editor = await openPredict();
	const modal = await editor.createCredential(right);
	await modal.waitFor({ state: 'hidden' });
	// The node selects it a moment after the window has closed.
	await editor.page.waitForFunction(
		// With a number behind it where there is such an account already.
		'document.querySelector(\'[data-test-id="node-credentials-select"] input\')?.value.startsWith("Dataiku account")',
	);
});

test.each([
	['a wrong key', { ...right, apiKey: 'wrong' }, /key/],
	[
		'a service that does not exist',
		{ ...right, serviceId: 'fruad' },
		/Service 'fruad' was not found on .*\. Check the service ID/,
	],
	['a URL where no server listens', { ...right, url: 'http://127.0.0.1:9' }, /127\.0\.0\.1:9/],
	['the URL of another web server', { ...right, url }, /web page, not with JSON/],
])('the credential window reports the problem when a user enters %s', async (_what, values, reason) => {
	const editor = await openPredict();
	const modal = await editor.createCredential(values);
	await modal.getByText('Couldn’t connect with these settings').waitFor();
	await modal.getByText('More details').click();
	expect(await modal.textContent()).toMatch(reason);
});

test.each(readdirSync(EXAMPLES))('%s is shown on the canvas with everything that belongs to it', async (file) => {
	const example = JSON.parse(readFileSync(path.join(EXAMPLES, file), 'utf8')) as Example;
	const { nodes } = example;
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', { ...example, id: undefined });
	const editor = await EditorPage.openSaved(browser, url, id);
	const working = nodes.filter(({ type }) => !type.endsWith('.stickyNote'));
	for (const { name } of working) await editor.node(name).waitFor();
	expect(await editor.page.getByTestId('sticky').count()).toBe(nodes.length - working.length);
	await editor.pictureOfCanvas(example.id.replace('dataiku-', ''));
	await editor.page.close();
});

test('an example runs without changes when it is imported from its file', async () => {
	const editor = await EditorPage.open(browser, rest, url, []);
	await editor.page.getByTestId('workflow-import-input').setInputFiles(path.join(EXAMPLES, 'batch-scoring.json'));
	await editor.node('Riskiest first').waitFor();
	await editor.page.getByTestId('execute-workflow-button').click();
	const success = editor.page.getByTestId('canvas-node-status-success');
	await editor.node('Riskiest first').filter({ has: success }).waitFor();
	expect(await success.count()).toBe(4);
});

test('the evaluation example processes the whole data set when it is executed once from its trigger', async () => {
	const editor = await EditorPage.openSaved(browser, url, 'dataiku-evaluation');
	await editor.node('A labeled payment').hover();
	await editor.node('A labeled payment').getByRole('button', { name: 'Execute workflow' }).click();
	const success = editor.page.getByTestId('canvas-node-status-success');
	await editor.node('Accuracy').filter({ has: success }).waitFor();
});

test('the form example shows a chart when a visitor sends the form', async () => {
	const page = await browser.newPage();
	await page.goto(`${url}/form/bar-chart`);
	await page.getByPlaceholder('3, 5, 2, 8').fill('4, 7, 1');
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Submit' }).click();
	expect((await download).suggestedFilename()).toMatch(/\.png$/);
});
