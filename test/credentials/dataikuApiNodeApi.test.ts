import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode, type ApiNodeOptions } from '../../demo/api-node';
import { type Certificates, certificates } from '../support/certificates';
import { chaosProxy } from '../support/chaosProxy';
import { testCredential } from '../support/engine';
import { credentialFor, jsonOf, run } from '../nodes/demo';

const test = async (url: string, fields: IDataObject = {}) =>
	await testCredential({ type: 'dataikuApiNodeApi', data: credentialFor(url, fields).dataikuApiNodeApi });

const opened: ApiNode[] = [];
const start = async (options?: ApiNodeOptions) => {
	const node = await startApiNode(options);
	opened.push(node);
	return node;
};
afterEach(async () => await Promise.all(opened.splice(0).map(async (node) => await node.close())));

const host = (url: string) => url.replace('http://', '');
const bearer = { serviceId: 'secured', authentication: 'bearerToken', apiKey: '' };
/** n8n shows nothing of it. */
const passed = { status: 'OK', message: 'Connection successful' };

describe('the credential test', () => {
	let node: ApiNode;
	beforeEach(async () => (node = await start()));

	it.each<[string, IDataObject, string, RegExp | string]>([
		['a key of the service', {}, 'OK', passed.message],
		['spaces around what was pasted', { serviceId: ' demo ', apiKey: ' demo-key\n' }, 'OK', passed.message],
		[
			'a wrong key',
			{ apiKey: 'my-wrong-key' },
			'Error',
			/refused the key or token \(401\)\. Check the key in the credential.*\. The response said: UnauthorizedException: /,
		],
		['the key of another service', { serviceId: 'retail' }, 'Error', /refused the key or token \(401\)/],
		['a bearer token of the service', { ...bearer, bearerToken: 'demo-token' }, 'OK', passed.message],
		['a wrong bearer token', { ...bearer, bearerToken: 'my-wrong-key' }, 'Error', /refused the key or token \(401\)/],
		['an open service', { serviceId: 'open', authentication: 'none' }, 'OK', passed.message],
		[
			'a service that is not open',
			{ authentication: 'none' },
			'Error',
			/\(401\)\. The service requires authentication: choose the method under Authentication/,
		],
		['a service that is a path', { serviceId: 'a/b' }, 'Error', /cannot contain a slash, and cannot be '\.' or '\.\.'/],
	])('has the expected result for %s', async (_name, fields, status, message) => {
		const result = await test(node.url, fields);
		expect(result).toEqual({ status, message: typeof message === 'string' ? message : expect.stringMatching(message) });
		expect(result.message).not.toContain('my-wrong-key');
	});

	it('ignores the secret of an authentication that was not chosen', async () => {
		const proxy = await chaosProxy({ upstream: node.url });
		await test(proxy.url, { ...bearer, bearerToken: 'demo-token', apiKey: 'left over' });
		await test(proxy.url, { serviceId: 'open', authentication: 'none', apiKey: 'left over', bearerToken: 'left over' });
		await proxy.close();

		const sent = proxy.requests.map(({ path, headers }) => [path, headers.authorization]);
		expect(sent.filter(([path]) => path?.endsWith('/swagger')).map(([, authorization]) => authorization)).toEqual([
			'Bearer demo-token',
			undefined,
		]);
	});

	it.each<[string, IDataObject, RegExp]>([
		['URL', { url: ' ' }, /^The API node's URL is missing$/],
		['service', { serviceId: ' ' }, /^The service ID is empty$/],
		[
			'key',
			{ apiKey: ' ' },
			/^The API key is empty\. If the service requires no authentication, set "Authentication" to None$/,
		],
		['token', { ...bearer, bearerToken: '' }, /^The bearer token is empty\. If the service requires no authentication/],
	])('asks for the missing %s, and sends nothing', async (_name, fields, message) => {
		const proxy = await chaosProxy({ upstream: node.url });
		const result = await test(proxy.url, fields);
		await proxy.close();
		expect(result).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
		expect(proxy.requests).toEqual([]);
	});

	it('names the service of a pasted URL when there is no service ID', async () => {
		expect(await test(`${node.url}/public/api/v1/retail/fraud/predict`, { serviceId: '' })).toEqual({
			status: 'Error',
			message: "The service ID is empty. The URL names 'retail'",
		});
	});

	it('reports a service that the API node does not know', async () => {
		for (const { url } of [node, await start({ swagger: false })]) {
			expect(await test(url, { serviceId: 'fruad' })).toEqual({
				status: 'Error',
				message: `Service 'fruad' was not found on ${host(url)}. Check the service ID. It is shown as "API service id once deployed" in the API Deployer, and can differ from the ID in the API Designer. The response said: NotFoundException: No such service: "fruad"`,
			});
		}
	});

	it('verifies the key when the service has no OpenAPI document', async () => {
		const { url } = await start({ swagger: false });
		expect(await test(url)).toEqual(passed);
		expect(await test(url, { serviceId: 'open', authentication: 'none' })).toEqual(passed);
		expect(await test(url, { apiKey: 'my-wrong-key' })).toEqual({
			status: 'Error',
			message: expect.stringMatching(/refused the key or token \(401\)/) as string,
		});
	});

	it.each([
		['tells every path alike', (path: string) => `Nothing at ${path}`],
		['tells nothing', () => 'Not found'],
		['names the endpoint alone', () => 'No endpoint n8n-credential-test'],
	])('succeeds without knowing whether the service exists when the API node %s', async (_name, detail) => {
		const proxy = await chaosProxy({
			respond: ({ path }) =>
				path === '/isAlive/'
					? { body: '' }
					: { status: 404, body: { errorType: 'NotFoundException', message: detail(path) } },
		});
		const result = await test(proxy.url);
		await proxy.close();
		expect(result).toEqual(passed);
	});

	it.each(['/public/api/v1', '/public/api/v1/demo/fraud/predict'])('accepts a pasted URL with %s', async (pasted) => {
		expect(await test(`${node.url}${pasted}`)).toEqual(passed);
	});

	it('uses the service ID when a pasted URL names another service, and mentions that on failure', async () => {
		const note = "The URL names service 'retail', but the Service ID is 'demo'. 'demo' is used";
		const pasted = `${node.url}/public/api/v1/retail/price/predict`;
		expect(await test(pasted)).toEqual(passed);
		expect((await test(pasted, { apiKey: 'my-wrong-key' })).message).toContain(note);
	});

	it('fails when a pasted URL names another service and nothing confirms the service ID', async () => {
		const proxy = await chaosProxy({
			respond: ({ path }) =>
				path === '/isAlive/' ? { body: '' } : { status: 404, body: { errorType: 'NotFound', message: 'No' } },
		});
		const result = await test(`${proxy.url}/public/api/v1/retail/price/predict`);
		await proxy.close();
		expect(result).toEqual({
			status: 'Error',
			message: "The URL names service 'retail', but the Service ID is 'demo'. 'demo' is used",
		});
	});

	it('accepts an instance that is being drained', async () => {
		node.setAlive(false);
		expect(await test(node.url)).toEqual(passed);
	});

	it('accepts a URL with a path, with or without a trailing slash', async () => {
		const { url } = await start({ pathPrefix: '/dataiku/api' });
		for (const each of [url, `${url}/`]) expect(await test(each)).toEqual(passed);
	});

	describe('of several instances', () => {
		const instances = async (options?: ApiNodeOptions) => `${node.url} , ${(await start(options)).url}/`;
		const gone = async () => {
			const other = await start();
			await other.close();
			return other.url;
		};

		it('succeeds when all of them respond', async () => {
			expect(await test(await instances())).toEqual(passed);
			expect(await test(await instances({ swagger: false }))).toEqual(passed);
		});

		it('names the one that does not respond', async () => {
			const dead = await gone();
			expect(await test(`${dead},${node.url}`)).toEqual({
				status: 'Error',
				message: expect.stringMatching(
					new RegExp(`^1 of 2 instances responded: ${host(dead)} refused the connection: .*\\. Check the URL`),
				) as string,
			});
		});

		it('names all of them with one advice when none responds', async () => {
			const dead = [await gone(), await gone()];
			const { status, message } = await test(dead.join());
			expect(status).toBe('Error');
			expect(message).toMatch(/^0 of 2 instances responded: /);
			for (const url of dead) expect(message).toContain(`${host(url)} refused the connection`);
			expect(message.match(/Check the URL/g)).toHaveLength(1);
		});

		it('names those that respond and refuse', async () => {
			const { status, message } = await test(await instances(), { apiKey: 'my-wrong-key' });
			expect(status).toBe('Error');
			expect(message).toMatch(/^2 of 2 instances responded, but .* refused .*\(401\); .* refused .*\(401\)\. Check/);
		});

		it('tests them simultaneously', async () => {
			const waiting: Array<() => void> = [];
			// Neither responds before both were asked.
			const respond = async ({ path }: { path: string }) => {
				if (path === '/isAlive/') return { body: '' };
				await new Promise<void>((resolve) => {
					waiting.push(resolve);
					if (waiting.length === 2) waiting.forEach((each) => each());
				});
				return { body: { swagger: '2.0', paths: {} } };
			};
			const proxies = [await chaosProxy({ respond }), await chaosProxy({ respond })];
			const { status } = await test(proxies.map(({ url }) => url).join());
			await Promise.all(proxies.map(async (proxy) => await proxy.close()));
			expect(status).toBe('OK');
		});

		it('reports a problem of the credential itself only once', async () => {
			expect((await test(await instances(), { serviceId: 'a/b' })).message).toMatch(
				/^The service ID 'a\/b' is not a valid ID/,
			);
		});
	});

	describe('of a pasted OpenAPI document', () => {
		it.each([
			['JSON that is cut', '{ "swagger": "2.0", "paths": {', /is not JSON: .*(end|position)/],
			['a list', '[]', /Not an OpenAPI document: it must be an object with "swagger"/],
			['a document without paths', '{ "swagger": "2.0" }', /has no "paths" object/],
			['paths that are a list', '{ "swagger": "2.0", "paths": [] }', /has no "paths" object/],
			['paths without a version, which no node can read', '{ "paths": {} }', /must be an object with "swagger"/],
		])('reports what is wrong with %s', async (_name, openApi, message) => {
			const result = await test(node.url, { openApiFrom: 'text', openApi });
			expect(result).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
			expect(result.message).toMatch(/^(The|Not an) OpenAPI document.*Paste the whole document of the service/);
		});

		it('accepts surrounding white space', async () => {
			const openApi = ' { "swagger": "2.0", "paths": {} }\n';
			expect(await test(node.url, { openApiFrom: 'text', openApi })).toEqual(passed);
		});
	});

	it.each<[string, (url: string) => string, RegExp]>([
		['no URL', () => '', /URL is missing/],
		['one without http', () => 'apinode:12000', /URL must look like https:\/\/host:port\./],
		['a password in it', (url) => url.replace('//', '//me:secret@'), /must not contain a username, a password/],
		[
			'the wrong path',
			(url) => `${url}/dataiku`,
			/does not know this service or endpoint \(404\)\. Check .* the path of the URL/,
		],
		[
			'https where the API node speaks http',
			(url) => url.replace('http', 'https'),
			/closed the connection|certificate/,
		],
		['a host that does not exist', () => 'http://apinode.invalid:1', /could not be found|cannot be reached/],
	])('reports what is wrong with a URL: %s', async (_name, url, message) => {
		const result = await test(url(node.url));
		expect(result).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
		expect(result.message).not.toContain('secret');
	});

	it('reports a port on which no server listens', async () => {
		await node.close();
		expect(await test(node.url)).toEqual({
			status: 'Error',
			message: expect.stringMatching(
				/refused the connection: nothing is listening on this port\. Check the URL/,
			) as string,
		});
	});

	it.each([
		['a page', 200, 'text/html', '<html><title>Hello</title></html>', /responded with a web page, not with JSON/],
		['a page for what it does not know', 404, 'text/html', '<title>Nothing here</title>', /does not know this service/],
		['a proxy whose API node is gone', 502, 'text/html', '<title>Bad Gateway</title>', /responded with status 502/],
	])('fails for %s', async (_name, status, type, body, message) => {
		const proxy = await chaosProxy({ respond: () => ({ status, headers: { 'content-type': type }, body }) });
		expect(await test(proxy.url)).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
		await proxy.close();
	});

	it('fails when a live server responds with a page instead of the document', async () => {
		const page = { status: 404, headers: { 'content-type': 'text/html' }, body: '<title>Nothing here</title>' };
		const proxy = await chaosProxy({ respond: ({ path }) => (path === '/isAlive/' ? { body: '' } : page) });
		const result = await test(proxy.url);
		await proxy.close();
		expect(result).toEqual({
			status: 'Error',
			message: expect.stringMatching(/does not know this service.*The response said: Nothing here$/) as string,
		});
	});
});

describe('the TLS fields', () => {
	let pem: Certificates;
	beforeAll(async () => (pem = await certificates()));

	const oneLine = (text: string) => text.trim().replaceAll('\n', ' ');
	const mutual = () => ({ ...pem.server, ca: pem.ca, requestCert: true, rejectUnauthorized: true });

	it.each<[string, () => ApiNodeOptions['tls'], () => IDataObject, RegExp | undefined]>([
		['a private authority that is named', () => pem.server, () => ({ ca: pem.ca }), undefined],
		['one pasted into a line', () => pem.server, () => ({ ca: oneLine(pem.ca) }), undefined],
		['one while they are shown', () => pem.server, () => ({ ca: pem.ca, showTlsSettings: true }), undefined],
		['one while they are folded away', () => pem.server, () => ({ ca: pem.ca, showTlsSettings: false }), undefined],
		['one that is not named', () => pem.server, () => ({}), /certificate of .* was not accepted/],
		['any certificate, when told so', () => pem.expired, () => ({ allowUnauthorizedCerts: true }), undefined],
		[
			'an expired certificate',
			() => pem.expired,
			() => ({ ca: pem.ca }),
			/was not accepted( \(.*\))?\. (The response said: certificate has expired\. )?Renew the certificate/,
		],
		['a certificate of another host', () => pem.wrongHost, () => ({ ca: pem.ca }), /was not accepted/],
		['a client certificate', mutual, () => ({ ca: pem.ca, ...pem.client }), undefined],
		['a client key with a passphrase', mutual, () => ({ ca: pem.ca, ...pem.encryptedClient }), undefined],
		[
			'a wrong passphrase',
			mutual,
			() => ({ ca: pem.ca, ...pem.encryptedClient, passphrase: 'no' }),
			/private key \(or its passphrase\) could not be read/,
		],
		[
			'a client certificate without its key',
			mutual,
			() => ({ ca: pem.ca, cert: pem.client.cert }),
			/needs its private key too/,
		],
		['a server that requires a client certificate', mutual, () => ({ ca: pem.ca }), /client certificate/],
		[
			'what is no certificate',
			() => pem.server,
			() => ({ ca: 'x' }),
			/CA certificate could not be read: paste it as PEM text/,
		],
	])('give the same result in the test and in a node: %s', async (_name, tls, fields, failure) => {
		const { url } = await start({ tls: tls() });
		const tested = await test(url, fields());
		const { output, error } = await run('dataikuRunFunction', {
			url,
			items: [{ a: 1, b: 1 }],
			credentials: credentialFor(url, fields()),
			parameters: { output: 'resultOnly' },
		});

		const said = [error?.message, error?.description].join('. ');
		if (failure) {
			expect(tested).toEqual({ status: 'Error', message: expect.stringMatching(failure) as string });
			expect(said).toMatch(failure);
		} else {
			expect(tested).toEqual(passed);
			expect(jsonOf(output)).toEqual([{ result: 2 }]);
		}
		for (const secret of [pem.client.key.slice(40, 80), pem.encryptedClient.key.slice(40, 80), 'open sesame']) {
			expect(`${tested.message} ${said}`).not.toContain(secret);
		}
	});
});

it.each(['apiKey', 'bearerToken', 'none'])('authenticates a node with "%s"', async (authentication) => {
	const services: Record<string, string> = { apiKey: 'demo', bearerToken: 'secured', none: 'open' };
	const { url } = await start();
	const fields = { serviceId: services[authentication], authentication, bearerToken: 'demo-token' };
	const { error } = await run('dataikuLookup', {
		url,
		items: [{ customer_id: 'C001' }],
		credentials: credentialFor(url, fields),
	});
	expect(error).toBeUndefined();
});
