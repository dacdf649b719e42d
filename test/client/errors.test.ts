import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ApiNode, startApiNode } from '../../demo/api-node';
import {
	ResponseError,
	type ApiNodeClient,
	type ApiNodeClientOptions,
	type ApiNodeError,
	ConnectionError,
	type ErrorDetails,
	type RawResponse,
	StatusError,
} from '../../client';
import type { Answer } from '../support/chaos/answer';
import { chaosProxy, type Fault } from '../support/chaosProxy';
import { brief, failureOf, Stage } from './harness';

const stage = new Stage();
let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(async () => await node.close());

const ofNode = (options: Partial<ApiNodeClientOptions> = {}) =>
	stage.client({ url: node.url, serviceId: 'demo', apiKey: 'demo-key', ...options });
const instance = () => `127.0.0.1:${node.port}`;

/** The facts that are there, as others see them. */
function told({ status, errorType, detail, instance, attempts, dssVersion, code, advice }: ApiNodeError): ErrorDetails {
	const details = { status, errorType, detail, instance, attempts, dssVersion, code, advice };
	return JSON.parse(JSON.stringify(details)) as ErrorDetails;
}

describe('an error of the API node has its message and advice', () => {
	const cases: Array<
		[string, Partial<ApiNodeClientOptions>, (client: ApiNodeClient) => Promise<unknown>, string, ErrorDetails]
	> = [
		[
			'a wrong key',
			{ apiKey: 'wrong-key' },
			(client) => client.predictRecord('fraud', {}),
			'refused the key or token (401)',
			{
				status: 401,
				errorType: 'UnauthorizedException',
				detail: expect.stringContaining('Unknown API key') as string,
				advice: expect.stringContaining('Check the key') as string,
			},
		],
		[
			'no key where one is needed',
			{ apiKey: undefined },
			(client) => client.runFunction('add', { a: 1, b: 2 }),
			'refused the key or token (401)',
			{
				status: 401,
				errorType: 'UnauthorizedException',
				detail: 'Service demo needs an API key',
				advice: expect.stringContaining('Check the key') as string,
			},
		],
		[
			'an unknown service',
			{ serviceId: 'nowhere' },
			(client) => client.predictRecord('fraud', {}),
			'does not know this service or endpoint (404)',
			{
				status: 404,
				errorType: 'NotFoundException',
				detail: 'No such service: "nowhere"',
				advice: expect.stringMatching(
					/^Check the service ID, the endpoint ID and the path .* deployed service/,
				) as string,
			},
		],
		[
			'an unknown endpoint',
			{},
			(client) => client.lookupRecords('nothing_here', [{ data: {} }]),
			'does not know this service or endpoint (404)',
			{
				status: 404,
				errorType: 'NotFoundException',
				detail: expect.stringContaining('has no endpoint "nothing_here"') as string,
				advice: expect.stringMatching(
					/^Check the service ID, the endpoint ID and the path .* deployed service/,
				) as string,
			},
		],
		[
			'an endpoint of another kind',
			{},
			(client) => client.predictRecord('customer', {}),
			'refused the request (400)',
			{
				status: 400,
				errorType: 'IllegalArgumentException',
				detail: expect.stringContaining('Endpoint customer cannot predict') as string,
			},
		],
		[
			'a feature that is no number',
			{},
			(client) => client.predictRecord('fraud', { amount: 'much' }),
			'refused the request (400)',
			{ status: 400, errorType: 'IllegalArgumentException', detail: expect.stringContaining('amount') as string },
		],
		[
			'a query that fails after a part of it was committed',
			{},
			(client) => client.sqlQuery('settle', { customer_id: 'C001' }),
			'failed to process the request (500)',
			{ status: 500, errorType: 'SQLException', detail: expect.stringContaining('CHECK constraint') as string },
		],
		[
			'a function that raises an error',
			{},
			(client) => client.runFunction('failing', { message: 'no such customer' }),
			'The function raised an error (500)',
			{ status: 500, errorType: 'PythonFunctionException', detail: 'ValueError: no such customer' },
		],
	];

	test.each(cases)('%s', async (_name, options, call, words, facts) => {
		const before = node.requests.count();
		const error = await failureOf(call(ofNode(options)));

		expect(error).toBeInstanceOf(StatusError);
		expect(error.name).toBe('StatusError');
		expect(error.summary.replace(`${instance()} `, '')).toBe(words);
		expect(told(error)).toEqual({ ...facts, instance: instance(), attempts: 1, dssVersion: '14.3.3' });
		expect(error.serverMessage).toBe(`${facts.errorType}: ${error.detail}`);
		expect(node.requests.count() - before).toBe(1);
	});

	test('a service that responds with 500 is asked once more, and the error has the number of attempts', async () => {
		stage.withoutPauses();
		const { client } = await stage.chaosAndClient({ faults: { kind: 'answer', status: 500, body: { message: 'no' } } });
		expect(told(await failureOf(client.predictRecord('e', {})))).toMatchObject({ status: 500, attempts: 2 });
	});

	test.each<[string, object | string, Pick<ErrorDetails, 'errorType' | 'detail'>, string | undefined]>([
		[
			'the detailed message before the message',
			{ errorType: 'E', message: 'short', detailedMessage: 'long' },
			{ errorType: 'E', detail: 'long' },
			'E: long',
		],
		[
			'the message where the detailed one is empty',
			{ errorType: 'E', message: 'short', detailedMessage: '' },
			{ errorType: 'E', detail: 'short' },
			'E: short',
		],
		['a message without a type', { message: 'short' }, { detail: 'short' }, 'short'],
		['a type without a message', { errorType: 'E', message: null }, { errorType: 'E' }, 'E'],
		['a text', 'just a text', { detail: 'just a text' }, 'just a text'],
		['JSON of another shape', { error: { code: 7 } }, { detail: '{"error":{"code":7}}' }, '{"error":{"code":7}}'],
		[
			'five hundred characters at most of a long one, the ellipsis among them',
			{ errorType: 'E', message: 'm'.repeat(9_999) },
			{ errorType: 'E', detail: `${'m'.repeat(499)}…` },
			`E: ${'m'.repeat(499)}…`,
		],
		['nothing', '', {}, undefined],
		['nothing of an empty object', {}, {}, undefined],
		['nothing of an empty list', '[]', {}, undefined],
		['nothing of null', 'null', {}, undefined],
		['nothing of an object without values', { message: null, errors: [{ text: '' }] }, {}, undefined],
	])('has this message and advice: %s', async (_name, body, facts, said) => {
		const { client } = await stage.chaosAndClient({ faults: { kind: 'answer', status: 400, body } });
		const error = await failureOf(client.predictRecord('e', {}));
		const { errorType, detail } = told(error);
		expect({ ...(errorType && { errorType }), ...(detail && { detail }) }).toEqual(facts);
		expect(error.serverMessage).toBe(said);
	});
});

