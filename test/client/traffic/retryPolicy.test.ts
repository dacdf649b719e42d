import { type ApiNodeError, ConnectionError, ResponseError, StatusError, TimeoutError } from '../../../client';
import { backoff, isRetryable, maxAttempts, mayBeCausedByRequest, signOf } from '../../../client/traffic/retryPolicy';

const status = (code: number, errorType?: string) => new StatusError('status', { status: code, errorType });
const broken = new ConnectionError('broken', {}, true);
const refused = new ConnectionError('refused', {}, false);
const certificate = new ConnectionError('certificate', {}, false, true);
const late = new TimeoutError('late', {}, true);
const notConnected = new TimeoutError('no connection', {}, false);
const response = (reason: ResponseError['reason']) => new ResponseError('response', {}, reason);

describe('The pause before the next attempt', () => {
	it.each([
		[1, 250],
		[2, 500],
		[3, 1_000],
		[4, 2_000],
		[5, 4_000],
		[6, 5_000],
		[60, 5_000],
	])('after %i attempts is random from 0 to %i ms', (attempts, most) => {
		expect([0, 0.5, 1].map((random) => backoff(attempts, random))).toEqual([0, most / 2, most]);
	});

	it('differs from one client to the next', () => {
		expect(new Set(Array.from({ length: 20 }, () => backoff(3))).size).toBeGreaterThan(1);
	});
});

describe('A request', () => {
	const first = { timeouts: 0, serverErrors: 0 };

	it('is sent at most four times while other requests are served', () => expect(maxAttempts).toBe(4));

	it.each<[string, ApiNodeError]>([
		['a 408', status(408)],
		['a 429', status(429)],
		['a 502', status(502)],
		['a 503', status(503)],
		['a 504', status(504)],
		['a broken connection', broken],
		['a broken response', response('broken')],
	])('is sent again after %s only if it may run twice', (_name, failure) => {
		expect([true, false].map((repeatable) => isRetryable(failure, repeatable, first))).toEqual([true, false]);
	});

	it.each<[string, ApiNodeError]>([
		['a refused connection', refused],
		['a connection that did not come about in time', notConnected],
	])('is sent again after %s in any case, because nothing can have been sent', (_name, failure) => {
		expect([true, false].map((repeatable) => isRetryable(failure, repeatable, first))).toEqual([true, true]);
	});

	it.each<[string, ApiNodeError]>([
		['a certificate that is not accepted', certificate],
		['a response that is too large', response('tooLarge')],
		['a response that does not fit', response('misfit')],
		['a web page', response('notJson')],
		['a 400', status(400)],
		['a 401', status(401)],
		['a 404', status(404)],
		['a 413', status(413)],
		['a 501', status(501)],
		['a 302', status(302)],
	])('is not sent again after %s', (_name, failure) => {
		expect([true, false].map((repeatable) => isRetryable(failure, repeatable, first))).toEqual([false, false]);
	});

	it('is sent again once after a timeout and once after a 500', () => {
		expect([1, 2].map((timeouts) => isRetryable(late, true, { ...first, timeouts }))).toEqual([true, false]);
		const again = [1, 2].map((serverErrors) => isRetryable(status(500), true, { ...first, serverErrors }));
		expect(again).toEqual([true, false]);
	});
});

describe('The evidence about an endpoint', () => {
	it.each<[string, ApiNodeError | undefined, string]>([
		['a success', undefined, 'responded'],
		['a response that cannot be used', response('broken'), 'responded'],
		['a 400', status(400), 'responded'],
		['a 401', status(401), 'responded'],
		['a 500', status(500), 'responded'],
		['a 408', status(408), 'busy'],
		['a 429', status(429), 'busy'],
		['a 503', status(503), 'busy'],
		['a 502', status(502), 'down'],
		['a 504', status(504), 'down'],
		['a refused connection', refused, 'down'],
		['a broken connection', broken, 'down'],
		['a certificate', certificate, 'none'],
		['a time-out', late, 'down'],
	])('after %s is %s', (_name, failure, sign) => expect(signOf(failure, 30_000, false)).toBe(sign));

	it('after a timeout of less than five seconds is none', () => {
		expect([4_999, 5_000].map((timeout) => signOf(late, timeout, false))).toEqual(['none', 'down']);
	});

	it.each([408, 429, 502, 503, 504])("after a function's own %i is none, unlike after the API node's", (code) => {
		expect(signOf(status(code), 30_000, true)).toBe('none');
		expect(signOf(status(code, 'OverloadedException'), 30_000, true)).toMatch(/busy|down/);
	});
});

it.each<[boolean, string, ApiNodeError]>([
	[true, 'a broken connection', broken],
	[true, 'a time-out', late],
	[true, 'a 502', status(502)],
	[true, 'a 504', status(504)],
	[false, 'a refused connection', refused],
	[false, 'no connection in time', notConnected],
	[false, 'a certificate', certificate],
	[false, 'a 503', status(503)],
	[false, 'a 500', status(500)],
	[false, 'a broken response', response('broken')],
])('Whether a record may have crashed the worker is %s after %s', (possible, _name, failure) => {
	expect(mayBeCausedByRequest(failure)).toBe(possible);
});
