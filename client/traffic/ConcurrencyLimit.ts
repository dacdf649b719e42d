/** The part of a request's time beyond which waiting for a pipeline shows that others want the pool, too. */
const crowdedPart = 0.3;
const lowest = 0.1;
const longestPauseMs = 5_000;

/**
 * How many requests an endpoint takes at a time on one instance. Starts at 2, the pool size at which an API node endpoint
 * cruises, goes up by one after a full window of answered requests and goes down at most once per round trip (AIMD, additive
 * increase and multiplicative decrease, as TCP does): by half when a request was refused, and to what the pool serves at once
 * when one waited there. So processes that do not know of each other settle on equal parts of a pool before it refuses any.
 *
 * How long a request takes would show it, too, but an endpoint whose work varies by itself looks crowded then to a single
 * process: test/client/traffic/fairShare.test.ts compares the rules.
 */
export class ConcurrencyLimit {
	/** When the next request may be sent, where the limit is below one: a pause between requests. */
	resumesAt: number | undefined;
	private current = 2;
	private step = 1;
	private answeredInWindow = 0;
	private reducedAt = -Infinity;
	private tookMs = 0;

	/** Requests that may be in flight. */
	get value(): number {
		return Math.max(1, Math.floor(this.current));
	}

	/**
	 * A request sent at `startedAt` was answered.
	 *
	 * @param inFlight requests in flight then, itself included
	 * @param waitedMs for a pipeline, as far as the API node says
	 */
	answered(inFlight: number, startedAt: number, now: number, waitedMs = 0): void {
		this.tookMs = now - startedAt;
		const waitedPart = waitedMs / this.tookMs;
		if (waitedPart > crowdedPart && waitedPart <= 1) {
			this.reduce(Math.max(0.5, 1 - waitedPart), startedAt, now);
		} else if (inFlight >= this.value && ++this.answeredInWindow >= this.current) {
			// A window that was not full proves nothing about a larger one.
			this.current += Math.min(1, this.step / Math.min(1, this.current));
			this.answeredInWindow = 0;
		}
		this.pause(now);
	}

	/** A request sent at `startedAt` found the endpoint overloaded. */
	overloaded(startedAt: number, now: number): void {
		this.reduce(0.5, startedAt, now);
		this.pause(now);
	}

	private reduce(factor: number, startedAt: number, now: number): void {
		if (startedAt < this.reducedAt) return;
		this.current = Math.max(lowest, this.current * factor);
		// Once the pool is known to be shared, a full step of each process would overrun it.
		this.step = 0.25;
		this.answeredInWindow = 0;
		this.reducedAt = now;
	}

	private pause(now: number): void {
		const ms = Math.min(longestPauseMs, this.tookMs * (1 / this.current - 1));
		this.resumesAt = ms > 0 ? now + ms : undefined;
	}
}
