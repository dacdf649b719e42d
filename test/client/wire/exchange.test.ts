import type { LookupFunction } from 'node:net';
import { ResponseError, TimeoutError } from '../../../client';
import { certificates } from '../../support/certificates';
import { brief, eventually, failureOf, outcomeOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

/** What the faults would take without a time-out: longer than a test may. */
const forever = 60_000;
const answer = { body: { result: { prediction: 1 } } };
const never: LookupFunction = () => {};

describe('the timeout of an attempt', () => {
	test('ends the wait for a server that receives the request and does not respond', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
		const error = await failureOf(client.runFunction('e', {}, { timeout: 150 }));

		expect(error).toBeInstanceOf(TimeoutError);
		expect(error).toMatchObject({ sent: true, message: `127.0.0.1:${chaos.port} did not respond within 150 ms` });
		expect(error).toMatchObject({
			instance: `127.0.0.1:${chaos.port}`,
			attempts: 1,
			advice: expect.stringContaining('Raise the timeout') as string,
		});
		// On a busy machine, the server reads the request after the client has given up.
		expect(await eventually(() => chaos.requests.length, 1)).toBe(1);
		expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
	});

	test('ends a response that arrives too slowly', async () => {
		const faults = { kind: 'dribble', bytes: 1, everyMs: 50 } as const;
		const { chaos, client } = await stage.chaosAndClient({
			faults,
			respond: () => ({ body: { a: 'b'.repeat(2_000) } }),
		});
		const error = await failureOf(client.sqlQuery('e', {}, { timeout: 200 }));
		expect(error).toMatchObject({ name: 'TimeoutError', sent: true });
		expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
	});

	test('includes connecting, so that a slow connection leaves less time', async () => {
		const { chaos, client } = await stage.chaosAndClient({ connectionFaults: 'silent' });
		const error = await failureOf(client.sqlQuery('e', {}, { timeout: 150 }));
		expect(error).toMatchObject({ name: 'TimeoutError', sent: true });
		expect(chaos.requests).toHaveLength(0);
	});

	test('causes one more attempt if that is harmless', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
		const error = await failureOf(client.predictRecord('e', {}, { timeout: 100 }));
		expect(error.attempts).toBe(2);
		expect(await eventually(() => chaos.requests.length, 2)).toBe(2);
	});

	test('does not end a response that arrives in time', async () => {
		const { client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 150 }, respond: () => answer });
		expect(await client.predictRecord('e', {}, { timeout: 10_000 })).toEqual(answer.body);
	});

	test('does not break the client for later calls', async () => {
		const { chaos, client } = await stage.chaosAndClient({
			faults: ({ n }) => (n === 1 ? { kind: 'silent' } : undefined),
			respond: () => answer,
		});
		await failureOf(client.runFunction('e', {}, { timeout: 100 }));
		expect(await client.predictRecord('e', {})).toEqual(answer.body);
		expect(await client.predictRecord('e', {})).toEqual(answer.body);
		expect(chaos.connections).toBe(2);
	});

	test('applies to the OpenAPI document and isAlive', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
		expect(await failureOf(client.openApi({ timeout: 100 }))).toBeInstanceOf(TimeoutError);
		expect(await failureOf(client.isAlive({ timeout: 100 }))).toBeInstanceOf(TimeoutError);
		expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
	});
});