describe('a proxy in front of the API node fails the call', () => {
	const html =
		'<!DOCTYPE html>\n<html><head><title>502 Bad  Gateway</title><style>a{}</style></head><body><h1>x</h1></body></html>';
	test.each<[string, Answer, string, ErrorDetails]>([
		[
			'an HTML page with 502',
			{ status: 502, body: html },
			'responded with status 502',
			{ status: 502, detail: '502 Bad Gateway' },
		],
		[
			'a page without a title',
			{ status: 504, body: '<h1>Gateway</h1>\n<p>Time-out</p>' },
			'responded with status 504',
			{ status: 504, detail: 'Gateway Time-out' },
		],
		[
			'an empty 503',
			{ status: 503 },
			'is too busy or out of service (503)',
			{ status: 503, advice: expect.stringContaining('number of concurrent requests') as string },
		],
		[
			'429',
			{ status: 429, body: 'Slow down' },
			'is too busy (429)',
			{ status: 429, detail: 'Slow down', advice: expect.stringContaining('number of concurrent requests') as string },
		],
		[
			'403',
			{ status: 403, body: 'Forbidden' },
			'does not allow this call (403)',
			{ status: 403, detail: 'Forbidden', advice: expect.stringContaining('is allowed to use this service') as string },
		],
		[
			'413',
			{ status: 413, body: html.replace('502', '413') },
			'refused the request as too large (413)',
			{
				status: 413,
				detail: '413 Bad Gateway',
				advice: expect.stringContaining('too large for the API node') as string,
			},
		],
		['a status that nobody knows', { status: 418 }, 'responded with status 418', { status: 418 }],
	])('when it responds with %s', async (_name, answer, words, facts) => {
		stage.withoutPauses();
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'answer', ...answer } });

		const error = await failureOf(client.sqlQuery('e'));

		expect(error).toBeInstanceOf(StatusError);
		expect(error.summary).toBe(`127.0.0.1:${chaos.port} ${words}`);
		expect(told(error)).toEqual({ ...facts, instance: `127.0.0.1:${chaos.port}`, attempts: 1 });
		expect(chaos.requests).toHaveLength(1);
	});

	test('when it responds with a login page and 200', async () => {
		const { chaos, client } = await stage.chaosAndClient({
			faults: {
				kind: 'answer',
				headers: { 'content-type': 'text/html' },
				body: html.replace('502 Bad  Gateway', 'Log in'),
			},
		});
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'notJson' });
		expect(error.summary).toBe(`127.0.0.1:${chaos.port} responded with a web page, not with JSON`);
		expect(told(error)).toMatchObject({
			status: 200,
			detail: 'Log in',
			attempts: 1,
			advice: expect.stringContaining('check host, port and path') as string,
		});
		expect(chaos.requests).toHaveLength(1);
	});

	test.each([301, 302, 303, 307, 308])(
		'redirects with %d: never followed, and the error says where to',
		async (status) => {
			const elsewhere = await stage.chaos();
			const location = `${elsewhere.url}/login?token=abc#top`;
			const { chaos, client } = await stage.chaosAndClient(
				{ faults: { kind: 'answer', status, headers: { location } } },
				{ apiKey: 'a-secret-key' },
			);

			const error = await failureOf(client.predictRecord('e', {}));

			expect(error.message).toBe(`127.0.0.1:${chaos.port} redirects to ${elsewhere.url}/login (${status})`);
			expect(told(error)).toMatchObject({
				status,
				advice: expect.stringContaining('Use the final URL') as string,
			});
			expect([chaos.requests.length, elsewhere.connections]).toEqual([1, 0]);
		},
	);

	test.each([
		['/login?next=1', 'redirects to /login (302)'],
		['//elsewhere.example/a', 'redirects to http://elsewhere.example/a (302)'],
		['http://[', 'redirects (302)'],
		[undefined, 'redirects (302)'],
	])('when it redirects to %s', async (location, words) => {
		const { chaos, client } = await stage.chaosAndClient({
			faults: { kind: 'answer', status: 302, headers: location ? { location } : {} },
		});
		expect((await failureOf(client.runFunction('e'))).summary).toBe(`127.0.0.1:${chaos.port} ${words}`);
	});
});

