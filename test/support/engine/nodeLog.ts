import { Logger } from '@n8n/backend-common';
import { Container } from '@n8n/di';
import { core } from './core';

/** What nodes write to n8n's log from now on, of all that is written there; `end` stops it. */
export async function nodeLog(
	...levels: Array<'debug' | 'info' | 'warn'>
): Promise<{ lines: string[]; end: () => void }> {
	await core();
	const logger = Container.get(Logger);
	const lines: string[] = [];
	const value = (message: string, about?: object) => {
		if (about && Object.keys(about).join() === 'node') lines.push(message);
	};
	const listening = Object.create(logger, Object.fromEntries(levels.map((level) => [level, { value }]))) as Logger;
	Container.set(Logger, listening);
	return { lines, end: () => void Container.set(Logger, logger) };
}
