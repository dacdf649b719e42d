import { resolve } from 'node:path';
import type { IDataObject } from 'n8n-workflow';
import { type ChaosProxy, chaosProxy } from '../support/chaosProxy';
import { nodePackage, runNode } from '../support/engine';

const packageRoot = resolve(__dirname, '../support/httpRequest');

let server: ChaosProxy;
beforeAll(async () => (server = await chaosProxy({ respond: () => ({ body: { answered: true } }) })));
afterAll(async () => await server.close());

/** The headers of what n8n's HTTP Request node sends with the credential. */
async function sentWith(credential: IDataObject, helper: string) {
	const { error, output } = await runNode({
		type: 'httpRequest',
		packageRoot,
		parameters: { helper, nodeCredentialType: 'dataikuApiNodeApi', url: `${server.url}/public/api/v1/demo/swagger` },
		credentials: { dataikuApiNodeApi: { url: server.url, serviceId: 'demo', ...credential } },
	});
	if (error) throw error;
	expect(output).toMatchObject([{ json: { answered: true } }]);
	return server.requests.at(-1)!.headers;
}

// The node calls the first; nodes built by hand call the second.
describe.each(['requestWithAuthentication', 'httpRequestWithAuthentication'])('n8n’s helper %s', (helper) => {
	it.each<[string, IDataObject, string | undefined]>([
		['a key as the user, without a password', { authentication: 'apiKey', apiKey: 'clé' }, 'Basic Y2zDqTo='],
		['a pasted key without the spaces around it', { authentication: 'apiKey', apiKey: ' key\n' }, 'Basic a2V5Og=='],
		['a bearer token', { authentication: 'bearerToken', bearerToken: 'token' }, 'Bearer token'],
		[
			'the chosen one of two secrets',
			{ authentication: 'bearerToken', bearerToken: 'token', apiKey: 'left over' },
			'Bearer token',
		],
		['nothing to an open service', { authentication: 'none' }, undefined],
		['nothing of what is left over', { authentication: 'none', apiKey: 'key', bearerToken: 'token' }, undefined],
		['nothing while the key is missing', { authentication: 'apiKey', apiKey: '' }, undefined],
		['nothing while the token is missing', { authentication: 'bearerToken', bearerToken: ' ' }, undefined],
	])('sends %s', async (_what, credential, authorization) => {
		const { 'x-other': other, ...headers } = await sentWith(credential, helper);
		expect(headers.authorization).toBe(authorization);
		expect('authorization' in headers).toBe(authorization !== undefined);
		expect(other).toBe('kept');
	});
});

it('is offered by the HTTP Request node, whose list has the credentials that can authenticate', async () => {
	const { credentials } = await nodePackage();
	const offered = (JSON.parse(JSON.stringify(credentials)) as Array<{ name: string; authenticate?: unknown }>).filter(
		({ authenticate }) => authenticate !== undefined,
	);
	expect(offered.map(({ name }) => name)).toEqual(['dataikuApiNodeApi']);
});
