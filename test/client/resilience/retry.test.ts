import { AnswerError, ConnectionError, StatusError, TimeoutError } from '../../../nodes/shared/client';
import { backoff, maxAttempts, mayRetry, parseRetryAfter, RetryBudget } from '../../../nodes/shared/client/retry';

const busy = new StatusError('busy', { status: 503 });
const late = new TimeoutError('late', {}, true);

describe('The pause before the next attempt', () => {
	it.each([
		[1, 250],
		[2, 500],
		[3, 1_000],
		[4, 2_000],
		[5, 4_000],
		[6, 5_000],
		[60, 5_000],
	])('after %i attempts lies anywhere between nothing and %i ms', (attempts, most) => {
		expect([0, 0.5, 1].map((random) => backoff(attempts, random))).toEqual([0, most / 2, most]);
	});

	it('differs from one client to the next', () => {
		expect(new Set(Array.from({ length: 20 }, () => backoff(3))).size).toBeGreaterThan(1);
	});
});

describe('Retry-After', () => {
	const now = Date.parse('2025-03-01T12:00:00Z');

	it.each([
		['0', 0],
		['2', 2_000],
		[' 2 ', 2_000],
		['1.5', 1_500],
		['1000000000', 1e12],
		['Sat, 01 Mar 2025 12:00:30 GMT', 30_000],
		['Saturday, 01-Mar-25 12:00:30 GMT', 30_000],
	])("'%s' is a time to wait", (value, ms) => expect(parseRetryAfter(value, now)).toBe(ms));

	it.each([undefined, '', ' ', '-1', '1e9', 'soon', '2 s', 'NaN', 'Infinity', '0x10', 'Sat, 01 Mar 2025 11:59:59 GMT'])(
		"'%s' says nothing",
		(value) => expect(parseRetryAfter(value, now)).toBeUndefined(),
	);
});

describe('The retry budget', () => {
	const timesTaken = (budget: RetryBudget, failure: StatusError | TimeoutError) => {
		let times = 0;
		while (times < 1_000 && budget.take(failure)) times++;
		return times;
	};

	it('pays for ten retries, or for five after time-outs', () => {
		expect(timesTaken(new RetryBudget(), busy)).toBe(10);
		expect(timesTaken(new RetryBudget(), late)).toBe(5);
	});

	it('earns a retry with five successes, and keeps no more than it began with', () => {
		const budget = new RetryBudget();
		timesTaken(budget, busy);
		for (let i = 0; i < 4; i++) budget.succeeded();
		expect(budget.take(busy)).toBe(false);
		budget.succeeded();
		expect(budget.take(busy)).toBe(true);
		for (let i = 0; i < 10_000; i++) budget.succeeded();
		expect(timesTaken(budget, busy)).toBe(10);
	});

	it('adds a fifth to the load when every call fails once and then succeeds', () => {
		const budget = new RetryBudget();
		timesTaken(budget, busy);
		let retries = 0;
		for (let call = 0; call < 1_000; call++) {
			// a call that may not be repeated has failed, and the next one finds the endpoint recovered
			if (budget.take(busy)) retries++;
			budget.succeeded();
		}
		expect(retries).toBeGreaterThan(195);
		expect(retries).toBeLessThanOrEqual(200);
	});
});

describe('An attempt after the last one', () => {
	const first = { attempts: 1, timeouts: 0, serverErrors: 0 };

	it.each([
		['a 503', busy],
		['a broken connection', new ConnectionError('broken', {}, true)],
		['a refused connection', new ConnectionError('refused', {}, false)],
		['a broken answer', new AnswerError('broken', {}, 'broken')],
	])('is not made, whatever came before it: %s', (_name, failure) => {
		expect(maxAttempts).toBe(4);
		expect([1, 2, 3, 4, 5].map((attempts) => mayRetry(failure, true, { ...first, attempts }))).toEqual([
			true,
			true,
			true,
			false,
			false,
		]);
	});

	it.each([
		['a certificate that is not accepted', new ConnectionError('certificate', {}, false, true)],
		['an answer that is too large', new AnswerError('large', {}, 'tooLarge')],
		['an answer that does not fit', new AnswerError('misfit', {}, 'misfit')],
		['a web page', new AnswerError('page', {}, 'notJson')],
	])('is not made after %s', (_name, failure) => expect(mayRetry(failure, true, first)).toBe(false));

	it('is made once after a time-out and once after a 500', () => {
		const failed = new StatusError('failed', { status: 500 });
		expect([1, 2].map((timeouts) => mayRetry(late, true, { ...first, timeouts }))).toEqual([true, false]);
		expect([1, 2].map((serverErrors) => mayRetry(failed, true, { ...first, serverErrors }))).toEqual([true, false]);
	});
});
