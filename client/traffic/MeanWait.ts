/** How long requests waited for a pipeline, and how long they took: means in which old ones fade. */
export class MeanWait {
	responses = 0;
	waitMs = 0;
	private tookMs = 0;
	private spreadMs = 0;

	/** @param most responses that count */
	constructor(private readonly most: number) {}

	note(waitMs: number, tookMs: number): void {
		const weight = 1 / Math.min(++this.responses, this.most);
		this.spreadMs += weight * (Math.abs(waitMs - this.waitMs) - this.spreadMs);
		this.waitMs += weight * (waitMs - this.waitMs);
		this.tookMs += weight * (tookMs - this.tookMs);
	}

	/** Of the time that requests took. */
	get part(): number {
		return this.waitMs / this.tookMs;
	}

	get workMs(): number {
		return this.tookMs - this.waitMs;
	}

	/** Whether there are so many responses, and so alike, that a small difference to another mean shows. */
	get isCertain(): boolean {
		const responses = Math.min(this.responses, this.most);
		return responses >= 8 && this.spreadMs < 0.02 * Math.sqrt(responses) * this.workMs;
	}
}
