import type * as Timers from 'node:timers';

/** How many seconds of the client's pass in one of the clock's. */
export const speed = 10;

/**
 * `node:timers` in which time passes faster, for `jest.mock('node:timers', ...)`: with {@link fastClock}, an outage of 40 s
 * on real sockets takes four.
 */
export function fastTimers(): typeof Timers {
	const real = jest.requireActual<typeof Timers>('node:timers');
	const setTimeout = (callback: () => void, ms = 0) => real.setTimeout(callback, ms / speed);
	return { ...real, setTimeout: setTimeout as typeof real.setTimeout };
}

const realNow = performance.now.bind(performance);

/** `performance.now()` at the same speed, for each test of the file. */
export function fastClock(): void {
	beforeEach(() => void jest.spyOn(performance, 'now').mockImplementation(() => realNow() * speed));
	afterEach(() => void jest.restoreAllMocks());
}

/** Seconds of the client's. */
export async function seconds(count: number): Promise<void> {
	await new Promise((resolve) => setTimeout(resolve, (count * 1_000) / speed));
}
