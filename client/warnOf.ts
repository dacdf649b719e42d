import { emitWarning } from 'node:process';

/** What a listener of the user's threw must do no harm to a call, and not be lost either. */
export function warnOf(error: unknown): void {
	emitWarning(error instanceof Error ? error : new Error(String(error)));
}
