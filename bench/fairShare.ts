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
}

const warmUpMs = 2_000;
const countedMs = 8_000;
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
 * Runs one process with the client and one plain client with two requests in flight, next to a plain client with many.
 *
 * @returns what the first was served relative to the second, by the number of outstanding requests of the third
 */
export async function measureBeside(url: string): Promise<Record<number, number>> {
	const measured: Record<number, number> = {};
	for (const outstanding of [8, 12, 16, 20]) {
		const plain = (requests: number) => start('plainProcess.cjs', url, String(requests));
		const { of } = await counted([start('clientProcess.cjs', url), plain(2), plain(outstanding)]);
		const [ours = 0, theirs = 0] = of('answered');
		measured[outstanding] = ours / theirs;
	}
	return measured;
}

const start = (script: string, ...args: string[]) => fork(path.join(__dirname, script), args);

async function oneRun(url: string, processes: number): Promise<FairShare> {
	const { of, seconds } = await counted(Array.from({ length: processes }, () => start('clientProcess.cjs', url)));
	const sum = (figure: keyof Counts) => of(figure).reduce((all, each) => all + each, 0);
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
async function counted(clients: ChildProcess[]) {
	try {
		for (const ready of clients.map((client) => once(client, 'message'))) await ready;
		for (const client of clients) client.send('start');
		await sleep(warmUpMs);
		const startedAt = performance.now();
		const before = await Promise.all(clients.map(count));
		await sleep(countedMs);
		const after = await Promise.all(clients.map(count));
		const seconds = (performance.now() - startedAt) / 1_000;
		const of = (figure: keyof Counts) => after.map((counts, n) => counts[figure] - before[n]![figure]);
		return { of, seconds };
	} finally {
		for (const client of clients) client.kill();
	}
}

async function count(client: ChildProcess): Promise<Counts> {
	client.send('count');
	const [counts] = (await once(client, 'message')) as [Counts];
	return counts;
}
