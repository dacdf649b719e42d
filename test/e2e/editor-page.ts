import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { INode } from 'n8n-workflow';
import { PNG } from 'pngjs';
import { chromium, selectors, type BrowserContext, type Locator, type Page } from 'playwright-core';
import type { N8nRest } from '../../demo/n8n/rest';

selectors.setTestIdAttribute('data-test-id');

/** Of the canvas, the workflow alone: no buttons over it. */
const WORKFLOW_ALONE = `#app *:not(:has(.vue-flow__viewport)):not(
	.vue-flow__viewport, .vue-flow__viewport *, .vue-flow__background, .vue-flow__background *
) { visibility: hidden !important }`;

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const IN_A_CONTAINER = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking'];

/** A browser in which n8n's owner is signed in; without a session, one that n8n has never seen. */
export async function openBrowser(session: N8nRest | undefined, url: string): Promise<BrowserContext> {
	const executablePath = process.env.CHROMIUM ?? BROWSERS.find((file) => existsSync(file));
	if (executablePath === undefined)
		throw new Error('The end-to-end tests need Chromium: install it, or name it in CHROMIUM');
	const browser = await chromium.launch({
		executablePath,
		args: [...IN_A_CONTAINER, '--disable-component-update', '--disable-sync'],
	});
	const context = await browser.newContext({ viewport: { width: 1600, height: 900 } });
	if (!session) return context;
	const [name, value] = session.cookie.split('=', 2) as [string, string];
	await context.addCookies([{ name, value, url }]);
	return context;
}

/** n8n's editor as its owner sees it, on a new workflow. */
export class EditorPage {
	constructor(readonly page: Page) {}

	static async open(browser: BrowserContext, rest: N8nRest, url: string, nodes: INode[]): Promise<EditorPage> {
		const connections = Object.fromEntries(
			nodes.slice(1).map(({ name }, i) => [nodes[i]!.name, { main: [[{ node: name, type: 'main', index: 0 }]] }]),
		);
		const { id } = await rest.call<{ id: string }>('POST', '/workflows', {
			name: 'Test',
			nodes,
			connections,
			settings: {},
		});
		return await EditorPage.openSaved(browser, url, id);
	}

	static async openSaved(browser: BrowserContext, url: string, workflowId: string): Promise<EditorPage> {
		const page = await browser.newPage();
		page.setDefaultTimeout(60_000);
		await page.goto(`${url}/workflow/${workflowId}`);
		await page.getByTestId('canvas-node').or(page.getByTestId('canvas-add-button')).first().waitFor();
		return new EditorPage(page);
	}

	/**
	 * Types into the panel of nodes and waits until it offers all of some; it fills bit by bit.
	 *
	 * @param below the input of a node whose plus opens the panel, in place of the last output's
	 */
	async search(text: string, names: string[], below?: 'ai_tool'): Promise<void> {
		const plus = below
			? this.page.locator(`[data-handleid*="${below}"]`).getByTestId('canvas-handle-plus')
			: this.page.getByTestId('canvas-handle-plus').last();
		await plus.click();
		await this.page.getByTestId('node-creator-search-bar').fill(text);
		const offered = this.page.getByTestId('node-creator-item-name');
		for (const name of names) await offered.getByText(name, { exact: true }).waitFor();
	}

	/** Adds a node that `search` has found; the editor then opens it. */
	async add(name: string): Promise<void> {
		await this.page.getByTestId('node-creator-item-name').getByText(name, { exact: true }).click();
		const confirm = this.page.getByText('Add to workflow');
		const opened = this.page.getByTestId('node-parameters');
		await confirm.or(opened).first().waitFor();
		if (await confirm.isVisible()) await confirm.click();
		await opened.waitFor();
	}

	node(name: string): Locator {
		return this.page.locator(`[data-test-id="canvas-node"][data-node-name="${name}"]`);
	}

	parameter(name: string): Locator {
		return this.page.getByTestId(`parameter-input-${name}`);
	}

