import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface ApiNodes {
	/** By milliseconds of work per request. */
	urls: Record<0 | 5 | 50, string>;
	/** With the pool of an endpoint by default, and {@link sharedLatencyMs} of work per request. */
	sharedUrl: string;
	/** With TLS, no work; its certificate is nobody's. */
	tlsUrl: string;
	/** PEM of the authority that signed it. */
	ca: string;
	stop(): void;
}

/** So long that eight pipelines serve no more than two cores can carry. */
export const sharedLatencyMs = 50;

/**
 * API nodes in their own process, so that their work does not count as a client's.
 *
 * @param node the Node.js that runs them: the newest, which takes half the time of Node.js 20, so that they hide the least
 */
export async function startApiNodes(node: string): Promise<ApiNodes> {
	const child = spawn(node, ['--import', 'tsx', path.join(__dirname, 'apiNodeProcess.ts')], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [line] = (await once(child.stdout, 'data')) as [Buffer];
	const started = JSON.parse(line.toString()) as Omit<ApiNodes, 'stop'>;
	return { ...started, stop: () => void child.kill() };
}
