import type { IncomingHttpHeaders } from 'node:http';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Dispatcher } from 'undici';
import type { Reading } from './Readings';
import { joined } from './slices';

export interface WireRequest {
	method: 'GET' | 'POST';
	origin: string;
	path: string;
	headers: Record<string, string>;
	body?: string;
}

export interface WireResponse {
	status: number;
	headers: IncomingHttpHeaders;
	body: Buffer;
}

export interface ExchangeLimits {
	/** Milliseconds until the request must be on a connection. Includes name lookup, TCP, TLS and proxy. */
	connectTimeout: number;
	/** Milliseconds until the complete response must have arrived, including the time to connect. */
	timeout: number;
	/** Limit on the bytes of the body as sent by the server. */
	maxResponseBytes: number;
	/** Registers a callback for the cancellation of the call; the returned function removes it. */
	onCancel?: (callback: (reason: Error) => void) => () => void;
	/** Pauses the response while there is no room for it. */
	reading?: Reading;
}

/** Gateways add policies and traces to the headers, which then exceed the 16 KiB that Node.js and undici allow. */
export const maxHeaderBytes = 256 * 1024;

export class ExchangeTimeout extends Error {}
export class ExchangeTooLarge extends Error {}
/** The caller's lookup refused the address, as a policy does. A failed name lookup is a system error instead. */
export class LookupRefused extends Error {}

/** An exchange ended without a response. `sent` says whether the request had been given to a connection. */
export class ExchangeFailure extends Error {
	constructor(
		override readonly cause: Error,
		readonly sent: boolean,
	) {
		super(cause.message);
	}
}

/**
 * Whether reading may pause. If the connection ends while its response is paused, undici reports a complete response as
 * broken, and after `connection: close` it throws an error that cannot be caught.
 */
function mayPause(headers: IncomingHttpHeaders, bytes: number): boolean {
	if (/\bclose\b/i.test(String(headers.connection))) return false;
	return /\bchunked$/i.test(String(headers['transfer-encoding'])) || bytes < Number(headers['content-length']);
}

/**
 * Sends one request and collects its response. It uses undici's `dispatch`, because `request` ignores a signal while the
 * request is queued or connecting (https://github.com/nodejs/undici/issues/386), and because the size must be checked as
 * bytes arrive. Every end other than a complete response destroys the connection, which an unread body would block.
 *
 * @throws ExchangeFailure
 */
export function exchange(dispatcher: Dispatcher, request: WireRequest, limits: ExchangeLimits): Promise<WireResponse> {
	return new Promise((resolve, reject) => {
		let controller: Dispatcher.DispatchController | undefined;
		let ended: Error | undefined;
		const startedAt = performance.now();
		let status = 0;
		let headers: IncomingHttpHeaders = {};
		let bytes = 0;
		const chunks: Buffer[] = [];

		const release = () => {
			clearTimeout(timer);
			forget?.();
		};
		const fail = (error: Error) => {
			if (ended) return;
			ended = error;
			release();
			reject(new ExchangeFailure(error, controller !== undefined));
			controller?.abort(error);
		};
		// One timer serves both limits, because nearly every exchange ends before it fires. A request that has not started is
		// still connecting: it never waits for a free connection, because the pool opens new ones.
		const onTime = () => {
			const { waits = false, waitedMs = 0 } = limits.reading ?? {};
			const left = limits.timeout - (performance.now() - startedAt - waitedMs);
			// The timeout does not run while the response waits for others.
			if (controller && left > 0) timer = setTimeout(onTime, waits ? Math.max(left, 1_000) : left);
			else fail(new ExchangeTimeout());
		};
		let timer = setTimeout(onTime, Math.min(limits.connectTimeout, limits.timeout));
		const forget = limits.onCancel?.(fail);

		dispatcher.dispatch(request, {
			onRequestStart(started) {
				// The call ended while the request was queued or connecting, so undici must not send it.
				if (ended) return started.abort(ended);
				controller = started;
			},
			onResponseStart(_controller, statusCode, responseHeaders) {
				status = statusCode;
				headers = responseHeaders;
			},
			onResponseData(from, chunk) {
				bytes += chunk.length;
				if (bytes > limits.maxResponseBytes) return fail(new ExchangeTooLarge());
				chunks.push(chunk);
				limits.reading?.took(chunk.length, mayPause(headers, bytes) ? from : undefined);
			},
			onResponseEnd() {
				if (ended) return;
				release();
				// undici frees the connection in a later immediate. A request sent before that would open another connection:
				// measured, up to twice as many connections as simultaneous requests.
				queueMicrotask(() =>
					setImmediate(() => resolve(joined(chunks, bytes).then((body) => ({ status, headers, body })))),
				);
			},
			onResponseError(_controller, error) {
				fail(error);
			},
		});
	});
}
