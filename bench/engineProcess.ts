/**
 * The workloads that run in n8n's engine, in one process. Its argument is the API nodes' URLs as JSON. The last line of its
 * output is milliseconds as JSON.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import type { IDataObject } from 'n8n-workflow';
import { RUNTIME } from '../demo/n8n/installation';
import { runNode, type RunNodeOptions } from '../test/support/engine/runNode';
import { sendBare } from './bareUndici';
import { payments, sales } from './workloads';

const nodes = JSON.parse(process.argv[2]!) as { urls: Record<0 | 5 | 50, string> };
/** Debian's Python, for which its package python3-requests is installed. */
const python3 = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const predict = '/public/api/v1/demo/fraud/predict';
const times: Record<string, number> = {};

/** The installed n8n's HTTP Request node in its own package, because loading all of n8n's nodes takes minutes. */
function httpRequestPackage(): string {
	const folder = path.join(RUNTIME, 'http-request');
	const node = 'n8n/node_modules/n8n/node_modules/n8n-nodes-base/dist/nodes/HttpRequest/HttpRequest.node.js';
	mkdirSync(folder, { recursive: true });
	const manifest = { name: 'n8n-nodes-base', version: '0.0.0', n8n: { nodes: [`../${node}`], credentials: [] } };
	writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest));
	return folder;
}

async function run(options: RunNodeOptions): Promise<number> {
	const { error, output, timing } = await runNode(options);
	if (error) throw error;
	if (output.length === 0) throw new Error(`${options.type} gave no item`);
	return timing.node;
}

/** Milliseconds per peer: to warm up, because an n8n process runs for days, and in each of several rounds. */
const enough = { warmUp: 2_500, rounds: 4, inRound: 800 };

type Peers = Record<string, () => Promise<number>>;

/**
 * Keeps the median of several runs of each peer. Peers take turns, so that other load on the machine affects all of them. Each
 * turn starts after a garbage collection.
 */
async function compare(peers: Peers): Promise<void> {
	const samples = new Map(Object.keys(peers).map((name) => [name, [] as number[]]));
	const during = async (ms: number, work: () => Promise<void>) => {
		gc!();
		const clock = performance.now();
		do await work();
		while (performance.now() - clock < ms);
	};
	for (const work of Object.values(peers)) await during(enough.warmUp, async () => void (await work()));
	for (let round = 0; round < enough.rounds; round++) {
		for (const [name, work] of Object.entries(peers)) {
			await during(enough.inRound, async () => void samples.get(name)!.push(await work()));
		}
	}
	for (const [name, each] of samples) keep(name, each.sort((a, b) => a - b)[each.length >> 1]!);
}

function keep(name: string, ms: number): void {
	times[name] = ms;
	console.error(`${name}: ${ms.toFixed(1)} ms`);
}

/** For workloads that mostly wait: the median of a few runs. */
async function measureWaiting(name: string, work: () => Promise<number>, runs = 1): Promise<void> {
	const samples: number[] = [];
	while (samples.length < runs) samples.push(await work());
	keep(name, samples.sort((a, b) => a - b)[runs >> 1]!);
}

