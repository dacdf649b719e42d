import { inspect } from 'node:util';
import { ApiNodeClient, type ApiNodeClientOptions, ApiNodeError } from '../../client';
import { certificates } from '../support/certificates';
import type { ChaosOptions, ChaosRequest, Fault } from '../support/chaosProxy';
import { brief, failureOf, Stage } from './harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

/** Whatever someone may look at when a call fails. */
function everythingShown(error: ApiNodeError): string {
	const { message, serverMessage, stack } = error;
	return [
		message,
		serverMessage,
		stack,
		JSON.stringify(error),
		JSON.stringify(
			Object.getOwnPropertyNames(error).map((name) => (error as unknown as Record<string, unknown>)[name]),
		),
		String(error),
		inspect(error, { depth: Infinity, showHidden: true }),
		inspect(error.cause, { depth: Infinity }),
	].join('\n');
}

interface Secret {
	options: Partial<ApiNodeClientOptions>;
	/** Texts that give it away. */
	traces: string[];
}

const encoded = (text: string) => Buffer.from(text).toString('base64');
const withoutPadding = (text: string) => encoded(text).replace(/=+$/, '');

const apiKey = 'kYz/9+"Qé <w>&7%';
const plainKey = 'AbCdEf0123456789AbCdEf0123456789x';
const bearerToken = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJuOG4ifQ.c2lnbmF0dXJl+/~==';
const secrets: Record<string, Secret> = {
	'an API key': {
		options: { apiKey: plainKey },
		traces: [plainKey, withoutPadding(`${plainKey}:`), withoutPadding(plainKey)],
	},
	'an API key of special characters': {
		options: { apiKey },
		traces: [
			apiKey,
			withoutPadding(`${apiKey}:`),
			encodeURIComponent(apiKey),
			encodeURI(apiKey),
			JSON.stringify(apiKey).slice(1, -1),
			'Qé &lt;w&gt;',
		],
	},
	'a bearer token': {
		options: { bearerToken },
		traces: [bearerToken, bearerToken.replace(/=+$/, ''), encodeURIComponent(bearerToken), 'eyJzdWIiOiJuOG4ifQ'],
	},
};

const echo = ({ headers }: ChaosRequest) => headers.authorization ?? '';
const keyIn = (asked: ChaosRequest) => {
	const [scheme, value = ''] = echo(asked).split(' ');
	return scheme === 'Basic' ? Buffer.from(value, 'base64').toString('utf8').replace(/:$/, '') : value;
};

