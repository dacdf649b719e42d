import { clearTimeout, setImmediate, setTimeout } from 'node:timers';

/** Time as the traffic code sees it; a simulation brings its own clock. */
export interface Clock {
	/** Milliseconds on a clock that is never set back: the wall clock jumps, and durations must not. */
	now(): number;
	/** Calls back after some milliseconds; the returned function takes that back. */
	after(ms: number, callback: () => void): () => void;
	/** Calls back when all that follows from what is going on now has happened. */
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
