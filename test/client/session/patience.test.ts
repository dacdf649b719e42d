import { fastClock, seconds } from './fastTime';
import { failureOf, range, recordsOf, refusal, Scene } from './harness';
import { countLost, kinds, outages, works } from './outages';

jest.mock('node:timers', () => jest.requireActual<typeof import('./fastTime')>('./fastTime').fastTimers());
fastClock();
const scene = new Scene();

it('A client that has been through an outage of 40 s loses nothing during a later restart of 4 s or later resets', async () => {
	const throughAll = async (kind: keyof typeof outages) => {
		const { server, client } = await scene.serverAndClient();
		await client.predictRecord('model', { id: -1 });
		const endOfOutage = await outages[kind](server);
		const batches = [8, 1].map(
			async (maxConcurrency) =>
				await client.settle('predict', 'model', recordsOf(range(2_000, 1_000)), { maxConcurrency }),
		);
		const webhooks: Array<Promise<unknown>> = [];
		for (let second = 0; second < 40; second += 2) {
			webhooks.push(failureOf(client.predictRecord('model', { id: 1_000 + second }, { timeout: 2_000 })));
			await seconds(2);
		}
		await Promise.all(webhooks);
		expect((await Promise.all(batches)).map(countLost)).toEqual([1_000, 1_000]);
		await endOfOutage();

		const lost: number[] = [];
		for (const work of Object.values(works)) {
			const endOfRestart = await outages[kind](server);
			const done = work(client);
			await seconds(4);
			await endOfRestart();
			lost.push(countLost(await done));
		}
		expect(lost).toEqual(lost.map(() => 0));

		for (const id of range(5_005, 5_000)) {
			let resets = 0;
			server.setFault(() => (resets++ === 0 ? { kind: 'reset', when: 'before' } : undefined));
			expect((await client.predictRecord('model', { id })).result).toEqual({ id });
		}
	};
	await Promise.all(kinds.map(throughAll));
});

it('A single reset loses no record when the previous outage ended unnoticed', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault({ kind: 'answer', ...refusal('Away', 503) });
	await client.settle('predict', 'model', recordsOf(2_000));
	let resets = 0;
	server.setFault(() => (resets++ === 0 ? { kind: 'reset', when: 'before' } : undefined));

	expect(countLost(await client.settle('predict', 'model', recordsOf(range(2_100, 2_000))))).toBe(0);
});

const endpointsGone = [undefined, 2, 60].flatMap((retryAfter) =>
	[8, 1].map((maxConcurrency) => ({ retryAfter, maxConcurrency })),
);

it('20 batches fail within 30 s and one attempt when the endpoint is dead, whatever pauses it asks for, and later batches do, too', async () => {
	const times = endpointsGone.map(async ({ retryAfter, maxConcurrency }) => {
		const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
		const { server, client } = await scene.serverAndClient(() => ({ ...refusal('Away', 503), headers }));
		const took: number[] = [];
		for (const records of [2_000, 100]) {
			const startedAt = performance.now();
			const outcomes = await client.settle('predict', 'model', recordsOf(records), { maxConcurrency });
			expect(countLost(outcomes)).toBe(records);
			took.push((performance.now() - startedAt) / 1_000);
		}
		expect(server.asked().length).toBeLessThan(150);
		return { retryAfter, maxConcurrency, took };
	});

	for (const { took, ...endpoint } of await Promise.all(times)) {
		// Ten seconds more are one of this machine's.
		for (const time of took) expect({ ...endpoint, inTime: time < 40 || time }).toEqual({ ...endpoint, inTime: true });
	}
});
