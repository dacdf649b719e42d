import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApiNodeClient, ConnectionError, StatusError, TimeoutError } from '../../../client';
import { type Certificates, certificates } from '../../support/certificates';
import type { ChaosOptions } from '../../support/chaosProxy';
import { type ForwardProxyOptions, forwardProxy } from '../../support/forwardProxy';
import { brief, eventually, failureOf, Stage } from '../harness';

const stage = new Stage();
let pem: Certificates;
beforeAll(async () => {
	pem = await certificates();
});

const unset = {
	http_proxy: undefined,
	https_proxy: undefined,
	no_proxy: undefined,
	HTTP_PROXY: undefined,
	HTTPS_PROXY: undefined,
	NO_PROXY: undefined,
};
const answer = { body: { result: { prediction: 1 } } };

async function behind(
	options: ForwardProxyOptions = {},
	variables: Record<string, string> = {},
	chaosOptions: ChaosOptions = {},
) {
	const proxy = await stage.forwardProxy(options);
	stage.environment({ ...unset, HTTP_PROXY: proxy.urlWithAuth, HTTPS_PROXY: proxy.urlWithAuth, ...variables });
	const plain = await stage.chaos({ respond: () => answer, ...chaosOptions });
	const secure = await stage.chaos({ respond: () => answer, tls: pem.server, ...chaosOptions });
	const tls = { ca: pem.ca };
	return {
		proxy,
		plain,
		secure,
		overHttp: stage.client({ url: plain.url, apiKey: 'k3y-k3y', connectTimeout: 1_000 }),
		overHttps: stage.client({ url: secure.url, apiKey: 'k3y-k3y', connectTimeout: 1_000, tls }),
	};
}

describe('behind a proxy of the environment', () => {
	test('https goes through a tunnel, over one connection, and its certificate is checked', async () => {
		const { proxy, secure, overHttps } = await behind();
		for (let i = 0; i < 10; i++) expect(await overHttps.predictRecord('e', {})).toEqual(answer.body);

		expect(proxy.tunnels).toEqual([`127.0.0.1:${secure.port}`]);
		expect(secure.connections).toBe(1);
		expect(secure.requests[0]).toMatchObject({
			path: '/public/api/v1/open/e/predict',
			headers: { authorization: expect.stringMatching('Basic') as string },
		});

		const untrusting = await failureOf(stage.client({ url: secure.url }).predictRecord('e', {}));
		expect(untrusting).toMatchObject({ name: 'ConnectionError', permanent: true, attempts: 1 });
		expect(untrusting.message).toContain('certificate');
	});

	// Here, others have loaded all of undici; in n8n nobody has.
	test.each(['secure', 'plain'] as const)('a %s API node can be reached from a separate process', async (kind) => {
		const { proxy, [kind]: node } = await behind();
		const script = `
			const { ApiNodeClient } = require(${JSON.stringify(join(__dirname, '../../../client/index.ts'))});
			const client = new ApiNodeClient({ url: ${JSON.stringify(node.url)}, serviceId: 's', tls: { ca: ${JSON.stringify(pem.ca)} } });
			client.predictRecord('e', {}).then(async (response) => {
				console.log(JSON.stringify(response));
				await client.destroy();
			});`;
		const { stdout } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '--eval', script], {
			cwd: join(__dirname, '../../..'),
			env: process.env,
		});
		expect(JSON.parse(stdout)).toEqual(answer.body);
		expect([...proxy.tunnels, ...proxy.forwarded]).toHaveLength(1);
	});

	test('http is forwarded with the requested host', async () => {
		const { proxy, plain, overHttp } = await behind();
		for (let i = 0; i < 3; i++) expect(await overHttp.predictRecord('e', { a: i })).toEqual(answer.body);

		expect(proxy.tunnels).toEqual([]);
		expect(proxy.forwarded).toEqual(Array.from({ length: 3 }, () => `${plain.url}/public/api/v1/open/e/predict`));
		expect(plain.requests.map(({ body }) => body)).toEqual([0, 1, 2].map((a) => JSON.stringify({ features: { a } })));
		expect(plain.requests[0]!.headers.host).toBe(`127.0.0.1:${plain.port}`);
	});

	test('several instances and clients are each addressed by their own name', async () => {
		const { plain } = await behind();
		const other = await stage.chaos({ respond: () => answer });
		const both = stage.client({ url: [plain.url, other.url] });
		for (let i = 0; i < 40; i++) await both.predictRecord('e', {});
		await stage.client({ url: plain.url }).predictRecord('e', {});

		for (const instance of [plain, other]) {
			expect(new Set(instance.requests.map(({ headers }) => headers.host))).toEqual(
				new Set([`127.0.0.1:${instance.port}`]),
			);
		}
	});

	test('mutual TLS goes through the tunnel', async () => {
		const { cert, key } = pem.client;
		const tls = { ...pem.server, ca: pem.ca, requestCert: true, rejectUnauthorized: true };
		const { secure } = await behind({}, {}, { tls });
		const client = stage.client({ url: secure.url, tls: { ca: pem.ca, cert, key } });
		expect(await client.predictRecord('e', {})).toEqual(answer.body);
	});

	test.each([
		['HTTPS_PROXY alone leaves http alone', { HTTP_PROXY: '' }, [0, 1]],
		['HTTP_PROXY alone serves https, too', { HTTPS_PROXY: '' }, [1, 1]],
		['NO_PROXY names hosts add the host to NO_PROXY', { NO_PROXY: 'elsewhere.example,127.0.0.1' }, [0, 0]],
		['NO_PROXY names other hosts', { NO_PROXY: 'elsewhere.example' }, [1, 1]],
		['NO_PROXY is a star', { NO_PROXY: '*' }, [0, 0]],
		['no_proxy in small letters', { no_proxy: '127.0.0.1' }, [0, 0]],
	])('%s', async (_name, variables, [forwarded, tunnels]) => {
		const { proxy, overHttp, overHttps } = await behind({}, variables);
		expect(await overHttp.predictRecord('e', {})).toEqual(answer.body);
		expect(await overHttps.predictRecord('e', {})).toEqual(answer.body);
		expect([proxy.forwarded.length, proxy.tunnels.length]).toEqual([forwarded, tunnels]);
	});

	test("the user and password of the proxy's URL are sent to the proxy only", async () => {
		const { proxy, plain, secure, overHttp, overHttps } = await behind({
			auth: { username: 'us er', password: 'p@ss:/' },
		});
		expect(await overHttp.predictRecord('e', {})).toEqual(answer.body);
		expect(await overHttps.predictRecord('e', {})).toEqual(answer.body);
		expect([proxy.forwarded.length, proxy.tunnels.length]).toEqual([1, 1]);
		for (const { headers } of [...plain.requests, ...secure.requests]) {
			expect(headers).not.toHaveProperty('proxy-authorization');
			expect(headers.authorization).toBe(`Basic ${Buffer.from('k3y-k3y:').toString('base64')}`);
		}
	});

	test('errors of the API node stay errors of the API node', async () => {
		const { overHttp, overHttps } = await behind(
			{},
			{},
			{ faults: { kind: 'answer', status: 404, body: { errorType: 'E', message: 'm' } } },
		);
		for (const client of [overHttp, overHttps]) {
			const error = await failureOf(client.predictRecord('e', {}));
			expect(error).toBeInstanceOf(StatusError);
			expect(error).toMatchObject({ status: 404, errorType: 'E', detail: 'm', attempts: 1 });
		}
	});
});

