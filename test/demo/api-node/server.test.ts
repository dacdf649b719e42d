import { Agent, request } from 'undici';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { authority } from '../../support/certificates';
import { ask, basic, type ErrorBody, read } from './ask';

const record = { features: { amount: 12 } };

describe('the API node', () => {
	let node: ApiNode;
	beforeAll(async () => {
		node = await startApiNode();
	});
	afterAll(() => node.close());

	test.each([
		['a key of the service', 'demo/fraud/predict', basic('demo-key'), 200],
		['no key', 'demo/fraud/predict', {}, 401],
		['a wrong key', 'demo/fraud/predict', basic('demo-kez'), 401],
		['the key of another service', 'demo/fraud/predict', basic('retail-key'), 401],
		['the key as a token', 'demo/fraud/predict', { authorization: 'Bearer demo-key' }, 200],
		['another key as a token', 'demo/fraud/predict', { authorization: 'Bearer retail-key' }, 401],
		['no key where none is needed', 'open/fraud/predict', {}, 200],
		['a key where none is needed', 'open/fraud/predict', basic('demo-key'), 200],
		['the token', 'secured/fraud/predict', { authorization: 'Bearer demo-token' }, 200],
		['another token', 'secured/fraud/predict', { authorization: 'Bearer demo' }, 401],
		['the token as a key', 'secured/fraud/predict', basic('demo-token'), 401],
		['no token', 'secured/fraud/predict', {}, 401],
	])('the response fits the request with %s: %s', async (_case, path, headers, status) => {
		expect((await ask(node, path, record, headers)).status).toBe(status);
	});

	test.each([
		['an unknown service', 'nowhere/fraud/predict', record, 404, 'nowhere'],
		['an unknown endpoint', 'open/nothing_here/predict', record, 404, 'nothing_here'],
		['an unknown action', 'open/fraud/guess', record, 404, 'guess'],
		["another kind of endpoint's action", 'open/fraud/forecast', { items: [] }, 400, 'forecast'],
		['malformed JSON', 'open/fraud/predict', '{"features":', 400, 'JSON'],
		['a body that is not an object', 'open/fraud/predict', '[]', 400, 'object'],
		['a body without features', 'open/fraud/predict', '', 400, 'features'],
		['items that are not an array', 'open/fraud/predict-multi', { items: {} }, 400, 'items'],
		['an id that cannot be decoded', 'open/%ZZ/predict', record, 400, '%ZZ'],
	])('%s is reported as an error of the documented shape', async (_case, path, body, status, hint) => {
		const answer = await ask<ErrorBody>(node, path, body);
		expect(answer.status).toBe(status);
		expect(Object.keys(answer.body).sort()).toEqual(['detailedMessage', 'errorType', 'message']);
		expect(answer.body.message).toContain(hint);
		expect(answer.headers).toMatchObject({ 'dss-version': expect.any(String), 'dss-api-version': expect.any(String) });
	});

	test('the body is read whatever its content type', async () => {
		const types: Array<Record<string, string>> = [
			{},
			{ 'content-type': 'text/plain' },
			{ 'content-type': 'application/x-www-form-urlencoded' },
		];
		const answers = await Promise.all(types.map((headers) => ask(node, 'open/fraud/predict', record, headers)));
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
	});

	test('an observer gets a request when it arrives and when its response is sent', async () => {
		const seen: string[] = [];
		const observed = await startApiNode({
			latencyMs: 20,
			observe: ({ endpoint, status }, phase) => seen.push(`${endpoint} ${phase} ${status}`),
		});
		try {
			await ask(observed, 'open/fraud/predict', record);
			await ask(observed, 'open/nothing_here/predict', record);
			expect(seen).toEqual([
				'fraud received 0',
				'fraud answered 200',
				'nothing_here received 0',
				'nothing_here answered 404',
			]);
		} finally {
			await observed.close();
		}
	});

	test('an additional slash in the path is ignored', async () => {
		const answer = await request(`${node.url}//public/api/v1/open/fraud/predict`, {
			method: 'POST',
			body: '{"features":{}}',
		});
		expect((await read(answer)).status).toBe(200);
	});

	test("another service's endpoint is unknown", async () => {
		expect((await ask(node, 'retail/fraud/predict', record, basic('retail-key'))).status).toBe(404);
	});

	test('IDs are decoded', async () => {
		expect((await ask(node, 'open/%66raud/predict', record)).status).toBe(200);
		const answer = await ask<ErrorBody>(node, 'open/a%2Fb%20%C3%A9/predict', record);
		expect(answer.body.message).toContain('"a/b é"');
	});

	test('every response has its versions, timing in microseconds and context', async () => {
		const { headers, body } = await ask(node, 'open/fraud/predict', record);
		expect(headers).toMatchObject({ 'dss-version': expect.any(String), 'dss-api-version': expect.any(String) });
		expect(body).toMatchObject({
			timing: { preProcessing: expect.any(Number), wait: expect.any(Number), predictionPredict: expect.any(Number) },
			apiContext: { serviceId: 'open', endpointId: 'fraud', serviceGeneration: expect.stringMatching(/^v[12]$/) },
		});
	});

	test.each(['/isAlive', '/isAlive/'])(
		'%s needs no key, and a test can force its response while the node serves',
		async (path) => {
			expect((await request(`${node.url}${path}`)).statusCode).toBe(200);
			node.setAlive(false);
			expect((await request(`${node.url}${path}`)).statusCode).toBe(503);
			expect((await ask(node, 'open/fraud/predict', record)).status).toBe(200);
			node.setAlive(true);
			expect((await request(`${node.url}${path}`)).statusCode).toBe(200);
		},
	);

	test('the log contains each request', async () => {
		node.requests.clear();
		await ask(node, 'open/fraud/predict', { ...record, context: { origin: 'test' } });
		await ask(node, 'demo/fraud/predict', record);
		expect(node.requests.count({ endpoint: 'fraud' })).toBe(2);
		expect(node.requests.count({ service: 'open', status: 200 })).toBe(1);
		expect(node.requests.last).toMatchObject({ service: 'demo', action: 'predict', status: 401 });
		expect(node.requests.recent[0]?.body).toEqual({ ...record, context: { origin: 'test' } });
	});
});

