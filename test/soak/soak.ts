/**
 * `npx tsx test/soak/soak.ts [--records 1000000] [--throughput]`: records through random 503s, resets, answers cut short and
 * slow ones, and through instances that die and return. Prints what was lost, doubled and misplaced, what was sent again,
 * and the heap as it went. Ends with code 1 when anything was lost, doubled or misplaced.
 *
 * With `--throughput`: how near the client comes to what an API node's default pool can do, and what a dead instance
 * costs. The servers have their own process, so that time and heap are the client's.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Pool } from 'undici';
import { startApiNode } from '../../demo/api-node';
import { ApiNodeClient, StatusError } from '../../client';
import { type ChaosProxy, chaosProxy, type ChaosRequest, type Fault } from '../support/chaosProxy';

/** One record in so many is refused, so that batches are split as well. */
const badEvery = 2_000;
const isBad = (id: number) => id % badEvery === 1_234;

// --- the servers' process

interface Order {
	kind: 'chaos' | 'apiNodes';
	/** Roughly how many requests will come, to spread the deaths over. */
	requests: number;
	downMs: number;
}
interface Tally {
	requests: number;
	faults: Record<string, number>;
	deaths: number;
}

const oneIn = (chances: number) => Math.random() * chances < 1;

function randomFault(): Fault | undefined {
	if (oneIn(100)) return { kind: 'answer', status: 503 };
	if (oneIn(100)) return { kind: 'answer', status: 503, headers: { 'retry-after': '0' } };
	if (oneIn(100)) return { kind: 'reset', when: 'before' };
	if (oneIn(200)) return { kind: 'reset', when: 'during' };
	if (oneIn(100)) return { kind: 'truncated', by: 'endOfStream' };
	if (oneIn(200)) return { kind: 'closeOnNextRequest' };
	if (oneIn(50)) return { kind: 'delay', ms: 20 + Math.random() * 180 };
	return undefined;
}

function echo({ path, body }: ChaosRequest) {
	if (path === '/isAlive/') return { body: 'OK' };
	const { items } = JSON.parse(body) as { items: Array<{ features: { id: number } }> };
	const bad = items.find(({ features }) => isBad(features.id));
	if (bad) return { status: 400, body: { message: `Record ${bad.features.id} is bad` } };
	return { body: { results: items.map(({ features }) => ({ id: features.id })) } };
}

async function serveChaos({ requests: expected, downMs }: Order) {
	const tally: Tally = { requests: 0, faults: {}, deaths: 0 };
	// A request that chance hits four times would be lost as it should be: two hits each are the worst of it.
	const hits = new Map<string, number>();
	const proxies: ChaosProxy[] = [];
	let nextDeath = expected / 10;

	const die = async (proxy: ChaosProxy) => {
		tally.deaths++;
		await proxy.kill();
		await wait(downMs);
		await proxy.revive();
	};
	const faults = ({ path, body }: ChaosRequest) => {
		if (path === '/isAlive/') return undefined;
		// The proxy keeps what it was asked, and this is a long run.
		for (const { requests } of proxies) if (requests.length > 1_000) requests.splice(0);
		if (++tally.requests >= nextDeath) {
			nextDeath += expected / 5;
			void die(proxies[tally.deaths % proxies.length]!);
		}
		const key = `${body.length} ${body.slice(0, 60)}`;
		const times = hits.get(key) ?? 0;
		const fault = times < 2 ? randomFault() : undefined;
		if (!fault) hits.delete(key);
		else {
			if (fault.kind !== 'delay' && fault.kind !== 'closeOnNextRequest') hits.set(key, times + 1);
			const name = fault.kind === 'answer' ? String(fault.status) : fault.kind;
			tally.faults[name] = (tally.faults[name] ?? 0) + 1;
		}
		return fault;
	};
	for (let i = 0; i < 3; i++) proxies.push(await chaosProxy({ respond: echo, faults }));
	return { urls: proxies.map(({ url }) => url), tally };
}

