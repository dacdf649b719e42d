import { backoff, patienceMs } from './retryPolicy';

const failuresToOpen = 3;
const longestRetryAfterMs = 60_000;
/** A 503 describes the moment, so the pause that it asks for is interrupted by probes. */
const longestUnprobedMs = 10_000;

/**
 * `closed`: requests pass. Ends with the third failure in a row, or with a failure whose response asks for a pause.
 * `open`: no request passes, so that a restart of the API node does not fail a whole batch. Ends after a time.
 * `halfOpen`: one request at a time passes, the probe. Ends with its outcome: closed, or open for longer.
 */
type CircuitState =
	| { name: 'closed'; failures: number; failingSince: number }
	| { name: 'open'; until: number; openedAt: number; openings: number; failingSince: number }
	| { name: 'halfOpen'; probing: boolean; openedAt: number; openings: number; failingSince: number };

/** Decides whether requests may be sent to an endpoint on one instance, and when it is tried again after failures. */
export class Circuit {
	/** End of the pause that responses asked for. Probes may pass before it. */
	askedUntil = -Infinity;
	/** End of a pause without probes, which a 429 asked for. */
	keptUntil = -Infinity;
	private state: CircuitState = { name: 'closed', failures: 0, failingSince: Infinity };

	get closed(): boolean {
		return this.state.name === 'closed';
	}

	/** When an open circuit admits a probe; undefined unless it is open. */
	get resumesAt(): number | undefined {
		return this.state.name === 'open' ? this.state.until : undefined;
	}

	admits(now: number): boolean {
		if (this.state.name === 'closed') return true;
		if (this.state.name === 'open' && now >= this.state.until) {
			const { openedAt, openings, failingSince } = this.state;
			this.state = { name: 'halfOpen', probing: false, openedAt, openings, failingSince };
		}
		return this.state.name === 'halfOpen' && !this.state.probing;
	}

	pass(): boolean {
		if (this.state.name !== 'halfOpen') return false;
		return (this.state.probing = true);
	}

	responded(): void {
		this.askedUntil = this.keptUntil = -Infinity;
		this.state = { name: 'closed', failures: 0, failingSince: Infinity };
	}

	/** A request ended without evidence about the endpoint. */
	endedWithoutEvidence(probe: boolean): void {
		if (probe && this.state.name === 'halfOpen') this.state.probing = false;
	}

	/**
	 * A request sent at `startedAt` found the endpoint out of service.
	 *
	 * @param retryAfter milliseconds that the response asked for
	 * @param kept whether the whole pause is kept, because the endpoint works and limits its request rate
	 * @returns milliseconds for which the circuit was opened, if this failure opened it
	 */
	failed(startedAt: number, now: number, retryAfter = 0, kept = false): number | undefined {
		const { state } = this;
		const failingSince = Math.min(state.failingSince, now);
		const asked = retryAfter <= longestRetryAfterMs ? retryAfter : 0;
		this.askedUntil = Math.max(this.askedUntil, now + asked);
		if (kept) this.keptUntil = Math.max(this.keptUntil, now + asked);
		// If an endpoint has been down for longer than any caller waits, a long pause would only delay new callers.
		const bearable = Math.min(longestUnprobedMs, Math.max(0, failingSince + patienceMs - now));
		const respected = Math.min(asked, kept ? asked : bearable);
		if (state.name === 'closed') {
			const failures = state.failures + 1;
			if (failures >= failuresToOpen) return this.open(now, Math.max(backoff(1), respected), 1, failingSince);
			if (respected > 0) return this.open(now, respected, 0, failingSince);
			this.state = { name: 'closed', failures, failingSince };
			return undefined;
		}
		if (state.name === 'open') {
			state.until = Math.max(state.until, now + respected);
			return undefined;
		}
		// A request from before the circuit opened is no evidence about its present state.
		if (startedAt < state.openedAt) return undefined;
		const openings = state.openings + 1;
		return this.open(now, Math.max(backoff(openings), respected), openings, failingSince);
	}

	private open(now: number, ms: number, openings: number, failingSince: number): number {
		this.state = { name: 'open', until: now + ms, openedAt: now, openings, failingSince };
		return ms;
	}
}
