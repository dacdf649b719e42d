import { setTimeout as wait } from 'node:timers/promises';
import type { ApiNodeClient } from '../../../client';
import type { ChaosProxy, FaultScript } from '../../support/chaosProxy';
import { asked, countEvents, outcomeOf, Stage } from '../harness';

const stage = new Stage();
let clock: ReturnType<Stage['movableClock']>;
beforeEach(() => (clock = stage.movableClock()));

const callsOf = (count: number) => Array.from({ length: count }, (_, id) => id);
const scoredAll = (count: number) => callsOf(count).map((id) => ({ result: { id } }));
const three = async () => await Promise.all([stage.scoring(), stage.scoring(), stage.scoring()]);
const hostOf = ({ port }: ChaosProxy) => `127.0.0.1:${port}`;

/** Faults of an endpoint; the question whether the instance is alive gets the healthy answer. */
const ofEndpoint =
	(fault: FaultScript): FaultScript =>
	async (request) =>
		request.path === '/isAlive/' ? undefined : await fault(request);

/** The requests that each has had since this was last asked. */
function counter(all: readonly ChaosProxy[]) {
	let before = all.map(() => 0);
	return () => {
		const now = all.map((server) => asked(server).length);
		const since = now.map((count, i) => count - before[i]!);
		before = now;
		return since;
	};
}

/** Lets the client notice that a break is over, and the answer to its question arrive. */
async function checked(client: ApiNodeClient, server: ChaosProxy, calls = 30) {
	const arrived = server.requests.length + 1;
	await client.predictRecord('e', { id: 0 });
	await server.requestsArrived(arrived);
	// the answer to isAlive is under way
	await wait(50);
	for (let id = 0; id < calls; id++) await client.predictRecord('e', { id });
}

describe('With three instances', () => {
	it.each([
		['one call after the other', 1],
		['many calls at once', 300],
	])('each gets about a third of the requests: %s', async (_name, atOnce) => {
		const all = await three();
		const client = stage.clientOf(all);
		for (let done = 0; done < 300; done += atOnce) {
			await Promise.all(callsOf(atOnce).map(async (id) => await client.predictRecord('e', { id })));
		}
		const counts = all.map((server) => asked(server).length);
		expect(counts.reduce((sum, count) => sum + count)).toBe(300);
		for (const count of counts) {
			expect(count).toBeGreaterThan(50);
			expect(count).toBeLessThan(150);
		}
	});

	it('a dead instance costs no call, is left out, and is reported', async () => {
		const all = await three();
		await all[1].kill();
		const counts = countEvents();
		const client = stage.clientOf(all, counts);
		const answers = callsOf(200).map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(answers)).toEqual(scoredAll(200));
		expect(counts.instancesOut).toEqual([hostOf(all[1])]);
		// no more than were under way there, and 2 of the 3 in a row may have come one by one
		expect(counts.retries).toBeGreaterThanOrEqual(3);
		expect(counts.retries).toBeLessThanOrEqual(8);
		expect(asked(all[0]).length + asked(all[2]).length).toBe(200);
	});

	it('an instance that breaks every connection after reading the request costs no prediction', async () => {
		const all = await three();
		all[0].setFault({ kind: 'reset', when: 'before' });
		const counts = countEvents();
		const client = stage.clientOf(all, counts);
		const answers = callsOf(200).map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(answers)).toEqual(scoredAll(200));
		expect(counts.instancesOut).toEqual([hostOf(all[0])]);
		expect(asked(all[0])).toHaveLength(counts.retries);
	});

	it('an instance that is left out stays out in later calls', async () => {
		const all = await three();
		await all[2].kill();
		const client = stage.clientOf(all);
		await Promise.all(callsOf(60).map(async (id) => await client.predictRecord('e', { id })));
		const counts = countEvents();
		const session = client.session(counts);
		await Promise.all(callsOf(60).map(async (id) => await session.predictRecord('e', { id })));
		await session.predictRecord('other', { id: 1 });
		expect([counts.retries, counts.instancesOut.length, all[2].connections]).toEqual([0, 0, 0]);
	});

	it.each([502, 504])('an instance that responds with %i is left out after three responses', async (status) => {
		const all = await three();
		all[0].setFault({ kind: 'answer', status });
		const client = stage.clientOf(all);
		for (let id = 0; id < 40; id++) await client.predictRecord('e', { id });
		expect(asked(all[0])).toHaveLength(3);
	});

	it.each([503, 429, 500, 400, 401, 404])('an instance that responds with %i is not left out', async (status) => {
		const all = await three();
		all[0].setFault({ kind: 'answer', status });
		const counts = countEvents();
		const client = stage.clientOf(all, counts);
		for (let id = 0; id < 40; id++) await outcomeOf(client.predictRecord('e', { id }));
		expect(counts.instancesOut.length).toBe(0);

		all[0].setFault(undefined);
		clock.skip(6_000);
		const from = asked(all[0]).length;
		await Promise.all(callsOf(100).map(async (id) => await client.predictRecord('e', { id })));
		expect(asked(all[0]).length).toBeGreaterThan(from);
	});

	it('a slow instance gets fewer requests, and nothing fails', async () => {
		const all = await three();
		all[0].setFault({ kind: 'delay', ms: 150 });
		for (const quick of all.slice(1)) quick.setFault({ kind: 'delay', ms: 3 });
		const client = stage.clientOf(all);
		const answers = callsOf(600).map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(answers)).toEqual(scoredAll(600));
		const [slow = NaN, ...quick] = all.map((server) => asked(server).length);
		expect(slow * 4).toBeLessThan(Math.min(...quick));
	});

	it('an overloaded instance gets as many requests as it can serve, and nothing fails', async () => {
		const all = await three();
		let refused = 0;
		all[0].setFault(({ outstanding }) => {
			if (outstanding <= 2) return { kind: 'delay', ms: 5 };
			refused++;
			return { kind: 'answer', status: 503 };
		});
		for (const sound of all.slice(1)) sound.setFault({ kind: 'delay', ms: 5 });
		const counts = countEvents();
		const client = stage.clientOf(all, counts);
		const answers = callsOf(600).map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(answers)).toEqual(scoredAll(600));
		expect(counts.instancesOut.length).toBe(0);
		expect(refused).toBeGreaterThan(0);
		expect(refused).toBeLessThanOrEqual(60);
		expect(asked(all[0]).length - refused).toBeGreaterThan(20);
	});

	it('an instance that goes up and down costs no prediction', async () => {
		const all = await three();
		const client = stage.clientOf(all);
		const answers: Array<Promise<unknown>> = [];
		for (let round = 0; round < 4; round++) {
			for (let id = 0; id < 100; id++) answers.push(client.predictRecord('e', { id: round * 100 + id }));
			await wait(30);
			await all[0].kill();
			await wait(30);
			await all[0].revive();
			clock.skip(7_000);
		}
		expect(await Promise.all(answers)).toEqual(scoredAll(400));
	});
});

