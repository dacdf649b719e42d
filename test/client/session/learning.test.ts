import { setTimeout as wait } from 'node:timers/promises';
import { TimeoutError } from '../../../client';
import type { Answer } from '../../support/chaosProxy';
import { eventLog, failureOf, range, read, recordsOf, refusal, Scene, scoredIn, type Server } from './harness';

const scene = new Scene();
const tooLarge: Answer = { status: 413, body: 'Request Entity Too Large' };

describe('A 413', () => {
	const padding = 'x'.repeat(2_000);
	const bytes = (server: Server) => server.asked().map(({ body }) => Buffer.byteLength(body));

	it('for a small body does not reduce the size of later requests', async () => {
		const { server, client } = await scene.serverAndClient();
		let passing = 3;
		server.setFault(() => (passing-- > 0 ? { kind: 'answer', ...tooLarge } : undefined));
		await client.settle('predict', 'model', recordsOf(100));
		const before = server.asked().length;
		const session = client.session();
		for (const n of range(5)) {
			const ids = range(1_100 + 100 * n, 1_000 + 100 * n);
			expect(scoredIn(await session.settle('predict', 'model', recordsOf(ids)), ids)).toHaveLength(100);
		}
		expect(server.asked().length - before).toBe(5);
	});

	it('for a large body reduces the size of later requests, which grows back with successes', async () => {
		const { server, client } = await scene.serverAndClient();
		let limit = 100_000;
		server.setFault(({ body }) => (Buffer.byteLength(body) > limit ? { kind: 'answer', ...tooLarge } : undefined));
		const settle = async (n: number) => {
			const ids = range(100 * n + 100, 100 * n);
			const outcomes = await client.settle('predict', 'model', recordsOf(ids, { padding }));
			expect(scoredIn(outcomes, ids)).toHaveLength(100);
		};
		await settle(0);
		const first = server.asked().length;
		await settle(1);
		const refused = bytes(server)
			.slice(first)
			.filter((size) => size > limit);
		expect(refused).toEqual([]);
		expect(server.asked().length - first).toBeGreaterThanOrEqual(2);

		limit = Infinity;
		for (const n of range(80, 2)) await settle(n);
		const last = server.asked().length;
		await settle(80);
		expect(server.asked().length - last).toBe(1);
		expect(server.sentAgain).toEqual([]);
	});

	it('for a large body is not forgotten because small bodies succeed', async () => {
		const { server, client } = await scene.serverAndClient();
		const limit = 100_000;
		server.setFault(({ body }) => (Buffer.byteLength(body) > limit ? { kind: 'answer', ...tooLarge } : undefined));
		await client.settle('predict', 'model', recordsOf(100, { padding }));
		for (const id of range(180, 100)) await client.predictRecord('model', { id });
		const before = server.asked().length;
		await client.settle('predict', 'model', recordsOf(range(280, 180), { padding }));
		const later = bytes(server).slice(before);
		expect(later.filter((size) => size > limit)).toEqual([]);
	});

	it('for every request costs each record no more than its share of the halving', async () => {
		const { server, client } = await scene.serverAndClient(() => tooLarge);
		const outcomes = await client.settle('predict', 'model', recordsOf(100));
		expect(outcomes.map(({ error }) => error?.status)).toEqual(Array(100).fill(413));
		expect(server.asked().length).toBeLessThan(200);
	});
});

describe('The evidence that an endpoint works', () => {
	it('includes a 400 between two 503, so that they do not count as failures in a row', async () => {
		const pattern = [503, 400, 400, 503];
		let n = 0;
		const { client } = await scene.serverAndClient(() => refusal('No', pattern[n++ % 4]));
		const { of, onEvent } = eventLog();
		const session = client.session({ onEvent });
		for (const id of range(20)) await failureOf(session.predictRecord('model', { id }));

		expect(of('pause')).toEqual([]);
	});

	it.each([401, 403, 404, 413, 422, 500])(
		'includes a %d between two 502, so that they do not count as failures in a row',
		async (status) => {
			let n = 0;
			const { client } = await scene.serverAndClient(() => refusal('No', [502, 502, status][n++ % 3]));
			const { of, onEvent } = eventLog();
			const session = client.session({ onEvent });
			for (const id of range(9)) await failureOf(session.runFunction('model', { id }));

			expect(of('pause')).toEqual([]);
		},
	);

	it.each([404, 400, 500, 418])("includes a function's own %d, so that concurrency rises above 2", async (status) => {
		const { server, client } = await scene.serverAndClient(async () => {
			await wait(5);
			return { status, body: 'There is no such customer' };
		});
		await Promise.all(range(80).map(async (id) => await failureOf(client.runFunction('find', { id }))));

		expect(server.most()).toBe(8);
		expect(server.asked()).toHaveLength(80);
	});
});

