import type { INode } from 'n8n-workflow';
import type { BrowserContext } from 'playwright-core';
import { type ApiNode, startApiNode } from '../../demo/api-node';
import type { N8nRest } from '../../demo/n8n/rest';
import { EditorPage, openBrowser } from './editor-page';
import { running } from './running';

const { signIn, url } = running();
let rest: N8nRest;
let browser: BrowserContext;
/** As on Kubernetes, it does not serve a document. */
let apiNode: ApiNode;
beforeAll(async () => {
	rest = await signIn();
	browser = await openBrowser(rest, url);
	apiNode = await startApiNode({ swagger: false });
});
afterAll(async () => {
	await browser.browser()?.close();
	await apiNode.close();
});

const node = (name: string, type: string, x: number): INode => ({
	...{ id: name, name, type, typeVersion: 1, position: [x, 0], parameters: {} },
});

const deployed = (deploymentId: string) => ({
	...{ url: apiNode.url, serviceId: 'demo', apiKey: 'demo-key', openApiFrom: 'API Deployer' },
	...{ deployerUrl: apiNode.url, deploymentId, deployerApiKey: 'dss-key' },
});

const openPredict = async () => {
	const nodes = [
		node('Start', 'n8n-nodes-base.manualTrigger', 0),
		node('Dataiku Predict', 'n8n-nodes-dataiku.dataikuPredict', 220),
	];
	const editor = await EditorPage.open(browser, rest, url, nodes);
	await editor.node('Dataiku Predict').dblclick();
	return editor;
};

test('the list of endpoints comes from the API Deployer when the credential selects it', async () => {
	const editor = await openPredict();
	const modal = await editor.createCredential(
		deployed('demo-on-k8s'),
		async () => await editor.pictureOfCredential('deployer'),
	);
	await modal.waitFor({ state: 'hidden' });

	const entries = await editor.chooseFromList('endpointId', 'fraud: ');
	expect(entries.map((entry) => entry.split(':')[0])).toEqual(expect.arrayContaining(['fraud', 'house_price']));
});

test('the credential window names the contradiction when the deployment is of another service', async () => {
	const editor = await openPredict();
	const modal = await editor.createCredential(deployed('retail-on-k8s'));
	await modal.getByText('Couldn’t connect with these settings').waitFor();
	await modal.getByText('More details').click();
	expect(await modal.textContent()).toContain(`The deployment serves 'retail' at ${apiNode.url}, not 'demo'`);
});
