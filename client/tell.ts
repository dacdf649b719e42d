import { emitWarning } from 'node:process';

/**
 * Tells a listener of the user's. What it throws, or rejects with, must do no harm to a call and not be lost either: it
 * becomes a warning of the process.
 */
export function tell<Told>(listener: ((told: Told) => unknown) | undefined, told: Told): void {
	try {
		const heard = listener?.(told);
		if (typeof heard === 'object' && heard !== null && 'then' in heard) Promise.resolve(heard).catch(warnOf);
	} catch (error) {
		warnOf(error);
	}
}

function warnOf(error: unknown): void {
	emitWarning(error instanceof Error ? error : new Error(String(error)));
}
