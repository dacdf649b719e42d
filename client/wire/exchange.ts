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
	/** Milliseconds until the request must be on a connection: name look-up, TCP, TLS and proxy together. */
	connectTimeout: number;
	/** Milliseconds until the complete response must be here, connecting included. */
	timeout: number;
	/** Bytes of the body on the wire. */
	maxResponseBytes: number;
	/** Calls back with the reason when the call is cancelled; the returned function takes that back. */
	onCancel?: (callback: (reason: Error) => void) => () => void;
	/** Holds back what there is no room for. */
	reading?: Reading;
}

/** Of a response's headers: gateways add policies and traces to them, beyond the 16 KiB that Node.js and undici allow. */
export const maxHeaderBytes = 256 * 1024;

export class ExchangeTimeout extends Error {}
export class ExchangeTooLarge extends Error {}
/** A look-up of the caller's refused the address, as a policy does; name servers fail with a system error. */
export class LookupRefused extends Error {}

/** What ended an exchange without a response; `sent` tells whether a connection had been given the request. */
export class ExchangeFailure extends Error {
	constructor(
		override readonly cause: Error,
		readonly sent: boolean,
	) {
		super(cause.message);
	}
}

/**
 * Whether the connection must go on for the response to be complete. Where one ends while its response is paused, undici takes a
 * complete response for a broken one, and after `connection: close` it throws where nobody can catch it.
 */
function mayPause(headers: IncomingHttpHeaders, bytes: number): boolean {
	if (/\bclose\b/i.test(String(headers.connection))) return false;
	return /\bchunked$/i.test(String(headers['transfer-encoding'])) || bytes < Number(headers['content-length']);
}

/**
 * Sends one request and collects its response. Written on undici's `dispatch`, because its `request` ignores a signal
 * while the request is queued or connecting (https://github.com/nodejs/undici/issues/386), and because the size is best
 * watched where the bytes arrive. Every end but a complete response destroys the connection: an unread body would stall it.
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
		// One timer for both limits: an exchange nearly always ends before it fires. No request waits for a free connection (the
		// pool opens one), so one that has not started is connecting.
		const onTime = () => {
			const { waits = false, waitedMs = 0 } = limits.reading ?? {};
			const left = limits.timeout - (performance.now() - startedAt - waitedMs);
			// The time allowed does not run while the response waits for others.
			if (controller && left > 0) timer = setTimeout(onTime, waits ? Math.max(left, 1_000) : left);
			else fail(new ExchangeTimeout());
		};
		let timer = setTimeout(onTime, Math.min(limits.connectTimeout, limits.timeout));
		const forget = limits.onCancel?.(fail);

		dispatcher.dispatch(request, {
			onRequestStart(started) {
				// Given up while queued or connecting: stop undici from writing it after all.
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
				// undici frees the connection in an immediate that it has yet to set. A request sent before that opens
				// another connection: measured, twice as many as requests at a time.
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
