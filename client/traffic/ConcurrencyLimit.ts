/**
 * How many requests an endpoint takes at a time on one instance. Starts at 2, the pool size at which an API node endpoint
 * cruises, goes up by one after a full window of answered requests and is halved at most once per round trip (AIMD,
 * additive increase and multiplicative decrease, as TCP does).
 */
export class ConcurrencyLimit {
	private current = 2;
	private answeredInWindow = 0;
	private reducedAt = -Infinity;

	get value(): number {
		return this.current;
	}

	/** @param inFlight requests in flight when this one was answered, itself included */
	answered(inFlight: number): void {
		// A window that was not full proves nothing about a larger one.
		if (inFlight < this.current || ++this.answeredInWindow < this.current) return;
		this.current++;
		this.answeredInWindow = 0;
	}

	/** A request sent at `startedAt` found the endpoint overloaded. */
	overloaded(startedAt: number, now: number): void {
		if (startedAt < this.reducedAt) return;
		this.current = Math.max(1, Math.floor(this.current / 2));
		this.answeredInWindow = 0;
		this.reducedAt = now;
	}
}
