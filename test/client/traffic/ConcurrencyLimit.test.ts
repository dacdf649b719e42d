import { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { ManualClock } from '../harness';

const clock = new ManualClock();

const answered = (limit: ConcurrencyLimit, times: number, inFlight = limit.value) => {
	for (let i = 0; i < times; i++) limit.answered(inFlight, clock.now(), clock.now());
};

const overloaded = (limit: ConcurrencyLimit) => {
	clock.advance(10);
	limit.overloaded(clock.now(), clock.now());
};

const waited = (limit: ConcurrencyLimit, waitedMs: number, took = 100) => {
	const startedAt = clock.now();
	clock.advance(took);
	limit.answered(limit.value, startedAt, clock.now(), waitedMs);
};

const raisedTo = (value: number) => {
	const limit = new ConcurrencyLimit();
	while (limit.value < value) answered(limit, 1);
	return limit;
};

describe('The limit', () => {
	it('starts at two', () => expect(new ConcurrencyLimit().value).toBe(2));

	it('goes up by one after as many answers as it allows requests', () => {
		const limit = new ConcurrencyLimit();
		for (const value of [2, 3, 4, 5, 6]) {
			answered(limit, value - 1);
			expect(limit.value).toBe(value);
			answered(limit, 1);
			expect(limit.value).toBe(value + 1);
		}
	});

	it('does not go up while less is asked of it than it allows', () => {
		const limit = new ConcurrencyLimit();
		answered(limit, 100, 1);
		expect(limit.value).toBe(2);
	});

	it('stops beyond what is ever in flight, instead of growing unseen', () => {
		const limit = new ConcurrencyLimit();
		answered(limit, 1_000, 8);
		expect(limit.value).toBeGreaterThanOrEqual(8);
		expect(limit.value).toBeLessThanOrEqual(9);
	});

	it('is halved by an overload', () => {
		const limit = raisedTo(24);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.value).toBe(12);
	});

	it('is halved once for all requests of the same round trip, and again for a later one', () => {
		const limit = raisedTo(24);
		const sentTogether = clock.now();
		clock.advance(20);
		for (let i = 0; i < 12; i++) limit.overloaded(sentTogether, clock.now());
		expect(limit.value).toBe(12);
		clock.advance(20);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.value).toBe(6);
	});

	it('lets one request through at least, and goes up from there', () => {
		const limit = new ConcurrencyLimit();
		for (let i = 0; i < 10; i++) overloaded(limit);
		expect(limit.value).toBe(1);
		answered(limit, 10);
		expect(limit.value).toBe(2);
	});

	it('goes up by a quarter of a request per window once it went down', () => {
		const limit = raisedTo(8);
		overloaded(limit);
		answered(limit, 18);
		expect(limit.value).toBe(4);
		answered(limit, 1);
		expect(limit.value).toBe(5);
	});
});

describe('A request that waited for a pipeline', () => {
	it.each([
		['for less than 0.3 of its time', 29, 10],
		['for four tenths of its time', 40, 6],
		['for most of its time, so that the limit is halved', 90, 5],
		['for longer than it took, which cannot be', 101, 10],
		['for less than no time', -40, 10],
	])('%s (%i of 100 ms) takes a limit of ten to %i', (_name, waitedMs, expected) => {
		const limit = raisedTo(10);
		waited(limit, waitedMs);
		expect(limit.value).toBe(expected);
	});

	it('takes it down once per round trip', () => {
		const limit = raisedTo(10);
		const sentTogether = clock.now();
		clock.advance(100);
		for (let i = 0; i < 10; i++) limit.answered(10, sentTogether, clock.now(), 40);
		expect(limit.value).toBe(6);
	});
});

describe('A limit below one', () => {
	const shared = () => {
		const limit = new ConcurrencyLimit();
		waited(limit, 50);
		waited(limit, 50);
		return limit;
	};

	it('is a pause between requests, as long as makes up for what one request is too many', () => {
		const limit = shared();
		expect([limit.value, limit.resumesAt! - clock.now()]).toEqual([1, 100]);
	});

	it.each([
		[100, 900],
		[60_000, 5_000],
	])('pauses for nine times as long as a request took, and for 5 s at most: %i ms, %i ms', (took, pause) => {
		const limit = shared();
		for (let i = 0; i < 10; i++) waited(limit, took / 2, took);
		expect(limit.resumesAt! - clock.now()).toBeCloseTo(pause, 5);
	});

	it('is not paused by how quickly requests are refused', () => {
		const limit = shared();
		clock.advance(1);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.resumesAt! - clock.now()).toBe(300);
	});

	it('has no pause any more when nothing waits', () => {
		const limit = shared();
		answered(limit, 1);
		expect(limit.resumesAt).toBeUndefined();
	});
});
