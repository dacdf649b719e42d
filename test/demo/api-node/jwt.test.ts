import { type ApiNode, jwtCheck, type JwtRules, startApiNode } from '../../../demo/api-node';
import { authority } from '../../support/certificates';
import { oAuth2Server, type OAuth2Server } from '../../support/oAuth2Server';
import { ask } from './ask';

const nodes: ApiNode[] = [];
let server: OAuth2Server;
beforeAll(async () => (server = await oAuth2Server()));
afterAll(async () => await server.close());
afterEach(async () => await Promise.all(nodes.splice(0).map(async (node) => await node.close())));

const rulesOf = ({ url, jwksUrl, settings: { audience, scope } }: OAuth2Server): JwtRules => ({
	issuer: url,
	jwksUrl,
	audience,
	scope,
});

async function statusOf(token: string, rules: JwtRules): Promise<number> {
	const node = await startApiNode({ acceptsToken: jwtCheck(rules) });
	nodes.push(node);
	const record = { features: { amount: 12 } };
	return (await ask(node, 'secured/fraud/predict', record, { authorization: `Bearer ${token}` })).status;
}

test('takes what the OAuth2 server has signed for it', async () => {
	const { access_token: token } = await server.connect();
	expect(await statusOf(token, rulesOf(server))).toBe(200);
	expect(await statusOf(token, { ...rulesOf(server), scope: undefined })).toBe(200);
});

test.each<[string, Partial<JwtRules>]>([
	['another issuer', { issuer: 'https://elsewhere.example' }],
	['another audience', { audience: 'https://elsewhere.example' }],
	['another scope', { scope: 'admin' }],
])('refuses a token where it wants %s', async (_what, rules) => {
	const { access_token: token } = await server.connect();
	expect(await statusOf(token, { ...rulesOf(server), ...rules })).toBe(401);
});

test('refuses what others have signed, or nobody', async () => {
	const other = await oAuth2Server();
	try {
		const { access_token: token } = await other.connect();
		expect(await statusOf(token, { ...rulesOf(server), issuer: other.url })).toBe(401);
	} finally {
		await other.close();
	}
	const { access_token: token } = await server.connect();
	const [header, payload] = token.split('.');
	expect(await statusOf(`${header}.${payload}.`, rulesOf(server))).toBe(401);
	expect(await statusOf('demo-token', rulesOf(server))).toBe(401);
});

test('refuses a token that has expired', async () => {
	await server.setAccessTokenSeconds(1);
	const { access_token: token } = await server.connect();
	await server.setAccessTokenSeconds(300);
	let status: number;
	do status = await statusOf(token, rulesOf(server));
	while (status === 200);
	expect(status).toBe(401);
});

test('reads the keys from a server with a private certificate', async () => {
	const { ca, ...known } = await authority();
	const secured = await oAuth2Server({ tls: await known.server() });
	try {
		const { access_token: token } = await secured.connect();
		expect(await statusOf(token, { ...rulesOf(secured), ca })).toBe(200);
		expect(await statusOf(token, rulesOf(secured))).toBe(500);
	} finally {
		await secured.close();
	}
});