describe('the connect timeout', () => {
	const notConnected = { name: 'TimeoutError', sent: false };

	test('ends a stalled TLS handshake long before the timeout of the attempt', async () => {
		const tls = (await certificates()).server;
		const { chaos, client } = await stage.chaosAndClient({ tls, connectionFaults: 'silent' }, { connectTimeout: 100 });
		const error = await failureOf(client.runFunction('e', {}, { timeout: forever, ...brief }));

		expect(error).toMatchObject({
			...notConnected,
			message: `No connection to 127.0.0.1:${chaos.port} within the time allowed`,
		});
		// Nothing was sent: even a function may be tried again.
		expect(error).toMatchObject({
			attempts: 2,
			advice: 'Check host, port and firewall.',
		});
		expect(chaos.requests).toHaveLength(0);
		expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
	});

	test('ends a name lookup that stalls', async () => {
		const client = stage.client({ url: 'http://slow.example', lookup: never, connectTimeout: 100 });
		const error = await failureOf(client.runFunction('e', {}, { timeout: forever, ...brief }));
		expect(error).toMatchObject({
			...notConnected,
			message: 'No connection to slow.example:80 within the time allowed',
		});
	});

	test('is never longer than the timeout of the attempt', async () => {
		const client = stage.client({ url: 'http://slow.example', lookup: never, connectTimeout: forever });
		expect(await failureOf(client.runFunction('e', {}, { timeout: 100 }))).toMatchObject(notConnected);
	});

	test('ends a function, which does not run when the connection opens later', async () => {
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		const chaos = await stage.chaos({
			faults: async ({ path }) => void (path.includes('/slow/') && (await released)),
			respond: () => answer,
		});
		let stalls = false;
		const stalled: Array<() => void> = [];
		const lookup: LookupFunction = (_hostname, _options, callback) => {
			const found = () => callback(null, [{ address: '127.0.0.1', family: 4 }]);
			if (stalls) stalled.push(found);
			else found();
		};
		const url = `http://api-node.example:${chaos.port}`;
		const client = stage.client({ url, lookup, connectTimeout: 300 });
		// While another request is in progress, the client does not close its connections.
		const slow = outcomeOf(client.predictRecord('slow', {}));
		await chaos.requestsArrived(1);
		stalls = true;
		expect(await failureOf(client.runFunction('e', {}, brief))).toMatchObject({ ...notConnected, attempts: 2 });

		stalls = false;
		for (const found of stalled) found();
		expect(await eventually(() => chaos.connections, 3)).toBe(3);
		await client.predictRecord('e', {});
		release();
		expect(await slow).toEqual({ value: answer.body });
		expect(chaos.requests.map(({ path }) => path.split('/').at(-1))).toEqual(['predict', 'predict']);
	});

	test('does not end a request that is on its connection', async () => {
		const { client } = await stage.chaosAndClient(
			{ faults: { kind: 'delay', ms: 400 }, respond: () => answer },
			{ connectTimeout: 100 },
		);
		expect(await client.predictRecord('e', {})).toEqual(answer.body);
	});

	test('does not end a handshake that continues', async () => {
		const pem = await certificates();
		const { chaos, client } = await stage.chaosAndClient(
			{ tls: pem.server, connectionFaults: (n) => (n === 1 ? 'silent' : undefined), respond: () => answer },
			{ connectTimeout: 1_000, tls: { ca: pem.ca } },
		);
		expect(await client.runFunction('e')).toEqual(answer.body);
		expect(chaos.connections).toBe(2);
	});
});

describe('a custom name lookup', () => {
	test('can return another address', async () => {
		const chaos = await stage.chaos({ respond: () => answer });
		const asked: string[] = [];
		const lookup: LookupFunction = (hostname, options, callback) => {
			asked.push(hostname);
			if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
			else callback(null, '127.0.0.1', 4);
		};
		const client = stage.client({ url: `http://api-node.example:${chaos.port}`, lookup });
		expect(await client.predictRecord('e', {})).toEqual(answer.body);
		expect(asked).toEqual(['api-node.example']);
		expect(chaos.requests[0]!.headers.host).toBe(`api-node.example:${chaos.port}`);
	});

	test('can refuse an address, to which nothing is sent', async () => {
		const chaos = await stage.chaos();
		const lookup: LookupFunction = (_hostname, _options, callback) => callback(new Error('address not allowed'), '', 0);
		const client = stage.client({ url: `http://api-node.example:${chaos.port}`, lookup });
		expect(await failureOf(client.predictRecord('e', {}, brief))).toMatchObject({
			name: 'ConnectionError',
			sent: false,
		});
		expect(chaos.connections).toBe(0);
	});
});

test('an endless response ends at its size limit and not at its timeout', async () => {
	const { client } = await stage.chaosAndClient({ faults: { kind: 'endless' } });
	const error = await failureOf(client.predictRecord('e', {}, { timeout: forever, maxResponseBytes: 8 * 2 ** 20 }));
	expect(error).toBeInstanceOf(ResponseError);
});