	async choose(parameter: string, option: string): Promise<void> {
		await this.parameter(parameter).click();
		// Its description is a part of its name.
		await this.page
			.getByRole('option')
			.filter({ hasText: new RegExp(`^\\s*${option}`) })
			.click();
	}

	/** What a parameter, or a field of a form, shows that a model fills in: label, and description for the model. */
	async filledByModel(within: Locator): Promise<Array<[label: string, description: string | undefined]>> {
		const override = this.page.getByTestId('fromAI-override-field');
		const fields = within.locator('[data-test-id="input-label"]').filter({ has: override });
		return await Promise.all(
			(await fields.all()).map(async (field) => {
				const label = await field.locator('label').first().textContent();
				const description = field.locator('textarea');
				const shown = (await description.count()) > 0 ? await description.inputValue() : undefined;
				return [label!.trim(), shown] as [string, string | undefined];
			}),
		);
	}

	/** The entries of a resource locator's list; the one that begins so is then chosen. */
	async chooseFromList(parameter: string, beginning: string): Promise<string[]> {
		const locator = this.page.getByTestId(`resource-locator-${parameter}`);
		await locator.getByTestId('rlc-mode-selector').click();
		await this.page.getByRole('option', { name: 'From list' }).click();
		await locator.getByTestId('rlc-input').click();
		const entries = this.page.getByTestId('rlc-item');
		await entries.first().waitFor();
		const names = (await entries.allTextContents()).map((name) => name.trim());
		await entries.filter({ hasText: new RegExp(`^\\s*${beginning}`) }).click();
		return names;
	}

	/** Why the list of a resource locator is empty, as it is told there. */
	async listProblem(parameter: string): Promise<string | null> {
		await this.page.getByTestId(`resource-locator-${parameter}`).getByTestId('rlc-input').click();
		const problem = this.page.getByTestId('rlc-error-container');
		await problem.waitFor();
		return await problem.textContent();
	}

	async chooseById(parameter: string, id: string): Promise<void> {
		const locator = this.page.getByTestId(`resource-locator-${parameter}`);
		await locator.getByTestId('rlc-mode-selector').click();
		await this.page.getByRole('option', { name: 'By ID' }).click();
		await locator.getByTestId('rlc-input').fill(id);
	}

	/** Resolves when the editor has read the fields of an endpoint that is chosen next: before, a run sends whole items. */
	async formLoaded(): Promise<void> {
		await this.page.waitForResponse((response) => response.url().includes('resource-mapper-fields'));
	}

	/** Has the nodes before the open one executed, so that their fields can be dragged. */
	async executePrevious(): Promise<void> {
		await this.page.getByText('Execute previous nodes').click();
		await this.page.locator('[data-value^="{{ $json."]').first().waitFor();
	}

	/** Fills the form field by field: a field of the input, `{{ $json.name }}`, is dragged there; anything else typed or chosen. */
	async fillForm(values: Record<string, string>): Promise<void> {
		await this.page.getByTestId('mapping-mode-select').click();
		await this.page.getByRole('option', { name: 'Map Each Column Manually' }).click();
		for (const [name, value] of Object.entries(values)) {
			const field = this.parameter(name);
			if (value.startsWith('{{')) await this.drag(value, field);
			else if (await field.getByRole('combobox').count()) await this.choose(name, value);
			else await field.locator('input').fill(value);
		}
	}

	/** Drags a field from the panel of the input. */
	private async drag(expression: string, target: Locator): Promise<void> {
		await target.scrollIntoViewIfNeeded();
		await this.page.locator(`[data-value="${expression}"]`).hover();
		await this.page.mouse.down();
		const { x, y, width, height } = (await target.boundingBox())!;
		await this.page.mouse.move(x + width / 2, y + height / 2, { steps: 10 });
		await this.page.mouse.up();
		await target.getByText(expression).waitFor();
	}

