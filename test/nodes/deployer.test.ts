import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
import type { IDataObject } from 'n8n-workflow';
import { type Certificates, certificates } from '../support/certificates';
import { loadOptions, runNode, testCredential } from '../support/engine';

/** A request that a server saw. */
interface Seen {
	method?: string;
	path?: string;
	authorization?: string;
}

interface Stub {
	url: string;
	seen: Seen[];
	/** As they came. */
	bodies: string[];
}

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

async function listen(respond: RequestListener, tls?: { key: string; cert: string }): Promise<Stub> {
	const seen: Seen[] = [];
	const bodies: string[] = [];
	const listener: RequestListener = (request, response) => {
		const { method, url: path, headers } = request;
		seen.push({ method, path, authorization: headers.authorization });
		void text(request).then((body) => {
			bodies.push(body);
			respond(request, response);
		});
	};
	const server = (tls ? createTlsServer(tls, listener) : createServer(listener)).listen(0, '127.0.0.1');
	servers.push(server);
	await once(server, 'listening');
	return { url: `http${tls ? 's' : ''}://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, bodies };
}

const basic = (key: string) => `Basic ${Buffer.from(`${key}:`).toString('base64')}`;

const documentOf = (...ids: string[]) => ({
	swagger: '2.0',
	paths: Object.fromEntries(
		ids.map((id) => {
			const features = { type: 'object', properties: { amount: { type: 'number' } }, required: ['amount'] };
			const schema = { type: 'object', properties: { features } };
			return [`/${id}/predict`, { post: { parameters: [{ in: 'body', name: 'body', schema }] } }];
		}),
	),
});

type Responses = Record<string, { status?: number; headers?: Record<string, string>; body?: unknown }>;
const deployments = '/public/api/api-deployer/deployments';

/** What Dataiku documents of the API Deployer, and nothing else: any other request fails. */
async function dss(url: string, changed: Responses = {}, tls?: { key: string; cert: string }): Promise<Stub> {
	const about = { deploymentBasicInfo: { id: 'fraud-prod', publishedServiceId: 'Fraud', deployedServiceId: 'fraud' } };
	const responses: Responses = {
		[deployments]: { body: [about] },
		[`${deployments}/fraud-prod`]: { body: about },
		[`${deployments}/fraud-prod/status`]: { body: { health: 'HEALTHY', publicURL: url } },
		[`${deployments}/fraud-prod/get-open-api`]: { body: documentOf('score', 'grade') },
		...changed,
	};
	return await listen(({ method, url: path = '', headers }: IncomingMessage, response) => {
		const known = responses[path];
		const {
			status = 200,
			body = '',
			...more
		} = !known || (method !== 'GET' && method !== 'HEAD')
			? { status: 404 }
			: headers.authorization === basic('dss-key')
				? known
				: { status: 401, body: { errorType: 'Unauthorized', message: 'Invalid API key' } };
		response.writeHead(status, more.headers).end(typeof body === 'string' ? body : JSON.stringify(body));
	}, tls);
}

/** An API node that does not serve a document, as on Kubernetes. */
const apiNode = async () =>
	await listen(({ url = '' }, response) => {
		if (url.endsWith('/predict-multi')) return response.end('{"results":[{"prediction":"legitimate"}]}');
		const errorType = 'NotFoundException';
		const message = url.includes('/fraud/') ? 'Endpoint not found' : 'Service not found';
		return response.writeHead(url === '/isAlive/' ? 200 : 404).end(JSON.stringify({ errorType, message }));
	});

let node: Stub;
beforeEach(async () => (node = await apiNode()));

const keyed = { authentication: 'apiKey', apiKey: 'service-key' };
const oAuth2 = {
	...{ grantType: 'clientCredentials', clientId: 'n8n', clientSecret: 'secret' },
	...{ accessTokenUrl: 'http://127.0.0.1:9/token', oauthTokenData: { access_token: 'service-token' } },
};
const deployed = (deployer: Stub, fields: IDataObject = {}) => ({
	...{ url: node.url, serviceId: 'fraud', openApiFrom: 'deployer' },
	...{ deployerUrl: deployer.url, deploymentId: 'fraud-prod', deployerApiKey: 'dss-key' },
	...fields,
});

const credentials = {
	apiKey: (fields: IDataObject) => ({ dataikuApiNodeApi: { ...keyed, ...fields } }),
	oAuth2: (fields: IDataObject) => ({ dataikuApiNodeOAuth2Api: { ...oAuth2, ...fields } }),
};
type Authentication = keyof typeof credentials;
const both: Authentication[] = ['apiKey', 'oAuth2'];

const list = async (fields: IDataObject, authentication: Authentication = 'apiKey', parameters: IDataObject = {}) => {
	const { results } = await loadOptions({
		type: 'dataikuPredict',
		kind: 'listSearch',
		method: 'searchEndpoints',
		parameters: { authentication, ...parameters },
		credentials: credentials[authentication](fields),
	});
	return results.map(({ value }) => value);
};
const failureOf = async (promise: Promise<unknown>) => {
	const { message, description } = (await promise.then(
		() => new Error('it did not fail'),
		(error: unknown) => error,
	)) as Error & { description?: string };
	return `${message} | ${description}`;
};
const execute = async (fields: IDataObject, checkFeatures = 'error', authentication: Authentication = 'apiKey') => {
	const { output, error, hints } = await runNode({
		type: 'dataikuPredict',
		items: [{ amuont: 1 }],
		parameters: {
			...{ authentication, endpointId: { __rl: true, mode: 'id', value: 'score' }, recordSource: 'inputItem' },
			options: { checkFeatures },
		},
		onError: 'continueRegularOutput',
		credentials: credentials[authentication](fields),
	});
	return JSON.stringify([output.map(({ json }) => json), error?.message, hints]);
};
const check = async (fields: IDataObject) =>
	await testCredential({ type: 'dataikuApiNodeApi', data: credentials.apiKey(fields).dataikuApiNodeApi });

const pathsOf = ({ seen }: Stub) => seen.map(({ method, path }) => `${method} ${path}`);

describe('an OpenAPI document from the API Deployer', () => {
	it.each(both)('fills the list of endpoints when the authentication is %s', async (authentication) => {
		const deployer = await dss(node.url);
		expect(await list(deployed(deployer), authentication)).toEqual(['grade', 'score']);

		const paths = ['', '/get-open-api'].map((what) => `GET ${deployments}/fraud-prod${what}`);
		expect(pathsOf(deployer).sort()).toEqual(paths);
		expect(deployer.seen.map((each) => each.authorization)).toEqual(paths.map(() => basic('dss-key')));
		expect(node.seen).toEqual([]);
	});

	it.each(both)('is used to check records when the authentication is %s', async (authentication) => {
		const deployer = await dss(node.url);
		expect(await execute(deployed(deployer), 'error', authentication)).toContain('did you mean');
		expect(node.seen).toEqual([]);
	});

	it('gives the form its fields', async () => {
		const { fields } = await loadOptions({
			type: 'dataikuPredict',
			kind: 'resourceMapping',
			method: 'getFields',
			parameters: { endpointId: { __rl: true, mode: 'id', value: 'score' } },
			credentials: credentials.apiKey(deployed(await dss(node.url))),
		});
		expect(fields.map(({ id }) => id)).toEqual(['amount']);
	});

	it('is read under the path prefix of DSS, with any white space around URL, ID and key', async () => {
		const paths = ['', '/status', '/get-open-api'].map((what) => `${deployments}/fraud%20prod${what}`);
		const deployer = await listen((_request, response) => response.end(JSON.stringify(documentOf('score'))));
		const fields = {
			deployerUrl: ` ${deployer.url}/dss/public/api/ `,
			deploymentId: ' fraud prod\n',
			deployerApiKey: ' dss-key\n',
		};
		expect(await list(deployed(deployer, fields))).toEqual(['score']);
		expect(deployer.seen.map(({ path }) => path).sort()).toEqual([`/dss${paths[0]}`, `/dss${paths[2]}`]);
		expect(deployer.seen[0]!.authorization).toBe(basic('dss-key'));
	});

	it("belongs to the credential's own service, so the API node is asked for the document of another one", async () => {
		const deployer = await dss(node.url);
		const other = { options: { serviceId: 'retail' } };
		await expect(list(deployed(deployer), 'apiKey', other)).rejects.toThrow('No endpoints found');
		expect(deployer.seen).toEqual([]);
		expect(node.seen).toMatchObject([{ path: '/public/api/v1/retail/swagger', authorization: basic('service-key') }]);
	});

	it('is not shown to users whose key may not read it', async () => {
		const deployer = await dss(node.url);
		expect(await execute(deployed(deployer))).toContain('did you mean');
		const others = await execute(deployed(deployer, { deployerApiKey: 'other-key' }));
		expect(others).not.toMatch(/did you mean|amount/);
		const ofOther = await execute(deployed(deployer, { deploymentId: 'other-prod' }));
		expect(ofOther).not.toMatch(/did you mean|amount/);
	});

	it.each<[string, IDataObject]>([
		['is not complete', { deployerUrl: '', deploymentId: '', deployerApiKey: '' }],
		['names a URL without a server', { deployerUrl: 'http://127.0.0.1:9' }],
		['names an unknown source', { openApiFrom: 'elsewhere' }],
		['contains objects', { deployerApiKey: { a: 1 } }],
	])('does not stop a run when the description of the deployment %s', async (_name, fields) => {
		const deployer = await dss(node.url);
		for (const mode of ['warn', 'error']) {
			expect(await execute(deployed(deployer, fields), mode)).toContain('"prediction":"legitimate"');
		}
		expect(pathsOf(node)).toEqual(pathsOf(node).map(() => 'POST /public/api/v1/fraud/score/predict-multi'));
	});
});

describe('the choice of a document', () => {
	const everything = (deployer: Stub, openApiFrom: string | undefined) =>
		deployed(deployer, { openApiFrom, openApi: JSON.stringify(documentOf('pasted')) });

	it.each(both)('depends only on the selected source when the authentication is %s', async (authentication) => {
		const deployer = await dss(node.url);
		expect(await list(everything(deployer, 'text'), authentication)).toEqual(['pasted']);
		expect([deployer.seen, node.seen]).toEqual([[], []]);
		expect(await list(everything(deployer, 'deployer'), authentication)).toEqual(['grade', 'score']);
		expect(node.seen).toEqual([]);
		deployer.seen.length = 0;
		for (const openApiFrom of ['apiNode', undefined]) {
			await expect(list(everything(deployer, openApiFrom), authentication)).rejects.toThrow('No endpoints found');
		}
		expect(deployer.seen).toEqual([]);
		expect(node.seen.map(({ path }) => path)).toEqual(Array(2).fill('/public/api/v1/fraud/swagger'));
	});

	it('ignores expressions of the other sources in the list and in a run when they differ from item to item', async () => {
		const other = { deployerUrl: '={{ $json.dss }}', deployerApiKey: '={{ $json.key }}', openApi: '={{ $json.doc }}' };
		const fields = deployed(await dss(node.url), { ...other, openApiFrom: 'apiNode' });
		await expect(list(fields)).rejects.toThrow('No endpoints found');
		node.seen.length = 0;
		await runNode({
			type: 'dataikuPredict',
			items: [
				{ amount: 1, key: 'a' },
				{ amount: 2, key: 'b' },
			],
			parameters: {
				...{ endpointId: { __rl: true, mode: 'id', value: 'score' }, recordSource: 'inputItem' },
				options: { checkFeatures: 'off' },
			},
			onError: 'continueRegularOutput',
			credentials: credentials.apiKey(fields),
		});
		expect(pathsOf(node).slice(0, 1)).toEqual(['POST /public/api/v1/fraud/score/predict-multi']);
		expect(node.bodies.find((body) => body !== '')).toContain('"amount":2');
	});

	it('ignores the other sources in the credential test', async () => {
		const broken = { openApi: '{', deployerUrl: 'nowhere', deploymentId: '', deployerApiKey: '' };
		expect(await check(deployed(await dss(node.url), { ...broken, openApiFrom: 'apiNode' }))).toMatchObject({
			status: 'OK',
		});
		expect(await check(deployed(await dss(node.url), { openApi: '{' }))).toMatchObject({ status: 'OK' });
	});
});

const basicInfo = (deploymentBasicInfo: object) => ({
	[`${deployments}/fraud-prod`]: { body: { deploymentBasicInfo } },
});
const status = (body: object) => ({ [`${deployments}/fraud-prod/status`]: { body } });
const v2 = basicInfo({ publishedServiceId: 'fraud', deployedServiceId: 'fraud_v2' });

describe('a deployment that does not agree with the credential', () => {
	it.each(both)('is reported in the list of endpoints when the authentication is %s', async (authentication) => {
		const deployer = await dss('https://k8s.example.com/dataiku/', v2);
		expect(await failureOf(list(deployed(deployer), authentication))).toMatch(
			/could not be read: The deployment serves 'fraud_v2' at https:\/\/k8s\.example\.com\/dataiku, not 'fraud' \| Check Service ID/,
		);
		expect(await execute(deployed(deployer), 'error', authentication)).not.toMatch(/did you mean|amount/);
	});

	it.each<[string, Responses, RegExp]>([
		['another service', v2, /^The deployment serves 'fraud_v2' at http:\/\/127\.0\.0\.1:\d+, not 'fraud'\. Check/],
		[
			'a service with its ID in the API Designer',
			basicInfo({ publishedServiceId: 'fraud_v3' }),
			/^The deployment serves 'fraud_v3' at http:\/\/127\.0\.0\.1:\d+, not 'fraud'\. Check/,
		],
		[
			'another URL',
			status({ apiNodes: [{ url: 'http://a.example.com:80/' }, { url: 'http://b.example.com:12000' }] }),
			/^The deployment serves 'fraud' at http:\/\/a\.example\.com, http:\/\/b\.example\.com:12000, not at http:\/\/127\.0\.0\.1:\d+\. Check/,
		],
		[
			'both',
			{ ...v2, ...status({ publicURL: 'https://k8s.example.com' }) },
			/^The deployment serves 'fraud_v2' at https:\/\/k8s\.example\.com, not 'fraud' at http:\/\/127\.0\.0\.1:\d+\. Check/,
		],
		[
			'another service at an unknown URL',
			{ ...v2, [`${deployments}/fraud-prod/status`]: { status: 500 } },
			/^The deployment serves 'fraud_v2', not 'fraud'\. Check/,
		],
	])('is reported by the credential test when it is %s', async (_name, changed, message) => {
		const result = await check(deployed(await dss(node.url, changed)));
		expect(result).toEqual({ status: 'Error', message: expect.stringMatching(message) as string });
	});

	it.each<[string, Responses]>([
		['all agrees', {}],
		['the URL is spelled in another way', status({ apiNodes: [{}, { url: 'URL/public/api/v1/fraud' }] })],
		['one of several API nodes is called', status({ apiNodes: [{ url: 'http://a.example.com' }, { url: 'URL' }] })],
		['DSS returns no URL', status({ health: 'HEALTHY' })],
		['the status cannot be read', { [`${deployments}/fraud-prod/status`]: { status: 503 } }],
		['DSS returns no service ID', basicInfo({})],
		['the deployment itself may not be read', { [`${deployments}/fraud-prod`]: { status: 403 } }],
	])('is not reported by the credential test when %s', async (_name, changed) => {
		const made = JSON.parse(JSON.stringify(changed).replaceAll('URL', node.url)) as Responses;
		expect(await check(deployed(await dss(node.url, made)))).toMatchObject({ status: 'OK' });
	});

	it('receives only paths that Dataiku documents', async () => {
		const deployer = await dss(node.url);
		await check(deployed(deployer));
		const read = ['', '/get-open-api', '/status'].map((what) => `GET ${deployments}/fraud-prod${what}`);
		expect(pathsOf(deployer).sort()).toEqual([...read, `HEAD ${deployments}`]);
		// n8n's own request, by which its policy on addresses is asked, has no key.
		const withKey = deployer.seen.filter((each) => each.authorization);
		expect(withKey.map(({ method, authorization }) => [method, authorization])).toEqual(
			read.map(() => ['GET', basic('dss-key')]),
		);
	});
});

describe('an API Deployer that gives no document', () => {
	const at = (response: Responses[string]) => ({
		...{ [`${deployments}/fraud-prod`]: response, [`${deployments}/fraud-prod/get-open-api`]: response },
	});
	const html = { body: '<html><title>Dataiku</title></html>' };
	it.each<[string, Responses, IDataObject, RegExp]>([
		['wrong key', {}, { deployerApiKey: 'my-wrong-key' }, /refused the DSS API key \(401\).*Check the DSS API key/],
		['missing permission', at({ status: 403 }), {}, /read deployment 'fraud-prod' \(403\).*"Read" permission/],
		[
			'missing document',
			at({ status: 404 }),
			{},
			/no OpenAPI document for deployment 'fraud-prod' \(404\).*Check the DSS/,
		],
		['unknown deployment', {}, { deploymentId: 'none' }, /no OpenAPI document for deployment 'none' \(404\)/],
		['page of another server', at(html), {}, /responded with a web page.*Check the DSS URL/],
		['invalid document', at({ body: '[]' }), {}, /Not an OpenAPI document/],
		['invalid URL', {}, { deployerUrl: 'dss.example.com' }, /The DSS URL must look like https:\/\/host:port/],
		['missing URL', {}, { deployerUrl: ' ' }, /The DSS URL must look like/],
		['missing key', {}, { deployerApiKey: ' ' }, /The DSS API key is empty/],
		['missing deployment ID', {}, { deploymentId: '' }, /The deployment ID is missing/],
		[
			'deployment ID that is a path',
			{},
			{ deploymentId: '../projects' },
			/deployment ID '\.\.\/projects' is not a valid ID/,
		],
		[
			'server that does not respond',
			{},
			{ deployerUrl: 'http://127.0.0.1:9' },
			/127\.0\.0\.1:9 refused the connection.*Check the DSS URL, and that DSS is running/,
		],
		[
			'document that is too large',
			at({ body: { ...documentOf('score'), padding: 'x'.repeat(4 * 2 ** 20) } }),
			{},
			/is larger than the allowed 4 MiB.*Paste a smaller document/,
		],
		['source that does not exist', {}, { openApiFrom: 'elsewhere' }, /must be one of apiNode, deployer, text/],
	])('is reported by the list and by the credential test when there is a %s', async (_name, changed, fields, words) => {
		const deployer = await dss(node.url, changed);
		const told = await failureOf(list(deployed(deployer, fields)));
		const { status: verdict, message } = await check(deployed(deployer, fields));

		expect(told).toMatch(words);
		expect([verdict, message]).toEqual(['Error', expect.stringMatching(words)]);
		expect(`${told}${message}`).not.toMatch(/my-wrong-key|dss-key|service-key/);
		expect(told).not.toMatch(/Check the Service ID|Concurren/);
	});

	it('is not mistaken for a closed service when the service is open', async () => {
		const fields = { authentication: 'none', deployerApiKey: 'my-wrong-key' };
		expect((await check(deployed(await dss(node.url), fields))).message).not.toMatch(
			/The service requires authentication/,
		);
	});
});

describe('the key of the API Deployer', () => {
	it.each([301, 302, 307, 308])('is not sent to the target of a redirect with the status %i', async (redirect) => {
		const elsewhere = await listen((_request, response) => response.end(JSON.stringify(documentOf('stolen'))));
		const moved = { status: redirect, headers: { location: `${elsewhere.url}/dss-key/` } };
		const deployer = await dss(node.url, {
			[deployments]: moved,
			[`${deployments}/fraud-prod`]: moved,
			[`${deployments}/fraud-prod/status`]: moved,
			[`${deployments}/fraud-prod/get-open-api`]: moved,
		});
		const told = await failureOf(list(deployed(deployer)));
		const { message } = await check(deployed(deployer));

		for (const words of [told, message]) expect(words).toMatch(/redirects to .*Redirects are not followed/);
		expect(message).toContain('Put the final URL into the credential');
		expect(`${told}${message}`).not.toContain('dss-key');
		expect(elsewhere.seen).toEqual([]);
	});

	it('does not appear in an error when DSS echoes it', async () => {
		const key = 'dss-key';
		const echoed = `${key} ${basic(key)} ${encodeURIComponent(basic(key))}`;
		const refused = { status: 500, body: { errorType: key, message: echoed } };
		const paths = ['', '/status', '/get-open-api'].map((what) => `${deployments}/fraud-prod${what}`);
		const failing = await dss(node.url, Object.fromEntries(paths.map((path) => [path, refused])));
		const disagreeing = await dss(`https://${key}.example.com/${key}`, basicInfo({ deployedServiceId: echoed }));

		for (const deployer of [failing, disagreeing]) {
			const told = [
				await failureOf(list(deployed(deployer))),
				(await check(deployed(deployer))).message,
				await execute(deployed(deployer)),
			].join();
			expect(told).not.toMatch(new RegExp(`${key}|${Buffer.from(key).toString('base64').slice(0, 8)}`));
		}
	});

	it("is sent only to DSS, and the service's key only to the API node", async () => {
		const deployer = await dss(node.url);
		await check(deployed(deployer));
		await list(deployed(deployer));
		await execute(deployed(deployer), 'off');

		const shown = ({ seen }: Stub) => [...new Set(seen.flatMap(({ authorization = [] }) => authorization))];
		expect(shown(deployer)).toEqual([basic('dss-key')]);
		expect(shown(node)).toEqual([basic('service-key')]);
	});
});

