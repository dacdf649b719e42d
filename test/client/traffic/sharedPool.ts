import { Circuit } from '../../../client/traffic/Circuit';
import type { ConcurrencyLimit } from '../../../client/traffic/ConcurrencyLimit';
import { backoff, maxAttempts } from '../../../client/traffic/retryPolicy';
import { random as randomOf } from '../session/harness';

/** What decides how many requests a process has in flight: the client's own, or a candidate to compare it with. */
export type Limit = Pick<ConcurrencyLimit, 'value' | 'responded' | 'overloaded'> & { readonly resumesAt?: number };

export interface SharedPool {
	processes: number;
	/** Of each process, by its number. */
	limit: (process: number) => Limit;
	/** Requests that a caller without a rule has outstanding all the time. */
	stranger?: number;
	/** Calls that each process is asked for per second, at any time (Poisson). Without it, each has more to send than it may. */
	callsPerSecond?: number;
	/** Milliseconds of work of one request. */
	work: (random: () => number, now: number) => number;
	/** Milliseconds, not counted and counted. */
	warmUp?: number;
	counted?: number;
	/** When each process starts. At once by default. */
	startsAt?: (process: number) => number;
	/** What starting a pipeline costs the request that needs it, in milliseconds; its wait counts it. */
	pipelineStart?: number;
	seed: number;
}

export interface Shares {
	/** Requests served to each process. */
	served: number[];
	/** Milliseconds from being asked for a call to its response that one in a hundred exceeds. */
	p99: number;
	/** Of the work that the pipelines could have done. */
	used: number;
	/** Of all requests sent. */
	rejected: number;
	/** Calls that were given up. */
	failed: number;
	/** Requests served to the process that got most, to those of the one that got least. */
	unevenness: number;
}

/** A call on its way. */
interface Sent {
	askedAt: number;
	attempts: number;
}

/** An endpoint's pool as an API node has it by default. */
const pool = { pipelines: 8, queue: 16 };
const maxConcurrency = 8;

/** Things that happen, in their order, without waiting for it. */
class VirtualTime {
	now = 0;
	private readonly coming: Array<{ at: number; happen: () => void }> = [];

	after(ms: number, happen: () => void): void {
		const at = this.now + ms;
		let place = this.coming.length;
		while (place > 0 && this.coming[place - 1]!.at <= at) place--;
		// The last is the next.
		this.coming.splice(place, 0, { at, happen });
	}

	run(until: number): void {
		while (this.coming.length > 0 && this.coming.at(-1)!.at <= until) {
			const { at, happen } = this.coming.pop()!;
			this.now = at;
			happen();
		}
	}
}

