import { setTimeout as wait } from 'node:timers/promises';
import { StatusError, TimeoutError } from '../../../client';
import { failureOf, range, read, recordsOf, refusal, Scene, scoredIn, until } from './harness';

const scene = new Scene();

/** An endpoint that takes some time for each request. */
const working = async (ms: number) =>
	await scene.serverAndClient(async () => {
		await wait(ms);
		return undefined;
	});

describe('A call with its own timeout', () => {
	it.each([1, 50])('fails within its deadline when it waits behind %d calls on a silent endpoint', async (calls) => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		const run = client.session();
		for (const id of range(calls)) run.predictRecord('model', { id }).catch(() => {});
		await until(() => server.asked().length >= Math.min(calls, 2));
		const startedAt = performance.now();
		const error = await failureOf(client.predictRecord('model', { id: -1 }, { timeout: 500 }));

		expect(error).toBeInstanceOf(TimeoutError);
		// Four time-outs and one attempt; another second for a busy machine.
		expect(performance.now() - startedAt).toBeLessThan(3_500);
		expect(error.advice).toBeDefined();
	});

	it('fails within its deadline when its session has more of them', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		const run = client.session();
		for (const id of range(20)) run.predictRecord('model', { id }).catch(() => {});
		await until(() => server.asked().length >= 2);
		const startedAt = performance.now();
		const webhook = client.session();
		const errors = await Promise.all(
			range(10).map(async (id) => await failureOf(webhook.predictRecord('model', { id }, { timeout: 300 }))),
		);
		expect(errors.every((error) => error instanceof TimeoutError)).toBe(true);
		expect(performance.now() - startedAt).toBeLessThan(3_000);
	});

	it('is not delayed beyond its deadline by the Retry-After of another request', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'answer', ...refusal('Busy', 503), headers: { 'retry-after': '5' } });
		const other = client.session().predictRecord('model', { id: 1 });
		await until(() => server.asked().length === 1);
		await wait(50);
		server.setFault(undefined);
		const startedAt = performance.now();
		const outcome = await client.predictRecord('model', { id: 2 }, { timeout: 500 }).catch((error: unknown) => error);

		expect(performance.now() - startedAt).toBeLessThan(3_500);
		if (outcome instanceof Error) expect(outcome).toBeInstanceOf(TimeoutError);
		expect((await other).result).toEqual({ id: 1 });
	});

	it("fails with the endpoint's own message when the endpoint asks for a longer wait", async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'answer', ...refusal('Busy', 503), headers: { 'retry-after': '8' } });
		const error = await failureOf(client.predictRecord('model', { id: 2 }, { timeout: 500 }));

		expect(error).toBeInstanceOf(StatusError);
		expect(error.advice).toMatch(/8 s/);
	});

	it('does not time out while it waits behind calls of its own session that are served', async () => {
		const { client } = await working(20);
		const session = client.session();
		// 100 calls take two seconds or more, one at a time.
		const calls = range(100).map(
			async (id) => await session.predictRecord('model', { id }, { timeout: 400, deadline: 600, maxConcurrency: 1 }),
		);
		expect((await Promise.all(calls)).map(({ result }) => result)).toEqual(range(100).map((id) => ({ id })));
	});

	it('has its whole timeout when it waited behind calls of its own session that timed out', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		const session = client.session();
		// One at a time, they take longer than the deadline of each.
		const limits = { timeout: 200, deadline: 1_000, maxConcurrency: 1 };
		const calls = range(8).map(async (id) => await failureOf(session.runFunction('model', { id }, limits)));
		for (const { message } of await Promise.all(calls)) expect(message).toMatch(/did not respond within 200 ms$/);
		expect(server.asked()).toHaveLength(8);
	});
});