type Echo = (asked: ChaosRequest) => Fault;
const answers: Record<string, Echo> = {
	'the header in a JSON error': (asked) => ({
		kind: 'answer',
		status: 401,
		body: { errorType: `Denied(${echo(asked)})`, message: echo(asked), detailedMessage: `Header was: ${echo(asked)}!` },
	}),
	'the key in a JSON error': (asked) => ({
		kind: 'answer',
		status: 403,
		body: { errorType: keyIn(asked), detailedMessage: `Unknown key ${keyIn(asked)}` },
	}),
	'the key behind 490 other characters': (asked) => ({
		kind: 'answer',
		status: 400,
		body: { message: `${'x'.repeat(490)}${keyIn(asked)}` },
	}),
	'the header in a page': (asked) => ({
		kind: 'answer',
		status: 502,
		body: `<html><title>Bad: ${echo(asked)}</title><body>${keyIn(asked)}</body></html>`,
	}),
	'the key, escaped, in a page': (asked) => {
		const escaped = keyIn(asked).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
		return { kind: 'answer', status: 504, body: `<h1>${escaped} ${escaped.replaceAll('"', '&quot;')}</h1>` };
	},
	...Object.fromEntries(
		Object.entries({
			'HTML entities of hexadecimal numbers': (character: string) => `&#x${character.charCodeAt(0).toString(16)};`,
			'HTML entities of capital hexadecimal numbers': (character: string) =>
				`&#X0${character.charCodeAt(0).toString(16).toUpperCase()};`,
			'HTML entities of decimal numbers': (character: string) => `&#${character.charCodeAt(0)};`,
			'escapes of JavaScript': (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
			'escapes of Python': (character: string) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
			'URL-encoded HTML entities': (character: string) => encodeURIComponent(`&#${character.charCodeAt(0)};`),
			'percent signs, encoded twice': (character: string) => encodeURIComponent(encodeURIComponent(character)),
		}).flatMap(([name, escaped]) => {
			const body = (asked: ChaosRequest, which: RegExp) =>
				[echo(asked), keyIn(asked)].map((text) => `${text.replace(which, escaped)} !`).join(' and ');
			const answer =
				(which: RegExp): Echo =>
				(asked) => ({ kind: 'answer', status: 400, body: `It said: ${body(asked, which)}` });
			return [
				[`the signs of the key as ${name}`, answer(/[^a-z0-9é]/gi)],
				[`the whole key as ${name}`, answer(/[^]/g)],
			] as const;
		}),
	),
	'the header in a page without a title': (asked) => ({ kind: 'answer', status: 500, body: `<p>${echo(asked)}</p>` }),
	'the header in a text': (asked) => ({ kind: 'answer', status: 429, body: `no: ${echo(asked)}, ${keyIn(asked)}` }),
	'the header, URL-encoded, in a text': (asked) => ({
		kind: 'answer',
		status: 400,
		body: `${encodeURIComponent(echo(asked))} ${encodeURIComponent(keyIn(asked))}`,
	}),
	'the key as a JSON text of its own': (asked) => ({
		kind: 'answer',
		status: 400,
		body: JSON.stringify([keyIn(asked)]),
	}),
	'the header in the path and query of a redirect': (asked) => ({
		kind: 'answer',
		status: 302,
		headers: {
			location: `https://login.example/${encodeURIComponent(echo(asked))}/x?auth=${encodeURIComponent(echo(asked))}`,
		},
	}),
	'the key in the path of a redirect': (asked) => ({
		kind: 'answer',
		status: 307,
		headers: { location: `https://login.example/${encodeURI(keyIn(asked))}/${encodeURIComponent(keyIn(asked))}` },
	}),
	'the header as user and password of a redirect': (asked) => ({
		kind: 'answer',
		status: 301,
		headers: { location: `https://${encodeURIComponent(keyIn(asked))}:x@login.example/` },
	}),
	'the header in the version headers': (asked) => ({
		kind: 'answer',
		status: 500,
		headers: { 'dss-version': echo(asked), 'dss-api-version': echo(asked), 'retry-after': echo(asked) },
	}),
	'the header in a page with 200': (asked) => ({ kind: 'answer', body: `<title>Hello ${echo(asked)}</title>` }),
	'the header in broken JSON': (asked) => ({ kind: 'answer', body: `{"result":"${echo(asked)}` }),
	'an answer that does not fit': (asked) => ({
		kind: 'answer',
		body: { note: echo(asked), result: null, results: echo(asked) },
	}),
	'the header in an answer that is too large': (asked) => ({ kind: 'answer', body: echo(asked).repeat(100_000) }),
};

const transport: Record<string, ChaosOptions> = {
	silence: { faults: { kind: 'silent' } },
	'a reset': { faults: { kind: 'reset', when: 'before' } },
	'a connection reset': { connectionFaults: 'reset' },
	'an answer cut short': { faults: { kind: 'truncated', by: 'length' } },
	garbage: { faults: { kind: 'garbage' } },
	'a huge header': { faults: { kind: 'hugeHeader' } },
	'a gzip bomb': { faults: { kind: 'gzipBomb', bytes: 2 ** 22 } },
};

describe.each(Object.entries(secrets))('%s does not appear in any error', (_name, { options, traces }) => {
	const expectNoTrace = (error: ApiNodeError) => {
		const shown = everythingShown(error);
		for (const trace of traces) expect(shown).not.toContain(trace);
	};

	async function expectNoTraceIn(client: ApiNodeClient) {
		const limits = { timeout: 100, maxResponseBytes: 2 ** 20 };
		expectNoTrace(await failureOf(client.predictRecord('e', { a: 1 }, limits)));
		const [outcome] = await client.settle('predict', 'e', [{ features: {} }], limits);
		expectNoTrace(outcome!.error!);
		// An answer may be what these two want.
		for (const call of [() => client.runFunction('e', {}, limits), () => client.openApi(limits)]) {
			const called: unknown = await call().catch((failure: ApiNodeError) => failure);
			if (called instanceof ApiNodeError) expectNoTrace(called);
		}
	}

	test.each(Object.entries(answers))('when the server echoes %s', async (_kind, faults) => {
		const { chaos, client } = await stage.chaosAndClient({ faults }, options);
		await expectNoTraceIn(client);
		expect(chaos.requests.every(({ headers }) => headers.authorization)).toBe(true);
	});

	test.each(Object.entries(transport))('when the network fails with %s', async (_kind, chaosOptions) => {
		const { client } = await stage.chaosAndClient(chaosOptions, options);
		await expectNoTraceIn(client);
	});

	test('when a call is cancelled', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } }, options);
		const abort = new AbortController();
		const call = failureOf(client.predictRecord('e', {}, { signal: abort.signal }));
		await chaos.requestsArrived(1);
		abort.abort(new Error(`told by ${JSON.stringify(options)}`));
		expectNoTrace(await call);
	});

	test('when the certificate is not trusted', async () => {
		const { client } = await stage.chaosAndClient({ tls: (await certificates()).untrusted }, options);
		await expectNoTraceIn(client);
	});

	test('when the call or the client itself is invalid', async () => {
		const client = stage.client({ url: 'http://127.0.0.1:1', ...options });
		expectNoTrace(await failureOf(client.predictRecord('..', {})));
		expect(() => new ApiNodeClient({ url: 'nonsense', serviceId: 's', ...options })).toThrow();
	});
});

