import { appendFileSync } from 'node:fs';
import { startApiNode } from '../../demo/api-node';
import type { ApiInstanceOptions, ApiInstanceReport } from './ApiInstance';

/** What it is told by the process that started it. */
export type Order = { order: 'activate'; generation: string } | { order: 'report' };

async function main() {
	const { port, latencyMs, servedIds } = JSON.parse(process.argv[2] ?? '{}') as ApiInstanceOptions;
	const node = await startApiNode({
		port,
		latencyMs,
		keptRequests: 0,
		observe: ({ action, body, status }, phase) => {
			if (servedIds === undefined || action !== 'predict-multi') return;
			if (phase === 'answered' && status !== 200) return;
			const { items } = body as unknown as { items: Array<{ features: { record?: number } }> };
			const ids = items.map(({ features }) => features.record);
			// At once, as this process may be killed at any time.
			appendFileSync(servedIds, `${JSON.stringify({ phase, ids })}\n`);
		},
	});
	const report = (): ApiInstanceReport => ({
		answered: node.requests.count({ status: 200 }),
		rejected: node.pool('demo', 'fraud').rejected,
		peak: node.requests.peak,
	});
	process.on('message', (message: Order) => {
		if (message.order === 'activate') node.activate(message.generation);
		process.send?.(report());
	});
	// Nobody is left to stop it.
	process.on('disconnect', () => process.exit());
	process.once('SIGTERM', () => void node.close().then(() => process.exit()));
	process.send?.('ready');
}

void main();
