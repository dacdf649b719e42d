import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

export interface ApiNodes {
	/** URLs by milliseconds of work per request. */
	urls: Record<0 | 5 | 50, string>;
	/** With an endpoint's default pool and {@link sharedLatencyMs} of work per request. */
	sharedUrl: string;
	/** With TLS and no work. */
	tlsUrl: string;
	/** PEM of the authority that signed its certificate. */
	ca: string;
	stop(): void;
}

/** Long enough that two cores can keep eight pipelines busy. */
export const sharedLatencyMs = 50;

/**
 * Runs the API nodes in their own process, so that their work does not count as a client's.
 *
 * @param node the Node.js that runs them: the newest, because it takes half the time of Node.js 20
 */
export async function startApiNodes(node: string): Promise<ApiNodes> {
	const child = spawn(node, ['--import', 'tsx', path.join(__dirname, 'apiNodeProcess.ts')], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [line] = (await once(child.stdout, 'data')) as [Buffer];
	const started = JSON.parse(line.toString()) as Omit<ApiNodes, 'stop'>;
	return { ...started, stop: () => void child.kill() };
}
