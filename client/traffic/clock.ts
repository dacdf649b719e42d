import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

/** Time as the traffic code sees it. Simulations use their own clock. */
export interface Clock {
	/** Milliseconds of a monotonic clock. The wall clock may jump. */
	now(): number;
	/** Calls back after `ms` milliseconds; the returned function cancels that. */
	after(ms: number, callback: () => void): () => void;
	/** Calls back after the current work and everything that it triggers directly. */
	soon(callback: () => void): void;
}

export const systemClock: Clock = {
	now: () => performance.now(),
	after(ms, callback) {
		const timer = setTimeout(callback, ms);
		return () => clearTimeout(timer);
	},
	soon: (callback) => void setImmediate(callback),
};
