import { type ApiNodeError, ConnectionError, ResponseError, StatusError, TimeoutError } from '../errors';

/** Attempts of a call whose endpoint serves others meanwhile. */
export const maxAttempts = 4;

/** How long a session waits for an endpoint that does not answer anybody, from its first failure there. */
export const patienceMs = 30_000;

/** An attempt with less time than this says nothing about the API node, whose own queue holds a request for up to 10 s. */
export const tellingTimeoutMs = 5_000;

/** What a call may do without being asked, such as a retry. */
export interface RetryRule {
	/** Whether the API node may get the request twice. */
	repeatable: boolean;
	/** Attempts while its endpoint serves others. Default: {@link maxAttempts}. */
	attempts?: number;
	/** Whether it is sent again after a time-out, once. Default: true. */
	repeatsTimeout?: boolean;
	/** Whether it is sent again after a 500, once. Default: true. */
	repeatsServerError?: boolean;
	/** Whether a connection that breaks, a time-out, a 502 and a 504 may be due to the very request. Default: false. */
	mayBeToBlame?: boolean;
}

/** What one call has been through when its next attempt is considered. */
export interface CallHistory {
	timeouts: number;
	/** Times that the API node responded 500. */
	serverErrors: number;
}

/**
 * Whether a failure is of a kind after which the same request may be made again.
 *
 * @param repeatable the operation has no side effect, or its user said that it may run twice
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

/** Milliseconds before the attempt after `attempts`: full jitter, so that clients do not return in step. */
export function backoff(attempts: number, random = Math.random()): number {
	return random * Math.min(5_000, 250 * 2 ** (attempts - 1));
}

/** What the end of an attempt says about the endpoint and the instance. */
export type Sign =
	/** A response that shows both at work, whatever it says of the request. */
	| 'answered'
	/** Alive, but with too much to do: 408, 429, 503. */
	| 'busy'
	/** Out of service: no connection, a broken one, 502, 504, silence for some seconds. */
	| 'down'
	/** Nothing: cancelled, a time-out too short to tell, a certificate, a function's own choice of status. */
	| 'none';

/**
 * @param failure undefined for a success
 * @param timeout milliseconds that the attempt had
 * @param ofFunction a status may be the function's own
 */
export function signOf(failure: ApiNodeError | undefined, timeout: number, ofFunction: boolean): Sign {
	if (!failure || failure instanceof ResponseError) return 'answered';
	if (failure instanceof ConnectionError) return failure.permanent ? 'none' : 'down';
	if (failure instanceof TimeoutError) return timeout >= tellingTimeoutMs ? 'down' : 'none';
	if (!(failure instanceof StatusError)) return 'none';
	const { status } = failure;
	const busy = status === 408 || status === 429 || status === 503;
	if (!busy && status !== 502 && status !== 504) return 'answered';
	if (ofFunction && failure.errorType === undefined) return 'none';
	return busy ? 'busy' : 'down';
}

/** A failure that the very request may have caused, by making the worker die or hang. */
export function mayBeCausedByRequest(failure: ApiNodeError): boolean {
	if (failure instanceof ConnectionError) return failure.sent && !failure.permanent;
	if (failure instanceof TimeoutError) return failure.sent;
	return failure instanceof StatusError && (failure.status === 502 || failure.status === 504);
}
