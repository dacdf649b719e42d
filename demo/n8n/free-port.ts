import { detect } from 'detect-port';

/**
 * A free port below those that the system gives to outgoing connections, one of which might take it before n8n, some
 * seconds later, does.
 */
export async function freePort(): Promise<number> {
	return await detect({ port: 10_000 + Math.floor(Math.random() * 20_000), hostname: '127.0.0.1' });
}