test('status 304 is not called a redirect', async () => {
	const { client } = await stage.chaosAndClient({ faults: { kind: 'answer', status: 304 } });
	const { message, advice } = await failureOf(client.predictRecord('e', {}));
	expect([message, advice]).toEqual([expect.stringMatching(/ responded with status 304$/), undefined]);
});

test('an error that is a JSON string is shown without quotation marks', async () => {
	const { client } = await stage.chaosAndClient({ faults: { kind: 'answer', status: 400, body: '"No \\"amount\\""' } });
	expect((await failureOf(client.predictRecord('e', {}))).detail).toBe('No "amount"');
});

describe("a function's own error status is reported, and the function is called once", () => {
	test.each([
		[400, undefined],
		[404, undefined],
		[422, 'not today'],
		[429, 'later'],
		[500, 'boom'],
		[503, undefined],
	])('when the status is %d', async (status, body) => {
		const before = node.requests.count();
		const headers = { 'Retry-After': '1' };
		const error = await failureOf(ofNode().runFunction('status', { status, body: body ?? { reason: 'own' }, headers }));

		expect(error).toBeInstanceOf(StatusError);
		expect(error.summary).toBe(`The function responded with status ${status}`);
		expect(told(error)).toEqual({
			status,
			detail: body ?? '{"reason":"own"}',
			instance: instance(),
			attempts: 1,
			dssVersion: '14.3.3',
		});
		expect(node.requests.count() - before).toBe(1);
	});

	test('when it responds with a redirect, which is not followed', async () => {
		const headers = { Location: 'https://elsewhere.example/x' };
		const error = await failureOf(ofNode().runFunction('status', { status: 302, headers }));
		expect(error.summary).toBe(`${instance()} redirects to https://elsewhere.example/x (302)`);
	});

	test('when its JSON breaks off', async () => {
		const { chaos, client } = await stage.chaosAndClient({
			faults: { kind: 'answer', headers: { 'content-type': 'application/json' }, body: '{"response":' },
		});
		expect(await failureOf(client.runFunction('e'))).toMatchObject({ reason: 'broken' });
		expect(chaos.requests).toHaveLength(1);
	});
});

