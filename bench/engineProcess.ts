/**
 * The workloads that run in n8n's engine, in one process of one Node.js: prints milliseconds as JSON on its last line.
 * Called with the API nodes' URLs as JSON.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { promisify } from 'node:util';
import type { IDataObject } from 'n8n-workflow';
import { RUNTIME } from '../demo/n8n/installation';
import { runNode, type RunNodeOptions } from '../test/support/engine/runNode';
import { sendBare } from './bareUndici';
import { payments, sales } from './workloads';

const nodes = JSON.parse(process.argv[2]) as { urls: Record<0 | 5 | 50, string> };
/** Debian's, where its package python3-requests goes. */
const python3 = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const predict = '/public/api/v1/demo/fraud/predict';
const times: Record<string, number> = {};

/** n8n's HTTP Request node of the installed n8n, as a package of its own: to load all of n8n's nodes takes minutes. */
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

/** Runs once to warm up, then three times, and keeps the median. */
async function measure(name: string, work: () => Promise<number>, times_ = 3, warmUp = true): Promise<number> {
	if (warmUp) await work();
	const each: number[] = [];
	for (let n = 0; n < times_; n++) each.push(await work());
	times[name] = each.sort((a, b) => a - b)[Math.floor(each.length / 2)];
	console.error(`${name}: ${Math.round(times[name])} ms`);
	return times[name];
}

const ours = async (
	type: string,
	endpoint: string,
	items: IDataObject[],
	parameters: IDataObject,
	url = nodes.urls[0],
) =>
	await run({
		type,
		items,
		parameters: { endpointId: { __rl: true, mode: 'id', value: endpoint }, ...parameters },
		credentials: { dataikuApiNodeApi: { url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' } },
	});

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

async function inBatches() {
	for (const count of [2_000, 20_000, 200_000]) {
		const items = payments(count);
		const bodies = batchBodies(items);
		await measure(`batch ${count} node`, async () => await ours('dataikuPredict', 'fraud', items, {}));
		await measure(
			`batch ${count} bare`,
			async () => await clocked(() => sendBare(nodes.urls[0], 'fraud/predict-multi', bodies)),
		);
	}
}

async function oneByOne() {
	const body = '={{ { "features": $json } }}';
	const single = { options: { batchSize: 1 } };
	for (const count of [2_000, 20_000]) {
		const items = payments(count);
		const bodies = singleBodies(items);
		await measure(`single ${count} node`, async () => await ours('dataikuPredict', 'fraud', items, single));
		await measure(
			`single ${count} bare`,
			async () => await clocked(() => sendBare(nodes.urls[0], 'fraud/predict', bodies)),
		);
	}
	// Not 20,000: without batches it opens as many connections at once, and fails.
	const items = payments(2_000);
	const url = nodes.urls[0] + predict;
	await measure('single 2000 http', async () => await httpRequest(items, url, body));
	const batching = { batching: { batch: { batchSize: 50, batchInterval: 0 } } };
	await measure('single 2000 http batched', async () => await httpRequest(items, url, body, batching));
}

/** Waiting dominates here, and once is enough. */
async function withWork() {
	const items = payments(2_000);
	for (const ms of [5, 50] as const) {
		const url = nodes.urls[ms];
		await measure(`work ${ms} batch node`, async () => await ours('dataikuPredict', 'fraud', items, {}, url), 1, false);
		await measure(
			`work ${ms} single node`,
			async () => await ours('dataikuPredict', 'fraud', items, { options: { batchSize: 1 } }, url),
			1,
			false,
		);
		await measure(
			`work ${ms} single bare`,
			async () => await clocked(() => sendBare(url, 'fraud/predict', singleBodies(items))),
			1,
			false,
		);
		await measure(
			`work ${ms} http`,
			async () => await httpRequest(items, url + predict, '={{ { "features": $json } }}'),
			1,
			false,
		);
	}
}

async function otherOperations() {
	const url = nodes.urls[0];
	await measure('sql node', async () => await ours('dataikuSqlQuery', 'all_transactions', [{}], {}));
	await measure(
		'sql http',
		async () => await httpRequest([{}], `${url}/public/api/v1/demo/all_transactions/query`, '{}'),
	);
	await measure('sql bare', async () => await clocked(() => sendBare(url, 'all_transactions/query', ['{}'])));
	const history = sales(1_000);
	const perRequest = 100 * 67;
	const bodies = Array.from({ length: 10 }, (_, n) =>
		JSON.stringify({ items: history.slice(n * perRequest, (n + 1) * perRequest) }),
	);
	const columns = { options: { identifierColumns: 'store' } };
	await measure('forecast node', async () => await ours('dataikuForecast', 'store_sales', history, columns));
	await measure('forecast bare', async () => await clocked(() => sendBare(url, 'store_sales/forecast', bodies)));
}

async function insideN8n() {
	const items = payments(20_000);
	const fixture = path.join(__dirname, '../test/support/fixture');
	const value = '={{ $json.output }}';
	await measure('plain node', async () => await ours('dataikuPredict', 'fraud', items, {}));
	await measure('expression node', async () => await ours('dataikuPredict', 'fraud', items, { output: value }));
	const engine = async (does: string, given: string) =>
		await run({ type: 'fixture', packageRoot: fixture, items, parameters: { does, value: given } });
	await measure('plain engine', async () => await engine('evaluate', 'withInput'));
	await measure('expression engine', async () => await engine('evaluate', value));

	const many = payments(200_000);
	for (const [name, work] of Object.entries({
		node: async () => await ours('dataikuPredict', 'fraud', many, {}),
		engine: async () =>
			await run({ type: 'fixture', packageRoot: fixture, items: many, parameters: { does: 'passThrough' } }),
	})) {
		await work();
		const delay = monitorEventLoopDelay({ resolution: 1 });
		delay.enable();
		await work();
		delay.disable();
		times[`pause ${name}`] = delay.max / 1e6;
	}
}

async function main() {
	await inBatches();
	await oneByOne();
	await withWork();
	await otherOperations();
	await insideN8n();
	if (await withoutPython()) console.error('Python: skipped, as python3-requests is not installed');
	else {
		await measure('batch 20000 python', async () => await python('predict-multi', 20_000, 100));
		await measure('single 2000 python', async () => await python('predict', 2_000, 1));
	}
	console.log(JSON.stringify(times));
	process.exit(0);
}

void main();
