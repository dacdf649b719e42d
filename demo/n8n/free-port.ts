import { detect } from 'detect-port';

/** Returns a free port below the range for outgoing connections, one of which might take it before n8n does. */
export async function freePort(): Promise<number> {
	return await detect({ port: 10_000 + Math.floor(Math.random() * 20_000), hostname: '127.0.0.1' });
}
