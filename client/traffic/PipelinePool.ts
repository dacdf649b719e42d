import { Circuit } from './Circuit';
import { ConcurrencyLimit } from './ConcurrencyLimit';
import type { Instance } from './Instances';
import type { Sign } from './retryPolicy';

interface LeavingRequest {
	startedAt: number;
	probe: boolean;
	retryAfter?: number;
	/** Whether the pause of `retryAfter` is kept whole. */
	keepPause?: boolean;
	/** Whether it found the endpoint overloaded. */
	reduce: boolean;
	/** For a pipeline, as far as the API node says. */
	waitedMs?: number;
}

/**
 * One endpoint on one instance, where the API node keeps a pool of pipelines for it: how many requests it takes at a time,
 * and whether it may be asked at all.
 */
export class PipelinePool {
	inFlight = 0;
	private readonly limit = new ConcurrencyLimit();
	private readonly circuit = new Circuit();

	constructor(readonly instance: Instance) {}

	/** @param most requests in flight that any of the callers present allows */
	hasRoom(most: number, now: number): boolean {
		if (!this.circuit.admits(now)) return false;
		// A probe does not wait for requests that hang since before the circuit opened.
		if (!this.circuit.closed) return this.inFlight < most;
		return this.inFlight < Math.min(this.limit.value, most) && now >= (this.limit.resumesAt ?? now);
	}

	/** When the pool may be asked again; undefined when that is not a question of time. */
	get resumesAt(): number | undefined {
		return this.circuit.closed ? this.limit.resumesAt : this.circuit.resumesAt;
	}

	/** Whether it is paused, or lets through single probes only. */
	get failing(): boolean {
		return !this.circuit.closed;
	}

	/** Until when responses asked for a pause. */
	get askedUntil(): number {
		return this.circuit.askedUntil;
	}

	/** Until when nothing is sent at all, as a response asked for it. */
	get keptUntil(): number {
		return this.circuit.keptUntil;
	}

	/** @returns whether the request is a probe */
	enter(): boolean {
		this.inFlight++;
		this.instance.inFlight++;
		return this.circuit.pass();
	}

	/**
	 * A request that entered at `startedAt` leaves.
	 *
	 * @returns milliseconds for which the pool was paused, if it was for this
	 */
	leave(sign: Sign, request: LeavingRequest, now: number): number | undefined {
		const { startedAt, probe, retryAfter, keepPause, reduce, waitedMs } = request;
		if (reduce) this.limit.overloaded(startedAt, now);
		let pausedFor: number | undefined;
		if (sign === 'answered') {
			this.limit.answered(this.inFlight, startedAt, now, waitedMs);
			this.circuit.answered();
		} else if (sign === 'none') this.circuit.passedWithoutWord(probe);
		else pausedFor = this.circuit.failed(startedAt, now, retryAfter, keepPause);
		this.inFlight--;
		this.instance.inFlight--;
		return pausedFor;
	}
}
