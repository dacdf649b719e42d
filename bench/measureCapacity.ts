/** `npm run bench:capacity`: measures the costs that the formulas in docs/capacity.md use. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { installN8n } from '../demo/n8n/installation';
import { runNode } from '../test/support/engine/runNode';
import { startApiNodes } from './apiNodes';
import { measureCallCost } from './webhooks';
import { payments } from './workloads';

const [inEngine, url] = process.argv.slice(2);

/** Milliseconds of CPU per record, in a run of the Predict node in n8n's engine. */
async function cpuPerRecord(url: string, count: number, batchSize: number): Promise<number> {
	const items = payments(count);
	gc!();
	const before = process.cpuUsage();
	const { error } = await runNode({
		type: 'dataikuPredict',
		items,
		parameters: { endpointId: { __rl: true, mode: 'id', value: 'fraud' }, options: { batchSize } },
		credentials: { dataikuApiNodeApi: { url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' } },
	});
	if (error) throw error;
	const { user, system } = process.cpuUsage(before);
	return (user + system) / 1000 / count;
}

async function measureInEngine(url: string): Promise<void> {
	const perRecord: Record<number, number> = {};
	for (const [batchSize, count] of [
		[1, 5_000],
		[10, 20_000],
		[100, 50_000],
		[500, 50_000],
	] as const) {
		const rounds: number[] = [];
		// The first rounds warm up, because an n8n process runs for days.
		for (let round = 0; round < 12; round++) rounds.push(await cpuPerRecord(url, count, batchSize));
		perRecord[batchSize] = rounds.slice(5).sort((a, b) => a - b)[3]!;
	}
	console.log('ms of CPU per record, by batch size:', perRecord);
	// Both costs follow from the two extremes. The values in between show whether two costs are enough.
	const request = (perRecord[1]! - perRecord[500]!) / (1 - 1 / 500);
	console.log('costs, ms:', { request, record: perRecord[500]! - request / 500 });
}

async function main(): Promise<void> {
	if (inEngine === 'engine') return await measureInEngine(url!);
	const { node } = await installN8n({ report: (text) => process.stderr.write(text) });
	const apiNodes = await startApiNodes(node);
	try {
		const args = ['--expose-gc', '--import', 'tsx', __filename, 'engine', apiNodes.urls[0]];
		const child = spawn(node, args, { stdio: 'inherit' });
		const [code] = (await once(child, 'close')) as [number];
		if (code !== 0) throw new Error('The runs in the engine failed');
		console.log(
			'ms of CPU per call of a webhook:',
			await measureCallCost(apiNodes, (text) => process.stderr.write(text)),
		);
	} finally {
		apiNodes.stop();
	}
}

main().then(
	() => process.exit(0),
	(error: Error) => {
		console.error(error);
		process.exit(1);
	},
);
