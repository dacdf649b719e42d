import { Fleet, type Liveness } from '../../../nodes/shared/client/Fleet';
import type { Instance } from '../../../nodes/shared/client/Instance';

beforeEach(() => {
	jest.useFakeTimers({ now: 1_000_000 });
	// the middle of the jitter
	jest.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
	jest.useRealTimers();
	jest.restoreAllMocks();
});

const instance = (host: string) => ({ host, inFlight: 0 }) as Instance;

function fleetOf(...names: string[]) {
	const instances = names.map(instance);
	const liveness = new Map<Instance, Liveness>();
	const checks: string[] = [];
	const onReturn = jest.fn();
	const checkAlive = async (checked: Instance) => {
		checks.push(checked.host);
		return await Promise.resolve(liveness.get(checked) ?? 'alive');
	};
	const fleet = new Fleet(instances, checkAlive, onReturn);
	const available = () => fleet.available().map(({ host }) => host);
	return {
		fleet,
		instances,
		checks,
		onReturn,
		available,
		says: (checked: Instance, what: Liveness) => void liveness.set(checked, what),
		/** Time passes, somebody asks for an instance, and the check that this sets off comes to its end. */
		async after(ms: number) {
			jest.advanceTimersByTime(ms);
			fleet.available();
			await jest.advanceTimersByTimeAsync(0);
			return available();
		},
		fail: (failing: Instance, times = 3) => Array.from({ length: times }, () => fleet.failed(failing)),
	};
}

describe('An instance', () => {
	it('is out after three failures in a row, and that is told once', () => {
		const { fail, instances, available } = fleetOf('a', 'b', 'c');
		expect(fail(instances[0], 5)).toEqual([false, false, true, false, false]);
		expect(available()).toEqual(['b', 'c']);
	});

	it('stays in when a success comes between the failures', () => {
		const { fleet, fail, instances, available } = fleetOf('a', 'b');
		fail(instances[0], 2);
		fleet.succeeded(instances[0]);
		fail(instances[0], 2);
		expect(available()).toEqual(['a', 'b']);
	});

	it('is asked whether it is alive when its break is over, not before', async () => {
		const { fail, instances, after, checks } = fleetOf('a', 'b');
		fail(instances[0]);
		expect(await after(4_900)).toEqual(['b']);
		expect(checks).toEqual([]);
		expect(await after(100)).toEqual(['a', 'b']);
		expect(checks.filter((host) => host === 'a')).toHaveLength(1);
	});

	it('gets one request at a time until one has succeeded', async () => {
		const { fleet, fail, instances, after, available, onReturn } = fleetOf('a', 'b');
		const [a] = instances;
		fail(a);
		await after(5_000);
		expect(onReturn).toHaveBeenCalledTimes(1);
		a.inFlight = 1;
		expect(available()).toEqual(['b']);
		fleet.succeeded(a);
		expect(onReturn).toHaveBeenCalledTimes(2);
		expect(available()).toEqual(['a', 'b']);
	});

	it('is out again when its one request fails, for twice as long, up to a minute', async () => {
		const { fleet, fail, instances, after } = fleetOf('a', 'b');
		const [a] = instances;
		fail(a);
		for (const pause of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
			expect(await after(pause - 1)).toEqual(['b']);
			expect(await after(1)).toEqual(['a', 'b']);
			expect(fleet.failed(a)).toBe(true);
		}
	});

	it('begins with the short break again after a success', async () => {
		const { fleet, fail, instances, after } = fleetOf('a', 'b');
		const [a] = instances;
		fail(a);
		await after(5_000);
		fleet.failed(a);
		await after(10_000);
		fleet.succeeded(a);
		fail(a);
		expect(await after(5_000)).toEqual(['a', 'b']);
	});

	it.each([
		[0, 3_750],
		[1, 6_250],
	])('has a break that varies by a quarter (at %d: %i ms)', async (random, pause) => {
		jest.spyOn(Math, 'random').mockReturnValue(random);
		const { fail, instances, after } = fleetOf('a', 'b');
		fail(instances[0]);
		expect(await after(pause - 1)).toEqual(['b']);
		expect(await after(1)).toEqual(['a', 'b']);
	});

	it('stays out while it cannot be reached, with breaks that grow', async () => {
		const { fail, instances, after, says, checks } = fleetOf('a', 'b');
		fail(instances[0]);
		says(instances[0], 'unreachable');
		for (const pause of [5_000, 10_000, 20_000]) expect(await after(pause)).toEqual(['b']);
		expect(checks.filter((host) => host === 'a')).toHaveLength(3);
		says(instances[0], 'alive');
		expect(await after(40_000)).toEqual(['a', 'b']);
	});
});

describe('Every five seconds in which it is used', () => {
	it('an instance is asked whether it is alive', async () => {
		const { after, checks } = fleetOf('a', 'b');
		await after(4_999);
		expect(checks).toEqual([]);
		await after(1);
		expect(checks).toEqual(['a', 'b']);
		await after(1_000);
		expect(checks).toHaveLength(2);
		await after(4_000);
		expect(checks).toHaveLength(4);
	});

	it('an instance that cannot be reached has one failure more', async () => {
		const { fail, instances, after, says } = fleetOf('a', 'b');
		fail(instances[0], 2);
		says(instances[0], 'unreachable');
		expect(await after(5_000)).toEqual(['b']);
	});

	it('one that stands alone is not asked: there is no other to go to', async () => {
		const { after, checks } = fleetOf('a');
		expect(await after(60_000)).toEqual(['a']);
		expect(checks).toEqual([]);
	});
});

describe('An instance that asks for no more requests', () => {
	async function draining() {
		const all = fleetOf('a', 'b');
		all.says(all.instances[0], 'draining');
		expect(await all.after(5_000)).toEqual(['b']);
		return all;
	}

	it('is left out although the requests that it still has succeed', async () => {
		const { fleet, instances, available } = await draining();
		fleet.succeeded(instances[0]);
		expect(available()).toEqual(['b']);
	});

	it('comes back when it says that it is alive', async () => {
		const { fleet, instances, after, says } = await draining();
		expect(await after(5_000)).toEqual(['b']);
		says(instances[0], 'alive');
		expect(await after(10_000)).toEqual(['a', 'b']);
		fleet.succeeded(instances[0]);
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
	it('is never put out', () => {
		const { fail, instances, available } = fleetOf('a', 'b', 'c');
		fail(instances[0]);
		fail(instances[1]);
		expect(fail(instances[2], 50)).not.toContain(true);
		expect(available()).toEqual(['c']);
	});

	it('gives way to another one that has come back', async () => {
		const { fleet, fail, instances, after } = fleetOf('a', 'b');
		const [a, b] = instances;
		fail(a);
		fail(b);
		await after(5_000);
		fleet.succeeded(a);
		expect(fleet.failed(b)).toBe(true);
		expect(await after(0)).toEqual(['a']);
	});

	it('is still given requests while the others are on trial', async () => {
		const { fail, instances, after, available } = fleetOf('a', 'b');
		fail(instances[0]);
		expect(await after(5_000)).toEqual(['a', 'b']);
		instances[0].inFlight = 1;
		expect(available()).toEqual(['b']);
	});
});
