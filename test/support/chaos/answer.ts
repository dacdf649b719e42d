import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { request, type Dispatcher } from 'undici';
import type { ChaosRequest } from './faults';

/** What a healthy server would say; an object body is sent as JSON. */
export interface Answer {
	status?: number;
	headers?: OutgoingHttpHeaders;
	body?: string | Buffer | object;
}

export interface WireAnswer {
	status: number;
	headers: OutgoingHttpHeaders;
	body: Buffer;
}

const OF_ONE_CONNECTION = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host', 'expect'];

export function toWire({ status = 200, headers = {}, body = '' }: Answer): WireAnswer {
	const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
	const bytes = Buffer.isBuffer(body) ? body : Buffer.from(isJson ? JSON.stringify(body) : body);
	return {
		status,
		headers: { ...(isJson && { 'content-type': 'application/json' }), ...headers, 'content-length': bytes.length },
		body: bytes,
	};
}

/** Asks the real server the same thing, and stops asking when the signal says that the client has gone. */
export async function askUpstream(
	upstream: string,
	asked: ChaosRequest,
	dispatcher: Dispatcher,
	signal: AbortSignal,
): Promise<WireAnswer> {
	const { statusCode, headers, body } = await request(new URL(asked.path, upstream), {
		method: asked.method,
		headers: withoutConnectionHeaders(asked.headers),
		body: asked.body === '' ? null : asked.body,
		dispatcher,
		signal,
	});
	return toWire({
		status: statusCode,
		headers: withoutConnectionHeaders(headers),
		body: Buffer.from(await body.arrayBuffer()),
	});
}

function withoutConnectionHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
	const named = String(headers.connection ?? '').toLowerCase();
	return Object.fromEntries(
		Object.entries(headers).filter(
			([name]) => !OF_ONE_CONNECTION.includes(name) && !named.split(/,\s*/).includes(name),
		),
	);
}
