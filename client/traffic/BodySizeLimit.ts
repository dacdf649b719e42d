/** A smaller body that is refused with 413 does not show a limit on the way: proxies commonly allow 1 MB. */
const leastLearntFrom = 64 * 1024;
/** A success: 35 of them double the limit, so that a limit that still holds costs a refusal in so many requests. */
const growth = 1.02;

/** Bytes that a body to an endpoint may have, learnt from 413; grows back, as what refused one may be gone. */
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
		// A small body proves nothing about larger ones.
		if (size < this.limit / 2) return;
		this.limit *= growth;
		if (this.limit >= this.refusedSize) this.limit = Infinity;
	}
}