describe('an API node started with options', () => {
	const nodes: ApiNode[] = [];
	const start = async (...options: Parameters<typeof startApiNode>) => {
		const node = await startApiNode(...options);
		nodes.push(node);
		return node;
	};
	afterEach(async () => {
		await Promise.all(nodes.splice(0).map((node) => node.close()));
	});

	test('serves only below its path prefix', async () => {
		const node = await start({ pathPrefix: '/dataiku' });
		expect(node.url).toMatch(/\/dataiku$/);
		expect((await ask(node, 'open/fraud/predict', record)).status).toBe(200);
		expect((await request(`${node.url}/isAlive/`)).statusCode).toBe(200);
		expect((await request(new URL('/isAlive/', node.url))).statusCode).toBe(404);
	});

	test('asks the given function to check tokens', async () => {
		const node = await start({ acceptsToken: async (token) => token.startsWith('good') });
		const statusOf = async (token: string) =>
			(await ask(node, 'secured/fraud/predict', record, { authorization: `Bearer ${token}` })).status;
		expect([await statusOf('good-1'), await statusOf('demo-token')]).toEqual([200, 401]);
	});

	test('refuses a body with 413 when it is over the limit', async () => {
		const node = await start({ bodyLimit: 1_000 });
		const answer = await ask<ErrorBody>(node, 'open/echo/run', { text: 'x'.repeat(1_000) });
		expect(answer).toMatchObject({ status: 413, body: { message: expect.any(String) } });
		expect(answer.headers['dss-version']).toBeDefined();
	});

	test('accepts a body of some megabytes', async () => {
		const node = await start();
		const text = 'x'.repeat(5_000_000);
		expect((await ask<{ response: object }>(node, 'open/echo/run', { text })).body.response).toEqual({ text });
	});

	test('serves clients that trust its certificate over TLS, and no others', async () => {
		const { ca, ...issue } = await authority();
		const tls = { ...(await issue.server()), ca, requestCert: true, rejectUnauthorized: true };
		const node = await start({ tls });
		const url = `${node.url}/isAlive/`;
		const known = new Agent({ connect: { ca, ...(await issue.client()) } });
		const stranger = new Agent({ connect: { ca } });
		expect(node.url).toMatch(/^https:/);
		expect((await request(url, { dispatcher: known })).statusCode).toBe(200);
		await expect(request(url, { dispatcher: stranger })).rejects.toThrow();
		await Promise.all([known.close(), stranger.destroy()]);
	});

	test('ends active requests and idle sockets when it closes', async () => {
		const node = await start({ latencyMs: 60_000 });
		const idle = new Agent();
		await (await request(`${node.url}/isAlive/`, { dispatcher: idle })).body.dump();
		const waiting = expect(ask(node, 'open/fraud/predict', record)).rejects.toThrow();
		while (node.requests.inFlight === 0) await new Promise((resolve) => setTimeout(resolve, 5));
		const begun = performance.now();
		await node.close();
		await waiting;
		expect(performance.now() - begun).toBeLessThan(2_000);
		await idle.destroy();
	});

	test('reports a port that is in use', async () => {
		const { port } = await start();
		await expect(startApiNode({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
	});
});

describe("a service's OpenAPI", () => {
	interface OpenApi {
		swagger: string;
		basePath: string;
		paths: Record<string, { post: { summary: string; parameters: Array<{ schema: object }> } }>;
	}
	const get = async (node: ApiNode, service: string, headers = {}) =>
		read<OpenApi>(await request(`${node.url}/public/api/v1/${service}/swagger`, { headers }));
	let node: ApiNode;
	beforeAll(async () => {
		node = await startApiNode();
	});
	afterAll(() => node.close());

	test("needs the service's own authentication", async () => {
		const statuses = [get(node, 'demo'), get(node, 'demo', basic('demo-key')), get(node, 'open'), get(node, 'nowhere')];
		expect((await Promise.all(statuses)).map(({ status }) => status)).toEqual([401, 200, 200, 404]);
	});

	test('lists the features of an endpoint with their types and examples', async () => {
		const { body } = await get(node, 'open');
		expect(body).toMatchObject({ swagger: '2.0', basePath: '/public/api/v1/open' });
		const { summary, parameters } = body.paths['/fraud/predict']!.post;
		expect(summary).toContain('fraud');
		expect(parameters[0]?.schema).toMatchObject({
			properties: {
				features: {
					properties: {
						amount: { type: 'number', example: 412.5 },
						country: { type: 'string', enum: expect.arrayContaining(['FR']) },
						card_present: { type: 'boolean' },
					},
				},
			},
		});
	});

	test('each path responds to its example', async () => {
		const { body } = await get(node, 'open');
		const own = (schema: { example?: object; properties?: object; items?: object }): object | undefined =>
			schema.example ??
			(schema.properties ? valuesOf(schema.properties) : schema.items ? [own(schema.items)] : undefined);
		const valuesOf = (properties: object) =>
			Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, own(schema as object)]));
		// A single day is no past, and the others fail by design.
		const failing = ['/store_sales/forecast', '/monthly_visitors/forecast', '/failing/run', '/status/run'];
		const paths = Object.entries(body.paths).filter(([path]) => !failing.includes(path));
		for (const [path, { post }] of paths) {
			const answer = await ask(node, `open${path}`, own(post.parameters[0]!.schema) ?? {});
			expect([path, answer.status]).toEqual([path, 200]);
		}
		expect(paths.length).toBeGreaterThan(25);
	});

	test('leaves out endpoints without documentation, and those of other services', async () => {
		const { body } = await get(node, 'open');
		expect(Object.keys(body.paths).join()).not.toMatch(/fraud_changed|big_integers|settle/);
		const retail = await get(node, 'retail', basic('retail-key'));
		expect(Object.keys(retail.body.paths).join()).not.toContain('fraud');
	});

	test('is absent from a node without it', async () => {
		const without = await startApiNode({ swagger: false });
		expect((await get(without, 'open')).status).toBe(404);
		await without.close();
	});
});
