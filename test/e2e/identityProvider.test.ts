import type { INode, INodeParameters, IRun } from 'n8n-workflow';
import { type ApiNode, jwtCheck, startApiNode } from '../../demo/api-node';
import type { N8nRest } from '../../demo/n8n/rest';
import { chaosProxy, type ChaosProxy } from '../support/chaosProxy';
import { oAuth2Server, type OAuth2Server } from '../support/oAuth2Server';
import { itemsOf, running } from './running';

const { signIn } = running();
let rest: N8nRest;
let server: OAuth2Server;
/** Between n8n and the OAuth2 server. */
let accounts: ChaosProxy;
let apiNode: ApiNode;
let refusesTokens: boolean;

beforeAll(async () => {
	rest = await signIn();
	server = await oAuth2Server();
});
afterAll(async () => await server?.close());

beforeEach(async () => {
	refusesTokens = false;
	const accepts = jwtCheck(server.jwtRules);
	apiNode = await startApiNode({ acceptsToken: async (token) => !refusesTokens && (await accepts(token)) });
	accounts = await chaosProxy({ upstream: server.url });
});
afterEach(async () => await Promise.all([apiNode.close(), accounts.close()]));

const node = (name: string, type: string, more: Partial<INode>): INode => ({
	...{ id: name, name, type, typeVersion: 1, position: [0, 0], parameters: {} },
	...more,
});

/** A workflow that scores payments with its own credential. @returns a function that runs it */
async function workflow(
	accessTokenUrl: string,
	payments: number,
	options: INodeParameters,
	more: Partial<INode> = {},
): Promise<() => Promise<IRun>> {
	const data = {
		...{ url: apiNode.url, serviceId: 'secured', grantType: 'clientCredentials' },
		...{ ...server.credentialFields, accessTokenUrl },
	};
	const type = 'dataikuApiNodeOAuth2Api';
	const credential = await rest.call<{ id: string; name: string }>('POST', '/credentials', {
		...{ name: `API node by ${accessTokenUrl}`, type, data },
	});
	const items = JSON.stringify({ payments: Array.from({ length: payments }, (_, n) => ({ amount: 50 * n })) });
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', {
		name: 'Score payments',
		active: false,
		settings: {},
		connections: {
			Start: { main: [[{ node: 'Payments', type: 'main', index: 0 }]] },
			Payments: { main: [[{ node: 'Each payment', type: 'main', index: 0 }]] },
			'Each payment': { main: [[{ node: 'Score', type: 'main', index: 0 }]] },
		},
		nodes: [
			node('Start', 'n8n-nodes-base.manualTrigger', {}),
			node('Payments', 'n8n-nodes-base.set', {
				typeVersion: 3.4,
				parameters: { mode: 'raw', jsonOutput: items },
			}),
			node('Each payment', 'n8n-nodes-base.splitOut', { parameters: { fieldToSplitOut: 'payments' } }),
			node('Score', 'n8n-nodes-dataiku.dataikuPredict', {
				parameters: {
					authentication: 'oAuth2',
					endpointId: { __rl: true, mode: 'id', value: 'fraud' },
					recordSource: 'inputItem',
					options,
				},
				credentials: { [type]: { id: credential.id, name: credential.name } },
				...more,
			}),
		],
	});
	return async () => await rest.run(id, 'Start');
}

const errorOf = ({ data }: IRun) => data.resultData.error?.message;
const tokenUrl = (url: string) => `${url}/token`;

test('the error names the OAuth2 server within the deadline when the server hangs, and other credentials go on', async () => {
	accounts.setFault({ kind: 'silent' });
	const hanging = await workflow(tokenUrl(accounts.url), 1, { timeout: 2_000 });
	const healthy = await workflow(tokenUrl(server.url), 40, { timeout: 2_000, batchSize: 1 });
	const hung = hanging();
	await accounts.requestsArrived(1);
	const scored = itemsOf(await healthy(), 'Score');

	expect(scored).toHaveLength(40);
	expect(errorOf(await hung)).toContain(
		`The identity provider 127.0.0.1:${accounts.port} issued no access token within 8 s`,
	);
	expect(apiNode.requests.count({ status: 401 })).toBe(0);
});

test('an OAuth2 server gets only a few requests for 300 items and later executions when it refuses', async () => {
	accounts.setFault({ kind: 'answer', status: 503, body: { error: 'temporarily_unavailable' } });
	const onError = 'continueRegularOutput';
	const execute = await workflow(tokenUrl(accounts.url), 300, { batchSize: 1 }, { onError });
	const runs = [await execute(), await execute(), await execute()];

	for (const run of runs) {
		const items = itemsOf(run, 'Score');
		expect(items).toHaveLength(300);
		for (const { error } of items) {
			expect(error).toContain(`The identity provider 127.0.0.1:${accounts.port} issued no access token`);
		}
	}
	expect(accounts.requests.length).toBeLessThanOrEqual(3);
	expect(apiNode.requests.count({})).toBe(0);
});

test('at most three renewals are requested for 300 items when an API node refuses every token', async () => {
	refusesTokens = true;
	const execute = await workflow(tokenUrl(accounts.url), 300, { batchSize: 1 }, { onError: 'continueRegularOutput' });
	const items = itemsOf(await execute(), 'Score');

	expect(items).toHaveLength(300);
	for (const { error } of items) expect(error).toMatch(/401/);
	expect(accounts.requests.length).toBeLessThanOrEqual(3);
});
