import { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { type Limit, medianOf, type SharedPool } from './sharedPool';

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
	it.each([1, 2, 4, 8, 16])('is shared evenly by %i processes, and the pool used up', (processes) => {
		const { used, rejected, failed, unevenness } = shared({ processes, work });
		expect(used).toBeGreaterThan(0.85);
		expect(rejected).toBeLessThan(0.001);
		expect(failed).toBe(0);
		expect(unevenness).toBeLessThan(1.5);
	});

	it.each([32, 48, 64])('is hardly ever refused to %i processes, of which each may have less than one', (processes) => {
		const { used, rejected, failed } = shared({ processes, work });
		expect(used).toBeGreaterThan(0.9);
		expect(rejected).toBeLessThan(0.05);
		expect(failed).toBe(0);
	});
});

it.each([2, 4, 8, 16])(
	'Of %i processes that start one after the other, the last has its part 2 s later',
	(processes) => {
		const startsAt = (process: number) => process * 100;
		const warmUp = 2_000 + startsAt(processes - 1);
		const { used, rejected, unevenness } = shared({ processes, work: steady, startsAt, warmUp });
		expect(used).toBeGreaterThan(0.9);
		expect(rejected).toBeLessThan(0.001);
		expect(unevenness).toBeLessThan(1.5);
	},
);

it.each([1, 4, 8])('Pipelines that take 3 s to start do not hold %i processes down for long', (processes) => {
	const { used, unevenness } = shared({ processes, work: steady, pipelineStart: 3_000, warmUp: 10_000 });
	expect(used).toBeGreaterThan(0.9);
	expect(unevenness).toBeLessThan(1.5);
});

/** What the client had before, and has where an API node does not say how long requests wait. */
class RefusalsOnly extends ConcurrencyLimit {
	override answered(inFlight: number, startedAt: number, now: number): void {
		super.answered(inFlight, startedAt, now);
	}
}

/** Down by a tenth when a request takes 1.4 times as long as the quickest did, up by one for each window. */
class LatencyGate implements Limit {
	value = 1;
	private quickest = Infinity;
	private reducedAt = -Infinity;

	answered(inFlight: number, startedAt: number, now: number): void {
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

	answered(inFlight: number, startedAt: number, now: number): void {
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

describe('Why not another rule', () => {
	it('Refusals alone come too late: eight processes see one request in forty refused, four one in two hundred', () => {
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
	])('%s starves some of 16 processes, whose quickest request has waited already', (_name, limit) => {
		expect(shared({ processes: 16, work: steady, limit }).unevenness).toBeGreaterThan(1.8);
	});
});