	/** Executes the open node and returns the columns and rows of its output. */
	async execute(): Promise<{ columns: string[]; rows: string[] }> {
		await this.page.getByTestId('node-execute-button').click();
		const output = this.page.getByTestId('output-panel');
		await output.getByTestId('ndv-data-container').waitFor();
		await output.getByTestId('radio-button-table').click();
		await output.locator('thead th').filter({ hasText: /\S/ }).first().waitFor();
		await output.locator('tbody tr').first().waitFor();
		const texts = async (selector: string) =>
			(await output.locator(selector).allTextContents()).map((text) => text.trim()).filter(Boolean);
		return { columns: await texts('thead th'), rows: await texts('tbody tr') };
	}

	/** Pictures of the open node for the documents, where UPDATE_PICTURES asks for them. */
	async pictureOfNode(name: string): Promise<void> {
		if (!process.env.UPDATE_PICTURES) return;
		await this.page.setViewportSize({ width: 1440, height: 780 });
		await this.page.getByTestId('node-credentials-select').scrollIntoViewIfNeeded();
		await this.picture(`node-${name}`, this.page.getByTestId('ndv'));
	}

	/** The same of the canvas, all of which is shown. */
	async pictureOfCanvas(name: string): Promise<void> {
		if (!process.env.UPDATE_PICTURES) return;
		await this.page.setViewportSize({ width: 1400, height: 700 });
		await this.page.getByTestId('zoom-to-fit').click();
		await this.picture(`example-${name}`, this.page.getByTestId('canvas'), WORKFLOW_ALONE);
	}

	/** The same of a credential that is filled in. */
	async pictureOfCredential(name: string): Promise<void> {
		if (!process.env.UPDATE_PICTURES) return;
		await this.page.setViewportSize({ width: 1200, height: 1250 });
		await this.picture(`credential-${name}`, this.page.getByTestId('editCredential-modal'));
	}

	/** A picture of the whole window, in the light theme. */
	async pictureOfWindow(name: string): Promise<void> {
		if (!process.env.UPDATE_PICTURES) return;
		await this.page.setViewportSize({ width: 1280, height: 720 });
		await this.picture(name, this.page.locator('body'), undefined, ['light']);
	}

	private async picture(
		name: string,
		target: Locator,
		style?: string,
		themes: Array<'dark' | 'light'> = ['dark', 'light'],
	): Promise<void> {
		const folder = path.resolve(__dirname, '../../docs/gallery');
		await mkdir(folder, { recursive: true });
		await this.page.waitForFunction("!document.querySelector('.el-notification')");
		for (const colorScheme of themes) {
			await this.page.emulateMedia({ colorScheme });
			const picture = PNG.sync.read(await target.screenshot({ animations: 'disabled', style }));
			// Smaller by a tenth than as Chromium writes it.
			const file = PNG.sync.write(picture, { colorType: 2, filterType: 0, deflateStrategy: 0 });
			await writeFile(path.join(folder, `${name}.${colorScheme}.png`), file);
		}
	}

	async chooseCredential(name: string): Promise<void> {
		await this.page.getByTestId('node-credentials-select').click();
		await this.page.getByRole('option', { name }).click();
	}

	/**
	 * Fills a new credential in and saves it; returns the window, which closes if the test succeeds.
	 *
	 * @param filledIn called before it is saved
	 */
	async createCredential(values: Record<string, string>, filledIn?: () => Promise<void>): Promise<Locator> {
		await this.page.getByTestId('node-credentials-select').click();
		await this.page.getByTestId('node-credentials-select-item-new').click();
		const modal = this.page.getByTestId('editCredential-modal');
		for (const [name, value] of Object.entries(values)) {
			const field = modal.getByTestId(`parameter-input-${name}`);
			if (await field.getByRole('combobox').count()) await this.choose(name, value);
			else await field.locator('input').fill(value);
		}
		await filledIn?.();
		await modal.getByTestId('credential-save-button').click();
		return modal;
	}
}
