import { types } from 'node:util';
import { type ApiNodeClient, ApiNodeError, CancelledError, ConnectionError, StatusError } from '../../client';
import { failureOf, refusal, Scene } from './session/harness';

const scene = new Scene();
const secret = 'the-secret-key-of-the-client';

/** One error of each way to fail. */
const failures: Array<[string, () => Promise<ApiNodeError>]> = [
	[
		'a refused connection',
		async () => await failing(scene.client({ url: 'http://127.0.0.1:9', serviceId: 's', apiKey: secret })),
	],
	[
		'a host that does not exist',
		async () => await failing(scene.client({ url: 'http://nowhere.invalid', serviceId: 's', apiKey: secret })),
	],
	[
		'a refused record',
		async () => await failing((await scene.serverAndClient(() => refusal(), { apiKey: secret })).client),
	],
	[
		'an overload that lasts',
		async () =>
			await failing(
				(await scene.serverAndClient(() => ({ status: 503, headers: { 'retry-after': '60' }, body: 'Busy' }))).client,
			),
	],
	['a wrong call', async () => await failing((await scene.serverAndClient()).client, { id: 1n })],
	[
		'a page',
		async () =>
			await failing(
				(await scene.serverAndClient(() => ({ body: '<html>', headers: { 'content-type': 'text/html' } }))).client,
			),
	],
	[
		'a token source',
		async () => {
			const tokens = {
				get: async () => await Promise.reject<string>(new TypeError('The vault is sealed')),
				renew: async () => {},
			};
			return await failing((await scene.serverAndClient(undefined, { tokens })).client);
		},
	],
	[
		'a token source that throws at once',
		async () => {
			const get = (): string => {
				throw new TypeError('The vault is sealed');
			};
			return await failing((await scene.serverAndClient(undefined, { tokens: { get, renew: async () => {} } })).client);
		},
	],
	[
		'a renewal',
		async () => {
			const renew = async () => await Promise.reject<void>(new TypeError('The vault is sealed'));
			const { client } = await scene.serverAndClient(() => ({ status: 401 }), {
				tokens: { get: () => 'token', renew },
			});
			return await failing(client);
		},
	],
];

const failing = async (client: ApiNodeClient, record: Record<string, unknown> = { id: 1 }) =>
	await failureOf(client.predictRecord('e', record, { deadline: 500 }));

describe.each(failures)('The error of %s', (_name, make) => {
	it('is a native ApiNodeError that keeps its message when it is cloned or converted to JSON', async () => {
		const error = await make();
		expect(error).toBeInstanceOf(ApiNodeError);
		expect(types.isNativeError(error)).toBe(true);
		expect(structuredClone(error).message).toBe(error.message);
		expect(JSON.parse(JSON.stringify(error))).toMatchObject({ name: error.name, message: error.message });
		expect(`${error.message} ${error.advice ?? ''}`).not.toMatch(/credential|n8n/i);
		expect(JSON.stringify([error, error.stack, String(error.cause)])).not.toContain(secret);
	});

	it('keeps its class and fields when it gets other advice', async () => {
		const error = await make();
		const advised = error.withAdvice('Do something else.');
		expect(types.isNativeError(advised)).toBe(true);
		expect(advised.constructor).toBe(error.constructor);
		expect({ ...advised, advice: undefined }).toEqual({ ...error, advice: undefined });
		expect([advised.message, advised.stack, advised.cause]).toEqual([error.message, error.stack, error.cause]);
		expect(error.advice).not.toBe('Do something else.');
	});
});

test("an error's message contains the server's own sentence", async () => {
	const { client } = await scene.serverAndClient(() => refusal('Unknown category: Mars'));
	const error = await failing(client);
	expect(error).toBeInstanceOf(StatusError);
	expect(error.message).toMatch(/^127\.0\.0\.1:\d+ refused the request \(400\): Unknown category: Mars$/);
	expect(error.detail).toBe('Unknown category: Mars');
});

test("an error's cause is what Node.js threw", async () => {
	const error = await failing(scene.client({ url: 'http://127.0.0.1:9', serviceId: 's' }));
	expect(error).toBeInstanceOf(ConnectionError);
	expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
});

test.each([
	['get', { get: async () => await Promise.reject<string>(new TypeError('sealed')), renew: async () => {} }],
	['renew', { get: () => 'token', renew: async () => await Promise.reject<void>(new TypeError('sealed')) }],
])("an error's cause is what the token source threw when its %s fails", async (_name, tokens) => {
	const { client } = await scene.serverAndClient(() => ({ status: 401 }), { tokens });
	const error = await failing(client);
	expect(error.message).toBe('No access token: sealed');
	expect(error.cause).toBeInstanceOf(TypeError);
});

describe('A cancelled call', () => {
	const reason = new Error('The user went away');

	it.each([
		['before it begins', async (stop: AbortController) => stop.abort(reason)],
		[
			'while it is on the wire',
			async (stop: AbortController, arrived: () => Promise<void>) => {
				await arrived();
				stop.abort(reason);
			},
		],
	])("ends with the signal's reason when it is cancelled %s", async (_name, cancel) => {
		const { server, client } = await scene.serverAndClient(async () => await new Promise(() => {}));
		for (const bySession of [false, true]) {
			const stop = new AbortController();
			const caller = bySession ? client.session({ signal: stop.signal }) : client;
			const asked = server.requests.length;
			const failure = failureOf(caller.predictRecord('e', { id: 1 }, bySession ? {} : { signal: stop.signal }));
			await cancel(stop, async () => await server.requestsArrived(asked + 1));
			const error = (await failure) as CancelledError;
			expect(error).toBeInstanceOf(CancelledError);
			expect([error.cause, error.reason]).toEqual([reason, reason]);
		}
	});
});
