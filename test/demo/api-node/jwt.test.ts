import { type ApiNode, jwtCheck, type JwtRules, startApiNode } from '../../../demo/api-node';
import { authority } from '../../support/certificates';
import { oAuth2Server, type OAuth2Server } from '../../support/oAuth2Server';
import { ask } from './ask';

const nodes: ApiNode[] = [];
let server: OAuth2Server;
beforeAll(async () => (server = await oAuth2Server()));
afterAll(async () => await server.close());
afterEach(async () => await Promise.all(nodes.splice(0).map(async (node) => await node.close())));

async function statusOf(token: string, rules: JwtRules): Promise<number> {
	const node = await startApiNode({ acceptsToken: jwtCheck(rules) });
	nodes.push(node);
	const record = { features: { amount: 12 } };
	return (await ask(node, 'secured/fraud/predict', record, { authorization: `Bearer ${token}` })).status;
}

test('accepts what the OAuth2 server has signed for it', async () => {
	const { access_token: token } = await server.connect();
	expect(await statusOf(token, server.jwtRules)).toBe(200);
	expect(await statusOf(token, { ...server.jwtRules, scope: undefined })).toBe(200);
});

test.each<[string, Partial<JwtRules>]>([
	['another issuer', { issuer: 'https://elsewhere.example' }],
	['another audience', { audience: 'https://elsewhere.example' }],
	['another scope', { scope: 'admin' }],
])('refuses a token when it requires %s', async (_what, rules) => {
	const { access_token: token } = await server.connect();
	expect(await statusOf(token, { ...server.jwtRules, ...rules })).toBe(401);
});

test('refuses a token when someone else or nobody has signed it', async () => {
	const other = await oAuth2Server();
	try {
		const { access_token: token } = await other.connect();
		expect(await statusOf(token, { ...server.jwtRules, issuer: other.url })).toBe(401);
	} finally {
		await other.close();
	}
	const { access_token: token } = await server.connect();
	const [header, payload] = token.split('.');
	expect(await statusOf(`${header}.${payload}.`, server.jwtRules)).toBe(401);
	expect(await statusOf('demo-token', server.jwtRules)).toBe(401);
});

test('refuses a token that has expired', async () => {
	await server.setAccessTokenSeconds(1);
	const { access_token: token } = await server.connect();
	await server.setAccessTokenSeconds(300);
	let status: number;
	do status = await statusOf(token, server.jwtRules);
	while (status === 200);
	expect(status).toBe(401);
});

test('reads the keys from a server with a private certificate', async () => {
	const { ca, ...known } = await authority();
	const secured = await oAuth2Server({ tls: await known.server() });
	try {
		const { access_token: token } = await secured.connect();
		expect(await statusOf(token, { ...secured.jwtRules, ca })).toBe(200);
		expect(await statusOf(token, secured.jwtRules)).toBe(500);
	} finally {
		await secured.close();
	}
});