describe('An instance that was left out', () => {
	async function leftOut() {
		const all = await three();
		const [dead] = all;
		await dead.kill();
		const client = stage.clientOf(all);
		for (let id = 0; id < 40; id++) await client.predictRecord('e', { id });
		return { all, dead, client };
	}

	it('is checked with isAlive, gets one request, and then its share', async () => {
		const { dead, client } = await leftOut();
		await dead.revive();
		expect(dead.requests).toEqual([]);

		clock.skip(7_000);
		dead.setFault(ofEndpoint(() => ({ kind: 'delay', ms: 200 })));
		await client.predictRecord('e', { id: 0 });
		await dead.requestsArrived(1);
		await wait(50);
		await Promise.all(callsOf(50).map(async (id) => await client.predictRecord('e', { id })));
		expect(dead.requests[0]).toMatchObject({ method: 'GET', path: '/isAlive/' });
		// no key is sent where none is needed
		expect(dead.requests[0]!.headers.authorization).toBeUndefined();
		expect(asked(dead)).toHaveLength(1);

		dead.setFault(undefined);
		await Promise.all(callsOf(200).map(async (id) => await client.predictRecord('e', { id })));
		expect(asked(dead).length).toBeGreaterThan(30);
	});

	it('stays out while nothing responds there', async () => {
		const { dead, client } = await leftOut();
		clock.skip(7_000);
		const counts = countEvents();
		const session = client.session(counts);
		for (let id = 0; id < 20; id++) await session.predictRecord('e', { id });
		expect(counts.retries).toBe(0);
		await dead.revive();
		await wait(50);
		for (let id = 0; id < 20; id++) await session.predictRecord('e', { id });
		expect([dead.requests.length, counts.retries]).toEqual([0, 0]);
	});

	it('is out for longer when its trial request fails, and the request succeeds elsewhere', async () => {
		const { dead, client } = await leftOut();
		await dead.revive();
		dead.setFault(ofEndpoint(() => ({ kind: 'reset', when: 'before' })));
		clock.skip(7_000);
		await checked(client, dead);
		expect(asked(dead)).toHaveLength(1);
		clock.skip(7_000);
		await client.predictRecord('e', { id: 0 });
		await wait(50);
		expect(dead.requests).toHaveLength(2);
		clock.skip(7_000);
		dead.setFault(undefined);
		await checked(client, dead);
		expect(asked(dead).length).toBeGreaterThan(2);
	});

	it.each([401, 403, 404])('is tried when isAlive responds with %i, which is no evidence', async (status) => {
		const { dead, client } = await leftOut();
		await dead.revive();
		dead.setFault(({ path }) => (path === '/isAlive/' ? { kind: 'answer', status } : undefined));
		clock.skip(7_000);
		await checked(client, dead);
		expect(asked(dead).length).toBeGreaterThan(2);
	});
});

