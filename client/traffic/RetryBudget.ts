import { type ApiNodeError, TimeoutError } from '../errors';

const mostTokens = 50;
const tokensPerSecond = 1;

/**
 * Bounds what retries add to the load of an endpoint that keeps failing to some 20 % of the requests that succeed. What time
 * gives back keeps an old outage from costing a record days later.
 */
export class RetryBudget {
	private tokens = mostTokens;
	private refilledAt = 0;

	/** Takes what a retry costs; false when too little is left. */
	take(failure: ApiNodeError, now: number): boolean {
		const refill = ((now - this.refilledAt) / 1_000) * tokensPerSecond;
		this.tokens = Math.min(mostTokens, this.tokens + refill);
		this.refilledAt = now;
		const cost = failure instanceof TimeoutError ? 10 : 5;
		if (this.tokens < cost) return false;
		this.tokens -= cost;
		return true;
	}

	succeeded(): void {
		this.tokens = Math.min(mostTokens, this.tokens + 1);
	}
}
