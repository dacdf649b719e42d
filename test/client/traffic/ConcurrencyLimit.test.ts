import { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { ManualClock } from '../harness';
import { random } from '../session/harness';

// Chance has its part in the limit: the same in each run.
beforeEach(() => jest.spyOn(Math, 'random').mockImplementation(random(1)));
afterEach(() => jest.restoreAllMocks());

const clock = new ManualClock();

const responses = (limit: ConcurrencyLimit, times: number, inFlight = limit.value) => {
	for (let i = 0; i < times; i++) limit.responded(inFlight, clock.now(), clock.now());
};

const overloaded = (limit: ConcurrencyLimit) => {
	clock.advance(10);
	limit.overloaded(clock.now(), clock.now());
};

const waited = (limit: ConcurrencyLimit, waitedMs: number, took = 100) => {
	const startedAt = clock.now();
	clock.advance(took);
	limit.responded(limit.value, startedAt, clock.now(), waitedMs);
};

const raisedTo = (value: number) => {
	const limit = new ConcurrencyLimit();
	while (limit.value < value) responses(limit, 1);
	return limit;
};

describe('The limit', () => {
	it('starts at two', () => expect(new ConcurrencyLimit().value).toBe(2));

	it('grows by one after a full window of responses', () => {
		const limit = new ConcurrencyLimit();
		for (const value of [2, 3, 4, 5, 6]) {
			responses(limit, value - 1);
			expect(limit.value).toBe(value);
			responses(limit, 1);
			expect(limit.value).toBe(value + 1);
		}
	});

	it('does not grow while fewer requests are in flight than it allows', () => {
		const limit = new ConcurrencyLimit();
		responses(limit, 100, 1);
		expect(limit.value).toBe(2);
	});

	it('does not grow beyond the number of requests ever in flight', () => {
		const limit = new ConcurrencyLimit();
		responses(limit, 1_000, 8);
		expect(limit.value).toBeGreaterThanOrEqual(8);
		expect(limit.value).toBeLessThanOrEqual(9);
	});

	it('is halved after an overload', () => {
		const limit = raisedTo(24);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.value).toBe(12);
	});

	it('is halved once for all requests of a round trip, and again for a later one', () => {
		const limit = raisedTo(24);
		const sentTogether = clock.now();
		clock.advance(20);
		for (let i = 0; i < 12; i++) limit.overloaded(sentTogether, clock.now());
		expect(limit.value).toBe(12);
		clock.advance(20);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.value).toBe(6);
	});

	it('is at least one, and grows from there', () => {
		const limit = new ConcurrencyLimit();
		for (let i = 0; i < 10; i++) overloaded(limit);
		expect(limit.value).toBe(1);
		responses(limit, 10);
		expect(limit.value).toBe(2);
	});

	it('grows by a quarter per window after a wait reduced it', () => {
		const limit = raisedTo(8);
		waited(limit, 50);
		expect(limit.value).toBe(4);
		responses(limit, 18);
		expect(limit.value).toBe(4);
		responses(limit, 1);
		expect(limit.value).toBe(5);
	});

	it('returns by full steps to its value before a refusal', () => {
		const limit = raisedTo(8);
		for (let i = 0; i < 3; i++) overloaded(limit);
		expect(limit.value).toBe(1);
		for (const value of [2, 3, 4, 5, 6, 7, 8]) {
			responses(limit, limit.value);
			expect(limit.value).toBe(value);
		}
	});

	it.each([20, 300, 30_000])(
		'is back after a bad second within twice the time of its first climb when a request takes %i ms',
		(took) => {
			const limit = new ConcurrencyLimit();
			const climb = () => {
				const startedAt = clock.now();
				while (limit.value < 8) {
					clock.advance(Math.max(0, (limit.resumesAt ?? 0) - clock.now()));
					const sentAt = clock.now();
					clock.advance(took);
					for (let inFlight = limit.value; inFlight > 0; inFlight--) limit.responded(limit.value, sentAt, clock.now());
				}
				return clock.now() - startedAt;
			};
			const first = climb();
			for (const endsAt = clock.now() + 1_000; clock.now() < endsAt;) overloaded(limit);
			expect(limit.value).toBe(1);
			expect(climb()).toBeLessThanOrEqual(2 * first + 9 * took);
		},
	);
});

describe('A request that waited for a pipeline', () => {
	it.each<[name: string, waitedMs: number, expected: number, took?: number]>([
		['for less than 0.3 of its time', 29, 10],
		['for four tenths of its time', 40, 6],
		['for most of its time, so that the limit is halved', 90, 5],
		['for less than 5 ms', 4.9, 10, 10],
		['for longer than it took, which cannot be', 101, 10],
		['for less than no time', -40, 10],
	])('%s (%d ms) reduces a limit of ten to %i', (_name, waitedMs, expected, took = 100) => {
		const limit = raisedTo(10);
		waited(limit, waitedMs, took);
		expect(limit.value).toBe(expected);
	});

	it('reduces the limit once per round trip', () => {
		const limit = raisedTo(10);
		const sentTogether = clock.now();
		clock.advance(100);
		for (let i = 0; i < 10; i++) limit.responded(10, sentTogether, clock.now(), 40);
		expect(limit.value).toBe(6);
	});
});

describe('The limit of a pool in which requests wait', () => {
	it.each([31, 45, 60, 66, 90, 100])(
		'never take the limit below one, nor make a pause of it: %i of 100 ms',
		(waitedMs) => {
			const limit = raisedTo(8);
			for (let i = 0; i < 5_000; i++) {
				waited(limit, waitedMs);
				expect(limit.value).toBeGreaterThanOrEqual(1);
				expect((limit.resumesAt ?? 0) - clock.now()).toBeLessThanOrEqual(50);
			}
		},
	);
});

describe('A limit below one', () => {
	const refused = () => {
		const limit = new ConcurrencyLimit();
		waited(limit, 0);
		for (let i = 0; i < 5; i++) overloaded(limit);
		return limit;
	};

	it('becomes a pause between requests after refusals with one request in flight', () => {
		const limit = refused();
		expect([limit.value, limit.resumesAt! - clock.now()]).toEqual([1, 100]);
	});

	it('is reduced by waits, too, soon after refusals', () => {
		const limit = refused();
		waited(limit, 50);
		expect(limit.resumesAt! - clock.now()).toBe(300);
	});

	it.each([
		[100, 900],
		[60_000, 5_000],
	])('pauses nine times as long as a request took, at most 5 s: %i ms, %i ms', (took, pause) => {
		const limit = refused();
		waited(limit, 0, took);
		for (let i = 0; i < 10; i++) overloaded(limit);
		expect(limit.resumesAt! - clock.now()).toBeCloseTo(pause, 5);
	});

	it('does not depend on how quickly requests are refused', () => {
		const limit = refused();
		clock.advance(1);
		limit.overloaded(clock.now(), clock.now());
		expect(limit.resumesAt! - clock.now()).toBe(300);
	});

	it('has no pause when nothing waits', () => {
		const limit = refused();
		responses(limit, 1);
		expect(limit.resumesAt).toBeUndefined();
	});
});
