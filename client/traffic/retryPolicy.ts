import { type ApiNodeError, ConnectionError, ResponseError, StatusError, TimeoutError } from '../errors';

/** Attempts of a call while its endpoint responds to other requests. */
export const maxAttempts = 4;

/** How long a session waits for an endpoint that responds to no request, from its first failure there. */
export const patienceMs = 30_000;

/** The API node may queue a request for up to 10 s, so a shorter timeout than this says nothing about it. */
export const meaningfulTimeoutMs = 5_000;

export interface RetryRule {
	/** Whether the API node may receive the request twice. */
	repeatable: boolean;
	/** Attempts while its endpoint responds to other requests. Default: {@link maxAttempts}. */
	attempts?: number;
	/** Whether the request is repeated once after a timeout. Default: true. */
	repeatsTimeout?: boolean;
	/** Whether the request is repeated once after a 500. Default: true. */
	repeatsServerError?: boolean;
	/** Whether the request itself may cause a broken connection, a timeout, a 502 or a 504. Default: false. */
	mayBeToBlame?: boolean;
}

export interface CallHistory {
	timeouts: number;
	serverErrors: number;
}

/**
 * Whether a request may be sent again after such a failure.
 *
 * @param repeatable the operation has no side effects, or its user allowed to run it twice
 */
export function isRetryable(failure: ApiNodeError, repeatable: boolean, history: CallHistory): boolean {
	if (failure instanceof ConnectionError) return !failure.permanent && (repeatable || !failure.sent);
	if (failure instanceof TimeoutError) return failure.sent ? repeatable && history.timeouts <= 1 : true;
	if (!repeatable) return false;
	if (failure instanceof ResponseError) return failure.reason === 'broken';
	if (!(failure instanceof StatusError)) return false;
	if (failure.status === 500) return history.serverErrors <= 1;
	return [408, 429, 502, 503, 504].includes(failure.status);
}

/** Milliseconds before the next attempt. Full jitter keeps clients from retrying in step. */
export function backoff(attempts: number, random = Math.random()): number {
	return random * Math.min(5_000, 250 * 2 ** (attempts - 1));
}

/** What the end of an attempt says about endpoint and instance. */
export type Sign =
	/** Both work: a response arrived, whatever it says about the request. */
	| 'responded'
	/** The endpoint is alive but overloaded: 408, 429, 503. */
	| 'busy'
	/** Out of service: no connection, a broken connection, 502, 504, or a timeout of some seconds. */
	| 'down'
	/** No evidence: a cancellation, a very short timeout, a certificate error, or a status that a function chose. */
	| 'none';

/**
 * @param failure undefined for a success
 * @param timeout milliseconds that the attempt was allowed
 * @param ofFunction whether a function may have chosen the status
 */
export function signOf(failure: ApiNodeError | undefined, timeout: number, ofFunction: boolean): Sign {
	if (!failure || failure instanceof ResponseError) return 'responded';
	if (failure instanceof ConnectionError) return failure.permanent ? 'none' : 'down';
	if (failure instanceof TimeoutError) return timeout >= meaningfulTimeoutMs ? 'down' : 'none';
	if (!(failure instanceof StatusError)) return 'none';
	const { status } = failure;
	const busy = status === 408 || status === 429 || status === 503;
	if (!busy && status !== 502 && status !== 504) return 'responded';
	if (ofFunction && failure.errorType === undefined) return 'none';
	return busy ? 'busy' : 'down';
}

/** Whether the request itself may have caused the failure, by crashing or blocking a worker. */
export function mayBeCausedByRequest(failure: ApiNodeError): boolean {
	if (failure instanceof ConnectionError) return failure.sent && !failure.permanent;
	if (failure instanceof TimeoutError) return failure.sent;
	return failure instanceof StatusError && (failure.status === 502 || failure.status === 504);
}
