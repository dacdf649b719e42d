import { setTimeout as wait } from 'node:timers/promises';
import { countEvents, outcomeOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

describe('While an endpoint responds only with errors that may pass', () => {
	it.each([
		['broken JSON', { kind: 'answer', body: '{' }],
		['an empty answer', { kind: 'truncated', by: 'endOfStream' }],
	] as const)('%s, 200 calls send 200 requests and the ten retries of the budget', async (_name, fault) => {
		const server = await stage.scoring({ faults: fault });
		const counts = countEvents();
		const client = stage.clientOf(server, counts);
		for (let id = 0; id < 200; id++) {
			const { error } = await outcomeOf(client.predictRecord('e', { id }));
			expect(error?.name).toBe('ResponseError');
		}
		expect(server.requests).toHaveLength(210);
		expect(counts.retries).toBe(10);
	});

	it('successes pay for a fifth as many retries', async () => {
		let n = 0;
		// every other call fails permanently: without a budget, each of those would take four requests
		const server = await stage.scoring({
			faults: ({ body }) => (body.includes('"bad":true') ? { kind: 'answer', body: `{"n":${n++}` } : undefined),
		});
		const counts = countEvents();
		const client = stage.clientOf(server, counts);
		for (let call = 0; call < 200; call++) {
			await outcomeOf(client.predictRecord('e', { id: call, bad: call % 2 === 1 }));
		}
		expect(counts.retries).toBeLessThanOrEqual(10 + 100 / 5);
		expect(counts.retries).toBeGreaterThanOrEqual(25);
		expect(server.requests).toHaveLength(200 + counts.retries);
	});

	it('the budget of one endpoint does not pay for another', async () => {
		const server = await stage.scoring({
			faults: ({ path, n }) => (path.includes('/broken/') || n === 213 ? { kind: 'answer', body: '{' } : undefined),
		});
		const client = stage.clientOf(server);
		for (let id = 0; id < 200; id++) await outcomeOf(client.predictRecord('broken', { id }));
		for (let id = 0; id < 5; id++) await client.predictRecord('sound', { id });
		expect(server.requests).toHaveLength(210 + 6);
	});
});

it('A call still moves on from an instance that refuses connections when the budget is empty', async () => {
	let broken = true;
	const faults = () => (broken ? ({ kind: 'answer', body: '{' } as const) : undefined);
	const sound = await stage.scoring({ faults });
	const dead = await stage.scoring({ faults });
	// all ties fall on the first one here
	const client = stage.clientOf([dead, sound]);
	for (let id = 0; id < 30; id++) await outcomeOf(client.predictRecord('e', { id }));
	broken = false;
	await dead.kill();
	expect(await client.predictRecord('e', { id: 1 })).toEqual({ result: { id: 1 } });
	expect(await client.sqlQuery('e', { id: 1 })).toMatchObject({ rows: [['{"id":1}']] });
});

describe('In a lasting outage', () => {
	it.each([
		['503', { kind: 'answer', status: 503 }],
		['a reset', { kind: 'reset', when: 'before' }],
	] as const)('of %s, a session asks until its patience ends, and then no more', async (_name, fault) => {
		stage.fastClock(10);
		stage.jitter(0.02);
		const server = await stage.scoring({ faults: fault });
		const client = stage.clientOf(server);
		const session = client.session();
		const first = await outcomeOf(session.predictRecord('e', { id: 0 }));
		expect(first.error).toMatchObject({
			advice: expect.stringMatching(/did not respond to any request for 30 s/) as string,
		});
		const asked = server.requests.length;
		expect(asked).toBeGreaterThan(4);
		// It gives up when its next pause would outlast the patience, so a moment of that may be left.
		await wait(150);

		const others = await Promise.all(
			Array.from({ length: 200 }, async (_, id) => await outcomeOf(session.predictRecord('e', { id }))),
		);
		for (const { error } of others) expect(error).toMatchObject({ name: 'TimeoutError', attempts: 0 });
		expect(server.requests).toHaveLength(asked);

		// a session that begins has patience of its own
		await outcomeOf(client.session().predictRecord('e', { id: 0 }));
		expect(server.requests.length).toBeGreaterThan(asked + 4);
	});

	it('a session that has no patience left for another pause says how long it had', async () => {
		stage.jitter(0.999);
		const clock = stage.movableClock();
		const server = await stage.scoring({ faults: { kind: 'answer', status: 503 } });
		const client = stage.clientOf(server, { onEvent: ({ type }) => type === 'retry' && clock.skip(9_000) });
		const { error } = await outcomeOf(client.predictRecord('e', { id: 0 }));
		expect(error).toMatchObject({ advice: expect.stringMatching(/did not respond to any request for 30 s/) as string });
		expect(server.requests).toHaveLength(4);
	});

	it('one request at a time is on its way once three have failed, however many calls wait', async () => {
		const outstanding: number[] = [];
		const began = performance.now();
		const server = await stage.scoring({
			faults: (request) => {
				// At its deadline, a call leaves a request behind that the server knows of a while longer.
				if (performance.now() < began + 1_000) outstanding.push(request.outstanding);
				return { kind: 'delay', ms: 5, then: { kind: 'answer', status: 503 } };
			},
		});
		const client = stage.clientOf(server);
		await Promise.all(
			Array.from(
				{ length: 50 },
				async (_, id) => await outcomeOf(client.predictRecord('e', { id }, { deadline: 1_000 })),
			),
		);
		expect(outstanding.length).toBeGreaterThan(20);
		expect(Math.max(...outstanding.slice(4))).toBe(1);
	});

	it('the calls that waited it out all succeed once it ends', async () => {
		stage.jitter(0.9);
		const server = await stage.scoring();
		const client = stage.clientOf(server);
		await server.kill();
		const calls = Array.from({ length: 40 }, async (_, id) => await client.predictRecord('e', { id }));
		setTimeout(() => void server.revive(), 2_200);
		expect(await Promise.all(calls)).toEqual(Array.from({ length: 40 }, (_, id) => ({ result: { id } })));
		expect(server.requests).toHaveLength(40);
	});
});
