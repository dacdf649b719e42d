import { StatusError, TimeoutError } from '../../../client';
import { RetryBudget } from '../../../client/traffic/RetryBudget';

const busy = new StatusError('busy', { status: 503 });
const late = new TimeoutError('late', {}, true);

describe('The retry budget', () => {
	const timesTaken = (budget: RetryBudget, failure: StatusError | TimeoutError, now = 0) => {
		let times = 0;
		while (times < 1_000 && budget.take(failure, now)) times++;
		return times;
	};

	it('pays for ten retries, or for five after time-outs', () => {
		expect(timesTaken(new RetryBudget(), busy)).toBe(10);
		expect(timesTaken(new RetryBudget(), late)).toBe(5);
	});

	it('earns a retry with five successes, up to its initial size', () => {
		const budget = new RetryBudget();
		timesTaken(budget, busy);
		for (let i = 0; i < 4; i++) budget.succeeded();
		expect(budget.take(busy, 0)).toBe(false);
		budget.succeeded();
		expect(budget.take(busy, 0)).toBe(true);
		for (let i = 0; i < 10_000; i++) budget.succeeded();
		expect(timesTaken(budget, busy)).toBe(10);
	});

	it('adds a fifth to the load when every call fails once and then succeeds', () => {
		const budget = new RetryBudget();
		timesTaken(budget, busy);
		let retries = 0;
		for (let call = 0; call < 1_000; call++) {
			// a call that may not be repeated has failed, and the next one finds the endpoint recovered
			if (budget.take(busy, 0)) retries++;
			budget.succeeded();
		}
		expect(retries).toBeGreaterThan(195);
		expect(retries).toBeLessThanOrEqual(200);
	});

	it('refills by one token a second, up to its initial size', () => {
		const budget = new RetryBudget();
		timesTaken(budget, busy);
		expect(timesTaken(budget, busy, 4_900)).toBe(0);
		expect(timesTaken(budget, busy, 5_000)).toBe(1);
		expect(timesTaken(budget, busy, 20_000)).toBe(3);
		expect(timesTaken(budget, busy, 86_400_000)).toBe(10);
	});
});