describe("Another session's timeout of 50 ms", () => {
	it('does not halve the limit of the endpoint', async () => {
		const { server, client } = await scene.serverAndClient(async ({ ids }) => {
			await wait(ids[0]! < 0 ? 150 : 20);
			return undefined;
		});
		const run = client.session();
		const score = async (first: number) =>
			await Promise.all(range(first + 60, first).map(async (id) => await run.predictRecord('model', { id })));
		await score(0);
		expect(server.most()).toBe(8);

		const errors = await Promise.all(
			range(6).map(async (n) => await failureOf(client.predictRecord('model', { id: -1 - n }, { timeout: 50 }))),
		);
		expect(errors.every((error) => error instanceof TimeoutError)).toBe(true);
		await wait(200);
		const before = server.requests.length;
		await score(100);
		// At once, without growing anew.
		expect(Math.max(...server.requests.slice(before, before + 12).map(({ outstanding }) => outstanding))).toBe(8);
	});

	it('uses up no attempt of later sessions', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		await Promise.all(
			range(12).map(async (id) => await failureOf(client.predictRecord('model', { id }, { timeout: 50 }))),
		);
		let resets = 0;
		server.setFault(() => (resets++ < 2 ? { kind: 'reset', when: 'before' } : undefined));

		expect((await client.predictRecord('model', { id: 100 })).result).toEqual({ id: 100 });
	});

	it('does not take the instance out', async () => {
		const slow = async () => {
			await wait(120);
			return undefined;
		};
		const servers = [await scene.server(slow), await scene.server(slow)];
		const { of, onEvent } = eventLog();
		const client = scene.clientOf(servers, { onEvent });
		await Promise.all(
			range(12).map(async (id) => await failureOf(client.predictRecord('model', { id }, { timeout: 50 }))),
		);
		expect(of('instanceOut')).toEqual([]);
		expect(of('pause')).toEqual([]);
	});
});

describe('A record that crashes a worker', () => {
	const deaths = {
		reset: { kind: 'reset', when: 'before' },
		'504': { kind: 'answer', status: 504, body: '<html>Gateway Timeout</html>' },
		'502': { kind: 'answer', status: 502, body: '<html>Bad Gateway</html>' },
		hang: { kind: 'silent' },
	} as const;

	describe.each(Object.keys(deaths) as Array<keyof typeof deaths>)('(%s)', (death) => {
		const kill = (server: Server) =>
			server.setFault((request) => (read(request).ids.includes(37) ? deaths[death] : undefined));
		const timeout = death === 'hang' ? 400 : 30_000;

		it('costs none of its 99 neighbors when its batch is alone', async () => {
			const { server, client } = await scene.serverAndClient();
			kill(server);
			const outcomes = await client.settle('predict', 'model', recordsOf(100), { timeout });

			expect(scoredIn(outcomes)).toEqual(range(100).filter((id) => id !== 37));
			expect(server.sentAgain).toEqual([]);
			expect(server.asked().length).toBeLessThan(50);
		});

		it('costs no record of its own or of other batches when several are in progress', async () => {
			const { server, client } = await scene.serverAndClient(async () => {
				await wait(20);
				return undefined;
			});
			kill(server);
			const outcomes = await client.settle('predict', 'model', recordsOf(2_000), { timeout });

			expect(scoredIn(outcomes)).toEqual(range(2_000).filter((id) => id !== 37));
			expect(server.sentAgain).toEqual([]);
		});
	});
});