describe('a response that cannot be used', () => {
	test.each<[string, object | string, (client: ApiNodeClient) => Promise<unknown>]>([
		[
			'one result too few',
			{ results: [{}] },
			(client) => client.predictRecords('e', [{ features: {} }, { features: {} }]),
		],
		['one result too many', { results: [{}, {}] }, (client) => client.predictEffects('e', [{ features: {} }])],
		['null in place of the results', { results: null }, (client) => client.lookupRecords('e', [{ data: {} }])],
		[
			'an object in place of the results',
			{ results: { 0: {}, length: 1 } },
			(client) => client.predictRecords('e', [{ features: {} }]),
		],
		[
			'null as one of the results',
			{ results: [{}, null] },
			(client) => client.predictRecords('e', [{ features: {} }, { features: {} }]),
		],
		['a list as a result', { results: [[]] }, (client) => client.forecast('e', [])],
		['no results of a forecast', {}, (client) => client.forecast('e', [])],
		['no result', {}, (client) => client.predictRecord('e', {})],
		['a text as the result', { result: 'fraud' }, (client) => client.predictEffect('e', {})],
		['two results of one lookup', { results: [{}, {}] }, (client) => client.lookupRecord('e', {})],
		['no result of one lookup', { results: [] }, (client) => client.lookupRecord('e', {})],
		['a list for an answer', '[{"results":[]}]', (client) => client.predictRecords('e', [])],
		['null for an answer', 'null', (client) => client.predictRecord('e', {})],
	])('fails the call when it does not match: %s', async (_name, body, call) => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		const error = await failureOf(call(client));
		expect(error).toBeInstanceOf(ResponseError);
		expect(error).toMatchObject({
			reason: 'misfit',
			message: expect.stringContaining('does not match the request') as string,
		});
		expect(error.advice).toContain('endpoint is of the kind');
		expect(chaos.requests).toHaveLength(1);
	});

	test.each<[string, object | string, string]>([
		['too few', { results: [] }, '0 results for one record'],
		['too many', { results: [{}, {}, {}] }, '3 results for one record'],
		['null', { results: null }, 'no list of results for one record'],
		['an object', { results: {} }, 'no list of results for one record'],
		['a list for an answer', '[]', 'no list of results for one record'],
	])('is given to no settled record: %s', async (_name, body, words) => {
		const { client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		const [outcome] = await client.settle('predict', 'e', [{ features: {} }]);
		const { error } = outcome!;
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'misfit' });
		expect(error!.message).toBe(`The API node returned ${words}`);
		expect(error!.advice).toContain('No result was used');
	});

	test.each<[string, Fault, string | undefined]>([
		['JSON that breaks off', { kind: 'answer', body: '{"result":{"prediction":' }, '{"result":{"prediction":'],
		['nothing at all', { kind: 'answer', body: '' }, undefined],
		['a body cut short without anyone noticing', { kind: 'truncated', by: 'endOfStream' }, '{"result":'],
	])('fails the call when its JSON is incomplete: %s', async (_name, fault, detail) => {
		stage.withoutPauses();
		const { chaos, client } = await stage.chaosAndClient({
			faults: fault,
			respond: () => ({ body: { result: { a: 'b' } } }),
		});
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'broken' });
		expect(error.summary).toBe(`The response from 127.0.0.1:${chaos.port} is not complete JSON`);
		expect(told(error)).toEqual({
			status: 200,
			instance: `127.0.0.1:${chaos.port}`,
			attempts: 4,
			...(detail && { detail }),
		});
	});

	test.each<[string, string]>([
		['a text', 'OK'],
		['lines of JSON', '{"result":{}}\n{"result":{}}'],
		['what Python prints', "{'result': {'prediction': None}}"],
	])('fails the call when it is not JSON: %s', async (_name, body) => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'notJson', detail: body });
		expect(error.summary).toBe(`127.0.0.1:${chaos.port} responded with something that is not JSON`);
		expect(chaos.requests).toHaveLength(1);
	});

	test.each<[string, Fault]>([
		['cut short of its length', { kind: 'truncated', by: 'length' }],
		['cut inside a chunk', { kind: 'truncated', by: 'chunk' }],
		['reset in the middle', { kind: 'reset', when: 'during' }],
		['closed before it began', { kind: 'close', when: 'before' }],
		['that is not HTTP', { kind: 'garbage' }],
	])('fails the call when it is cut off: %s', async (_name, fault) => {
		const { chaos, client } = await stage.chaosAndClient({ faults: fault, respond: () => ({ body: { a: 'b' } }) });
		const error = await failureOf(client.sqlQuery('e'));
		expect(error).toMatchObject({ name: 'ConnectionError', sent: true });
		expect(error.message).toBe(`127.0.0.1:${chaos.port} closed the connection without a complete response`);
		expect(told(error)).toMatchObject({ instance: `127.0.0.1:${chaos.port}`, attempts: 1 });
		expect(chaos.requests).toHaveLength(1);
	});

	test.each<[string, Fault | Answer]>([
		['endless', { kind: 'endless' }],
		['a gzip bomb', { kind: 'gzipBomb', bytes: 64 * 2 ** 20 }],
		['one byte too long', { kind: 'answer', body: '"'.padEnd(2 ** 20, 'x') + '"' }],
	])('fails the call when it is too large: %s', async (_name, fault) => {
		const { chaos, client } = await stage.chaosAndClient({ faults: fault as Fault });
		const error = await failureOf(client.predictRecord('e', {}, { maxResponseBytes: 2 ** 20 }));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'tooLarge' });
		expect(error.message).toBe(`The response from 127.0.0.1:${chaos.port} is larger than the allowed 1 MiB`);
		expect(told(error)).toMatchObject({ attempts: 1, advice: 'Request fewer records or rows at a time.' });
		expect(chaos.requests).toHaveLength(1);
	});

	test('is accepted when it has exactly the allowed size', async () => {
		const body = JSON.stringify({ result: { a: 'é'.repeat(400) } });
		const { client } = await stage.chaosAndClient({ respond: () => ({ body }) });
		const size = Buffer.byteLength(body);
		expect(await client.predictRecord('e', {}, { maxResponseBytes: size })).toEqual(JSON.parse(body));
		const error = await failureOf(client.predictRecord('e', {}, { maxResponseBytes: size - 1 }));
		expect(error.message).toContain(`larger than the allowed ${size - 1} bytes`);
	});

	test('is accepted when it has two content types, of which the first counts', async () => {
		const types = ['text/plain; charset=latin1', 'application/json'];
		const { client } = await stage.chaosAndClient({
			respond: () => ({ body: Buffer.from('é', 'latin1'), headers: { 'content-type': types } }),
		});
		expect(((await client.runFunction('e')) as RawResponse).text()).toBe('é');
	});

	test('is accepted when an early hint comes before it', async () => {
		const server = createServer((request, response) => {
			response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('{"rows":[]}'));
			request.resume();
		}).listen(0, '127.0.0.1');
		await once(server, 'listening');
		try {
			const client = stage.client({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
			expect(await client.sqlQuery('e')).toEqual({ rows: [] });
			expect(await client.sqlQuery('e')).toEqual({ rows: [] });
		} finally {
			server.closeAllConnections();
			server.close();
		}
	});
});

