/** So many single records, refused in a row in the same words, make a verdict. */
const refusalsForVerdict = 3;

/**
 * How an endpoint refuses the records of one session that share path, settings and headers. The verdict is that it refuses all of
 * them; any success reverses it.
 */
export class Refusals {
	/** The words in which everything seems to be refused. */
	verdict: string | undefined;
	successes = 0;
	private inRow = 0;
	private words: string | undefined;
	private readonly callbacks = new Set<() => void>();

	/** A record that was sent by itself was refused in these words. */
	refused(words: string): void {
		this.inRow = words === this.words ? this.inRow + 1 : 1;
		this.words = words;
		if (this.inRow >= refusalsForVerdict) this.verdict = words;
	}

	succeeded(): void {
		this.successes++;
		this.inRow = 0;
		this.verdict = undefined;
		for (const callback of [...this.callbacks]) callback();
	}

	/** Calls back at the next success; the returned function takes that back. */
	onSuccess(callback: () => void): () => void {
		this.callbacks.add(callback);
		return () => this.callbacks.delete(callback);
	}
}