describe('the error names the proxy when it fails', () => {
	beforeEach(() => stage.withoutPauses());
	const mentionsProxy = expect.stringContaining('A proxy is set in the environment of this process') as string;

	test('because it requires a password: one attempt, and nothing reaches the API node', async () => {
		const { proxy, plain, secure } = await behind({ auth: { username: 'u', password: 'p' } });
		stage.environment({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
		for (const { url } of [plain, secure]) {
			const error = await failureOf(stage.client({ url }).predictRecord('e', {}));
			expect(error).toBeInstanceOf(ConnectionError);
			expect(error).toMatchObject({ sent: false, permanent: true });
			expect(error.message).toBe(`The proxy refused to connect to ${new URL(url).host} (407)`);
			expect(error).toMatchObject({
				attempts: 1,
				advice: expect.stringMatching(/^The proxy requires a username and a password.*A proxy is set/) as string,
			});
		}
		expect([plain.connections, secure.connections]).toEqual([0, 0]);
	});

	test('because it forbids a tunnel: one attempt', async () => {
		const { proxy, secure, overHttps } = await behind({ mode: 'forbidden' });
		const error = await failureOf(overHttps.runFunction('e'));
		expect(error).toMatchObject({ name: 'ConnectionError', sent: false, permanent: true });
		expect(error.message).toBe(`The proxy refused to connect to 127.0.0.1:${secure.port} (403)`);
		expect(error).toMatchObject({ attempts: 1, advice: mentionsProxy });
		expect(proxy.tunnels).toHaveLength(1);
	});

	test('because it forbids plain http, which looks like a response of the API node', async () => {
		const { overHttp } = await behind({ mode: 'forbidden' });
		expect(await failureOf(overHttp.predictRecord('e', {}))).toMatchObject({ name: 'StatusError', status: 403 });
	});

	test('because it is down', async () => {
		const dead = await forwardProxy();
		await dead.close();
		const { overHttp, overHttps, plain, secure } = await behind({}, { HTTP_PROXY: dead.url, HTTPS_PROXY: dead.url });
		for (const client of [overHttp, overHttps]) {
			const error = await failureOf(client.predictRecord('e', {}, brief));
			expect(error).toMatchObject({ name: 'ConnectionError', sent: false });
			expect(error).toMatchObject({ attempts: 2, code: 'ECONNREFUSED', advice: mentionsProxy });
		}
		expect([plain.connections, secure.connections]).toEqual([0, 0]);
	});

	/** Accepts connections and says nothing on them, until it is told to answer. */
	async function behindSilence(connectTimeout: number) {
		const silence = await stage.chaos({ connectionFaults: 'silent', respond: () => answer });
		stage.environment({ ...unset, HTTP_PROXY: silence.url, HTTPS_PROXY: silence.url });
		return {
			silence,
			overHttp: stage.client({ url: 'http://target.example', connectTimeout }),
			overHttps: stage.client({ url: 'https://target.example', connectTimeout }),
		};
	}

	test('because it does not respond to a tunnel: the connect timeout ends it and closes every socket', async () => {
		const { silence, overHttps } = await behindSilence(100);
		const error = await failureOf(overHttps.runFunction('e', {}, brief));
		expect(error).toBeInstanceOf(TimeoutError);
		expect(error).toMatchObject({ sent: false, attempts: 2, advice: mentionsProxy });
		expect(silence.connections).toBeGreaterThan(0);
		expect(await eventually(() => silence.openSockets(), 0)).toBe(0);
	});

	test('because it does not respond to plain http: the timeout ends it and closes its socket', async () => {
		const { silence, overHttp } = await behindSilence(10_000);
		const error = await failureOf(overHttp.runFunction('e', {}, { timeout: 100 }));
		expect(error).toMatchObject({ name: 'TimeoutError', sent: true });
		expect(silence.connections).toBe(1);
		expect(await eventually(() => silence.openSockets(), 0)).toBe(0);
	});

	test.each(['overHttp', 'overHttps'] as const)(
		'saying nothing while the call is cancelled: it ends at once and its socket is closed (%s)',
		async (kind) => {
			const { silence, ...clients } = await behindSilence(60_000);
			const abort = new AbortController();
			const call = failureOf(clients[kind].runFunction('e', {}, { signal: abort.signal }));
			expect(await eventually(() => silence.connections, 1)).toBe(1);

			abort.abort();

			expect((await call).name).toBe('CancelledError');
			expect(await eventually(() => silence.openSockets(), 0)).toBe(0);
		},
	);

	test('and the same client works again when the proxy recovers', async () => {
		const { silence, overHttp } = await behindSilence(60_000);
		const abort = new AbortController();
		const call = failureOf(overHttp.runFunction('e', {}, { signal: abort.signal }));
		expect(await eventually(() => silence.connections, 1)).toBe(1);
		abort.abort();
		await call;
		silence.setConnectionFault(undefined);
		expect(await overHttp.predictRecord('e', {})).toEqual(answer.body);
	});

	test('and the same client works again through a tunnel when the proxy recovers', async () => {
		const { proxy, overHttps } = await behind({ mode: 'silent' });
		const abort = new AbortController();
		const call = failureOf(overHttps.runFunction('e', {}, { signal: abort.signal }));
		expect(await eventually(() => proxy.tunnels.length, 1)).toBe(1);
		abort.abort();
		await call;
		proxy.setMode('normal');
		expect(await overHttps.predictRecord('e', {})).toEqual(answer.body);
	});

	test('because the handshake through its tunnel stalls: the connect timeout ends it', async () => {
		const { secure } = await behind({}, {}, { connectionFaults: 'silent' });
		const client = stage.client({ url: secure.url, connectTimeout: 150 });
		const error = await failureOf(client.runFunction('e', {}, brief));
		expect(error).toMatchObject({ sent: false, attempts: 2, advice: mentionsProxy });
		expect(await eventually(() => secure.openSockets(), 0)).toBe(0);
	});
});

describe('the address of a proxy', () => {
	test.each(['proxy.example:3128', 'http://[nonsense', 'ftp://proxy.example'])(
		'that cannot be used is refused when the client is made: %s',
		(uri) => {
			stage.environment({ ...unset, HTTPS_PROXY: uri });
			expect(() => new ApiNodeClient({ url: 'https://host', serviceId: 's' })).toThrow(
				/HTTPS_PROXY.*must look like http:\/\/host:port/,
			);
		},
	);
});
