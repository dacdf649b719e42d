import type { IncomingHttpHeaders } from 'node:http';
import type { Answer } from './answer';

/** A request as it arrived on the socket. All numbers start at 1. */
export interface ChaosRequest {
	n: number;
	/** The number of the connection that it came over. */
	connection: number;
	/** 1 for the first request of its connection. */
	nOnConnection: number;
	/** Requests not answered yet, this one included. */
	outstanding: number;
	method: string;
	path: string;
	headers: IncomingHttpHeaders;
	/** The text; empty until the last byte of it has arrived. */
	body: string;
	/** `performance.now()` when the headers had arrived. */
	at: number;
}

export type Fault =
	/** The healthy answer. */
	| { kind: 'pass' }
	/** This answer in place of the healthy one. */
	| ({ kind: 'answer' } & Answer)
	/** Nothing, ever. */
	| { kind: 'silent' }
	/** Waits, then the next fault or the healthy answer. */
	| { kind: 'delay'; ms: number; then?: Fault }
	/** A TCP reset (RST): before any answer, after half of the body, or after all of it and `afterMs` (default 50). */
	| { kind: 'reset'; when: 'before' | 'during' | 'after'; afterMs?: number }
	/** An orderly close (FIN) that no header announces: before any answer, or of the idle connection after it. */
	| { kind: 'close'; when: 'before' | 'after'; afterMs?: number }
	/** The healthy answer; then the next request on the connection finds it closed, at the moment it arrives. */
	| { kind: 'closeOnNextRequest' }
	/** Half of the body, then an orderly close. Only the first two kinds can be seen without parsing the body. */
	| { kind: 'truncated'; by: 'length' | 'chunk' | 'endOfStream' }
	/** The healthy answer, a few bytes at a time. */
	| { kind: 'dribble'; bytes: number; everyMs: number }
	/** A body that does not end, as fast as the client reads it. */
	| { kind: 'endless' }
	/** Few bytes on the wire, this many zeros once decoded (default 1 GiB). */
	| { kind: 'gzipBomb'; bytes?: number }
	/** Bytes that are not HTTP. */
	| { kind: 'garbage' }
	/** The healthy answer with one header of this size (default 1 MiB). */
	| { kind: 'hugeHeader'; bytes?: number }
	/** The healthy answer twice to one request. */
	| { kind: 'twoAnswers' };

export type FaultScript = (request: ChaosRequest) => Fault | undefined | Promise<Fault | undefined>;

/** Taken before the first byte is read, so before a TLS handshake. */
export type ConnectionFault = 'silent' | 'reset';

export type ConnectionFaultScript = (connection: number) => ConnectionFault | undefined;

/** The first fault for the first request, and so on; healthy once they are used up. */
export function inOrder(...faults: Array<Fault | undefined>): FaultScript {
	const left = [...faults];
	return () => left.shift();
}
