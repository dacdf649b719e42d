import { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { ManualClock } from '../harness';

const clock = new ManualClock();

const answered = (limit: ConcurrencyLimit, times: number, inFlight = limit.value) => {
	for (let i = 0; i < times; i++) limit.answered(inFlight);
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

	it('is at least one', () => {
		const limit = new ConcurrencyLimit();
		for (let i = 0; i < 10; i++) {
			clock.advance(10);
			limit.overloaded(clock.now(), clock.now());
		}
		expect(limit.value).toBe(1);
		answered(limit, 1);
		expect(limit.value).toBe(2);
	});
});
