/** Proxies commonly allow 1 MB, so a 413 for a smaller body than this does not show a limit on the way. */
const leastLearntFrom = 64 * 1024;
/** Growth per success. 35 successes double the limit, so a limit that still exists costs one refusal in about 35 requests. */
const growth = 1.02;

/** Learns from 413 how many bytes a body may have. The limit grows back, because what refused the body may be gone. */
export class BodySizeLimit {
	private limit = Infinity;
	private refusedSize = Infinity;

	get bytes(): number {
		return this.limit;
	}

	refused(size: number): void {
		if (size < leastLearntFrom || size / 2 >= this.limit) return;
		this.limit = size / 2;
		this.refusedSize = size;
	}

	accepted(size: number): void {
		if (size < this.limit / 2) return;
		this.limit *= growth;
		if (this.limit >= this.refusedSize) this.limit = Infinity;
	}
}