test('all characters of a key are hidden, and no others, when the key and other characters are escaped', async () => {
	const escaped = Array.from(plainKey, (character) => `&#${character.charCodeAt(0)};`).join('');
	const { client } = await stage.chaosAndClient(
		{ faults: { kind: 'answer', status: 400, body: { message: `5 &lt; 6 &amp; 7: ${escaped} &gt; 4` } } },
		{ apiKey: plainKey },
	);
	const error = await failureOf(client.predictRecord('e', {}));
	expect(error.serverMessage).toBe('5 &lt; 6 &amp; 7: *** &gt; 4');
});

test("tokens of a token source and the user's features do not appear in any error, even after a renewal", async () => {
	const { client } = await stage.chaosAndClient({
		faults: (asked) => ({ kind: 'answer', status: 401, body: { message: echo(asked) } }),
	});
	let token = 'first-token-0001';
	const tokens = { get: async () => token, renew: async () => (token = 'second-token-0002') };
	const error = await failureOf(client.session({ tokens }).predictRecord('e', { iban: 'FR7630006000011234567890189' }));
	expect(everythingShown(error)).not.toMatch(/first-token-0001|second-token-0002|FR7630006000011234567890189/);
	expect(error.serverMessage).toBe('Bearer ***');
});

describe('the password of a proxy does not appear in any error', () => {
	const password = 'pr0xy:p@ss/word';
	const user = 'pr0xy-user';
	const traces = [password, encodeURIComponent(password), encoded(`${user}:${password}`), user];
	const clean = (error: ApiNodeError) => {
		for (const trace of traces) expect(everythingShown(error)).not.toContain(trace);
	};

	test.each<[string, 'normal' | 'forbidden' | 'silent', string]>([
		['refuses it', 'normal', 'another'],
		['forbids the target', 'forbidden', password],
		['says nothing', 'silent', password],
	])('when the proxy %s', async (_name, mode, expected) => {
		const proxy = await stage.forwardProxy({ auth: { username: user, password: expected }, mode });
		const uri = proxy.url.replace('//', `//${user}:${encodeURIComponent(password)}@`);
		stage.environment({
			HTTP_PROXY: uri,
			HTTPS_PROXY: uri,
			NO_PROXY: undefined,
			http_proxy: undefined,
			https_proxy: undefined,
			no_proxy: undefined,
		});
		for (const url of ['http://target.invalid', 'https://target.invalid']) {
			const client = stage.client({ url, connectTimeout: 200 });
			clean(await failureOf(client.predictRecord('e', {}, { timeout: 200 })));
		}
	});

	test.each([
		`http://${user}:${encodeURIComponent(password)}@127.0.0.1:1`,
		`http://${user}:${encodeURIComponent(password)}@[nonsense`,
		`${user}:${encodeURIComponent(password)}@proxy.invalid:3128`,
		`http://${user}:%zz${encodeURIComponent(password)}@proxy.invalid:3128`,
	])('when the address of the proxy is invalid: %s', async (uri) => {
		stage.environment({
			HTTP_PROXY: uri,
			HTTPS_PROXY: uri,
			NO_PROXY: undefined,
			http_proxy: undefined,
			https_proxy: undefined,
			no_proxy: undefined,
		});
		clean(
			await failureOf(
				(async () => await stage.client({ url: 'http://target.invalid' }).predictRecord('e', {}, brief))(),
			),
		);
	});
});