async function serveApiNodes() {
	const nodes = await Promise.all([1, 2].map(async () => await startApiNode({ latencyMs: 20, keptRequests: 1 })));
	const dead = await startApiNode();
	await dead.close();
	const tally: Tally = { requests: 0, faults: {}, deaths: 0 };
	return { urls: [...nodes.map(({ url }) => url), dead.url], tally };
}

async function serve(order: Order) {
	const { urls, tally } = await (order.kind === 'chaos' ? serveChaos(order) : serveApiNodes());
	process.on('message', () => process.send!(tally));
	process.on('disconnect', () => process.exit());
	process.send!(urls);
}

async function startServers(order: Order): Promise<{ urls: string[]; child: ChildProcess }> {
	const child = fork(__filename, ['--serve', JSON.stringify(order)]);
	const [urls] = (await once(child, 'message')) as [string[]];
	return { urls, child };
}

// --- the client's process

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapMiB(): number {
	collectGarbage();
	return process.memoryUsage().heapUsed / 2 ** 20;
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

async function soak(records: number): Promise<boolean> {
	const short = records < 200_000;
	// a short run, too, should meet every fault
	const batchSize = short ? 20 : 100;
	const batches = Math.ceil(records / batchSize);
	const splitting = (records / badEvery) * 2 * Math.log2(batchSize);
	const { urls, child } = await startServers({
		kind: 'chaos',
		requests: batches + splitting,
		downMs: short ? 200 : 3_000,
	});
	const client = new ApiNodeClient({ url: urls, serviceId: 's' });
	const events = { request: 0, retry: 0, split: 0, instanceOut: 0, instanceBack: 0, pause: 0 };
	const leftOut = new Set<string>();
	const session = client.session({
		onEvent(event) {
			events[event.type]++;
			if (event.type === 'instanceOut') leftOut.add(event.instance);
		},
	});
	const seen = new Uint8Array(records);
	const counts = { lost: 0, doubled: 0, misplaced: 0, refused: 0 };
	const errors = new Map<string, number>();
	const heap: number[] = [];
	let nextBatch = 0;
	let done = 0;

	const settleBatch = async (from: number, to: number) => {
		const batch: Array<{ features: { id: number; amount: number } }> = [];
		for (let id = from; id < to; id++) batch.push({ features: { id, amount: id % 97 } });
		const outcomes = await session.settle('predict', 'e', batch, { batchSize });
		for (let id = from; id < to; id++) {
			const outcome = outcomes[id - from];
			if (!outcome) counts.lost++;
			else if (!outcome.error) {
				if (outcome.result.id !== id || isBad(id)) counts.misplaced++;
				if (++seen[outcome.result.id as number]! > 1) counts.doubled++;
			} else if (isBad(id) && outcome.error instanceof StatusError && outcome.error.status === 400) counts.refused++;
			else {
				counts.lost++;
				errors.set(outcome.error.message, (errors.get(outcome.error.message) ?? 0) + 1);
			}
		}
		if (outcomes.length !== to - from) counts.doubled += outcomes.length - (to - from);
	};
	const work = async () => {
		while (nextBatch < batches) {
			const from = nextBatch++ * batchSize;
			await settleBatch(from, Math.min(records, from + batchSize));
			if (++done % Math.ceil(batches / (short ? 20 : 200)) === 0) heap.push(heapMiB());
		}
	};

	const startedAt = performance.now();
	// as many as three instances take at once, and one for each on the way
	await Promise.all(Array.from({ length: 27 }, work));
	const seconds = (performance.now() - startedAt) / 1_000;
	child.send('tally');
	const [tally] = (await once(child, 'message')) as [Tally];
	await client.destroy();
	child.kill();

	const decile = Math.max(1, Math.floor(heap.length / 10));
	const deciles = Array.from({ length: 10 }, (_, i) => mean(heap.slice(i * decile, (i + 1) * decile)));
	const expectedRefusals = Array.from({ length: Math.ceil(records / badEvery) }, (_, i) => i * badEvery + 1_234);
	const bad = expectedRefusals.filter((id) => id < records).length;
	const faults = Object.entries(tally.faults).map(([name, count]) => `${count} ${name}`);
	console.log(`${records} records in ${seconds.toFixed(1)} s, ${tally.requests} requests`);
	console.log(`met: ${faults.join(', ')}, ${tally.deaths} deaths`);
	console.log(`lost ${counts.lost}, doubled ${counts.doubled}, misplaced ${counts.misplaced}`);
	console.log(`refused ${counts.refused} of ${bad} bad records, alone`);
	console.log(`retried ${events.retry}, split ${events.split}, left out ${[...leftOut].join(', ')}`);
	console.log(`heap in MiB, by tenths: ${deciles.map((each) => each.toFixed(1)).join(' ')}`);
	for (const [message, count] of [...errors].slice(0, 10)) console.log(`${count} times: ${message}`);
	return counts.lost + counts.doubled + counts.misplaced === 0 && counts.refused === bad;
}

async function throughput(): Promise<void> {
	const { urls, child } = await startServers({ kind: 'apiNodes', requests: 0, downMs: 0 });
	const [first, second, dead] = urls as [string, string, string];
	const requests = 2_000;

	const time = async (url: string[]) => {
		const client = new ApiNodeClient({ url, serviceId: 'open' });
		const startedAt = performance.now();
		const calls = Array.from(
			{ length: requests },
			async (_, amount) => await client.predictRecord('fraud', { amount }),
		);
		await Promise.all(calls);
		const ms = performance.now() - startedAt;
		await client.destroy();
		return ms;
	};
	/** The same over bare undici: what the machine allows. */
	const timeBare = async () => {
		const pool = new Pool(first, { connections: 8 });
		const startedAt = performance.now();
		const calls = Array.from({ length: requests }, async (_, amount) => {
			const body = JSON.stringify({ features: { amount } });
			const answer = await pool.request({ method: 'POST', path: '/public/api/v1/open/fraud/predict', body });
			await answer.body.json();
		});
		await Promise.all(calls);
		const ms = performance.now() - startedAt;
		await pool.destroy();
		return ms;
	};
	const rounds: Array<{ bare: number; one: number; two: number; oneOfThreeDead: number }> = [];
	for (let round = 0; round < 5; round++) {
		rounds.push({
			bare: await timeBare(),
			one: await time([first]),
			two: await time([first, second]),
			oneOfThreeDead: await time([first, second, dead]),
		});
	}
	child.kill();
	const best = (key: keyof (typeof rounds)[number]) => Math.min(...rounds.map((round) => round[key]));
	const ideal = (requests / 8) * 20;
	for (const round of rounds) {
		const [bare, one, two, oneOfThreeDead] = Object.values(round).map((ms) => `${ms.toFixed(0)} ms`);
		console.log(
			`${requests} requests: bare undici ${bare}; one instance ${one}; two ${two}; two and a dead one ${oneOfThreeDead}`,
		);
	}
	const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(0)} %`;
	console.log('from the best of each:');
	console.log(`of an ideal pool, 8 at a time and 20 ms each: ${percent(ideal, best('one'))}`);
	console.log(`of bare undici with 8 connections: ${percent(best('bare'), best('one'))}`);
	console.log(`time with one of three dead, against two: ${percent(best('oneOfThreeDead'), best('two'))}`);
}

async function main() {
	const { values } = parseArgs({
		options: {
			records: { type: 'string', default: '1000000' },
			throughput: { type: 'boolean', default: false },
			serve: { type: 'string' },
		},
	});
	if (values.serve) return await serve(JSON.parse(values.serve) as Order);
	if (values.throughput) return await throughput();
	process.exitCode = (await soak(Number(values.records))) ? 0 : 1;
}

void main();