describe('isAlive', () => {
	const whenAsked = (status: number): FaultScript => {
		return ({ path }) => (path === '/isAlive/' ? { kind: 'answer', status } : { kind: 'delay', ms: 20 });
	};

	it.each([500, 503])(
		'takes an instance out when it responds with %i, although the instance serves',
		async (status) => {
			const all = await three();
			const [drained] = all;
			for (const server of all) server.setFault({ kind: 'delay', ms: 20 });
			const client = stage.clientOf(all);
			drained.setFault(whenAsked(status));
			clock.skip(5_000);
			const underWay = callsOf(150).map(async (id) => await client.predictRecord('e', { id }));
			await drained.requestsArrived(1);
			expect(await Promise.all(underWay)).toEqual(scoredAll(150));
			const count = counter(all);
			count();
			const later = callsOf(150).map(async (id) => await client.predictRecord('e', { id }));
			expect(await Promise.all(later)).toEqual(scoredAll(150));
			const [atDrained, ...others] = count();
			expect(atDrained).toBe(0);
			expect(Math.min(...others)).toBeGreaterThan(0);
		},
	);

	it.each([401, 403, 404, 200])('changes nothing when it responds with %i', async (status) => {
		const all = await three();
		const client = stage.clientOf(all);
		all[0].setFault(whenAsked(status));
		clock.skip(5_000);
		await client.predictRecord('e', { id: 0 });
		await wait(50);
		const count = counter(all);
		count();
		await Promise.all(callsOf(150).map(async (id) => await client.predictRecord('e', { id })));
		expect(Math.min(...count())).toBeGreaterThan(0);
	});

	it('changes nothing when it responds with 5xx at the only instance', async () => {
		const server = await stage.scoring({ faults: whenAsked(503) });
		const client = stage.clientOf(server);
		clock.skip(5_000);
		await Promise.all(callsOf(20).map(async (id) => await client.predictRecord('e', { id })));
		expect(server.requests).toHaveLength(20);
	});

	it('keeps one instance in use when it responds with 5xx everywhere', async () => {
		const all = await Promise.all([1, 2].map(async () => await stage.scoring({ faults: whenAsked(503) })));
		const client = stage.clientOf(all);
		for (let round = 0; round < 6; round++) {
			clock.skip(5_000);
			const answers = callsOf(20).map(async (id) => await client.predictRecord('e', { id }));
			expect(await Promise.all(answers)).toEqual(scoredAll(20));
		}
	});
});

describe('With all instances dead', () => {
	it('a call fails at its deadline, and its error names the last instance', async () => {
		const all = await three();
		await Promise.all(all.map(async (server) => await server.kill()));
		const client = stage.clientOf(all);
		const { error } = await outcomeOf(client.predictRecord('e', { id: 1 }, { deadline: 1_000 }));
		expect(error).toMatchObject({ name: 'ConnectionError', code: 'ECONNREFUSED' });
		expect(error?.message).toMatch(/^127\.0\.0\.1:\d+ refused the connection: nothing is listening on this port$/);
	});

	it.each([0, 1, 2])('and number %i of them back, all calls succeed there', async (index) => {
		const all = await three();
		const client = stage.clientOf(all);
		await Promise.all(all.map(async (server) => await server.kill()));
		const failing = callsOf(20).map(
			async (id) => await outcomeOf(client.predictRecord('e', { id }, { deadline: 300 })),
		);
		for (const { error } of await Promise.all(failing))
			expect(error?.message).toMatch(/refused the connection|has not responded for/);

		await all[index]!.revive();
		clock.skip(60_000);
		// the first of them finds out what the others profit from
		await outcomeOf(client.predictRecord('e', { id: 0 }));
		await wait(300);
		const answers = callsOf(100).map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(answers)).toEqual(scoredAll(100));
	});

	it('for the time of a restart, the calls in progress wait for it', async () => {
		const all = await three();
		const client = stage.clientOf(all);
		await Promise.all(callsOf(30).map(async (id) => await client.predictRecord('e', { id })));
		await Promise.all(all.map(async (server) => await server.kill()));
		const answers = callsOf(60).map(async (id) => await client.predictRecord('e', { id }));
		setTimeout(() => void Promise.all(all.map(async (server) => await server.revive())), 1_000);
		expect(await Promise.all(answers)).toEqual(scoredAll(60));
	});
});
