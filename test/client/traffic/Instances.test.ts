import { type Instance, Instances, type Liveness } from '../../../client/traffic/Instances';
import type { Connections } from '../../../client/wire/Connections';
import { ManualClock, Stage } from '../harness';

const stage = new Stage();
// the middle of the jitter
beforeEach(() => stage.jitter(0.5));

/** Lets what has been answered be noticed. */
const settled = async () => await new Promise(setImmediate);

function instancesOf<Names extends string[]>(...names: Names) {
	const clock = new ManualClock();
	const liveness = new Map<Instance, Liveness>();
	const checks: string[] = [];
	const onOut = jest.fn();
	const onBack = jest.fn();
	const checkAlive = async (checked: Instance) => {
		checks.push(checked.host);
		return await Promise.resolve(liveness.get(checked) ?? 'alive');
	};
	const all = new Instances(
		names.map((host) => ({ host }) as Connections),
		clock,
		{ checkAlive, onOut, onBack },
	);
	const available = () => all.available().map(({ host }) => host);
	return {
		all,
		instances: all.all as { [Index in keyof Names]: Instance },
		clock,
		checks,
		onOut,
		onBack,
		available,
		says: (checked: Instance, what: Liveness) => void liveness.set(checked, what),
		/** Time passes, somebody asks for an instance, and the check that this sets off comes to its end. */
		after: async (ms: number) => {
			clock.advance(ms);
			all.available();
			await settled();
			return available();
		},
		fail: (failing: Instance, times = 3) => Array.from({ length: times }, () => all.failed(failing)),
	};
}

describe('An instance', () => {
	it('is taken out after three failures in a row, which is reported once', () => {
		const { fail, instances, available, onOut } = instancesOf('a', 'b', 'c');
		expect(fail(instances[0], 5)).toEqual([false, false, true, false, false]);
		expect(onOut.mock.calls).toEqual([[instances[0], 5_000]]);
		expect(available()).toEqual(['b', 'c']);
	});

	it('stays in when a success comes between the failures', () => {
		const { all, fail, instances, available } = instancesOf('a', 'b');
		fail(instances[0], 2);
		all.succeeded(instances[0]);
		fail(instances[0], 2);
		expect(available()).toEqual(['a', 'b']);
	});

	it('stays in when a later request to any endpoint succeeded meanwhile', () => {
		const { all, clock, instances, available } = instancesOf('a', 'b');
		const startedAt = clock.now();
		clock.advance(20);
		all.succeeded(instances[0]);
		for (let i = 0; i < 5; i++) expect(all.failed(instances[0], startedAt)).toBe(false);
		expect(available()).toEqual(['a', 'b']);
	});

	it('is checked with isAlive when its break is over, and not before', async () => {
		const { fail, instances, after, checks } = instancesOf('a', 'b');
		fail(instances[0]);
		expect(await after(4_900)).toEqual(['b']);
		expect(checks).toEqual([]);
		expect(await after(100)).toEqual(['a', 'b']);
		expect(checks.filter((host) => host === 'a')).toHaveLength(1);
	});

	it('gets one request at a time until one has succeeded', async () => {
		const { all, fail, instances, after, available, onBack } = instancesOf('a', 'b');
		const [a] = instances;
		fail(a);
		await after(5_000);
		expect(onBack).toHaveBeenCalledTimes(1);
		a.inFlight = 1;
		expect(available()).toEqual(['b']);
		all.succeeded(a);
		expect(onBack).toHaveBeenCalledTimes(2);
		expect(available()).toEqual(['a', 'b']);
	});

	it('is taken out again when its trial request fails, for twice as long, up to a minute', async () => {
		const { all, fail, instances, after } = instancesOf('a', 'b');
		const [a] = instances;
		fail(a);
		for (const pause of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
			expect(await after(pause - 1)).toEqual(['b']);
			expect(await after(1)).toEqual(['a', 'b']);
			expect(all.failed(a)).toBe(true);
		}
	});

	it('starts with the short break again after a success', async () => {
		const { all, fail, instances, after } = instancesOf('a', 'b');
		const [a] = instances;
		fail(a);
		await after(5_000);
		all.failed(a);
		await after(10_000);
		all.succeeded(a);
		fail(a);
		expect(await after(5_000)).toEqual(['a', 'b']);
	});

	it.each([
		[0, 3_750],
		[1, 6_250],
	])('has a break with up to a quarter of random variation (at %d: %i ms)', async (random, pause) => {
		stage.jitter(random);
		const { fail, instances, after } = instancesOf('a', 'b');
		fail(instances[0]);
		expect(await after(pause - 1)).toEqual(['b']);
		expect(await after(1)).toEqual(['a', 'b']);
	});

	it('stays out while it cannot be reached, with growing breaks', async () => {
		const { fail, instances, after, says, checks } = instancesOf('a', 'b');
		fail(instances[0]);
		says(instances[0], 'unreachable');
		for (const pause of [5_000, 10_000, 20_000]) expect(await after(pause)).toEqual(['b']);
		expect(checks.filter((host) => host === 'a')).toHaveLength(3);
		says(instances[0], 'alive');
		expect(await after(40_000)).toEqual(['a', 'b']);
	});
});

