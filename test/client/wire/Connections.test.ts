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

test('calls of every kind share it', async () => {
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

test('a connection is warm again after a pause', async () => {
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
])('%s keeps the connection', async (_name, fault) => {
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

test('a closed client holds no connection', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 5 }, respond: () => answer });
	await Promise.all(Array.from({ length: 20 }, async () => await client.predictRecord('e', {})));
	await client.destroy();
	expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
});
