import type { Instance } from './Instance';
import { backoff } from './retry';

/** After this long without a success an outage is no longer waited out. */
const patienceMs = 30_000;
const longestRetryAfterMs = 60_000;

/**
 * One endpoint on one instance: how many requests it bears at a time, and when it may be asked again.
 *
 * The limit starts at 2, the pool size at which an API node endpoint cruises, goes up by one after a full window of
 * successes and is halved at most once per round trip (AIMD). After three failures in a row the lane is paced: one
 * probe after a growing pause, while the calls behind it wait, so that a restart does not burn through a batch.
 */
export class Lane {
	inFlight = 0;
	private limit = 2;
	private successes = 0;
	private reducedAt = 0;
	private failures = 0;
	private failingSince = 0;
	private pauses = 0;
	private pausedAt = 0;
	private pausedUntil = 0;

	constructor(readonly instance: Instance) {}

	hasRoom(maxConcurrency: number, now: number): boolean {
		return this.inFlight < Math.min(this.limit, maxConcurrency) && now >= this.pausedUntil;
	}

	/** When a paused lane may be asked again; 0 when it is not paused. */
	get resumesAt(): number {
		return this.pausedUntil;
	}

	/** Whether the lane lets through single probes only. */
	get paced(): boolean {
		return this.pauses > 0 && Date.now() - this.failingSince < patienceMs;
	}

	succeeded(): void {
		// A window that was not full proves nothing about a larger one.
		if (this.inFlight >= this.limit && ++this.successes >= this.limit) {
			this.limit++;
			this.successes = 0;
		}
		this.failures = this.pauses = this.pausedUntil = 0;
	}

	/** A request found the endpoint too busy, or got no answer in time. */
	overloaded(startedAt: number): void {
		if (startedAt < this.reducedAt) return;
		this.limit = Math.max(1, Math.floor(this.limit / 2));
		this.successes = 0;
		this.reducedAt = Date.now();
	}

	/** A request found the instance or the endpoint out of service, for whatever reason. */
	failed(startedAt: number, retryAfter = 0): void {
		const now = Date.now();
		if (this.failures++ === 0) this.failingSince = now;
		if (retryAfter <= longestRetryAfterMs) this.pausedUntil = Math.max(this.pausedUntil, now + retryAfter);
		if (this.failures < 3 || startedAt < this.pausedAt || now - this.failingSince >= patienceMs) return;
		this.limit = 1;
		this.pauses++;
		this.pausedAt = now;
		this.pausedUntil = Math.max(this.pausedUntil, now + backoff(this.pauses));
	}
}
