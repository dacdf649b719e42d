import { emitWarning } from 'node:process';

/**
 * Calls a listener of the user. If it throws or rejects, the error becomes a process warning, so that it neither fails
 * the call nor gets lost.
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