describe('a shortened text has no part of a secret', () => {
	const long = `${'LongSecretToken0123456789'.repeat(40)}End`;
	const parts = (secret: string) => secret.slice(0, 4);
	const padded = (length: number, filler = 'x') => filler.repeat(length);

	test.each<[string, string, (secret: string) => string]>([
		['the shown part of a text', plainKey, (secret) => padded(490) + secret],
		['the bytes of a text that are read', plainKey, (secret) => padded(64 * 1024 - 20, ' ') + secret],
		[
			'those of a JSON text that is then no JSON',
			plainKey,
			(secret) => `{"message":"${padded(64 * 1024 - 40)}${secret}`,
		],
		[
			'the characters of a page',
			plainKey,
			(secret) => `<p>${padded(4096 - 20, '<b>').slice(0, 4096 - 20)}<i>${secret}`,
		],
		['the bytes of a text of nothing but secrets', long, (secret) => secret.repeat(80)],
		['the bytes of a page of nothing but secrets', long, (secret) => `<p>${secret.repeat(80)}`],
		['a message', plainKey, (secret) => JSON.stringify({ message: padded(490) + secret })],
	])('at the end of %s', async (_name, secret, body) => {
		const api = await stage.chaos({
			respond: () => ({ status: 400, headers: { 'content-type': 'text/plain' }, body: body(secret) }),
		});
		for (let shift = 0; shift < 30; shift += 7) {
			const client = stage.client({ url: api.url, apiKey: secret });
			const error = await failureOf(client.predictRecord('e', {}, brief));
			expect(everythingShown(error)).not.toContain(parts(secret));
		}
	});
});

it.each(['http', 'https'])(
	'shows no user info of the proxy when who is behind an %s proxy echoes the request',
	async (scheme) => {
		const user = 'corporate-user';
		const sent = encoded(`${user}:p@ss/word`);
		const body = `Proxy-Authorization: Basic ${sent}; ${user}:p%40ss%2Fword; ${user}:p@ss/word; p@ss/word; p%40ss%2fword; p%40ss%2Fword`;
		const api = await stage.chaos({ respond: () => ({ status: 400, headers: { 'x-echo': `Basic ${sent}` }, body }) });
		const uri = api.url.replace('//', `//${user}:${encodeURIComponent('p@ss/word')}@`);
		stage.environment({
			HTTP_PROXY: uri,
			HTTPS_PROXY: uri,
			NO_PROXY: undefined,
			http_proxy: undefined,
			https_proxy: undefined,
			no_proxy: undefined,
		});
		const error = await failureOf(stage.client({ url: `${scheme}://target.invalid` }).predictRecord('e', {}, brief));
		for (const trace of [sent, 'p@ss/word', 'p%40ss', 'p%40ss%2fword'])
			expect(everythingShown(error)).not.toContain(trace);
	},
);
