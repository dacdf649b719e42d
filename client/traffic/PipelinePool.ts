import { Circuit } from './Circuit';
import { ConcurrencyLimit } from './ConcurrencyLimit';
import type { Instance } from './Instances';
import type { Sign } from './retryPolicy';

interface LeavingRequest {
	startedAt: number;
	probe: boolean;
	retryAfter?: number;
	keepPause?: boolean;
	reduce: boolean;
	/** Its wait for a pipeline, if the API node reports it. */
	waitedMs?: number;
}

/**
 * One endpoint on one instance, where the API node keeps a pool of pipelines for it. Decides how many requests it gets at
 * a time, and whether it gets any.
 */
export class PipelinePool {
	inFlight = 0;
	private readonly limit = new ConcurrencyLimit();
	private readonly circuit = new Circuit();

	constructor(readonly instance: Instance) {}

	/** @param most requests in flight that any of the present callers allows */
	hasRoom(most: number, now: number): boolean {
		if (!this.circuit.admits(now)) return false;
		// A probe does not wait for requests that have been hanging since before the circuit opened.
		if (!this.circuit.closed) return this.inFlight < most;
		return this.inFlight < Math.min(this.limit.value, most) && now >= (this.limit.resumesAt ?? now);
	}

	/** When the pool may get requests again; undefined when that does not depend on time. */
	get resumesAt(): number | undefined {
		return this.circuit.closed ? this.limit.resumesAt : this.circuit.resumesAt;
	}

	get failing(): boolean {
		return !this.circuit.closed;
	}

	get askedUntil(): number {
		return this.circuit.askedUntil;
	}

	/** Until when not even probes are sent, because a response asked for it. */
	get keptUntil(): number {
		return this.circuit.keptUntil;
	}

	enter(): boolean {
		this.inFlight++;
		this.instance.inFlight++;
		return this.circuit.pass();
	}

	/**
	 * A request that entered at `startedAt` leaves.
	 *
	 * @returns milliseconds for which the pool was paused, if this request caused a pause
	 */
	leave(sign: Sign, request: LeavingRequest, now: number): number | undefined {
		const { startedAt, probe, retryAfter, keepPause, reduce, waitedMs } = request;
		if (reduce) this.limit.overloaded(startedAt, now);
		let pausedFor: number | undefined;
		if (sign === 'responded') {
			this.limit.responded(this.inFlight, startedAt, now, waitedMs);
			this.circuit.responded();
		} else if (sign === 'none') this.circuit.endedWithoutEvidence(probe);
		else pausedFor = this.circuit.failed(startedAt, now, retryAfter, keepPause);
		this.inFlight--;
		this.instance.inFlight--;
		return pausedFor;
	}
}
