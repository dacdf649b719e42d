import { AnswerError, type ApiNodeError, ConnectionError, StatusError, TimeoutError } from './errors';

export const maxAttempts = 4;

/** What one call has been through when its next attempt is considered. */
export interface CallHistory {
	/** Requests made so far. */
	attempts: number;
	timeouts: number;
	serverErrors: number;
}

/**
 * Whether a failed request may be made again.
 *
 * @param repeatable the operation has no side effect, or its user said that it may run twice
 */
export function mayRetry(failure: ApiNodeError, repeatable: boolean, history: CallHistory): boolean {
	if (history.attempts >= maxAttempts) return false;
	if (failure instanceof ConnectionError) return !failure.permanent && (repeatable || !failure.sent);
	if (failure instanceof TimeoutError) return failure.sent ? repeatable && history.timeouts <= 1 : true;
	if (!repeatable) return false;
	if (failure instanceof AnswerError) return failure.reason === 'broken';
	if (!(failure instanceof StatusError)) return false;
	if (failure.status === 500) return history.serverErrors <= 1;
	return [408, 429, 502, 503, 504].includes(failure.status);
}

/** Milliseconds before the attempt after `attempts`: full jitter, so that clients do not return in step. */
export function backoff(attempts: number, random = Math.random()): number {
	return random * Math.min(5_000, 250 * 2 ** (attempts - 1));
}

/** `Retry-After`, seconds or a date, in milliseconds from `now`; undefined for junk and for the past. */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
	const text = value?.trim();
	if (!text) return undefined;
	if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
	// Date.parse takes much that is no HTTP date: '-1' is a year to it.
	const date = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : NaN;
	return date >= now ? date - now : undefined;
}

/**
 * Bounds what retries may add to the load of an endpoint that keeps failing: some 20 % of the calls that succeed.
 */
export class RetryBudget {
	private tokens = 50;

	/** Takes what a retry costs; false when too little is left. */
	take(failure: ApiNodeError): boolean {
		const cost = failure instanceof TimeoutError ? 10 : 5;
		if (this.tokens < cost) return false;
		this.tokens -= cost;
		return true;
	}

	succeeded(): void {
		if (this.tokens < 50) this.tokens++;
	}
}
