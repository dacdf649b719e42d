import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { batchSize, ceilings, measured, plan, steps, type Load } from '../../bench/capacity';

const one = { instances: 1, workers: 1 };
const load: Load = { requestMs: 20, recordMs: 0.1, pipelines: 8, batchSize: 100 };

/** Items, ms that they took, batch size and ms of work per request: docs/benchmarks.md, Node.js 24. */
test.each([
	[200_000, 1_013, 100, 0],
	[20_000, 1_760, 1, 0],
	[2_000, 13_038, 1, 50],
	[2_000, 1_494, 1, 5],
])('%i items, measured to take %i ms in batches of %i with %i ms of work, are foretold within a fifth', (...run) => {
	const [items, ms, size, requestMs] = run;
	const { instances, workers } = ceilings({ requestMs, recordMs: 0, pipelines: 8, batchSize: size }, one);
	const predicted = (items * 1000) / Math.min(instances, workers);
	expect(predicted / ms).toBeGreaterThan(0.8);
	expect(predicted / ms).toBeLessThan(1.2);
});

test('a plan leaves each part idle for a third of the time, and has no part to spare', () => {
	const { instances, workers } = plan(10_000, load);
	for (const [part, count] of Object.entries({ instances, workers }) as Array<['instances' | 'workers', number]>) {
		const ceiling = ceilings(load, { instances, workers })[part];
		expect(ceiling * 0.7).toBeGreaterThanOrEqual(10_000);
		expect(count === 1 || (ceiling * 0.7 * (count - 1)) / count < 10_000).toBe(true);
	}
});

test("as many connections are open as Little's law says", () => {
	// 100 requests a second, each of 30 ms.
	expect(plan(10_000, load)).toMatchObject({ requestsPerSecond: 100, connections: 3 });
});

test('a webhook that is called with one record costs its call for each, and sends no more than it has', () => {
	const single = plan(1_000, { ...load, recordsPerCall: 1 });
	expect(single.requestsPerSecond).toBe(1_000);
	expect(single.workers).toBeGreaterThanOrEqual((1_000 * measured.call) / 1000 / 0.7);
	expect(plan(1_000, { ...load, recordsPerCall: 10_000 }).workers).toBe(1);
});

test('batches are as large as a request is slow to begin', () => {
	const size = (requestMs: number, recordMs: number) => batchSize({ requestMs, recordMs, pipelines: 8 });
	expect(size(20, 0.1)).toBeGreaterThan(size(2, 0.1));
	// Where each record takes as long as a request, the node's own costs alone decide.
	expect(size(1, 10)).toBe(100);
});

test('the way to a load ends with a setup that holds it, one part raised at a time', () => {
	const way = steps(1_000_000, load);
	expect(way[0]).toMatchObject(one);
	expect(way.at(-1)!.holds).toBeGreaterThanOrEqual(1_000_000);
	for (const [n, { holds }] of way.slice(1).entries()) expect(holds).toBeGreaterThanOrEqual(way[n]!.holds);
});

test.each([
	[['--records', '10,000', '--request-ms', '20'], '--records must be a number above 0'],
	[['--records', '10000'], '--request-ms must be a number above 0'],
	[['--records', '10000', '--request-ms', '20', '--pipelines', '0'], '--pipelines must be a number above 0'],
])('the command says what is wrong with %j in one line', (args, message) => {
	const command = ['--import', 'tsx', path.resolve(__dirname, '../../bench/planCapacity.ts'), ...args];
	const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
	expect([status, stderr]).toEqual([2, `${message}\n`]);
});
