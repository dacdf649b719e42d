import { type ApiNodeError, TimeoutError } from '../errors';

const mostTokens = 50;
const tokensPerSecond = 1;

/**
 * Limits retries to an endpoint that keeps failing to some 20% of its successful requests. It refills over time, so that
 * an old outage does not cost a record its retries days later.
 */
export class RetryBudget {
	private tokens = mostTokens;
	private refilledAt = 0;

	/** Takes the cost of a retry from the budget. Returns false if too little is left. */
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
