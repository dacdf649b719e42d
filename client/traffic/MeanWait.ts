/** Mean wait for a pipeline and mean duration of requests. Old responses fade. */
export class MeanWait {
	responses = 0;
	waitMs = 0;
	private tookMs = 0;
	private spreadMs = 0;

	/** @param most number of responses that count */
	constructor(private readonly most: number) {}

	note(waitMs: number, tookMs: number): void {
		const weight = 1 / Math.min(++this.responses, this.most);
		this.spreadMs += weight * (Math.abs(waitMs - this.waitMs) - this.spreadMs);
		this.waitMs += weight * (waitMs - this.waitMs);
		this.tookMs += weight * (tookMs - this.tookMs);
	}

	/** The wait as a share of the duration. */
	get part(): number {
		return this.waitMs / this.tookMs;
	}

	get workMs(): number {
		return this.tookMs - this.waitMs;
	}

	/** Whether there are enough responses, and similar enough ones, to show a small difference from another mean. */
	get isCertain(): boolean {
		const responses = Math.min(this.responses, this.most);
		return responses >= 8 && this.spreadMs < 0.02 * Math.sqrt(responses) * this.workMs;
	}
}
