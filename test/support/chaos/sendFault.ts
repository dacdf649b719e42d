import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { toWire, type WireAnswer } from './answer';
import type { Fault } from './faults';

// ms; a reset discards what the peer has not read yet: without a pause, it would often see no answer at all
const UNTIL_READ = 50;
const MEBIBYTE = 1024 * 1024;

interface Exchange {
	response: ServerResponse;
	/** The TCP socket, below TLS if there is any: resetting the TLS socket would close it in an orderly way first. */
	tcp: Socket;
	healthy: () => Promise<WireAnswer>;
	closeOnNextRequest: () => void;
}

/** Plays one fault on one request. Returns when everything that the fault sends has been handed to the socket. */
export async function sendFault(fault: Fault, exchange: Exchange): Promise<void> {
	const { response, tcp, healthy } = exchange;
	const socket = response.socket;
	if (!socket) return;

	switch (fault.kind) {
		case 'pass':
			return await send(response, await healthy());
		case 'answer':
			return await send(response, toWire(fault));
		case 'silent':
			return;
		case 'delay':
			await wait(fault.ms);
			return await sendFault(fault.then ?? { kind: 'pass' }, exchange);
		case 'reset':
			if (fault.when === 'during') await sendHalf(response, await healthy());
			if (fault.when === 'after') await send(response, await healthy());
			if (fault.when !== 'before') await wait(fault.afterMs ?? UNTIL_READ);
			return reset(tcp);
		case 'close':
			if (fault.when === 'after') await send(response, await healthy());
			if (fault.afterMs) await wait(fault.afterMs);
			socket.end();
			return;
		case 'closeOnNextRequest':
			exchange.closeOnNextRequest();
			return await send(response, await healthy());
		case 'truncated':
			return await truncate(socket, await healthy(), fault.by);
		case 'dribble':
			return await dribble(response, await healthy(), fault);
		case 'endless':
			return await sendForever(response);
		case 'gzipBomb': {
			const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
			return await send(response, toWire({ headers, body: zerosGzipped(fault.bytes ?? 1024 * MEBIBYTE) }));
		}
		case 'garbage':
			socket.end('\u0000\u0001 this is not HTTP \r\n\r\n');
			return;
		case 'hugeHeader': {
			const { headers, ...answer } = await healthy();
			return await send(response, {
				...answer,
				headers: { ...headers, 'x-huge': 'h'.repeat(fault.bytes ?? MEBIBYTE) },
			});
		}
		case 'twoAnswers': {
			const answer = await healthy();
			const once = Buffer.concat([head(answer, `content-length: ${answer.body.length}`), answer.body]);
			socket.write(Buffer.concat([once, once]));
			return;
		}
	}
}

export function reset(tcp: Socket): void {
	// the system resets no socket that is shutting down; its peer sees the end of it anyway
	if (tcp.writableEnded) tcp.destroy();
	else tcp.resetAndDestroy();
}

async function send(response: ServerResponse, { status, headers, body }: WireAnswer): Promise<void> {
	response.writeHead(status, headers);
	await new Promise<void>((resolve) => {
		response.once('close', resolve);
		response.end(body, resolve);
	});
}

async function sendHalf(response: ServerResponse, { status, headers, body }: WireAnswer): Promise<void> {
	response.writeHead(status, headers);
	await new Promise<void>((resolve) => response.write(body.subarray(0, body.length / 2), () => resolve()));
}

async function truncate(socket: Socket, answer: WireAnswer, by: 'length' | 'chunk' | 'endOfStream'): Promise<void> {
	const { body } = answer;
	const half = body.subarray(0, Math.ceil(body.length / 2));
	const framing = {
		length: `content-length: ${body.length}`,
		chunk: 'transfer-encoding: chunked',
		endOfStream: 'connection: close',
	}[by];
	const chunkSize = by === 'chunk' ? `${body.length.toString(16)}\r\n` : '';
	await new Promise<void>((resolve) =>
		socket.end(Buffer.concat([head(answer, framing), Buffer.from(chunkSize), half]), resolve),
	);
}

async function dribble(
	response: ServerResponse,
	{ status, headers, body }: WireAnswer,
	{ bytes, everyMs }: { bytes: number; everyMs: number },
): Promise<void> {
	response.writeHead(status, headers);
	for (let from = 0; from < body.length && !response.destroyed; from += bytes) {
		response.write(body.subarray(from, from + bytes));
		await wait(everyMs);
	}
	response.end();
}

async function sendForever(response: ServerResponse): Promise<void> {
	response.writeHead(200, { 'content-type': 'application/json' });
	const zeros = Buffer.alloc(64 * 1024, '0');
	response.write('{"results":[');
	while (!response.destroyed) {
		if (response.write(zeros)) await wait(0);
		else await drainedOrClosed(response);
	}
}

async function drainedOrClosed(response: ServerResponse): Promise<void> {
	await new Promise<void>((resolve) => {
		const done = () => {
			response.off('drain', done);
			response.off('close', done);
			resolve();
		};
		response.on('drain', done);
		response.on('close', done);
	});
}

/** gzip members may follow each other, so that one of a mebibyte makes a bomb of any size. */
function zerosGzipped(bytes: number): Buffer {
	const member = gzipSync(Buffer.alloc(MEBIBYTE));
	return Buffer.concat(Array.from({ length: Math.ceil(bytes / MEBIBYTE) }, () => member));
}

function head({ status, headers }: WireAnswer, framing: string): Buffer {
	const kept = Object.entries(headers).filter(([name]) => name !== 'content-length');
	const lines = kept.map(([name, value]) => `${name}: ${String(value)}`);
	return Buffer.from([`HTTP/1.1 ${status} Chaos`, ...lines, framing, '', ''].join('\r\n'));
}
