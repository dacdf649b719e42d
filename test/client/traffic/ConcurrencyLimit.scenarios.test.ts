import { setTimeout as wait } from 'node:timers/promises';
import type { ChaosRequest } from '../../support/chaosProxy';
import { countEvents, outcomeOf, Stage } from '../harness';

const stage = new Stage();

/** Serves this many requests at once, and refuses with 503 once more than `bearable` are outstanding. */
function overloadable({ served, bearable, latencyMs }: { served: number; bearable: number; latencyMs: number }) {
	let running = 0;
	let rejected = 0;
	let peak = 0;
	const queue: Array<() => void> = [];
	return {
		faults: async ({ outstanding }: ChaosRequest) => {
			peak = Math.max(peak, outstanding);
			if (outstanding > bearable) {
				rejected++;
				return { kind: 'answer' as const, status: 503 };
			}
			if (running >= served) await new Promise<void>((resolve) => queue.push(resolve));
			running++;
			await wait(latencyMs);
			running--;
			queue.shift()?.();
			return undefined;
		},
		get rejected() {
			return rejected;
		},
		get peak() {
			return peak;
		},
	};
}

const callsOf = (count: number) => Array.from({ length: count }, (_, id) => id);

describe('An endpoint that serves 8 requests at a time and queues 16', () => {
	const knee = { served: 8, bearable: 24, latencyMs: 4 };

	it('serves 2,000 requests with few refusals when the user allows 64 at a time', async () => {
		const load = overloadable(knee);
		const server = await stage.scoring({ faults: load.faults });
		const counts = countEvents();
		const client = stage.clientOf(server, counts);
		const options = { maxConcurrency: 64 };

		const answers = await Promise.all(
			callsOf(2_000).map(async (id) => await client.predictRecord('e', { id }, options)),
		);

		expect(answers).toEqual(callsOf(2_000).map((id) => ({ result: { id } })));
		expect(load.rejected).toBeGreaterThan(0);
		expect(load.rejected).toBeLessThanOrEqual(60);
		expect(counts.retries).toBe(load.rejected);
		expect(server.requests).toHaveLength(2_000 + load.rejected);
		expect(load.peak).toBeLessThanOrEqual(32);
	});

	it('refuses no request with the default settings', async () => {
		const load = overloadable(knee);
		const server = await stage.scoring({ faults: load.faults });
		const client = stage.clientOf(server);

		const answers = await Promise.all(callsOf(500).map(async (id) => await client.predictRecord('e', { id })));

		expect(answers).toEqual(callsOf(500).map((id) => ({ result: { id } })));
		expect([load.rejected, load.peak, server.connections]).toEqual([0, 8, 8]);
	});
});

it('An API node at its default pool refuses at most one in a hundred of 2,000 requests', async () => {
	const node = await stage.node({ latencyMs: 20 });
	const client = stage.client({ url: node.url, serviceId: 'open' });

	const outcomes = await Promise.all(
		callsOf(2_000).map(async (amount) => await outcomeOf(client.predictRecord('fraud', { amount }))),
	);

	expect(outcomes.filter(({ error }) => error)).toEqual([]);
	const { rejected, peak } = node.pool('open', 'fraud');
	expect(rejected).toBeLessThanOrEqual(20);
	expect(peak).toBe(8);
	expect(node.requests.count({ status: 200 })).toBe(2_000);
});

