import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { type ApiNode, jwtCheck, startApiNode } from '../../demo/api-node';
import { oAuth2Server, type OAuth2Server } from '../support/oAuth2Server';
import type { Example } from '../../demo/demo';
import { Cluster, example } from './Cluster';
import { type Calls, Load } from './Load';
import { FOLDER } from './setup';
import { until } from './until';

/** CI runs the short form. */
const forms = {
	short: {
		workerCounts: [1, 2],
		measuredCalls: 200,
		batch: { records: 8_000, size: 200, leaseSeconds: 20, withinMs: 400_000 },
	},
	long: {
		workerCounts: [1, 2, 4],
		measuredCalls: 600,
		batch: { records: 60_000, size: 500, leaseSeconds: 20, withinMs: 400_000 },
	},
	million: {
		workerCounts: [1, 2, 4],
		measuredCalls: 600,
		batch: { records: 1_000_000, size: 2_000, leaseSeconds: 300, withinMs: 3_600_000 },
	},
};
const { workerCounts, measuredCalls, batch } = forms[(process.env.SCALE ?? 'long') as keyof typeof forms];
const callers = 16;

const folder = process.env[FOLDER] ?? '';
const servedIds = path.join(folder, 'served-ids');
const cluster = new Cluster(folder);
let tokens: OAuth2Server;
let secured: ApiNode;
const revoked = new Set<string>();

beforeAll(async () => {
	tokens = await oAuth2Server();
	const accepts = jwtCheck(tokens.jwtRules);
	secured = await startApiNode({ acceptsToken: async (token) => !revoked.has(token) && (await accepts(token)) });
	const withNumbers = (code: unknown, numbers: Record<string, string>) =>
		Object.entries(numbers).reduce((text, [from, to]) => {
			if (!text.includes(from)) throw new Error(`No "${from}" in ${text}`);
			return text.replace(from, to);
		}, String(code));
	const realTime = await example('dataiku-real-time', {
		'Dataiku Predict': () => ({
			output: 'fullResponse',
			endpointId: { __rl: true, mode: 'id', value: 'fraud' },
		}),
	});
	const tokenWorkflow = withToken(realTime);
	const workflows = [
		realTime,
		tokenWorkflow,
		await example('dataiku-workers', {
			Chunks: ({ jsCode }) => ({
				jsCode: withNumbers(jsCode, {
					'records = 2000': `records = ${batch.records}`,
					'size = 200': `size = ${batch.size}`,
				}),
			}),
		}),
		await example('dataiku-give-out', {
			'Every ten seconds': () => ({ rule: { interval: [{ field: 'seconds', secondsInterval: 2 }] } }),
			'Due chunks': ({ jsCode }) => ({
				jsCode: withNumbers(jsCode, { 'lease = 5 * 60 * 1000': `lease = ${batch.leaseSeconds} * 1000` }),
			}),
		}),
		// The record's number reaches the API nodes, which count what they served.
		await example('dataiku-chunk', { 'Dataiku Predict': () => ({ include: 'all' }) }),
	];
	await cluster.start(workflows, [await connectedCredential()]);
	for (const { id } of [realTime, tokenWorkflow]) await cluster.rest.publish(id);
	await cluster.addWorker();
});
afterAll(async () => await Promise.all([tokens?.close(), secured?.close()]));

/** The same behind its own webhook, with a token in place of the key. */
function withToken(workflow: Example): Example {
	const nodes = workflow.nodes.map((node) => {
		const { name, parameters } = node;
		if (name === 'Payment') return { ...node, parameters: { ...parameters, path: 'score-with-token' } };
		if (name !== 'Dataiku Predict') return node;
		const credentials = { dataikuApiNodeOAuth2Api: { id: 'dataiku-token', name: 'Dataiku token' } };
		return { ...node, parameters: { ...parameters, authentication: 'oAuth2' }, credentials };
	});
	return { ...workflow, id: 'with-token', name: 'Score with a token', versionId: randomUUID(), nodes };
}

/** As after "Connect my account" in the editor. */
async function connectedCredential() {
	const oauthTokenData = await tokens.connect();
	return {
		id: 'dataiku-token',
		name: 'Dataiku token',
		type: 'dataikuApiNodeOAuth2Api',
		data: {
			url: secured.url,
			serviceId: 'secured',
			grantType: 'authorizationCode',
			...tokens.credentialFields,
			oauthTokenData,
		},
	};
}

/** Whatever became of the tests before. */
async function haveWorkers(count: number): Promise<void> {
	while (cluster.workers.length < count) await cluster.addWorker();
}

/** What callers of the webhook meet while something is done to the cluster. */
async function underLoad(
	work: (more: (calls: number) => Promise<void>) => Promise<void>,
	webhook = 'score-payment',
): Promise<Calls> {
	const load = new Load(`${cluster.main.url}/webhook/${webhook}`, callers);
	const more = async (count: number) => {
		const wanted = load.served + count;
		await until(`${count} more calls served`, () => load.served >= wanted);
	};
	await work(more).finally(async () => await load.stop());
	return load.calls;
}

