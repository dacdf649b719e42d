import { startApiNode } from '../demo/api-node';
import { sharedLatencyMs } from './apiNodes';
import { certificates } from '../test/support/certificates';

/**
 * A pool that accepts every request, because with the default pool HTTP Request without batches loses nearly all of its items.
 */
const pool = { floor: 64, cruise: 64, ceil: 64, queue: 1_000_000, queueTimeoutMs: 600_000 };

async function main() {
	const { ca, server } = await certificates();
	const start = async (latencyMs: number) => (await startApiNode({ latencyMs, pool, keptRequests: 0 })).url;
	const shared = await startApiNode({ latencyMs: sharedLatencyMs, keptRequests: 0 });
	const tls = await startApiNode({ pool, keptRequests: 0, tls: server });
	const urls = { 0: await start(0), 5: await start(5), 50: await start(50) };
	console.log(JSON.stringify({ urls, sharedUrl: shared.url, tlsUrl: tls.url, ca }));
}

void main();