describe("The user's limit on concurrency", () => {
	it.each([1, 2, 5, 8, 16])('(%i) is reached and never exceeded, on as many connections', async (maxConcurrency) => {
		const server = await stage.scoring({ faults: { kind: 'delay', ms: 5 } });
		const client = stage.clientOf(server);
		const peak = () => Math.max(0, ...server.requests.map(({ outstanding }) => outstanding));
		// The limit goes up by one after as many successes in a full window. A busy machine leaves windows open.
		for (let round = 0; peak() < maxConcurrency && round < 20; round++) {
			const calls = callsOf(20 + maxConcurrency ** 2);
			await Promise.all(calls.map(async (id) => await client.predictRecord('e', { id }, { maxConcurrency })));
		}
		expect(peak()).toBe(maxConcurrency);
		expect(server.connections).toBe(maxConcurrency);
	});

	it('applies to each endpoint, so that a slow endpoint does not delay others', async () => {
		const server = await stage.scoring({
			faults: ({ path }) => (path.includes('/slow/') ? { kind: 'delay', ms: 300 } : undefined),
		});
		const client = stage.clientOf(server);
		let slowOnes = 0;
		const slow = callsOf(4).map(async (id) => {
			await client.predictRecord('slow', { id }, { maxConcurrency: 2 });
			slowOnes++;
		});
		await server.requestsArrived(2);
		await Promise.all(
			callsOf(50).map(async (id) => await client.predictRecord('quick', { id }, { maxConcurrency: 2 })),
		);
		expect(slowOnes).toBe(0);
		await Promise.all(slow);
	});

	it('is shared by all calls of the client to the endpoint, single and batched', async () => {
		const server = await stage.scoring({ faults: { kind: 'delay', ms: 5 } });
		const client = stage.clientOf(server);
		const options = { maxConcurrency: 3 };
		await Promise.all(
			callsOf(60).map(async (id) =>
				id % 2
					? await client.predictRecord('e', { id }, options)
					: await client.predictRecords('e', [{ features: { id } }], options),
			),
		);
		expect(Math.max(...server.requests.map(({ outstanding }) => outstanding))).toBe(3);
	});
});

it('All calls succeed and the load returns after a brownout of timeouts and refusals', async () => {
	let brownout = false;
	const server = await stage.scoring({
		faults: ({ n }) => {
			if (!brownout) return { kind: 'delay', ms: 5 };
			return n % 2 ? { kind: 'answer', status: 503 } : { kind: 'answer', status: 429, headers: { 'retry-after': '0' } };
		},
	});
	const client = stage.clientOf(server);
	const call = async (id: number) => await client.predictRecord('e', { id });
	await Promise.all(callsOf(100).map(call));
	const before = Math.max(...server.requests.map(({ outstanding }) => outstanding));

	brownout = true;
	const during = Promise.all(callsOf(24).map(call));
	setTimeout(() => (brownout = false), 700);
	expect(await during).toEqual(callsOf(24).map((id) => ({ result: { id } })));

	const from = server.requests.length;
	await Promise.all(callsOf(200).map(call));
	const after = Math.max(...server.requests.slice(from).map(({ outstanding }) => outstanding));
	expect([before, after]).toEqual([8, 8]);
	expect(server.requests).toHaveLength(from + 200);
});

it.each([
	[
		'says how long requests waited, the longer the more there are',
		({ outstanding }: ChaosRequest) => 8_000 * outstanding,
		4,
	],
	['says the same wait however many there are', () => 15_000, 8],
	['does not say it', () => undefined, 8],
	['says it in words', () => '15 ms', 8],
])('An endpoint that %s gets as many requests as do not delay each other', async (_name, waitOf, most) => {
	const server = await stage.chaos({
		faults: ({ outstanding }) => ({ kind: 'delay', ms: 12 + 8 * outstanding }),
		respond: (request) => ({ body: { result: {}, timing: { wait: waitOf(request) } } }),
	});
	const client = stage.clientOf(server);
	await Promise.all(callsOf(200).map(async () => await client.predictRecord('e', {})));
	const settled = Math.max(...server.requests.slice(-40).map(({ outstanding }) => outstanding));
	expect(settled).toBeLessThanOrEqual(most);
	expect(settled).toBeGreaterThan(most - 3);
});

it("The field `timing` of a function's own response does not affect the limit", async () => {
	const server = await stage.chaos({
		faults: { kind: 'delay', ms: 20 },
		respond: () => ({ body: { timing: { wait: 15_000 } } }),
	});
	const client = stage.clientOf(server);
	await Promise.all(callsOf(60).map(async () => await client.runFunction('f', {})));
	expect(Math.max(...server.requests.slice(-8).map(({ outstanding }) => outstanding))).toBe(8);
});
