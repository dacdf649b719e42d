import { emitWarning } from 'node:process';
import { thrownText } from './errors';

/**
 * Calls a listener of the user. If it throws or rejects, the error becomes a process warning, so that it neither fails
 * the call nor gets lost.
 */
export function notify<Event>(listener: ((event: Event) => unknown) | undefined, event: Event): void {
	try {
		const result = listener?.(event);
		if (typeof result === 'object' && result !== null && 'then' in result) Promise.resolve(result).catch(warnOf);
	} catch (error) {
		warnOf(error);
	}
}

function warnOf(error: unknown): void {
	emitWarning(error instanceof Error ? error : new Error(thrownText(error)));
}