describe('The queue of an endpoint', () => {
	/** How many requests arrive after a webhook's call is made and before it does. */
	async function overtaking(queued: number): Promise<number[]> {
		const { server, client } = await working(2);
		const stop = new AbortController();
		const runs = range(10).map(() => client.session({ signal: stop.signal }));
		for (const [n, run] of runs.entries()) {
			for (const id of range(queued)) run.predictRecord('model', { id: 1_000 * (n + 1) + id }).catch(() => {});
		}
		await until(() => server.asked().length > 30);
		const ahead: number[] = [];
		for (const id of range(9)) {
			const before = server.asked().length;
			await client.predictRecord('model', { id });
			const place = server.asked().findIndex(({ body }) => read({ path: '', body }).ids[0] === id);
			ahead.push(place - before);
		}
		stop.abort();
		return ahead;
	}

	it('serves one record next when ten other sessions have many waiting calls', async () => {
		for (const queued of [50, 200]) {
			const ahead = (await overtaking(queued)).sort((a, b) => a - b);
			// One of each of the ten, and what was on its way.
			expect(ahead[4]).toBeLessThanOrEqual(20);
			expect(ahead[8]).toBeLessThanOrEqual(30);
		}
	});

	it('serves a batch in turn with a run of single records', async () => {
		const { server, client } = await working(5);
		const run = client.session();
		const singles = Promise.all(range(300).map(async (id) => await run.predictRecord('model', { id })));
		await until(() => server.asked().length > 20);
		const outcomes = await client.settle('predict', 'model', recordsOf(range(1_500, 1_000)));

		expect(scoredIn(outcomes, range(1_500, 1_000))).toHaveLength(500);
		expect(server.asked().length).toBeLessThan(200);
		await singles;
	});

	it('serves sessions in the order in which they came, and the calls of each in their order', async () => {
		const { server, client } = await working(3);
		const sessions = range(3).map(() => client.session());
		const calls = sessions.map(
			async (session, n) =>
				await Promise.all(
					range(20).map(
						async (id) => await session.predictRecord('model', { id: 100 * n + id }, { maxConcurrency: 1 }),
					),
				),
		);
		await Promise.all(calls);
		const order = server.asked().map((request) => read(request).ids[0]!);

		for (const n of range(3)) {
			const own = order.filter((id) => Math.floor(id / 100) === n);
			expect(own).toEqual(range(20).map((id) => 100 * n + id));
		}
	});
});

describe('Max Concurrency', () => {
	it('of one does not delay a session behind it that may use eight', async () => {
		const most = { one: 0, eight: 0 };
		const now = { one: 0, eight: 0 };
		const { server, client } = await scene.serverAndClient(async ({ ids }) => {
			const who = ids[0]! < 1_000 ? 'one' : 'eight';
			most[who] = Math.max(most[who], ++now[who]);
			await wait(10);
			now[who]--;
			return undefined;
		});
		const one = client.session();
		const eight = client.session();
		let oneDone = 0;
		const first = range(60).map(
			async (id) => await one.predictRecord('model', { id }, { maxConcurrency: 1 }).then(() => oneDone++),
		);
		const second = range(200).map(
			async (id) => await eight.predictRecord('model', { id: 1_000 + id }, { maxConcurrency: 8 }),
		);
		await Promise.all(second);
		const doneThen = oneDone;
		await Promise.all(first);

		expect(most.one).toBe(1);
		expect(most.eight).toBeGreaterThanOrEqual(6);
		expect(server.most()).toBeLessThanOrEqual(8);
		// 200 calls seven at a time are 29 rounds: in turns with the other, one for one, it would have been 60.
		expect(doneThen).toBeLessThan(55);
	});

	it('of the largest active session limits all sessions together', async () => {
		const { server, client } = await working(5);
		const sessions = range(5).map(() => client.session());
		await Promise.all(
			sessions.flatMap((session, n) =>
				range(40).map(async (id) => await session.predictRecord('model', { id: 100 * n + id }, { maxConcurrency: 3 })),
			),
		);
		expect(server.most()).toBeLessThanOrEqual(3);
	});
});