describe('a ConnectionError is thrown', () => {
	test('when no server listens', async () => {
		const dead = await chaosProxy();
		await dead.close();
		const error = await failureOf(stage.client({ url: dead.url }).predictRecord('e', {}, brief));
		expect(error).toBeInstanceOf(ConnectionError);
		expect(error).toMatchObject({ sent: false });
		expect(error.message).toBe(`127.0.0.1:${dead.port} refused the connection: nothing is listening on this port`);
		expect(told(error)).toEqual({
			instance: `127.0.0.1:${dead.port}`,
			attempts: 2,
			code: 'ECONNREFUSED',
			advice: 'Check the URL, and that the API node is running.',
		});
	});

	test('when the host name does not exist', async () => {
		stage.withoutPauses();
		const error = await failureOf(stage.client({ url: 'http://nowhere.invalid:12443' }).runFunction('e'));
		expect(error).toMatchObject({ name: 'ConnectionError', sent: false });
		expect(error.message).toMatch(/^nowhere\.invalid:12443 could not be found: the host name cannot be resolved/);
		expect(told(error)).toMatchObject({
			instance: 'nowhere.invalid:12443',
			advice: expect.stringContaining('Check the URL') as string,
		});
	});

	test('when the connection is reset before it can be used', async () => {
		const { chaos, client } = await stage.chaosAndClient({ connectionFaults: 'reset' });
		const error = await failureOf(client.predictRecord('e', {}, brief));
		expect(error.message).toBe(`127.0.0.1:${chaos.port} closed the connection without a complete response`);
		expect(error.advice).toContain('The host has never responded. Check whether the URL must begin with http or https');
	});

	test('when an instance that responded before is gone, without misleading advice', async () => {
		const { client } = await stage.chaosAndClient({
			faults: ({ n }) => (n === 1 ? undefined : { kind: 'reset', when: 'before' }),
			respond: () => ({ body: {} }),
		});
		await client.sqlQuery('e');
		const error = await failureOf(client.sqlQuery('e'));
		expect(error).toBeInstanceOf(ConnectionError);
		expect(error.advice).toBeUndefined();
	});
});
