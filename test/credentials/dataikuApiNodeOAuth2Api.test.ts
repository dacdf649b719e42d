import type { ICredentialDataDecryptedObject, IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../demo/api-node';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../support/chaosProxy';
import { loadOptions, testCredential } from '../support/engine';
import { callOf, jsonOf, nodeTypes, run } from '../nodes/demo';

const clientSecret = 'the-client-secret';
const basic = `Basic ${Buffer.from(`client:${clientSecret}`).toString('base64')}`;

let tokens: ChaosProxy;
let node: ApiNode;
let proxy: ChaosProxy;
/** What the API node takes at this moment. */
let accepted: Set<string>;
let lifetime: number | undefined;
/** Makes the next token. */
let issue: () => string;

const jwt = (expiresInSeconds: number, id = 'jwt') =>
	['{}', JSON.stringify({ jti: id, exp: Math.floor(Date.now() / 1000) + expiresInSeconds }), 'signature']
		.map((part) => Buffer.from(part).toString('base64url'))
		.join('.');

/** RFC 6749, section 4.4: client credentials in exchange for a token. */
function grant({ headers, body }: ChaosRequest) {
	const grantType = new URLSearchParams(body).get('grant_type');
	if (headers.authorization !== basic) return { status: 401, body: { error: 'invalid_client' } };
	if (grantType !== 'client_credentials') return { status: 400, body: { error: 'unsupported_grant_type' } };
	const token = issue();
	accepted.add(token);
	return { body: { access_token: token, token_type: 'bearer', ...(lifetime && { expires_in: lifetime }) } };
}

beforeEach(async () => {
	accepted = new Set();
	lifetime = undefined;
	let issued = 0;
	issue = () => `token-${++issued}`;
	tokens = await chaosProxy({ respond: grant });
	node = await startApiNode({ acceptsToken: (token) => accepted.has(token) });
	proxy = await chaosProxy({ upstream: node.url });
});
afterEach(async () => await Promise.all([tokens.close(), proxy.close(), node.close()]));

const credential = (fields: IDataObject = {}): { dataikuApiNodeOAuth2Api: ICredentialDataDecryptedObject } => ({
	dataikuApiNodeOAuth2Api: {
		url: proxy.url,
		serviceId: 'secured',
		grantType: 'clientCredentials',
		accessTokenUrl: `${tokens.url}/token`,
		clientId: 'client',
		clientSecret,
		...fields,
	},
});
const stored = (token: string, more: IDataObject = {}) => ({
	oauthTokenData: { access_token: token, token_type: 'bearer', ...more },
});

const call = async (
	type: string,
	items: IDataObject[],
	fields: IDataObject = {},
	{
		parameters,
		...more
	}: { parameters?: IDataObject; options?: IDataObject; cancelAfter?: number; onError?: 'continueRegularOutput' } = {},
) =>
	await run(type, {
		url: proxy.url,
		items,
		parameters: { authentication: 'oAuth2', ...parameters },
		credentials: credential(fields),
		...more,
	});
const predict = async (fields: IDataObject = {}, count = 1) =>
	await call(
		'dataikuPredict',
		Array.from({ length: count }, (_, amount) => ({ amount })),
		fields,
		{
			options: { batchSize: 1, maxConcurrency: 8 },
		},
	);

/** The bearer tokens that the API node was shown. */
const shown = () => proxy.requests.map(({ headers }) => headers.authorization);
const storedToken = ({ credentials }: Awaited<ReturnType<typeof run>>) =>
	(credentials.dataikuApiNodeOAuth2Api?.oauthTokenData as IDataObject)?.access_token;

it.each(nodeTypes)('%s uses a token that n8n fetches and stores at the first use', async (type) => {
	const { unit, parameters } = callOf(type);
	const first = await call(type, unit(0), {}, { parameters });

	expect(first.error).toBeUndefined();
	expect(tokens.requests).toHaveLength(1);
	expect(shown()).toEqual(['Bearer token-1']);
	expect(storedToken(first)).toBe('token-1');

	const second = await call(type, unit(0), stored('token-1'), { parameters });
	expect(second.error).toBeUndefined();
	expect(second.output).toEqual(first.output);
	expect(tokens.requests).toHaveLength(1);
});

it.each<[string, () => IDataObject]>([
	['a JWT that has expired', () => stored(jwt(-60))],
	['a JWT about to expire', () => stored(jwt(5))],
	['a token that n8n noted to have expired', () => stored('old', { n8n_expires_at: String(Date.now() - 1000) })],
	['no token', () => ({ oauthTokenData: {} })],
])('%s is renewed before it is sent', async (_name, token) => {
	const { error } = await predict(token());

	expect(error).toBeUndefined();
	expect(shown()).toEqual(['Bearer token-1']);
	expect(tokens.requests).toHaveLength(1);
});

it.each<[string, () => [string, IDataObject]]>([
	['a JWT that is good for a while', () => [jwt(300), {}]],
	['a token that says nothing of its end', () => ['opaque', {}]],
	['a token that n8n noted to be good for a while', () => ['opaque', { n8n_expires_at: String(Date.now() + 300_000) }]],
])('%s is sent as it is', async (_name, given) => {
	const [token, more] = given();
	accepted.add(token);
	const { error } = await predict(stored(token, more));

	expect(error).toBeUndefined();
	expect(shown()).toEqual([`Bearer ${token}`]);
	expect(tokens.requests).toEqual([]);
});

it('a token that the API node refuses is renewed once, however many requests are in flight', async () => {
	proxy.setFault({ kind: 'delay', ms: 5 });
	const result = await predict(stored('revoked'), 40);

	expect(result.error).toBeUndefined();
	expect(jsonOf(result.output).map(({ amount }) => amount)).toEqual(Array.from({ length: 40 }, (_, amount) => amount));
	expect(tokens.requests).toHaveLength(1);
	expect(storedToken(result)).toBe('token-1');
	expect(new Set(shown())).toEqual(new Set(['Bearer revoked', 'Bearer token-1']));
	expect(shown().filter((token) => token === 'Bearer token-1')).toHaveLength(40);
	expect(result.hints).toEqual([]);
});

it('a token that expires while many requests need it is renewed once', async () => {
	const { error } = await predict(stored(jwt(-1)), 40);
	expect(error).toBeUndefined();
	expect(tokens.requests).toHaveLength(1);
	expect(new Set(shown())).toEqual(new Set(['Bearer token-1']));
});

it('items fail when the new token is refused, too, and the error shows neither token', async () => {
	issue = () => 'refused-again';
	accepted.add = () => accepted;
	const { error } = await predict(stored('revoked-token'));

	expect(error?.message).toMatch(/ refused the key or token \(401\) \(item 0, endpoint 'fraud'\)/);
	expect(tokens.requests).toHaveLength(1);
	expect(proxy.requests).toHaveLength(2);
	expect(JSON.stringify({ ...error, node: undefined })).not.toMatch(/revoked-token|refused-again|the-client-secret/);
});

it.each(['dataikuSqlQuery', 'dataikuRunFunction'])(
	'never sends a call of %s twice because its token was refused',
	async (type) => {
		const { unit } = callOf(type);
		const refused = await call(type, unit(0), stored(`revoked-for-${type}`));
		expect(refused.error?.message).toMatch(/ refused the key or token \(401\)|The function responded with status 401/);
		expect(proxy.requests).toHaveLength(1);

		const repeatable = await call(type, unit(0), stored(`also-revoked-for-${type}`), { options: { repeatable: true } });
		expect(repeatable.error).toBeUndefined();
		expect(proxy.requests).toHaveLength(3);
	},
);

describe('a token that cannot be fetched', () => {
	it.each<[string, IDataObject, RegExp]>([
		[
			'because the client is refused',
			{ clientSecret: 'wrong-secret' },
			/invalid_client|Client authentication failed|401/i,
		],
		['because its server is gone', { accessTokenUrl: 'http://127.0.0.1:9/token' }, /ECONNREFUSED|refused/],
	])('fails each item, %s, and shows no secret', async (_name, fields, words) => {
		const { output, status } = await call('dataikuPredict', [{ amount: 1 }, { amount: 2 }], fields, {
			onError: 'continueRegularOutput',
		});

		expect(status).toBe('success');
		expect(output.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
		for (const { json } of output) {
			expect(json.details).toMatchObject({ item: expect.any(Number) as number, endpoint: 'fraud' });
			expect(json.error).toMatch(words);
			expect(JSON.stringify(json)).not.toMatch(/the-client-secret|wrong-secret/);
			expect(JSON.stringify(json)).not.toContain(basic);
		}
		expect(proxy.requests).toEqual([]);
	});

	it('does not delay the stop of a workflow', async () => {
		tokens.setFault({ kind: 'silent' });
		const { cancelled, timing, output } = await call(
			'dataikuPredict',
			[{ amount: 1 }],
			{},
			{
				cancelAfter: 150,
				onError: 'continueRegularOutput',
			},
		);

		expect(cancelled).toBe(true);
		expect(timing.afterCancel).toBeLessThan(1000);
		expect(output.filter(({ json }) => 'error' in json)).toEqual([]);
		expect(proxy.requests).toEqual([]);
	});
});

it('the endpoint list uses a token that is fetched, renewed or stored', async () => {
	for (const token of [{}, stored(jwt(-1)), stored(jwt(300))]) {
		const { oauthTokenData } = token as { oauthTokenData?: { access_token: string } };
		if (oauthTokenData) accepted.add(oauthTokenData.access_token);
		const { results } = await loadOptions({
			type: 'dataikuPredict',
			kind: 'listSearch',
			method: 'searchEndpoints',
			parameters: { authentication: 'oAuth2' },
			credentials: credential(token),
		});
		expect(results.map(({ value }) => value)).toContain('fraud');
	}
	expect(tokens.requests).toHaveLength(2);
});

it('n8n shows the credential as connected when it has a token', async () => {
	const type = 'dataikuApiNodeOAuth2Api';
	expect((await testCredential({ type, data: credential(stored('t'))[type] })).status).toBe('OK');
	expect((await testCredential({ type, data: credential()[type] })).status).toBe('Error');
});
