import { setImmediate } from 'node:timers';
import { Refusals } from './Refusals';
import { Caller } from './traffic/Caller';
import type { Cancellation } from './traffic/cancellation';

/**
 * What one execution owns: who it is to the queues, what was refused to it, and how much of its work is under way. Batches
 * that wait for the rest of the work to show whether the endpoint refuses everything are not under way.
 */
export class SessionState {
	readonly caller: Caller;
	private readonly refusals = new Map<string, Refusals>();
	private pieces = 0;
	private working = 0;
	private adding = 0;
	/** Woken when a piece of work ends. */
	private readonly roomWaiters = new Set<() => void>();
	/** Woken when nothing is under way any more. */
	private readonly holds = new Set<() => void>();

	constructor(...options: ConstructorParameters<typeof Caller>) {
		this.caller = new Caller(...options);
	}

	/** Numbers the pieces of the session's work in their order. */
	nextOrder(): number {
		return this.pieces++;
	}

	/** What was refused to this session where requests share this: their path, settings and headers. */
	refusalsOf(shared: string): Refusals {
		let refusals = this.refusals.get(shared);
		if (!refusals) this.refusals.set(shared, (refusals = new Refusals()));
		return refusals;
	}

	/**
	 * Does a piece of the session's work. One that fails gives its room back a moment later, when its failure has come through
	 * to whoever waits for it: he may want nothing more to be sent.
	 */
	async work<Value>(work: () => Promise<Value>): Promise<Value> {
		return await this.counted('working', work);
	}

	/** Does what adds to the session's work: while it goes on, that is not at its end. */
	async during<Value>(add: () => Promise<Value>): Promise<Value> {
		return await this.counted('adding', add);
	}

	private async counted<Value>(counter: 'working' | 'adding', run: () => Promise<Value>): Promise<Value> {
		const end = () => {
			this[counter]--;
			this.pieceEnded();
		};
		let failed = true;
		this[counter]++;
		try {
			const value = await run();
			failed = false;
			return value;
		} finally {
			if (failed) setImmediate(end);
			else end();
		}
	}

	/** Waits until fewer than `most` pieces of work are under way. */
	async room(most: number): Promise<void> {
		while (this.working >= most) {
			await new Promise<void>((resolve) => this.roomWaiters.add(resolve));
		}
	}

	/**
	 * Holds a piece of work back, until something that shares its path, settings and headers succeeds or nothing else is under way.
	 *
	 * @returns whether something succeeded
	 * @throws CancelledError when the session stops
	 */
	async heldBack(refusals: Refusals, { reason, onCancel }: Cancellation): Promise<boolean> {
		if (reason) throw reason;
		let forget: Array<() => void> = [];
		const reopened = new Promise<boolean>((resolve, reject) => {
			const resume = (then: () => void) => () => {
				forget.forEach((each) => each());
				// At once: what woke it must not be taken for the end of the work.
				this.working++;
				then();
			};
			const over = resume(() => resolve(false));
			this.holds.add(over);
			forget = [
				() => this.holds.delete(over),
				refusals.onSuccess(resume(() => resolve(true))),
				onCancel((cancelled) => resume(() => reject(cancelled))()),
			];
		});
		this.working--;
		this.pieceEnded();
		return await reopened;
	}

	private pieceEnded(): void {
		for (const wake of this.roomWaiters) wake();
		this.roomWaiters.clear();
		if (this.working > 0 || this.adding > 0) return;
		for (const over of [...this.holds]) over();
	}
}
