import { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { random as randomOf } from '../session/harness';
import { type Limit, medianOf, share, type SharedPool } from './sharedPool';

const seeds = [1, 2, 3];

type Work = SharedPool['work'];
const steady: Work = (random) => 20 * (0.85 + 0.3 * random());
const exponential: Work = (random) => -20 * Math.log(1 - random());
const works: Array<[name: string, work: Work]> = [
	['that takes the same time always', () => 20],
	['that takes about the same time', steady],
	['that takes any time (exponential)', exponential],
	['of which one in ten is eight times as quick', (random) => (random() < 0.1 ? 5 : 40)],
	['that gets twice as slow for all meanwhile', (random, now) => (now > 6_000 ? 2 : 1) * steady(random, now)],
];

const shared = (options: Omit<SharedPool, 'seed' | 'limit'> & { limit?: () => Limit }) =>
	medianOf({ limit: () => new ConcurrencyLimit(), ...options }, seeds);

describe.each(works)('Work %s', (_name, work) => {
	it.each([1, 2, 4, 8, 12, 16])('is shared evenly by %i processes, and the pool used up', (processes) => {
		const { used, rejected, failed, unevenness } = shared({ processes, work });
		expect(used).toBeGreaterThan(0.85);
		expect(rejected).toBeLessThan(0.005);
		expect(failed).toBe(0);
		expect(unevenness).toBeLessThan(1.5);
	});

	it.each([32, 48, 64])(
		'is refused to %i processes, of which each may have less than one, less than once in twenty times',
		(processes) => {
			const { used, rejected, failed } = shared({ processes, work });
			expect(used).toBeGreaterThan(0.9);
			expect(rejected).toBeLessThan(0.05);
			// Of some 8,000 calls for each seed.
			expect(failed / seeds.length).toBeLessThan(10);
		},
	);
});

it.each([2, 4, 8, 16])(
	'Of %i processes that start one after the other, the last has its part 2 s later',
	(processes) => {
		const startsAt = (process: number) => process * 100;
		const warmUp = 2_000 + startsAt(processes - 1);
		const { used, rejected, unevenness } = shared({ processes, work: steady, startsAt, warmUp });
		expect(used).toBeGreaterThan(0.9);
		expect(rejected).toBeLessThan(0.005);
		expect(unevenness).toBeLessThan(1.5);
	},
);

/** A client without a rule, and two in flight. */
const plain = (): Limit => ({ value: 2, responded: () => {}, overloaded: () => {} });
const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

describe.each(works.slice(0, 4))('Next to a caller without a limit, work %s', (_name, work) => {
	// With 20, two more in flight look like the 22 of eleven processes with the rule: their shares go first.
	it.each([
		[8, 0.9],
		[12, 0.9],
		[16, 0.85],
		[20, 0.45],
	])(
		'is served to a process with the rule, of which %i are outstanding: %d of what a plain client gets',
		(stranger, least) => {
			const ratio = (seed: number) => {
				const served = (limit: () => Limit) => share({ processes: 1, limit, work, stranger, seed }).served[0]!;
				return served(() => new ConcurrencyLimit()) / served(plain);
			};
			expect(median(seeds.map(ratio))).toBeGreaterThan(least);
		},
	);

	it.each([8, 12, 16, 20])(
		'has webhooks served within twice the time of a plain client when %i are outstanding',
		(stranger) => {
			const ratio = (seed: number) => {
				const p99 = (limit: () => Limit) =>
					share({ processes: 1, limit, work, stranger, seed, callsPerSecond: 5, counted: 60_000 }).p99;
				return p99(() => new ConcurrencyLimit()) / p99(plain);
			};
			expect(median(seeds.map(ratio))).toBeLessThan(2);
		},
	);

	it.each([
		[2, 0.9],
		[4, 0.9],
		[8, 0.85],
		[16, 0.3],
	])('is shared by %i processes, half of them plain: %d of what a plain one gets', (processes, least) => {
		const limit = (process: number) => (process % 2 ? plain() : new ConcurrencyLimit());
		const ratio = (seed: number) => {
			const { served } = share({ processes, limit, work, seed });
			const sum = (part: number) => served.filter((_, process) => process % 2 === part).reduce((a, b) => a + b);
			return sum(0) / sum(1);
		};
		expect(median(seeds.map(ratio))).toBeGreaterThan(least);
	});
});

it.each([
	['40 of 100 ms', 100, 40, 1_000],
	['60 of 100 ms', 100, 60, 1_000],
	['75 of 100 ms', 100, 75, 5_000],
	['0.9 of 1 s', 1_000, 900, 5_000],
	['0.8 of 1.6 ms', 1.6, 0.8, 1_000],
])('A wait that is the same at any limit (%s) costs at most 15 %%', (_name, took, waited, requests) => {
	const costWith = (seed: number) => {
		jest.spyOn(Math, 'random').mockImplementation(randomOf(seed));
		const limit = new ConcurrencyLimit();
		const ends: number[] = [];
		let now = 0;
		let sent = 0;
		for (let served = 0; served < requests; served++) {
			for (; sent < requests && ends.length < Math.min(8, limit.value); sent++) {
				ends.push(Math.max(now, limit.resumesAt ?? 0) + took);
			}
			now = ends.shift()!;
			limit.responded(ends.length + 1, now - took, now, waited);
		}
		jest.restoreAllMocks();
		return now / ((requests / 8) * took);
	};
	expect(median(seeds.map(costWith))).toBeLessThan(1.15);
});

it.each([1, 4, 8])('Pipelines that start in 3 s do not slow %i processes down for long', (processes) => {
	const { used, unevenness } = shared({ processes, work: steady, pipelineStart: 3_000, warmUp: 10_000 });
	expect(used).toBeGreaterThan(0.9);
	expect(unevenness).toBeLessThan(1.5);
});

/** What the client had before, and has where an API node does not say how long requests wait. */
class RefusalsOnly extends ConcurrencyLimit {
	override responded(inFlight: number, startedAt: number, now: number): void {
		super.responded(inFlight, startedAt, now);
	}
}

/** Down by a tenth when a request takes 1.4 times as long as the quickest did, up by one for each window. */
class LatencyGate implements Limit {
	value = 1;
	private quickest = Infinity;
	private reducedAt = -Infinity;

	responded(inFlight: number, startedAt: number, now: number): void {
		const took = now - startedAt;
		this.quickest = Math.min(this.quickest, took);
		if (took > 1.4 * this.quickest) this.reduce(0.9, startedAt, now);
		else if (inFlight >= Math.floor(this.value)) this.value += 1 / this.value;
	}

	overloaded(startedAt: number, now: number): void {
		this.reduce(0.5, startedAt, now);
	}

	private reduce(factor: number, startedAt: number, now: number): void {
		if (startedAt < this.reducedAt) return;
		this.value = Math.max(1, this.value * factor);
		this.reducedAt = now;
	}
}

/** As TCP Vegas: one more or less per round trip, by what the time beyond the quickest shows of the queue. */
class Vegas implements Limit {
	value = 2;
	private quickest = Infinity;
	private changedAt = -Infinity;

	responded(inFlight: number, startedAt: number, now: number): void {
		const took = now - startedAt;
		this.quickest = Math.min(this.quickest, took);
		const queued = this.value * (1 - this.quickest / took);
		if (queued > 1) this.change(this.value - 1, startedAt, now);
		else if (queued < 0.5 && inFlight >= this.value) this.change(this.value + 1, startedAt, now);
	}

	overloaded(startedAt: number, now: number): void {
		this.change(Math.floor(this.value / 2), startedAt, now);
	}

	private change(value: number, startedAt: number, now: number): void {
		if (startedAt < this.changedAt) return;
		this.value = Math.max(1, value);
		this.changedAt = now;
	}
}

describe('An alternative rule', () => {
	it('that only reacts to refusals is too late: eight processes see one request in forty refused, four one in two hundred', () => {
		const limit = () => new RefusalsOnly();
		expect(shared({ processes: 8, work: steady, limit }).rejected).toBeGreaterThan(0.02);
		expect(shared({ processes: 4, work: steady, limit }).rejected).toBeGreaterThan(0.005);
	});

	it.each([
		['A latency gate', () => new LatencyGate()],
		['Vegas', () => new Vegas()],
	])(
		'%s gives a single process the pool as long as all work takes the same time, and an eighth of it otherwise',
		(_name, limit) => {
			expect(shared({ processes: 1, work: () => 20, limit }).used).toBeGreaterThan(0.9);
			expect(shared({ processes: 1, work: exponential, limit }).used).toBeLessThan(0.2);
		},
	);

	it.each([
		['A latency gate', () => new LatencyGate()],
		['Vegas', () => new Vegas()],
	])('%s starves some of 16 processes whose quickest request had to wait', (_name, limit) => {
		expect(shared({ processes: 16, work: steady, limit }).unevenness).toBeGreaterThan(1.8);
	});
});