describe('a DSS with a private certificate', () => {
	let pem: Certificates;
	beforeAll(async () => (pem = await certificates()));

	it.each<[string, () => IDataObject, RegExp | undefined]>([
		['the authority is named', () => ({ ca: pem.ca }), undefined],
		['the authority is not named', () => ({}), /certificate of .* was not accepted/],
		['SSL issues are ignored', () => ({ allowUnauthorizedCerts: true }), undefined],
	])('meets the TLS fields of the credential when %s', async (_name, tls, words) => {
		const fields = deployed(await dss(node.url, {}, pem.server), tls());
		const result = await check(fields);
		if (words) {
			expect(result.message).toMatch(words);
			expect(await failureOf(list(fields))).toMatch(words);
		} else {
			expect(result).toMatchObject({ status: 'OK' });
			expect(await list(fields)).toEqual(['grade', 'score']);
		}
	});

	it('appears after each run when any certificate is accepted', async () => {
		const fields = deployed(await dss(node.url, {}, pem.server), { allowUnauthorizedCerts: true });
		expect(await execute(fields, 'off')).toContain('SSL certificates are not verified');
	});
});

describe('a pasted document', () => {
	it.each([
		['in YAML', 'swagger: "2.0"\npaths: {}\n'],
		['in YAML after comments', '# Made by hand\n---\n\nopenapi: 3.0.0\r\n'],
		['in YAML with quoted keys', '"openapi": 3.0.0\n'],
		['in YAML that begins with the paths', '%YAML 1.2\n---\npaths:\n  /score/predict: {}\n'],
	])('is told how to become JSON when it is %s', async (_name, openApi) => {
		const fields = { url: node.url, serviceId: 'fraud', openApiFrom: 'text', openApi };
		for (const words of [(await check(fields)).message, await failureOf(list(fields, 'oAuth2'))]) {
			expect(words).toMatch(/The OpenAPI document is YAML: it must be JSON.*yq -o=json/);
		}
	});

	it.each([
		['empty', '', /The OpenAPI document is empty/],
		['cut', '{ "swagger": "2.0",', /The OpenAPI document is not JSON/],
		['a page', '<html>a: b</html>', /The OpenAPI document is not JSON/],
	])('is told to be pasted whole when it is %s', async (_name, openApi, words) => {
		const fields = { url: node.url, serviceId: 'fraud', openApiFrom: 'text', openApi };
		for (const told of [(await check(fields)).message, await failureOf(list(fields, 'oAuth2'))]) {
			expect(told).toMatch(words);
			expect(told).toMatch(/Paste the whole document/);
		}
		expect(node.seen).toEqual([]);
	});
});