/** Requests that the pools refused, as far as the instances were not restarted since. */
async function rejected(): Promise<number> {
	const reports = await Promise.all(cluster.instances.map((instance) => instance.report()));
	return reports.reduce((sum, report) => sum + report.rejected, 0);
}

const summary = () => new Table({ style: { head: [], border: [], compact: true } });

test('every call of the webhook succeeds with one worker and with several, and each worker serves a share', async () => {
	const table = summary();
	table.push(['workers', 'calls', 'calls/s', 'failed', 'rejected by the pools', 'calls by worker']);
	for (const instance of cluster.instances) await instance.restart({ latencyMs: 20 });
	const ended = async () => await Promise.all(cluster.workers.map(async (worker) => (await worker.executions()).ended));
	for (const count of workerCounts) {
		await haveWorkers(count);
		// Every process meets its first call here.
		await underLoad(async (more) => await more(50));
		const [endedBefore, rejectedBefore] = [await ended(), await rejected()];
		const { served, failed, seconds } = await underLoad(async (more) => await more(measuredCalls));
		const shares = (await ended()).map((now, worker) => now - endedBefore[worker]!);
		const speed = Math.round(served / seconds);
		table.push([count, served, speed, failed.length, (await rejected()) - rejectedBefore, shares.join(' ')]);
		expect(failed).toEqual([]);
		expect(Math.min(...shares)).toBeGreaterThan(served / count / 4);
	}
	process.stdout.write(`${table.toString()}\n`);
});

test('no call fails when an API instance is killed and all of them are restarted in turn', async () => {
	const { failed } = await underLoad(async (more) => {
		await more(50);
		await cluster.instances[0]!.kill();
		await more(100);
		await cluster.instances[0]!.start();
		for (const instance of cluster.instances) {
			await more(50);
			await instance.stop();
			await more(50);
			await instance.start();
		}
		await more(50);
	});
	expect(failed).toEqual([]);
});

test('no call that a worker has begun fails when the worker is stopped and started again', async () => {
	await haveWorkers(2);
	const worker = cluster.workers[0]!;
	const neverBegun = async () =>
		(await cluster.postgres.rows('SELECT id FROM execution_entity WHERE "startedAt" IS NULL')).length;
	const before = await neverBegun();
	const { failed } = await underLoad(async (more) => {
		await more(50);
		await worker.stop();
		await more(50);
		await worker.start();
		await more(50);
	});
	// Bull cuts the connection on which the worker waits for a job, and loses one that Redis hands out in that moment, so that
	// its call hangs: https://github.com/OptimalBits/bull/blob/v4.16.5/lib/queue.js, pause
	expect(failed.filter((message) => message !== 'Headers Timeout Error')).toEqual([]);
	expect(failed.length).toBeLessThanOrEqual(Math.min(1, (await neverBegun()) - before));
});

test('no call fails when a new generation is activated on one instance after the other', async () => {
	for (const instance of cluster.instances) await instance.activate('v1');
	const { failed, generations, latest } = await underLoad(async (more) => {
		await more(50);
		for (const instance of cluster.instances) {
			await instance.activate('v2');
			await more(50);
		}
	});
	expect(failed).toEqual([]);
	expect([...generations.keys()]).toEqual(['v1', 'v2']);
	expect(latest).toBe('v2');
});

test('no call fails when workers renew a token with refresh tokens for one use, and each worker renews it at most once', async () => {
	await haveWorkers(2);
	const before = await tokens.grants();
	const rounds = 3;
	const { failed } = await underLoad(async (more) => {
		await more(50);
		for (let round = 0; round < rounds; round++) {
			for (const { accessToken } of await tokens.grants()) if (accessToken) revoked.add(accessToken);
			await more(50);
		}
	}, 'score-with-token');
	expect(failed).toEqual([]);
	const renewals = (await tokens.grants()).slice(before.length).map(({ grantType, error }) => error ?? grantType);
	expect(new Set(renewals)).toEqual(new Set(['refresh_token']));
	expect(renewals.length).toBeGreaterThanOrEqual(rounds);
	expect(renewals.length).toBeLessThanOrEqual(rounds * cluster.workers.length);
});

interface Chunk {
	chunk: string;
	first: number;
	last: number;
	given: number;
	done: boolean;
}
interface Result {
	record: number;
	chunk: string;
	prediction: string;
	double: boolean;
}

/** The name of a data table in SQL. */
async function tableOf(name: string): Promise<string | undefined> {
	const [found] = await cluster.postgres.rows<{ id: string }>(`SELECT id FROM data_table WHERE name = '${name}'`);
	return found && `"data_table_user_${found.id}"`;
}

async function chunksIn(): Promise<Chunk[]> {
	const table = await tableOf('Batch chunks');
	return table ? await cluster.postgres.rows<Chunk>(`SELECT * FROM ${table}`) : [];
}

/** What runs a batch that was started. */
const ofTheSchedule = ['dataiku-chunk', 'dataiku-give-out'];