/** Processes with more to send than they may, against one pool. All that is random follows from the seed. */
export function share(options: SharedPool): Shares {
	const { processes, limit, work, seed, warmUp = 2_000, counted = 20_000, pipelineStart = 0 } = options;
	const random = randomOf(seed);
	const systemRandom = Math.random;
	Math.random = random;
	const time = new VirtualTime();
	const sum = { sent: 0, rejected: 0, failed: 0, worked: 0 };
	const served = Array.from({ length: processes }, () => 0);
	const latencies: number[] = [];
	const counts = () => time.now >= warmUp;

	let running = 0;
	let pipelines = 1;
	const queue: Array<() => void> = [];
	const serve = (ms: number, respond: (waitedMs: number) => void): boolean => {
		const arrived = time.now;
		const run = () => {
			running++;
			const start = running > pipelines ? pipelineStart : 0;
			pipelines = Math.max(pipelines, running);
			const waited = time.now + start - arrived;
			time.after(start + ms, () => {
				running--;
				if (counts()) sum.worked += ms;
				queue.shift()?.();
				respond(waited);
			});
		};
		if (running < pool.pipelines) run();
		else if (queue.length < pool.queue) queue.push(run);
		else return false;
		return true;
	};
	const onTheWay = (happen: () => void) => time.after(0.25 + random() / 2, happen);

	const startProcess = (process: number) => {
		const allowed = limit(process);
		const circuit = new Circuit();
		/** Calls that wait to be sent, and the attempts that each has behind it. */
		const waiting: Sent[] = [];
		let inFlight = 0;
		let woken = Infinity;

		const wakeAt = (at: number) => {
			if (at >= woken) return;
			woken = at;
			time.after(at - time.now, () => {
				woken = Infinity;
				sendAll();
			});
		};
		const sendAll = () => {
			for (;;) {
				if (!circuit.admits(time.now)) {
					if (circuit.resumesAt !== undefined) wakeAt(circuit.resumesAt);
					return;
				}
				if (circuit.closed) {
					if (inFlight >= Math.min(Math.floor(allowed.value), maxConcurrency)) return;
					const { resumesAt = 0 } = allowed;
					if (resumesAt > time.now) return wakeAt(resumesAt);
				}
				const next = waiting.shift() ?? (options.callsPerSecond ? undefined : { askedAt: time.now, attempts: 0 });
				if (!next) return;
				send(next);
			}
		};
		const send = (call: Sent) => {
			const sentAt = time.now;
			circuit.pass();
			inFlight++;
			if (counts()) sum.sent++;
			onTheWay(() => {
				const accepted = serve(work(random, time.now), (waitedMs) =>
					onTheWay(() => {
						allowed.responded(inFlight, sentAt, time.now, waitedMs);
						circuit.responded();
						if (counts()) {
							served[process]!++;
							latencies.push(time.now - call.askedAt);
						}
						leave();
					}),
				);
				if (!accepted) onTheWay(() => refuse(sentAt, { ...call, attempts: call.attempts + 1 }));
			});
		};
		const refuse = (sentAt: number, call: Sent) => {
			allowed.overloaded(sentAt, time.now);
			circuit.failed(sentAt, time.now);
			if (counts()) sum.rejected++;
			if (call.attempts < maxAttempts) {
				time.after(backoff(call.attempts), () => {
					waiting.push(call);
					sendAll();
				});
			} else if (counts()) sum.failed++;
			leave();
		};
		const leave = () => {
			inFlight--;
			sendAll();
		};
		const arrive = (perSecond: number) => {
			waiting.push({ askedAt: time.now, attempts: 0 });
			sendAll();
			time.after((-1_000 * Math.log(1 - random())) / perSecond, () => arrive(perSecond));
		};
		const { startsAt, callsPerSecond } = options;
		time.after((startsAt?.(process) ?? 0) + random(), () => (callsPerSecond ? arrive(callsPerSecond) : sendAll()));
	};
	const sendAsStranger = () =>
		onTheWay(() => {
			const accepted = serve(work(random, time.now), () => onTheWay(sendAsStranger));
			if (!accepted) time.after(backoff(1), sendAsStranger);
		});
	for (let request = 0; request < (options.stranger ?? 0); request++) time.after(20 * random(), sendAsStranger);
	for (let process = 0; process < processes; process++) startProcess(process);
	time.run(warmUp + counted);
	Math.random = systemRandom;
	return {
		served,
		p99: latencies.sort((a, b) => a - b)[Math.floor(0.99 * latencies.length)] ?? NaN,
		used: sum.worked / (pool.pipelines * counted),
		rejected: sum.rejected / sum.sent,
		failed: sum.failed,
		unevenness: Math.max(...served) / Math.min(...served),
	};
}

/** The median of each figure over several seeds; of the calls that failed, all. */
export function medianOf(options: Omit<SharedPool, 'seed'>, seeds: readonly number[]): Omit<Shares, 'served'> {
	const all = seeds.map((seed) => share({ ...options, seed }));
	const median = (figure: Exclude<keyof Shares, 'served'>) =>
		all.map((each) => each[figure]).sort((a, b) => a - b)[all.length >> 1]!;
	return {
		used: median('used'),
		rejected: median('rejected'),
		failed: all.reduce((sum, { failed }) => sum + failed, 0),
		unevenness: median('unevenness'),
		p99: median('p99'),
	};
}