const ourOptions = (
	type: string,
	endpoint: string,
	items: IDataObject[],
	parameters: IDataObject = {},
	url = nodes.urls[0],
): RunNodeOptions => ({
	type,
	items,
	parameters: { endpointId: { __rl: true, mode: 'id', value: endpoint }, ...parameters },
	credentials: { dataikuApiNodeApi: { url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' } },
});

const ours = async (
	type: string,
	endpoint: string,
	items: IDataObject[],
	parameters: IDataObject,
	url = nodes.urls[0],
) => await run(ourOptions(type, endpoint, items, parameters, url));

const httpRequest = async (items: IDataObject[], url: string, body: string, options: IDataObject = {}) =>
	await run({
		type: 'httpRequest',
		packageRoot: httpRequestPackage(),
		items,
		parameters: {
			method: 'POST',
			url,
			sendHeaders: true,
			headerParameters: {
				parameters: [{ name: 'authorization', value: `Basic ${Buffer.from('demo-key:').toString('base64')}` }],
			},
			sendBody: true,
			specifyBody: 'json',
			jsonBody: body,
			options,
		},
	});

async function clocked(work: () => Promise<unknown>): Promise<number> {
	const started = performance.now();
	await work();
	return performance.now() - started;
}

const bare = async (action: string, bodies: string[], url = nodes.urls[0]) =>
	await clocked(async () => await sendBare(url, action, bodies));

const batchBodies = (items: IDataObject[]) =>
	Array.from({ length: Math.ceil(items.length / 100) }, (_, n) =>
		JSON.stringify({ items: items.slice(n * 100, n * 100 + 100).map((features) => ({ features })) }),
	);
const singleBodies = (items: IDataObject[]) => items.map((features) => JSON.stringify({ features }));

async function python(action: string, count: number, batch: number): Promise<number> {
	const child = promisify(execFile)(python3, [
		path.join(__dirname, 'pythonLoop.py'),
		nodes.urls[0],
		action,
		String(count),
		String(batch),
	]);
	child.child.stdin!.end(JSON.stringify(payments(count)));
	return Number((await child).stdout);
}

async function withoutPython(): Promise<boolean> {
	return await promisify(execFile)(python3, ['-c', 'import requests']).then(
		() => false,
		() => true,
	);
}

async function predictions() {
	const single = { options: { batchSize: 1 } };
	const body = '={{ { "features": $json } }}';
	const url = nodes.urls[0] + predict;
	const batching = { batching: { batch: { batchSize: 50, batchInterval: 0 } } };
	const peers: Peers = {};
	for (const count of [2_000, 20_000, 200_000]) {
		// Created for each run, because 200,000 retained items would slow down garbage collection in other runs.
		peers[`batch ${count} node`] = async () => await ours('dataikuPredict', 'fraud', payments(count), {});
		peers[`batch ${count} bare`] = async () => await bare('fraud/predict-multi', batchBodies(payments(count)));
	}
	for (const count of [2_000, 20_000]) {
		peers[`single ${count} node`] = async () => await ours('dataikuPredict', 'fraud', payments(count), single);
		peers[`single ${count} bare`] = async () => await bare('fraud/predict', singleBodies(payments(count)));
	}
	// Not 20,000: it would open as many connections at once, also in batches without pauses, and fail.
	peers['single 2000 http'] = async () => await httpRequest(payments(2_000), url, body);
	peers['single 2000 http batched'] = async () => await httpRequest(payments(2_000), url, body, batching);
	if (await withoutPython()) console.error('Python: skipped, as python3-requests is not installed');
	else {
		peers['batch 20000 python'] = async () => await python('predict-multi', 20_000, 100);
		peers['single 2000 python'] = async () => await python('predict', 2_000, 1);
	}
	await compare(peers);
}

async function withWork() {
	const items = payments(2_000);
	const single = { options: { batchSize: 1 } };
	for (const ms of [5, 50] as const) {
		const url = nodes.urls[ms];
		const bodies = singleBodies(items);
		await measureWaiting(`work ${ms} batch node`, async () => await ours('dataikuPredict', 'fraud', items, {}, url), 9);
		await measureWaiting(
			`work ${ms} single node`,
			async () => await ours('dataikuPredict', 'fraud', items, single, url),
		);
		await measureWaiting(`work ${ms} single bare`, async () => await bare('fraud/predict', bodies, url));
		await measureWaiting(
			`work ${ms} http`,
			async () => await httpRequest(items, url + predict, '={{ { "features": $json } }}'),
		);
	}
}

async function otherOperations() {
	const query = `${nodes.urls[0]}/public/api/v1/demo/all_transactions/query`;
	const history = sales(1_000);
	const perRequest = 100 * 67;
	const bodies = Array.from({ length: 10 }, (_, n) =>
		JSON.stringify({ items: history.slice(n * perRequest, (n + 1) * perRequest) }),
	);
	const columns = { identifierColumns: 'store' };
	await compare({
		'sql node': async () => await ours('dataikuSqlQuery', 'all_transactions', [{}], {}),
		'sql http': async () => await httpRequest([{}], query, '{}'),
		'sql bare': async () => await bare('all_transactions/query', ['{}']),
		'forecast node': async () => await ours('dataikuForecast', 'store_sales', history, columns),
		'forecast bare': async () => await bare('store_sales/forecast', bodies),
	});
}

async function insideN8n() {
	const items = payments(20_000);
	const fixture = path.join(__dirname, '../test/support/fixture');
	const value = '={{ $json.output }}';
	const engine = async (does: string, given: string) =>
		await run({ type: 'fixture', packageRoot: fixture, items, parameters: { does, value: given } });
	await compare({
		'plain node': async () => await ours('dataikuPredict', 'fraud', items, {}),
		'expression node': async () => await ours('dataikuPredict', 'fraud', items, { output: value }),
		'plain engine': async () => await engine('evaluate', 'withInput'),
		'expression engine': async () => await engine('evaluate', value),
	});

	const many = payments(200_000);
	const passThrough = { does: 'passThrough' };
	times['pause node'] = await longestPause(async () => await ours('dataikuPredict', 'fraud', many, {}));
	times['pause engine'] = await longestPause(
		async () => await run({ type: 'fixture', packageRoot: fixture, items: many, parameters: passThrough }),
	);
}

/** Milliseconds of the longest pause of the event loop during the work: the median of three runs. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
	const pauses: number[] = [];
	for (let n = 0; n < 3; n++) {
		const delay = monitorEventLoopDelay({ resolution: 1 });
		delay.enable();
		// The monitor needs a turn before and after the work to measure a pause in between.
		await sleep(20);
		await work();
		await sleep(20);
		delay.disable();
		pauses.push(delay.max / 1e6);
	}
	return pauses.sort((a, b) => a - b)[1]!;
}

/** Bytes of the heap with a million items, while and after they are scored. */
async function memory() {
	const used = () => getHeapStatistics().used_heap_size;
	const items = payments(1_000_000);
	let peak = 0;
	const timer = setInterval(() => (peak = Math.max(peak, used())), 100);
	const { error, output } = await runNode(ourOptions('dataikuPredict', 'fraud', items));
	clearInterval(timer);
	if (error) throw error;
	gc!();
	times['heap peak'] = peak;
	times['heap kept'] = used();
	times['heap limit'] = getHeapStatistics().heap_size_limit;
	console.error(`a million items: ${output.length} scored, heap at most ${Math.round(peak / 2 ** 20)} MiB`);
}

async function main() {
	await predictions();
	await withWork();
	await otherOperations();
	await insideN8n();
	await memory();
	console.log(JSON.stringify(times));
	process.exit(0);
}

void main();