test(
	'a batch over workers has each record once when a worker, an API instance, Redis and the main process are killed',
	async () => {
		await haveWorkers(2);
		for (const instance of cluster.instances) await instance.restart({ latencyMs: 100, servedIds });
		await cluster.rest.run('dataiku-workers', 'Start the batch');
		for (const id of ofTheSchedule) await cluster.rest.publish(id);
		const done = async () => (await chunksIn()).filter((chunk) => chunk.done).length;
		const chunks = Math.ceil(batch.records / batch.size);
		const began = performance.now();
		const reached = async (share: number) =>
			await until(`${share} of the chunks done`, async () => (await done()) >= share * chunks, {
				withinMs: batch.withinMs,
				everyMs: 500,
			});

		await reached(0.1);
		const [worker] = cluster.workers;
		await until('the worker is at work', async () => {
			const { begun, ended } = await worker!.executions();
			return begun > ended;
		});
		await worker!.kill();
		await reached(0.25);
		await cluster.instances[1]!.kill();
		await reached(0.4);
		await cluster.instances[1]!.start();
		await reached(0.5);
		await cluster.redis.kill();
		await sleep(2_000);
		await cluster.redis.start();
		await worker!.start();
		await reached(0.75);
		await cluster.main.kill();
		await cluster.main.start();
		await reached(1);
		const seconds = (performance.now() - began) / 1_000;

		// Marked within two rounds of the schedule.
		const [chunkTable, resultTable] = [await tableOf('Batch chunks'), await tableOf('Batch results')];
		await until('every double is marked', async () => {
			const unmarked = await cluster.postgres.rows(`
			SELECT record FROM ${resultTable} AS result JOIN ${chunkTable} AS counting USING (chunk)
			WHERE NOT double AND result.execution <> counting.execution LIMIT 1`);
			return unmarked.length === 0;
		});

		const given = new Map((await chunksIn()).map((chunk) => [chunk.chunk, chunk.given]));
		const results = await cluster.postgres.rows<Result>(`SELECT record, chunk, prediction, double FROM ${resultTable}`);
		const counted = results.filter(({ double }) => !double);
		const served = await servedRecords();
		const twice = [...served.answered].filter(([, times]) => times > 1).map(([record]) => record);
		const chunkOf = new Map(counted.map(({ record, chunk }) => [record, chunk]));
		const table = summary();
		table.push(
			{ records: batch.records },
			{ chunks },
			{ 'chunks given out again': [...given.values()].filter((times) => times > 1).length },
			{ 'records answered twice by the API nodes': twice.length },
			{ 'requests rejected by the pools': await rejected() },
			{ 'rows marked double': results.length - counted.length },
			{ seconds: Math.round(seconds) },
		);
		process.stdout.write(`${table.toString()}\n`);

		expect(new Set(counted.map(({ record }) => record)).size).toBe(batch.records);
		expect(counted).toHaveLength(batch.records);
		expect(counted.filter(({ prediction }) => prediction === '')).toEqual([]);
		expect(served.received.size).toBe(batch.records);
		// Otherwise nothing was interrupted, and nothing shown.
		expect([...given.values()].some((times) => times > 1)).toBe(true);
		expect(twice.filter((record) => given.get(chunkOf.get(record)!) === 1)).toEqual([]);
	},
	batch.withinMs + 200_000,
);

/** How many times each record was received and answered, as the API nodes counted. */
async function servedRecords() {
	const served = { received: new Map<number, number>(), answered: new Map<number, number>() };
	for (const line of (await readFile(servedIds, 'utf8')).split('\n')) {
		if (!line.endsWith('}')) continue;
		const { phase, ids } = JSON.parse(line) as { phase: 'received' | 'answered'; ids: number[] };
		for (const id of ids) served[phase].set(id, (served[phase].get(id) ?? 0) + 1);
	}
	return served;
}

test('calls fail and the execution names the node type when a worker lacks the package', async () => {
	for (const id of ofTheSchedule) await cluster.rest.call('POST', `/workflows/${id}/deactivate`, {});
	for (const worker of cluster.workers) await worker.stop();
	await cluster.addWorker({ withPackage: false });
	// n8n misses some failures that come at once: such a call has no response, and another one is made.
	let response: Response | undefined;
	await until('a call is answered', async () => {
		const signal = AbortSignal.timeout(5_000);
		const url = `${cluster.main.url}/webhook/score-payment`;
		response = await fetch(url, { method: 'POST', signal }).catch(() => undefined);
		return response !== undefined;
	});
	expect([response!.status, await response!.json()]).toEqual([500, { message: 'Error in workflow' }]);
	const filter = encodeURIComponent(JSON.stringify({ workflowId: 'dataiku-real-time', status: ['error'] }));
	let failed: string | undefined;
	await until('the failure is stored', async () => {
		const path = `/executions?filter=${filter}`;
		const { results } = await cluster.rest.call<{ results: Array<{ id: string }> }>('GET', path);
		failed = results[0]?.id;
		return failed !== undefined;
	});
	const { data } = await cluster.rest.finished(failed!);
	expect(data.resultData.error?.message).toBe('Unrecognized node type: n8n-nodes-dataiku.dataikuPredict');
});
