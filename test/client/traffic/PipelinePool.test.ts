import type { Instance } from '../../../client/traffic/Instances';
import { PipelinePool } from '../../../client/traffic/PipelinePool';
import { ManualClock, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.jitter(0.999999));

function poolAndClock() {
	const pool = new PipelinePool({ inFlight: 0 } as Instance);
	const clock = new ManualClock();
	const enter = () => ({ startedAt: clock.now(), probe: pool.enter() });
	type Request = ReturnType<typeof enter>;
	return {
		pool,
		clock,
		enter,
		answer: (request: Request) => pool.leave('responded', { ...request, reduce: false }, clock.now()),
		fail: (request: Request, { retryAfter, reduce = false }: { retryAfter?: number; reduce?: boolean } = {}) =>
			pool.leave('down', { ...request, retryAfter, reduce }, clock.now()),
		say: (request: Request) => pool.leave('none', { ...request, reduce: false }, clock.now()),
		/** How many more requests it takes. */
		room: (most = 1_000) => {
			const entered: Request[] = [];
			while (pool.hasRoom(most, clock.now()) && entered.length < 2_000) entered.push(enter());
			for (const request of entered) pool.leave('none', { ...request, reduce: false }, clock.now());
			return entered.length;
		},
	};
}

/** A pool whose limit was raised by full windows of answers. */
function raisedTo(limit: number) {
	const all = poolAndClock();
	while (all.room() < limit) {
		const requests = Array.from({ length: all.room() }, all.enter);
		for (let answers = 0; answers < requests.length; answers++) {
			all.answer(requests.shift()!);
			requests.push(all.enter());
		}
		requests.forEach(all.say);
	}
	return all;
}

describe('A pool of pipelines', () => {
	it('admits as many requests as its limit and the present callers allow', () => {
		expect(poolAndClock().room()).toBe(2);
		const { room } = raisedTo(24);
		expect([room(), room(8), room(0)]).toEqual([24, 8, 0]);
	});

	it('counts its requests in flight, in the pool and on its instance', () => {
		const { pool, enter, answer, say } = poolAndClock();
		const [first, second] = [enter(), enter()];
		expect([pool.inFlight, pool.instance.inFlight]).toEqual([2, 2]);
		answer(first);
		say(second);
		expect([pool.inFlight, pool.instance.inFlight]).toEqual([0, 0]);
	});

	/** Enters as the queue does, after looking whether there is room. */
	function admitted({ pool, clock, enter }: ReturnType<typeof poolAndClock>) {
		expect(pool.hasRoom(8, clock.now())).toBe(true);
		return enter();
	}

	it('pauses after three failures in a row, admits one probe, and then as many requests as before', () => {
		const all = raisedTo(5);
		const { pool, clock, enter, fail, answer, room } = all;
		for (let i = 0; i < 3; i++) fail(enter());
		expect([room(), pool.failing, pool.resumesAt]).toEqual([0, true, expect.closeTo(clock.now() + 250, 1)]);
		clock.advance(250);
		const probe = admitted(all);
		expect([probe.probe, room()]).toEqual([true, 0]);
		answer(probe);
		expect([pool.failing, pool.resumesAt, room()]).toEqual([false, undefined, 5]);
	});

	it('admits another probe when the first one ended without evidence', () => {
		const all = poolAndClock();
		const { pool, clock, enter, fail, say } = all;
		for (let i = 0; i < 3; i++) fail(enter());
		clock.advance(250);
		const probe = admitted(all);
		expect(pool.hasRoom(8, clock.now())).toBe(false);
		say(probe);
		expect(pool.hasRoom(8, clock.now())).toBe(true);
	});

	it('admits a probe while requests hang since before the pause', () => {
		const { pool, clock, enter, fail } = poolAndClock();
		enter();
		for (let i = 0; i < 3; i++) fail(enter(), { reduce: true });
		clock.advance(250);
		expect(pool.inFlight).toBe(1);
		expect(pool.hasRoom(8, clock.now())).toBe(true);
	});

	it('admits half as many requests after an overload', () => {
		const { enter, fail, room } = raisedTo(24);
		fail(enter(), { reduce: true });
		expect(room()).toBe(12);
	});

	it('admits one request after the other with pauses when it refuses even one at a time', () => {
		const { pool, clock, enter, fail, room } = poolAndClock();
		for (let i = 0; i < 5; i++) {
			const request = enter();
			clock.advance(100);
			pool.leave('responded', { ...request, reduce: false, waitedMs: 50 }, clock.now());
			fail(enter(), { reduce: true });
		}
		expect([room(), pool.failing, pool.resumesAt]).toEqual([0, false, clock.now() + 100]);
		clock.advance(100);
		expect(room()).toBe(1);
	});

	it('pauses for the time of Retry-After, and returns it', () => {
		const { clock, enter, fail, room } = raisedTo(5);
		expect(fail(enter(), { retryAfter: 7_000 })).toBe(7_000);
		expect(room()).toBe(0);
		clock.advance(7_000);
		expect(room()).toBe(1);
	});
});
