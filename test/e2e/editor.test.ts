import path from 'node:path';
import type { INode } from 'n8n-workflow';
import type { BrowserContext } from 'playwright-core';
import { EXAMPLES } from '../../demo/demo';
import type { N8nRest } from '../../demo/n8n/rest';
import { EditorPage, openBrowser } from './editor-page';
import { running } from './running';

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

test('whoever types "dataiku" finds the node, fills it in, and sees each payment scored', async () => {
	const editor = await EditorPage.open(browser, rest, url, [manualTrigger, paymentsNode]);
	await editor.search('dataiku', [
		'Dataiku Predict',
		'Dataiku Predict Effect',
		'Dataiku Lookup',
		'Dataiku Forecast',
		'Dataiku SQL Query',
		'Dataiku Run Function',
	]);
	await editor.add('Dataiku Predict');
	await editor.chooseCredential('Dataiku demo');
	const entries = await editor.chooseFromList('endpointId', 'fraud: ');
	expect(entries.map((entry) => entry.split(':')[0])).toEqual(
		expect.arrayContaining(['fraud', 'house_price', 'ticket_team']),
	);
	const { columns, rows } = await editor.execute();
	expect(columns.slice(0, 3)).toEqual(['prediction', 'proba_legitimate', 'proba_fraud']);
	expect(rows).toHaveLength(payments.length);
	payments.forEach(({ payment_id }, i) => {
		expect(rows[i]).toMatch(new RegExp(`^(fraud|legitimate).*${payment_id}`));
	});
	if (process.env.UPDATE_PICTURE) {
		await editor.page.getByText('Node executed successfully').waitFor({ state: 'hidden' });
		await editor.page.screenshot({ path: path.resolve(__dirname, '../../docs/predict.png') });
	}
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

test('the form shows the features of the endpoint, to be filled one by one', async () => {
	const editor = await EditorPage.open(browser, rest, url, [
		manualTrigger,
		paymentsNode,
		withEndpoint({ endpointId: { __rl: true, mode: 'list', value: '' } }),
	]);
	await editor.node('Dataiku Predict').dblclick();
	await editor.chooseFromList('endpointId', 'fraud: ');
	const form = editor.page.getByTestId('resource-mapper-container');
	await editor.page.getByTestId('mapping-mode-select').click();
	await editor.page.getByRole('option', { name: 'Map Each Column Manually' }).click();
	await form
		.getByText(/^amount/)
		.first()
		.waitFor();
	await form.locator('[data-test-id^="parameter-input-"] input').first().fill('412.5');
	const { columns, rows } = await editor.execute();
	expect(columns[0]).toBe('prediction');
	expect(rows).toHaveLength(payments.length);
});

test('a misspelled feature is seen in a hint, with what was meant', async () => {
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
	expect(await hint.textContent()).toContain('3 of 3 items: ');
});

test('an error is read in the words of the API node', async () => {
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

test('the credential window is content with the right key', async () => {
	const editor = await openPredict();
	const modal = await editor.createCredential(right);
	await modal.waitFor({ state: 'hidden' });
	// The node selects it a moment after the window has closed.
	await editor.page.waitForFunction(
		'document.querySelector(\'[data-test-id="node-credentials-select"] input\')?.value === "Dataiku Node account"',
	);
});

test.each([
	['a key that is not one of the service', { ...right, apiKey: 'wrong' }, /key/],
	['a URL where nothing listens', { ...right, url: 'http://127.0.0.1:9' }, /127\.0\.0\.1:9/],
	['a URL where something else answers', { ...right, url }, /web page, not with JSON/],
])('the credential window says what is wrong with %s', async (_what, values, reason) => {
	const editor = await openPredict();
	const modal = await editor.createCredential(values);
	await modal.getByText('Couldn’t connect with these settings').waitFor();
	await modal.getByText('More details').click();
	expect(await modal.textContent()).toMatch(reason);
});

test('an example that was imported from its file runs as it is', async () => {
	const editor = await EditorPage.open(browser, rest, url, []);
	await editor.page.getByTestId('workflow-import-input').setInputFiles(path.join(EXAMPLES, 'batch-scoring.json'));
	await editor.node('Riskiest first').waitFor();
	await editor.page.getByTestId('execute-workflow-button').click();
	const success = editor.page.getByTestId('canvas-node-status-success');
	await editor.node('Riskiest first').filter({ has: success }).waitFor();
	expect(await success.count()).toBe(4);
});

test('the form example hands the visitor a chart', async () => {
	const page = await browser.newPage();
	await page.goto(`${url}/form/bar-chart`);
	await page.getByPlaceholder('3, 5, 2, 8').fill('4, 7, 1');
	const download = page.waitForEvent('download');
	await page.getByRole('button', { name: 'Submit' }).click();
	expect((await download).suggestedFilename()).toMatch(/\.png$/);
});
