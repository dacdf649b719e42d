import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultPool } from '../demo/api-node/pool';
import { sharedLatencyMs } from './apiNodes';

export interface FairShare {
	/** Shares of all requests, from 0 to 1. */
	rejected: number;
	failed: number;
	perSecond: number;
	/** Share of what the pipelines could serve at best. */
	ofIdeal: number;
	/** Ratio of the process that got the most to the one that got the least. */
	unevenness: number;
}

/** By number of processes. */
export type FairShares = Record<number, FairShare>;

interface Counts {
	answered: number;
	rejected: number;
	failed: number;
	/** Durations of the calls that got a response. */
	tookMs: number[];
}

type Figure = Exclude<keyof Counts, 'tookMs'>;

/** What a process with the client gets, relative to a plain client. */
export interface Beside {
	/** Requests served, if both always have more to send; the plain client has two in flight. */
	served: number;
	/** Time that one in a hundred calls exceeds, if both serve five webhook calls per second. */
	p99: number;
}

const warmUpMs = 2_000;
const countedMs = 8_000;
const webhooksMs = 30_000;
/** Outstanding calls of a process with the client: more than it has in flight. */
const always = '16';
const runs = 3;

/** Processes with a default client each, on one endpoint with an API node's default pool. */
export async function measureFairShare(url: string, report: (line: string) => void): Promise<FairShares> {
	const measured: FairShares = {};
	for (const processes of [1, 2, 4, 8]) {
		const samples: FairShare[] = [];
		for (let run = 0; run < runs; run++) samples.push(await oneRun(url, processes));
		const median = (figure: keyof FairShare) => samples.map((each) => each[figure]).sort((a, b) => a - b)[runs >> 1]!;
		measured[processes] = {
			rejected: median('rejected'),
			failed: median('failed'),
			perSecond: median('perSecond'),
			ofIdeal: median('ofIdeal'),
			unevenness: median('unevenness'),
		};
		report(`${processes} processes: ${samples.map((each) => JSON.stringify(each)).join(', ')}`);
	}
	return measured;
}

/**
 * Runs one process with the client and one plain client, next to a plain client that always has many requests outstanding.
 *
 * @returns by the number of outstanding requests
 */
export async function measureBeside(url: string): Promise<Record<number, Beside>> {
	const measured: Record<number, Beside> = {};
	for (const outstanding of [8, 12, 16, 20]) {
		const run = async (ours: string, theirs: string, forMs: number) => {
			const plain = (calls: string) => start('plainProcess.cjs', url, calls);
			return await counted([start('clientProcess.cjs', url, ours), plain(theirs), plain(String(outstanding))], forMs);
		};
		const ratio = ([ours = 0, theirs = 0]: number[]) => ours / theirs;
		const served = ratio((await run(always, '2', countedMs)).of('answered'));
		const p99 = ratio((await run('5/s', '5/s', webhooksMs)).p99);
		measured[outstanding] = { served, p99 };
	}
	return measured;
}

const start = (script: string, url: string, calls: string) => fork(path.join(__dirname, script), [url, calls]);

async function oneRun(url: string, processes: number): Promise<FairShare> {
	const clients = Array.from({ length: processes }, () => start('clientProcess.cjs', url, always));
	const { of, seconds } = await counted(clients, countedMs);
	const sum = (figure: Figure) => of(figure).reduce((all, each) => all + each, 0);
	const sent = sum('answered') + sum('rejected');
	const perSecond = sum('answered') / seconds;
	return {
		rejected: sum('rejected') / sent,
		failed: sum('failed') / sent,
		perSecond,
		ofIdeal: (perSecond * sharedLatencyMs) / 1_000 / defaultPool.ceil,
		unevenness: Math.max(...of('answered')) / Math.min(...of('answered')),
	};
}

/** Counts what each process did in the same seconds. */
async function counted(clients: ChildProcess[], forMs: number) {
	try {
		for (const ready of clients.map((client) => once(client, 'message'))) await ready;
		for (const client of clients) client.send('start');
		await sleep(warmUpMs);
		const startedAt = performance.now();
		const before = await Promise.all(clients.map(count));
		await sleep(forMs);
		const after = await Promise.all(clients.map(count));
		const seconds = (performance.now() - startedAt) / 1_000;
		const of = (figure: Figure) => after.map((counts, n) => counts[figure] - before[n]![figure]);
		const p99 = after.map(({ tookMs }, n) => {
			const sorted = tookMs.slice(before[n]!.tookMs.length).sort((a, b) => a - b);
			return sorted[Math.floor(0.99 * sorted.length)]!;
		});
		return { of, p99, seconds };
	} finally {
		for (const client of clients) client.kill();
	}
}

async function count(client: ChildProcess): Promise<Counts> {
	client.send('count');
	const [counts] = (await once(client, 'message')) as [Counts];
	return counts;
}
