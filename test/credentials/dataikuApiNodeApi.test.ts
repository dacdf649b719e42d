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

const bearer = { serviceId: 'secured', authentication: 'bearerToken', apiKey: '' };
const withKey = 'The API node answers, and it accepts the key or token for this service';

describe('the test of the credential', () => {
	let node: ApiNode;
	beforeEach(async () => (node = await start()));

	it.each<[string, IDataObject, string, RegExp | string]>([
		['a key of the service', {}, 'OK', withKey],
		['spaces around what was pasted', { serviceId: ' demo ', apiKey: ' demo-key\n' }, 'OK', withKey],
		[
			'a wrong key',
			{ apiKey: 'my-wrong-key' },
			'Error',
			/refused the key or token \(401\)\. Check the key in the credential/,
		],
		['no key', { apiKey: '' }, 'Error', /refused the key or token \(401\)/],
		['the key of another service', { serviceId: 'retail' }, 'Error', /refused the key or token \(401\)/],
		['a bearer token of the service', { ...bearer, bearerToken: 'demo-token' }, 'OK', withKey],
		['a wrong bearer token', { ...bearer, bearerToken: 'my-wrong-key' }, 'Error', /refused the key or token \(401\)/],
		[
			'an open service',
			{ serviceId: 'open', authentication: 'none' },
			'OK',
			'The API node answers, and the service is open',
		],
		['a service that is not open', { authentication: 'none' }, 'Error', /refused the key or token \(401\)/],
		['no service', { serviceId: '' }, 'Error', 'The service id is missing'],
		['a service that is a path', { serviceId: 'a/b' }, 'Error', /must not be '\.' or '\.\.' nor hold a slash/],
	])('meets %s', async (_name, fields, status, message) => {
		const result = await test(node.url, fields);
		expect(result).toEqual({ status, message: typeof message === 'string' ? message : expect.stringMatching(message) });
		expect(result.message).not.toContain('my-wrong-key');
	});

	it('leaves out the secret of the way that was not chosen', async () => {
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

	it('says what could not be checked where the service has no OpenAPI document', async () => {
		const { url } = await start({ swagger: false });
		expect(await test(url)).toEqual({
			status: 'OK',
			message: expect.stringMatching(
				/^The API node answers\. It has no OpenAPI document for this service, so neither the service ID nor the key could be checked/,
			),
		});
		expect((await test(node.url, { serviceId: 'unknown' })).message).toMatch(
			/neither the service ID nor the key could be checked/,
		);
	});

	it('takes an instance that is being drained for one that answers', async () => {
		node.setAlive(false);
		expect(await test(node.url)).toEqual({ status: 'OK', message: withKey });
	});

	it('takes a URL with a path, with a slash at its end or not, and several', async () => {
		const behind = await start({ pathPrefix: '/dataiku/api' });
		const { url: gone } = node;
		await node.close();
		for (const url of [behind.url, `${behind.url}/`, ` ${gone} , ${behind.url}`]) {
			expect(await test(url)).toEqual({ status: 'OK', message: withKey });
		}
	});

	it.each<[string, (url: string) => string, RegExp]>([
		['no URL', () => '', /URL is missing/],
		['what is no URL', () => 'apinode:12000', /URL must look like https:\/\/host:port/],
		['a password in it', (url) => url.replace('//', '//me:secret@'), /without user, password/],
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
	])('says what is wrong with a URL: %s', async (_name, url, message) => {
		const result = await test(url(node.url));
		expect(result).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
		expect(result.message).not.toContain('secret');
	});

	it('says so when nothing listens there', async () => {
		await node.close();
		expect(await test(node.url)).toEqual({
			status: 'Error',
			message: expect.stringMatching(/refused the connection: nothing listens there\. Check the URL/) as string,
		});
	});

	it.each([
		['a page', 200, 'text/html', '<html><title>Hello</title></html>', /responded with a web page, not with JSON/],
		['a page for what it does not know', 404, 'text/html', '<title>Nothing here</title>', /does not know this service/],
		['a proxy whose API node is gone', 502, 'text/html', '<title>Bad Gateway</title>', /responded with status 502/],
	])('is not content with %s', async (_name, status, type, body, message) => {
		const proxy = await chaosProxy({ respond: () => ({ status, headers: { 'content-type': type }, body }) });
		expect(await test(proxy.url)).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
		await proxy.close();
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
		['one that is not named', () => pem.server, () => ({}), /certificate of .* was not accepted/],
		['any certificate, when told so', () => pem.expired, () => ({ allowUnauthorizedCerts: true }), undefined],
		[
			'an expired certificate',
			() => pem.expired,
			() => ({ ca: pem.ca }),
			/was not accepted( \(.*\))?\. (The response said: certificate has expired\. )?Have the certificate/,
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
		['a server that wants a client certificate', mutual, () => ({ ca: pem.ca }), /client certificate/],
		[
			'what is no certificate',
			() => pem.server,
			() => ({ ca: 'x' }),
			/certificate of the authority could not be read: paste it as PEM text/,
		],
	])('meet %s, in the test and in a node alike', async (_name, tls, fields, failure) => {
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
			expect(tested).toEqual({ status: 'OK', message: withKey });
			expect(jsonOf(output)).toEqual([{ result: 2 }]);
		}
		for (const secret of [pem.client.key.slice(40, 80), pem.encryptedClient.key.slice(40, 80), 'open sesame']) {
			expect(`${tested.message} ${said}`).not.toContain(secret);
		}
	});
});

it.each(['apiKey', 'bearerToken', 'none'])('lets a node in by "%s"', async (authentication) => {
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
