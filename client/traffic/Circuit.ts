import { backoff, patienceMs } from './retryPolicy';

const failuresToOpen = 3;
const longestRetryAfterMs = 60_000;

/**
 * `closed`: requests pass. Ends with the third failure in a row, or with a failure whose response asks for a pause.
 * `open`: no request passes, so that a restart of the API node does not burn through a batch. Ends when its time is over.
 * `halfOpen`: one request at a time, the probe. Ends with its outcome: closed, or open for longer.
 */
type CircuitState =
	| { name: 'closed'; failures: number }
	| { name: 'open'; until: number; openedAt: number; openings: number }
	| { name: 'halfOpen'; openedAt: number; openings: number };

/** Whether an endpoint on one instance may be asked, and when again after it failed. */
export class Circuit {
	private state: CircuitState = { name: 'closed', failures: 0 };
	/** Start of the failures that are not over yet. */
	private failingSince = 0;
	private probing = false;

	get closed(): boolean {
		return this.state.name === 'closed';
	}

	/** When an open circuit lets a probe through; undefined when it is not open. */
	get opensAt(): number | undefined {
		return this.state.name === 'open' ? this.state.until : undefined;
	}

	admits(now: number): boolean {
		if (this.state.name === 'closed') return true;
		if (this.state.name === 'open' && now >= this.state.until) {
			this.state = { ...this.state, name: 'halfOpen' };
			this.probing = false;
		}
		return this.state.name === 'halfOpen' && !this.probing;
	}

	/** A request passes. @returns whether it is the probe */
	pass(): boolean {
		if (this.state.name === 'closed') return false;
		return (this.probing = true);
	}

	answered(): void {
		this.state = { name: 'closed', failures: 0 };
		this.probing = false;
	}

	/** The request came to nothing that says anything about the endpoint. */
	passedWithoutWord(probe: boolean): void {
		if (probe) this.probing = false;
	}

	/**
	 * A request sent at `startedAt` found the endpoint out of service.
	 *
	 * @param retryAfter milliseconds that the response asked for
	 * @returns milliseconds for which the circuit was opened, if this opened it
	 */
	failed(startedAt: number, now: number, retryAfter = 0): number | undefined {
		const { state } = this;
		if (state.name === 'closed' && state.failures === 0) this.failingSince = now;
		// An endpoint that has been down for longer than anybody waits would hold up those who come by asking for more.
		const heeded = retryAfter <= longestRetryAfterMs && now - this.failingSince < patienceMs ? retryAfter : 0;
		if (state.name === 'closed') {
			const failures = state.failures + 1;
			if (failures >= failuresToOpen) return this.open(now, Math.max(backoff(1), heeded), 1);
			if (heeded > 0) return this.open(now, heeded, 0);
			this.state = { name: 'closed', failures };
			return undefined;
		}
		if (state.name === 'open') {
			state.until = Math.max(state.until, now + heeded);
			return undefined;
		}
		// One that was under way when the circuit opened is no news.
		if (startedAt < state.openedAt) return undefined;
		this.probing = false;
		const openings = state.openings + 1;
		return this.open(now, Math.max(backoff(openings), heeded), openings);
	}

	private open(now: number, ms: number, openings: number): number {
		this.state = { name: 'open', until: now + ms, openedAt: now, openings };
		return ms;
	}
}