describe('Every five seconds, while instances are used', () => {
	it('each instance is checked with isAlive', async () => {
		const { after, checks } = instancesOf('a', 'b');
		await after(4_999);
		expect(checks).toEqual([]);
		await after(1);
		expect(checks).toEqual(['a', 'b']);
		await after(1_000);
		expect(checks).toHaveLength(2);
		await after(4_000);
		expect(checks).toHaveLength(4);
	});

	it('an unreachable instance gets one more failure', async () => {
		const { fail, instances, after, says } = instancesOf('a', 'b');
		fail(instances[0], 2);
		says(instances[0], 'unreachable');
		expect(await after(5_000)).toEqual(['b']);
	});

	it('a single instance is not checked, because there is no alternative', async () => {
		const { after, checks } = instancesOf('a');
		expect(await after(60_000)).toEqual(['a']);
		expect(checks).toEqual([]);
	});
});

describe('An instance that asks for no more requests', () => {
	async function draining() {
		const given = instancesOf('a', 'b');
		given.says(given.instances[0], 'draining');
		expect(await given.after(5_000)).toEqual(['b']);
		return given;
	}

	it('is left out although its remaining requests succeed', async () => {
		const { all, instances, available } = await draining();
		all.succeeded(instances[0]);
		expect(available()).toEqual(['b']);
	});

	it('comes back when isAlive responds with success', async () => {
		const { all, instances, after, says } = await draining();
		expect(await after(5_000)).toEqual(['b']);
		says(instances[0], 'alive');
		expect(await after(10_000)).toEqual(['a', 'b']);
		all.succeeded(instances[0]);
		expect(await after(0)).toEqual(['a', 'b']);
	});

	it('is used when it is the last one', async () => {
		const { instances, fail, after, says } = await draining();
		says(instances[1], 'draining');
		expect(await after(5_000)).toEqual(['b']);
		expect(fail(instances[1])).toEqual([false, false, false]);
		for (let seconds = 0; seconds < 60; seconds++) expect(await after(1_000)).toEqual(['b']);
	});
});

describe('The last instance', () => {
	it('is never taken out', () => {
		const { fail, instances, available } = instancesOf('a', 'b', 'c');
		fail(instances[0]);
		fail(instances[1]);
		expect(fail(instances[2], 50)).not.toContain(true);
		expect(available()).toEqual(['c']);
	});

	it('is no longer used when another instance has come back', async () => {
		const { all, fail, instances, after } = instancesOf('a', 'b');
		const [a, b] = instances;
		fail(a);
		fail(b);
		await after(5_000);
		all.succeeded(a);
		expect(all.failed(b)).toBe(true);
		expect(await after(0)).toEqual(['a']);
	});

	it('still gets requests while the others are on trial', async () => {
		const { fail, instances, after, available } = instancesOf('a', 'b');
		fail(instances[0]);
		expect(await after(5_000)).toEqual(['a', 'b']);
		instances[0].inFlight = 1;
		expect(available()).toEqual(['b']);
	});
});
