import { type ApiNodeError, ConnectionError, StatusError, TimeoutError } from '../../../client';
import { Caller } from '../../../client/traffic/Caller';
import { Cancellation } from '../../../client/traffic/cancellation';
import { EndpointMemory } from '../../../client/traffic/EndpointMemory';
import type { QueuedCall, Slot } from '../../../client/traffic/EndpointQueue';
import { Instances } from '../../../client/traffic/Instances';
import type { Connections } from '../../../client/wire/Connections';
import { ManualClock, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

/** Two instances, of which all ties fall on the first one. */
function memory() {
	const clock = new ManualClock();
	const out: string[] = [];
	const hosts = ['a', 'b'].map((host) => ({ host }) as Connections);
	const instances = new Instances(hosts, clock, {
		checkAlive: async () => await Promise.resolve('alive'),
		onOut: ({ host }) => out.push(host),
		onBack: () => {},
	});
	const endpoint = new EndpointMemory('s/e', instances, clock);
	const call: QueuedCall = {
		caller: new Caller({}),
		stopping: new Cancellation(),
		maxConcurrency: 1_000,
		tried: new Set([instances.all[1]!]),
		left: 120_000,
		order: 0,
		noResponse: () => new Error('no response'),
	};
	const enter = async () => await endpoint.queue.enter(call);
	const report = (slot: Slot, failure?: ApiNodeError, { timeout = 30_000, ofFunction = false } = {}) =>
		endpoint.report(call, slot, { failure, timeout, bodySize: 100, ofFunction });
	return {
		out,
		/** Requests that fail one after the other at the first instance. */
		fail: async (times: number, failure: ApiNodeError, how?: { timeout?: number; ofFunction?: boolean }) => {
			for (let i = 0; i < times; i++) {
				const slot = await enter();
				clock.advance(10);
				report(slot, failure, how);
				clock.advance(0);
			}
		},
		/** How many requests the first instance takes at a time. */
		room: () => {
			const pool = endpoint.queue.pools[0]!;
			let more = 0;
			while (pool.hasRoom(pool.inFlight + 1, clock.now()) && more < 100) {
				pool.enter();
				more++;
			}
			const { inFlight } = pool;
			for (; more > 0; more--) pool.leave('none', { startedAt: clock.now(), probe: true, reduce: false }, clock.now());
			return inFlight;
		},
	};
}

const late = new TimeoutError('late', {}, true);

it.each([
	['of five seconds and more', 5_000, ['a']],
	['of less', 4_999, []],
])('Three timeouts %s take an instance out: %i ms', async (_name, timeout, expected) => {
	const { out, fail } = memory();
	await fail(3, late, { timeout });
	expect(out).toEqual(expected);
});

it.each([
	['time-out of five seconds and more', late, 5_000, 1],
	['time-out of less', late, 4_999, 2],
	['429', new StatusError('busy', { status: 429 }), 30_000, 1],
	['503', new StatusError('busy', { status: 503 }), 30_000, 1],
	['408', new StatusError('late', { status: 408 }), 30_000, 2],
	['502', new StatusError('bad gateway', { status: 502 }), 30_000, 2],
	['reset', new ConnectionError('reset', {}, true), 30_000, 2],
	['400', new StatusError('bad', { status: 400 }), 30_000, 2],
] as const)('The limit of two changes as expected after a %s', async (_name, failure, timeout, limit) => {
	const { fail, room } = memory();
	await fail(1, failure, { timeout });
	expect(room()).toBe(limit);
});

it.each([408, 429, 503])('An instance that responds with %i is busy and not out', async (status) => {
	const { out, fail } = memory();
	await fail(10, new StatusError('busy', { status }));
	expect(out).toEqual([]);
});

it.each([502, 504])('An instance is taken out after three responses with %i', async (status) => {
	const { out, fail } = memory();
	await fail(3, new StatusError('gateway', { status }));
	expect(out).toEqual(['a']);
});

it("A function's own 502 says nothing about its instance, but an API node's 502 does", async () => {
	const { out, fail } = memory();
	await fail(10, new StatusError('its own', { status: 502 }), { ofFunction: true });
	expect(out).toEqual([]);
	await fail(3, new StatusError('the node', { status: 502, errorType: 'E' }), { ofFunction: true });
	expect(out).toEqual(['a']);
});
