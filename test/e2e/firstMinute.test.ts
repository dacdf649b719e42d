import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BrowserContext, Locator } from 'playwright-core';
import { EditorPage, openBrowser } from './editor-page';
import { running } from './running';

/** A person who has never seen this: a fresh browser, a workflow and a credential of her own. */

const { url, apiNodeUrl, owner } = running();
let folder: string;
let browser: BrowserContext;
beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'first-minute-'));
});
beforeEach(async () => {
	browser = await openBrowser(undefined, url);
});
afterEach(async () => await browser.browser()?.close());
afterAll(async () => await rm(folder, { recursive: true, force: true }));

const payments = [
	{ payment_id: 'P-1', amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics' },
	{ payment_id: 'P-2', amount: 23.9, hour: 12, country: 'FR', merchant_category: 'grocery' },
];

/** Counts the clicks that a node asks for beyond what n8n asks of any node with a credential. */
class Newcomer {
	clicks = 0;
	private pictures = 0;
	private readonly startedAt = performance.now();

	constructor(private readonly film: string) {}

	async click(target: Locator): Promise<void> {
		this.clicks++;
		await target.click();
	}

	/** One of the pictures that FIRST_MINUTE_FILM asks for, with the seconds so far in its name. */
	async picture({ page }: EditorPage): Promise<void> {
		const film = process.env.FIRST_MINUTE_FILM;
		if (!film) return;
		await mkdir(film, { recursive: true });
		const seconds = ((performance.now() - this.startedAt) / 1000).toFixed(0);
		await page.screenshot({ path: path.join(film, `${this.film}-${++this.pictures}-${seconds}s.png`) });
	}

	/** From the page that signs in to an empty workflow. */
	async signIn(): Promise<EditorPage> {
		const page = await browser.newPage();
		page.setDefaultTimeout(60_000);
		await page.goto(url);
		await page
			.getByTestId('emailOrLdapLoginId')
			.locator('input')
			.or(page.locator('input[type=email]'))
			.first()
			.fill(owner.email);
		await page.locator('input[type=password]').fill(owner.password);
		await page.getByTestId('form-submit-button').click();
		await page.waitForURL(/\/home|\/workflow|\/assistant/);
		await page.goto(`${url}/workflow/new`);
		const editor = new EditorPage(page);
		await page.getByTestId('canvas-add-button').waitFor();
		await this.picture(editor);
		return editor;
	}

	/** Adds Dataiku Predict behind the last node, gives it a new credential and an endpoint, and executes it. */
	async score(editor: EditorPage): Promise<{ columns: string[]; rows: string[] }> {
		await editor.search('dataiku', ['Dataiku Predict']);
		await this.picture(editor);
		await editor.add('Dataiku Predict');
		await this.picture(editor);
		const credential = await editor.createCredential({ url: apiNodeUrl, serviceId: 'demo', apiKey: 'demo-key' });
		await credential.waitFor({ state: 'hidden' });
		await this.picture(editor);
		const form = editor.formLoaded();
		await this.click(editor.page.getByTestId('resource-locator-endpointId').getByTestId('rlc-input'));
		await this.click(editor.page.getByTestId('rlc-item').filter({ hasText: /^\s*fraud: / }));
		await form;
		await this.picture(editor);
		const output = await editor.execute();
		await this.picture(editor);
		return output;
	}
}

function expectScored({ columns, rows }: { columns: string[]; rows: string[] }): void {
	expect(columns.slice(0, 4)).toEqual(['prediction', 'payment_id', 'proba_legitimate', 'proba_fraud']);
	expect(rows).toEqual([expect.stringMatching(/^fraudP-1/), expect.stringMatching(/^legitimateP-2/)]);
}

test('a newcomer has items scored with at most three clicks more than any node with a credential needs', async () => {
	const newcomer = new Newcomer('items');
	const editor = await newcomer.signIn();
	const { page } = editor;
	await page.getByTestId('canvas-add-button').click();
	await page.getByTestId('node-creator-search-bar').fill('trigger manually');
	await page.getByTestId('node-creator-item-name').getByText('Trigger manually', { exact: true }).click();
	await editor.search('edit fields', ['Edit Fields (Set)']);
	await editor.add('Edit Fields (Set)');
	await editor.choose('mode', 'JSON');
	await page.getByTestId('parameter-input-jsonOutput').locator('.cm-content').fill(JSON.stringify(payments[0]));
	await page.keyboard.press('Escape');
	const { columns, rows } = await newcomer.score(editor);
	expect(columns.slice(0, 4)).toEqual(['prediction', 'payment_id', 'proba_legitimate', 'proba_fraud']);
	expect(rows).toEqual([expect.stringMatching(/^fraudP-1/)]);
	expect(newcomer.clicks).toBeLessThanOrEqual(3);
});

test('a newcomer has the rows of her own CSV file scored', async () => {
	const file = path.join(folder, 'payments.csv');
	const lines = [Object.keys(payments[0]!), ...payments.map((payment) => Object.values(payment))];
	await writeFile(file, lines.map((line) => line.join(',')).join('\n'));
	const newcomer = new Newcomer('csv');
	const editor = await newcomer.signIn();
	const { page } = editor;
	await page.getByTestId('canvas-add-button').click();
	await page.getByTestId('node-creator-search-bar').fill('form submission');
	await page.getByTestId('node-creator-item-name').getByText('On form submission', { exact: true }).click();
	await page.getByTestId('parameter-input-formTitle').locator('input').fill('Payments');
	await page.getByText('Add Form Element').click();
	await page.getByTestId('parameter-input-fieldLabel').locator('input').fill('File');
	await editor.choose('fieldType', 'File');
	const opened = browser.waitForEvent('page');
	await page.getByTestId('node-execute-button').click();
	const form = await opened;
	await form.locator('input[type=file]').setInputFiles(file);
	await form.getByRole('button', { name: 'Submit' }).click();
	await form.getByText('submitted').waitFor();
	await form.close();
	await page.keyboard.press('Escape');
	await editor.search('extract from csv', ['Extract From CSV']);
	await editor.add('Extract From CSV');
	await page.getByTestId('parameter-input-binaryPropertyName').locator('input').fill('File');
	await page.keyboard.press('Escape');
	expectScored(await newcomer.score(editor));
});
