import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something holds, which is tried again and again. */
export async function until(
	what: string,
	holds: () => boolean | Promise<boolean>,
	{ withinMs = 120_000, everyMs = 100 }: { withinMs?: number; everyMs?: number } = {},
): Promise<void> {
	const deadline = performance.now() + withinMs;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error(`Not within ${withinMs / 1_000} s: ${what}`);
		await sleep(everyMs);
	}
}
