/**
 * `npm run bench`: compares the package with its peers, in one run on one machine. Prints tables of times. With `--write`, it
 * also writes them to docs/benchmarks.md with a chart. With `--fair-share`, it only measures how processes share a pool, which
 * needs no n8n. With `--beside`, it only measures what a process gets next to callers without a limit, relative to a plain
 * client: requests served, and the time of webhook calls.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { installN8n } from '../demo/n8n/installation';
import { type ApiNodes, startApiNodes } from './apiNodes';
import { chart } from './chart';
import { measureBeside, measureFairShare } from './fairShare';
import { fairShareTable, type Measured, markdown, printed, tables } from './tables';
import { measureWebhooks } from './webhooks';

const docs = path.join(__dirname, '../docs');

/** Runs the engine's workloads with a Node.js. */
async function engineTimes(node: string, apiNodes: ApiNodes): Promise<Record<string, number>> {
	const args = ['--expose-gc', '--import', 'tsx', path.join(__dirname, 'engineProcess.ts'), JSON.stringify(apiNodes)];
	const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'] });
	let output = '';
	child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
	const [code] = (await once(child, 'close')) as [number];
	if (code !== 0) throw new Error(`The workloads failed under ${node}`);
	return JSON.parse(output.trim().split('\n').at(-1)!) as Record<string, number>;
}

/** The first call of a new process: the median of many processes that take turns. */
async function firstCalls(node: string, { urls }: ApiNodes): Promise<Record<string, number>> {
	const samples = { client: [] as number[], undici: [] as number[] };
	for (let round = 0; round < 15; round++) {
		for (const peer of ['client', 'undici'] as const) {
			const args = [path.join(__dirname, 'firstCall.cjs'), peer, urls[0]];
			samples[peer].push(Number((await promisify(execFile)(node, args)).stdout));
		}
	}
	const median = (times: number[]) => times.sort((a, b) => a - b)[times.length >> 1]!;
	return { 'first client': median(samples.client), 'first undici': median(samples.undici) };
}

/** A stream of a million records through the client's `settleAll` and through a loop over undici, in turns. */
async function streams(node: string, { urls }: ApiNodes): Promise<Record<string, number>> {
	const samples = { client: [] as Stream[], undici: [] as Stream[] };
	for (let round = 0; round < 3; round++) {
		for (const peer of ['client', 'undici'] as const) {
			const args = ['--expose-gc', path.join(__dirname, 'streaming.cjs'), peer, urls[0], '1000000'];
			samples[peer].push(JSON.parse((await promisify(execFile)(node, args)).stdout) as Stream);
		}
	}
	const figures: Record<string, number> = {};
	for (const peer of ['client', 'undici'] as const) {
		const [, median] = samples[peer].sort((a, b) => a.ms - b.ms) as [Stream, Stream, Stream];
		figures[`stream ${peer}`] = median.ms;
		figures[`stream heap first ${peer}`] = median.first;
		figures[`stream heap most ${peer}`] = median.most;
	}
	return figures;
}

interface Stream {
	ms: number;
	first: number;
	most: number;
}

async function main() {
	const flag = { type: 'boolean', default: false } as const;
	const { values } = parseArgs({ options: { write: flag, 'fair-share': flag, beside: flag } });
	if (values['fair-share'] || values.beside) return await sharedAlone(values.beside);
	const { node: newerNode } = await installN8n({ report: (text) => process.stderr.write(text) });
	const apiNodes = await startApiNodes(newerNode);
	try {
		const measured: Measured = {
			engine: {},
			webhooks: await measureWebhooks(apiNodes, console.error),
			fairShares: await measureFairShare(apiNodes.sharedUrl, console.error),
		};
		for (const node of [process.execPath, newerNode]) {
			const version = (await versionOf(node)).split('.', 1)[0]!;
			console.error(`Node.js ${version}`);
			measured.engine[version] = {
				...(await engineTimes(node, apiNodes)),
				...(await firstCalls(node, apiNodes)),
				...(await streams(node, apiNodes)),
			};
		}
		const made = tables(measured);
		for (const table of made) console.log(printed(table));
		if (!values.write) return;
		await writeFile(path.join(docs, 'benchmarks.svg'), chart(measured));
		await writeFile(path.join(docs, 'benchmarks.md'), markdown(made));
	} finally {
		apiNodes.stop();
	}
}

async function sharedAlone(beside: boolean) {
	const apiNodes = await startApiNodes(process.execPath);
	const { sharedUrl } = apiNodes;
	try {
		if (beside) console.log(await measureBeside(sharedUrl));
		else console.log(printed(fairShareTable(await measureFairShare(sharedUrl, console.error))));
	} finally {
		apiNodes.stop();
	}
}

async function versionOf(node: string): Promise<string> {
	const child = spawn(node, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
	const [version] = (await once(child.stdout, 'data')) as [Buffer];
	return version.toString().trim();
}

main().then(
	() => process.exit(0),
	(error: Error) => {
		console.error(error);
		process.exit(1);
	},
);
