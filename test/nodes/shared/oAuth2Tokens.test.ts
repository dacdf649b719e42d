import type { ICredentialDataDecryptedObject, IDataObject } from 'n8n-workflow';
import { type ApiNode, jwtCheck, startApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { storedCredentials } from '../../support/engine';
import { oAuth2Server, type OAuth2Server } from '../../support/oAuth2Server';
import { run } from '../demo';

const type = 'dataikuApiNodeOAuth2Api';

let server: OAuth2Server;
let node: ApiNode;
let proxy: ChaosProxy;
const revoked = new Set<string>();
/** What happens elsewhere while the API node looks at a revoked token. */
let meanwhile: (() => Promise<void>) | undefined;

beforeAll(async () => {
	server = await oAuth2Server();
	const accepts = jwtCheck(server.jwtRules);
	const acceptsToken = async (token: string) => {
		if (!revoked.has(token)) return await accepts(token);
		await meanwhile?.();
		return false;
	};
	node = await startApiNode({ acceptsToken });
});
afterAll(async () => await Promise.all([server.close(), node.close()]));

let earlier: number;
beforeEach(async () => {
	await server.setAccessTokenSeconds(300);
	meanwhile = undefined;
	proxy = await chaosProxy({ upstream: node.url });
	earlier = (await server.grants()).length;
});
afterEach(async () => await proxy.close());

type Credential = Record<typeof type, ICredentialDataDecryptedObject>;

const credential = (grantType: string, fields: IDataObject = {}): Credential => ({
	[type]: {
		url: proxy.url,
		serviceId: 'secured',
		grantType,
		...server.credentialFields,
		...fields,
	},
});

/** Connected a moment ago: n8n has an access token, and a refresh token where there is one. */
async function connected(grantType: string, seconds = 300) {
	await server.setAccessTokenSeconds(seconds);
	const oauthTokenData = await server.connect();
	await server.setAccessTokenSeconds(300);
	earlier = (await server.grants()).length;
	return await storedCredentials(credential(grantType, { oauthTokenData }));
}
type Store = Awaited<ReturnType<typeof connected>>;

const tokenIn = async (store: Store) =>
	((await store.read())[type]!.oauthTokenData as IDataObject).access_token as string;
const save = async (store: Store, oauthTokenData: IDataObject) =>
	await store.updateCredentialsOauthTokenData({ id: type, name: type }, type, { oauthTokenData });

const predict = async (store: Store | Credential, count = 1) =>
	await run('dataikuPredict', {
		url: proxy.url,
		items: Array.from({ length: count }, (_, amount) => ({ amount })),
		parameters: { authentication: 'oAuth2' },
		credentials: store,
		options: { batchSize: 1 },
	});

/** Renewals and first tokens since the test began: an error, or how it was granted. */
const grants = async () => (await server.grants()).slice(earlier).map(({ grantType, error }) => error ?? grantType);
const shown = () => proxy.requests.map(({ headers }) => headers.authorization?.replace('Bearer ', ''));

describe.each([
	['clientCredentials', 'client_credentials'],
	['authorizationCode', 'refresh_token'],
])('a token of the grant %s', (grantType, renewal) => {
	it('is renewed once for fifty simultaneous executions when it expires', async () => {
		const store = await connected(grantType, 5);
		const runs = await Promise.all(Array.from({ length: 50 }, async () => await predict(store)));

		expect(runs.map(({ error }) => error?.message)).toEqual(runs.map(() => undefined));
		expect(await grants()).toEqual([renewal]);
		expect(new Set(shown())).toEqual(new Set([await tokenIn(store)]));
	});

	it('is renewed once when the API node refuses it, for executions that notice one after another', async () => {
		const store = await connected(grantType);
		revoked.add(await tokenIn(store));
		proxy.setFault(({ n }) => ({ kind: 'delay', ms: 4 * n }));
		const runs = await Promise.all(Array.from({ length: 50 }, async () => await predict(store)));

		expect(runs.map(({ error }) => error?.message)).toEqual(runs.map(() => undefined));
		expect(await grants()).toEqual([renewal]);
	});

	it('is renewed each time that it expires, in an execution and in the next', async () => {
		const store = await connected(grantType);
		for (let n = 0; n < 5; n++) {
			revoked.add(await tokenIn(store));
			expect((await predict(store, 10)).error).toBeUndefined();
		}
		expect(await grants()).toEqual(Array(5).fill(renewal));
	});

	it('is not renewed when another process has renewed it', async () => {
		const store = await connected(grantType);
		const old = await tokenIn(store);
		revoked.add(old);
		const renewed = await server.connect();
		earlier = (await server.grants()).length;
		meanwhile = async () => await save(store, renewed);

		expect((await predict(store)).error).toBeUndefined();
		expect(shown()).toEqual([old, renewed.access_token]);
		expect(await grants()).toEqual([]);
	});

	it('is used until the API node refuses it when it seems to have expired on arrival', async () => {
		const store = await connected(grantType, 5);
		await server.setAccessTokenSeconds(5);

		expect((await predict(store, 40)).error).toBeUndefined();
		expect((await predict(store, 40)).error).toBeUndefined();
		expect(await grants()).toEqual([renewal]);
	});
});

describe('a refresh token that another process uses at the same time', () => {
	/** Sends the request of another worker, before that of this one. */
	let first: (request: { headers: Record<string, string>; body: string }) => Promise<unknown>;
	let between: ChaosProxy;
	beforeEach(async () => {
		const forward = async (headers: Record<string, string>, body: string) => {
			const response = await fetch(`${server.url}/token`, { method: 'POST', headers, body });
			return { status: response.status, body: (await response.json()) as IDataObject };
		};
		between = await chaosProxy({
			respond: async ({ headers, body }) => {
				const needed = {
					authorization: headers.authorization ?? '',
					'content-type': headers['content-type'] ?? '',
				};
				await first({ headers: needed, body });
				return await forward(needed, body);
			},
		});
	});
	afterEach(async () => await between.close());

	const usedTwice = async (then: (store: Store, renewed: IDataObject) => Promise<void>) => {
		const store = await connected('authorizationCode');
		const { [type]: data } = await store.read();
		const own = await storedCredentials({ [type]: { ...data, accessTokenUrl: `${between.url}/token` } });
		revoked.add(await tokenIn(own));
		first = async (request) => {
			const response = await fetch(`${server.url}/token`, { method: 'POST', ...request });
			await then(own, (await response.json()) as IDataObject);
		};
		return { own, result: await predict(own, 20) };
	};

	it('fails no item, because the later process finds the token that the other has stored', async () => {
		const later = async (store: Store, renewed: IDataObject) => void setTimeout(() => void save(store, renewed), 200);
		const { own, result } = await usedTwice(later);
		expect(result.error).toBeUndefined();
		expect(result.output).toHaveLength(20);
		expect(await grants()).toEqual(['refresh_token', 'invalid_grant']);
		expect(shown().at(-1)).toBe(await tokenIn(own));
	});

	it("fails with n8n's message when no new token is stored", async () => {
		const { result } = await usedTwice(async () => {});
		expect(result.error?.message).toMatch(/needs to be reconnected/);
	});
});

describe('an identity provider in trouble', () => {
	let accounts: ChaosProxy;
	let later: number;
	const realNow = Date.now.bind(Date);
	beforeEach(async () => {
		accounts = await chaosProxy({ upstream: server.url });
		later = 0;
		jest.spyOn(Date, 'now').mockImplementation(() => realNow() + later);
	});
	afterEach(async () => {
		jest.restoreAllMocks();
		await accounts.close();
	});

	const through = async (fields: IDataObject = {}) =>
		await storedCredentials(
			credential('clientCredentials', { accessTokenUrl: `${accounts.url}/token?${accounts.port}`, ...fields }),
		);
	const refuses = () => accounts.setFault({ kind: 'answer', status: 500, body: { error: 'server_error' } });

	it("gets one request for 500 items when it refuses, and each item's error names it", async () => {
		refuses();
		const { output, error } = await run('dataikuPredict', {
			url: proxy.url,
			items: Array.from({ length: 500 }, (_, amount) => ({ amount })),
			parameters: { authentication: 'oAuth2' },
			credentials: await through(),
			options: { batchSize: 1 },
			onError: 'continueRegularOutput',
		});
		expect(error).toBeUndefined();
		expect(output).toHaveLength(500);
		for (const { json } of output) {
			expect(json.error).toMatch(`The identity provider 127.0.0.1:${accounts.port} issued no access token`);
		}
		expect(accounts.requests).toHaveLength(1);
		expect(proxy.requests).toHaveLength(0);
	});

	it.each([
		['unchanged', (text: string) => text],
		['in base64', (text: string) => Buffer.from(text).toString('base64')],
		['in a URL', encodeURIComponent],
		['as a Basic header', (text: string, id: string) => `Basic ${Buffer.from(`${id}:${text}`).toString('base64')}`],
		['in JSON', (text: string) => JSON.stringify({ text })],
		['where the message is cut', (text: string) => `${'x'.repeat(490)}${text}`],
	])('shows no secret of the credential when it repeats it %s', async (_how, echo) => {
		const { clientId } = server.credentialFields as { clientId: string };
		const clientSecret = 'k"9/s+É client secret &7';
		const words = echo(clientSecret, clientId);
		const body = { error: words, error_description: words, message: words };
		accounts.setFault({ kind: 'answer', status: 400, body });
		const { output, error, hints } = await predict(await through({ clientSecret }));
		const shown = JSON.stringify([output, error, error?.message, error?.description, hints]);
		expect(shown).toContain('issued no access token');
		const spelt = [clientSecret, encodeURIComponent(clientSecret), JSON.stringify(clientSecret).slice(1, -1)];
		const sent = [clientSecret, `${clientId}:${clientSecret}`].map((text) => Buffer.from(text).toString('base64'));
		for (const trace of [...spelt, ...sent]) expect(shown).not.toContain(trace.replace(/=+$/, ''));
		expect(shown).not.toContain(clientSecret.slice(0, 9));
	});

	it('gets one request of many executions, another some seconds later, and then fewer and fewer', async () => {
		refuses();
		const store = await through();
		// Of this clock alone, however slow the machine is.
		const start = realNow();
		jest.spyOn(Date, 'now').mockImplementation(() => start + later);
		const asked: number[] = [];
		for (let second = 0; second < 200; second++) {
			for (let webhook = 0; webhook < 2; webhook++) expect((await predict(store)).error).toBeDefined();
			if (accounts.requests.length > asked.length) asked.push(second);
			later += 1_000;
		}
		const pauses = asked.slice(1).map((second, n) => second - asked[n]!);
		for (const [n, wanted] of [5, 10, 20, 40, 60].entries()) {
			expect(pauses[n]).toBeGreaterThanOrEqual(wanted);
			// Each renewal that fails waits a second for another process to store a token.
			expect(pauses[n]).toBeLessThanOrEqual(wanted + 1);
		}
		expect(Math.max(...pauses)).toBeLessThanOrEqual(61);
	});

	it('gets another request some seconds after a failure, and the records are scored', async () => {
		const store = await through();
		refuses();
		expect((await predict(store, 5)).error).toBeDefined();
		accounts.setFault(undefined);
		expect((await predict(store, 5)).error?.message).toMatch(/issued no access token/);
		later = 6_000;
		expect((await predict(store, 5)).error).toBeUndefined();
		expect(await grants()).toEqual(['client_credentials']);
	});

	it('gets another request when the clock was set back after a failure', async () => {
		const store = await through();
		refuses();
		expect((await predict(store, 5)).error).toBeDefined();
		accounts.setFault(undefined);
		later = -3_600_000;
		expect((await predict(store, 5)).error).toBeUndefined();
	});

	it('gets a request at once when the credential was edited', async () => {
		refuses();
		expect((await predict(await through(), 5)).error).toBeDefined();
		accounts.setFault(undefined);
		expect((await predict(await through({ scope: 'score openid' }), 5)).error).toBeUndefined();
	});

	it('is named within the deadline of a call when it hangs, and delays no other credential', async () => {
		accounts.setFault({ kind: 'silent' });
		const hung = run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1 }],
			parameters: { authentication: 'oAuth2' },
			credentials: await through(),
			options: { timeout: 250 },
		});
		await accounts.requestsArrived(1);
		expect((await predict(await connected('clientCredentials'), 40)).error).toBeUndefined();
		const { error } = await hung;
		expect(error?.message).toMatch(
			`The identity provider 127.0.0.1:${accounts.port} issued no access token within 1 s`,
		);
		expect(proxy.requests).toHaveLength(40);
	});
});

