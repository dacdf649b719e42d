import type { IDataObject } from 'n8n-workflow';
import type { N8nRest } from '../../demo/n8n/rest';
import { chaosProxy, type ChaosProxy } from '../support/chaosProxy';
import { itemsOf, running } from './running';

const { signIn, apiNodeUrl } = running();
let rest: N8nRest;
let a: ChaosProxy;
let b: ChaosProxy;

/** An API node that scores with whichever key. */
const open = async () =>
	await chaosProxy({
		respond: ({ body }) => {
			const { items = [] } = JSON.parse(body || '{}') as { items?: unknown[] };
			return { body: { results: items.map(() => ({ prediction: 'no' })) } };
		},
	});
beforeAll(async () => {
	rest = await signIn();
	[a, b] = [await open(), await open()];
});
afterAll(async () => await Promise.all([a.close(), b.close()]));

const credential = async (data: IDataObject) => {
	const type = 'dataikuApiNodeApi';
	const body = { name: `With expressions ${Date.now()}`, type, data };
	const { id, name } = await rest.call<{ id: string; name: string }>('POST', '/credentials', body);
	return { [type]: { id, name } };
};

test('n8n sends each item with its own values when the credential has expressions', async () => {
	const items = [
		{ amount: 1, server: a.url, service: 'service_a', key: 'key-of-a' },
		{ amount: 2, server: b.url, service: 'service_b', key: 'key-of-b' },
		{ amount: 3, server: a.url, service: 'service_a', key: '' },
	];
	const nodes = [
		{ id: '1', name: 'Start', type: 'n8n-nodes-base.manualTrigger', typeVersion: 1, position: [0, 0], parameters: {} },
		{
			id: '2',
			name: 'Predict',
			type: 'n8n-nodes-dataiku.dataikuPredict',
			typeVersion: 1,
			position: [200, 0],
			parameters: {
				endpointId: { __rl: true, mode: 'id', value: 'fraud' },
				recordSource: 'inputItem',
				include: 'selected',
				includeFields: 'amount',
			},
			credentials: await credential({
				url: '={{ $json.server }}',
				serviceId: '={{ $json.service }}',
				authentication: 'apiKey',
				apiKey: '={{ $json.key }}',
			}),
			onError: 'continueRegularOutput',
		},
	];
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', {
		name: 'Credential with expressions',
		nodes,
		connections: { Start: { main: [[{ node: 'Predict', type: 'main', index: 0 }]] } },
		pinData: { Start: items.map((json) => ({ json })) },
		settings: {},
	});

	const output = itemsOf(await rest.run(id, 'Start'), 'Predict');

	expect(output.map(({ prediction, error }) => prediction ?? error)).toEqual([
		'no',
		'no',
		expect.stringContaining('The API key is empty'),
	]);
	const seen = ({ requests }: ChaosProxy) =>
		requests
			.filter(({ method }) => method === 'POST')
			.map(({ path, headers, body }) => [path, headers.authorization, body]);
	const basic = (key: string) => `Basic ${Buffer.from(`${key}:`).toString('base64')}`;
	const record = (amount: number) => JSON.stringify({ items: [{ features: { amount } }] });
	expect(seen(a)).toEqual([['/public/api/v1/service_a/fraud/predict-multi', basic('key-of-a'), record(1)]]);
	expect(seen(b)).toEqual([['/public/api/v1/service_b/fraud/predict-multi', basic('key-of-b'), record(2)]]);
});

test('the list of endpoints reports that it needs an input item when the credential does', async () => {
	const credentials = await credential({ url: apiNodeUrl, serviceId: 'demo', apiKey: '={{ $json.key }}' });
	const asked = rest.call('POST', '/dynamic-node-parameters/resource-locator-results', {
		path: 'parameters.endpointId',
		methodName: 'searchEndpoints',
		nodeTypeAndVersion: { name: 'n8n-nodes-dataiku.dataikuPredict', version: 1 },
		currentNodeParameters: { authentication: 'apiKey' },
		credentials,
	});
	await expect(asked).rejects.toThrow(/An expression in .* needs an input item/);
});
