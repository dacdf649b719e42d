import { setTimeout as wait } from 'node:timers/promises';
import { certificates } from '../../support/certificates';
import type { Fault } from '../../support/chaosProxy';
import { eventually, failureOf, Stage } from '../harness';

const stage = new Stage();
const answer = { body: { result: {}, results: [] } };

test.each([['http'], ['https']])('fifty calls one after the other share one connection over %s', async (scheme) => {
	const { ca, server } = await certificates();
	const tls = scheme === 'https' ? server : undefined;
	const { chaos, client } = await stage.chaosAndClient({ respond: () => answer, tls }, { tls: { ca } });
	for (let i = 0; i < 50; i++) await client.predictRecord(`endpoint${i % 3}`, {});
	expect([chaos.requests.length, chaos.connections]).toEqual([50, 1]);
});

test('calls of every operation share one connection', async () => {
	const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
	for (let i = 0; i < 3; i++) {
		await client.openApi();
		await client.isAlive();
		await client.runFunction('e');
		await client.forecast('e', []);
		await client.settle('predict', 'e', [{ features: {} }], { batchSize: 1 });
	}
	expect([chaos.requests.length, chaos.connections]).toEqual([15, 1]);
});

test('a connection is reused after a pause', async () => {
	const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
	await client.predictRecord('e', {});
	await wait(1_500);
	await client.predictRecord('e', {});
	expect(chaos.connections).toBe(1);
});

test.each<[string, Fault]>([
	['an error of the API node', { kind: 'answer', status: 404, body: { message: 'x'.repeat(50_000) } }],
	['an answer that does not fit', { kind: 'answer', body: { result: null } }],
	['a redirect', { kind: 'answer', status: 302, headers: { location: '/x' }, body: 'x'.repeat(50_000) }],
	['broken JSON', { kind: 'answer', status: 200, body: '<html>' }],
])('the connection is kept after %s', async (_name, fault) => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: ({ n }) => (n === 2 ? fault : undefined),
		respond: () => answer,
	});
	await client.predictRecord('e', {});
	await failureOf(client.predictRecord('e', {}));
	await client.predictRecord('e', {});
	expect(chaos.connections).toBe(1);
});

test('no more connections are opened than requests are in flight', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 2 }, respond: () => answer });
	await Promise.all(
		Array.from({ length: 200 }, async () => await client.predictRecord('e', {}, { maxConcurrency: 3 })),
	);
	expect(Math.max(...chaos.requests.map(({ outstanding }) => outstanding))).toBeLessThanOrEqual(3);
	expect(chaos.connections).toBeLessThanOrEqual(3);
});

test('a closed client has no connection', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 5 }, respond: () => answer });
	await Promise.all(Array.from({ length: 20 }, async () => await client.predictRecord('e', {})));
	await client.destroy();
	expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
});

describe('Idle connections of many clients', () => {
	afterEach(() => jest.restoreAllMocks());

	const clientsOf = (url: string, count: number) =>
		Array.from({ length: count }, (_, n) => stage.client({ url: `${url}/${n}` }));

	test('are closed, the oldest first, when there are more than 256', async () => {
		const chaos = await stage.chaos({ respond: () => answer });
		const clients = clientsOf(chaos.url, 300);
		for (const client of clients) await client.predictRecord('e', {});
		expect(await eventually(() => chaos.openSockets(), 256)).toBe(256);

		for (const client of clients.slice(-256)) await client.predictRecord('e', {});
		expect(chaos.connections).toBe(300);
		await clients[0]!.predictRecord('e', {});
		expect(chaos.connections).toBe(301);
	});

	test('are closed as soon as they become idle when more were in use at once', async () => {
		const chaos = await stage.chaos({ respond: () => answer });
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		chaos.setFault(async () => void (await released));
		const calls = clientsOf(chaos.url, 400).map(async (client) => await client.predictRecord('e', {}));
		await chaos.requestsArrived(400);
		expect(chaos.openSockets()).toBe(400);
		release();

		expect(await Promise.all(calls)).toEqual(calls.map(() => answer.body));
		expect(await eventually(() => chaos.openSockets(), 256)).toBe(256);
	});

	test('count for each client, and a client in use keeps its own', async () => {
		const chaos = await stage.chaos({
			faults: ({ path }) =>
				path.startsWith('/wide') ? { kind: 'delay', ms: 5 } : path.startsWith('/busy') ? { kind: 'silent' } : undefined,
			respond: () => answer,
		});
		const [wide, busy] = ['wide', 'busy'].map((prefix) => stage.client({ url: `${chaos.url}/${prefix}` }));
		const calls = Array.from({ length: 1_000 }, async () => await wide!.predictRecord('e', {}, { maxConcurrency: 40 }));
		await Promise.all(calls);
		expect(chaos.openSockets()).toBe(40);
		const waiting = new AbortController();
		const ends = failureOf(busy!.predictRecord('e', {}, { signal: waiting.signal }));
		await chaos.requestsArrived(1_001);
		for (const client of clientsOf(chaos.url, 256)) await client.predictRecord('e', {});

		expect(await eventually(() => chaos.openSockets(), 257)).toBe(257);
		waiting.abort();
		await ends;
		await wide!.predictRecord('e', {});
		expect(chaos.connections).toBe(40 + 1 + 256 + 1);
	});

	test('count as often as they were used at once, also when a single call follows', async () => {
		const chaos = await stage.chaos({ respond: () => answer });
		const wide = stage.client({ url: `${chaos.url}/wide` });
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		chaos.setFault(async () => void (await released));
		const calls = Array.from({ length: 40 }, async (_, n) => await wide.predictRecord(`e${n}`, {}));
		await chaos.requestsArrived(40);
		release();
		await Promise.all(calls);
		await wide.predictRecord('e', {});
		for (const client of clientsOf(chaos.url, 230)) await client.predictRecord('e', {});
		expect(await eventually(() => chaos.openSockets(), 230)).toBe(230);
	});

	test('are closed after 30 s, including those of other clients', async () => {
		const chaos = await stage.chaos({ respond: () => answer });
		const [old, other] = clientsOf(chaos.url, 2);
		await old!.predictRecord('e', {});
		const now = performance.now();
		jest.spyOn(performance, 'now').mockImplementation(() => now + 31_000);
		await other!.predictRecord('e', {});
		expect(await eventually(() => chaos.openSockets(), 1)).toBe(1);
		await old!.predictRecord('e', {});
		expect(chaos.connections).toBe(3);
	});
});