describe('an API node that refuses every token', () => {
	let refusesAll: ApiNode;
	beforeEach(async () => {
		refusesAll = await startApiNode({ acceptsToken: async () => await Promise.resolve(false) });
		await proxy.close();
		proxy = await chaosProxy({ upstream: refusesAll.url });
	});
	afterEach(async () => await refusesAll.close());

	it.each([1, 10])('causes at most three renewals for 300 items in batches of %i', async (batchSize) => {
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			items: Array.from({ length: 300 }, (_, amount) => ({ amount })),
			parameters: { authentication: 'oAuth2' },
			credentials: await connected('clientCredentials'),
			options: { batchSize },
			onError: 'continueRegularOutput',
		});
		expect(output).toHaveLength(300);
		for (const { json } of output) expect(json.error).toMatch(/401/);
		expect((await grants()).length).toBeLessThanOrEqual(3);
	});

	it.each(['clientCredentials', 'authorizationCode'])(
		'causes at most three renewals for 40 webhooks when the grant is %s',
		async (grantType) => {
			const store = await connected(grantType);
			for (let webhook = 0; webhook < 40; webhook++) expect((await predict(store)).error?.message).toMatch(/401/);
			expect((await grants()).length).toBeLessThanOrEqual(3);
		},
	);
});

it('at most ten renewals are requested when a function chooses the status 401 for every second item', async () => {
	proxy.setFault(({ n }) => (n % 2 ? { kind: 'answer', status: 401, body: 'no' } : undefined));
	const { output } = await run('dataikuRunFunction', {
		url: proxy.url,
		endpointId: 'fraud',
		items: Array.from({ length: 60 }, (_, amount) => ({ amount })),
		parameters: { authentication: 'oAuth2' },
		credentials: await connected('clientCredentials'),
		onError: 'continueRegularOutput',
	});
	expect(output).toHaveLength(60);
	expect((await grants()).length).toBeLessThanOrEqual(10);
});

it('a token belongs to the secrets that it was requested with, and to no others', async () => {
	const other = await storedCredentials(credential('clientCredentials', { clientSecret: 'another-secret' }));
	expect((await predict(credential('clientCredentials'))).error).toBeUndefined();
	const { error } = await predict(other);
	expect(error?.message).toMatch(/invalid_client|Client authentication failed/i);
	expect(proxy.requests).toHaveLength(1);
});

it('a token stays with its user when users of one credential have their own', async () => {
	const [one, two] = [await connected('authorizationCode'), await connected('authorizationCode')];
	for (const store of [one, two, one, two]) {
		const token = await tokenIn(store);
		revoked.add(token);
		expect((await predict(store)).error).toBeUndefined();
		expect(shown().slice(-2)).toEqual([token, await tokenIn(store)]);
	}
	expect(await tokenIn(one)).not.toBe(await tokenIn(two));
});
