import { clearTimeout, setTimeout } from 'node:timers';
import { CancelledError } from './errors';

const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when the signal aborts; the returned function takes that back. However many requests share a signal,
 * it gets one listener: Node warns at the eleventh, and AbortSignal.any() retains memory per request.
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

/** @throws CancelledError as soon as the signal aborts */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
	if (signal?.aborted) throw new CancelledError();
	await new Promise<void>((resolve, reject) => {
		const timer = setTimeout(() => {
			forget?.();
			resolve();
		}, ms);
		const forget =
			signal &&
			onAbort(signal, () => {
				clearTimeout(timer);
				reject(new CancelledError());
			});
	});
}

/**
 * Waits for what cannot be stopped itself.
 *
 * @throws CancelledError as soon as the signal aborts
 */
export async function unlessAborted<Value>(promise: Promise<Value>, signal?: AbortSignal): Promise<Value> {
	if (!signal) return await promise;
	let forget = () => {};
	const cancellation = new Promise<never>((_resolve, reject) => {
		if (signal.aborted) reject(new CancelledError());
		forget = onAbort(signal, () => reject(new CancelledError()));
	});
	return await Promise.race([promise, cancellation]).finally(forget);
}
