import { longestTimer } from '../checkRange';
import { CancelledError } from '../errors';
import type { Clock } from './clock';

export class Cancellation {
	/** Why the work ended; undefined while it continues. */
	reason: CancelledError | undefined;
	private readonly callbacks = new Set<(reason: CancelledError) => void>();

	cancel(reason: CancelledError): void {
		if (this.reason) return;
		this.reason = reason;
		for (const callback of this.callbacks) callback(reason);
		this.callbacks.clear();
	}

	/**
	 * Registers a callback for the cancellation; the returned function removes it. If the work was already cancelled, the
	 * callback is not called.
	 */
	readonly onCancel = (callback: (reason: CancelledError) => void): (() => void) => {
		this.callbacks.add(callback);
		return () => this.callbacks.delete(callback);
	};

	/** @throws CancelledError as soon as the work is cancelled */
	async sleep(ms: number, clock: Clock): Promise<void> {
		if (this.reason) throw this.reason;
		await new Promise<void>((resolve, reject) => {
			const forget = this.onCancel((reason) => {
				stop();
				reject(reason);
			});
			const stop = clock.after(ms, () => {
				forget();
				resolve();
			});
		});
	}

	/**
	 * Waits for something that cannot be stopped itself.
	 *
	 * @throws CancelledError as soon as the work is cancelled; the error of `late` after `ms` milliseconds
	 */
	async wait<Value>(promise: Promise<Value>, ms: number, clock: Clock, late: () => Error): Promise<Value> {
		let forget = () => {};
		let stop = () => {};
		const ended = new Promise<never>((_resolve, reject) => {
			if (this.reason) reject(this.reason);
			forget = this.onCancel(reject);
			stop = clock.after(Math.min(ms, longestTimer), () => reject(late()));
		});
		return await Promise.race([promise, ended]).finally(() => {
			stop();
			forget();
		});
	}
}

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Registers a callback for the abort of a signal; the returned function removes it. All calls share one listener per
 * signal, because Node.js warns at the eleventh, and AbortSignal.any() leaks memory per call
 * (https://github.com/nodejs/node/issues/54614).
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
	let callbacks = callbacksOf.get(signal);
	if (!callbacks) {
		const all = (callbacks = new Set());
		callbacksOf.set(signal, all);
		signal.addEventListener('abort', () => all.forEach((each) => each()), { once: true });
	}
	callbacks.add(callback);
	return () => callbacks.delete(callback);
}
