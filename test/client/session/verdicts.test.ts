import { setTimeout as wait } from 'node:timers/promises';
import type { RecordOutcome, Session, SettleOptions } from '../../../client';
import { random, range, recordsOf, refusal, refusing, Scene, scoredIn } from './harness';

const scene = new Scene();
/** Which records represent others is random: RUNS=20 tries the same more often. */
const runs = range(Number(process.env.RUNS ?? 2));

const settleAll = async (session: Session, endpoint: string, ids: readonly number[], options: SettleOptions = {}) =>
	await session.settle('predict', endpoint, recordsOf(ids), options);

const everyHundredth = (id: number) => id % 100 === 37;

describe('An endpoint that refuses everything fails no good record', () => {
	it('of another endpoint', async () => {
		const { server, client } = await scene.serverAndClient(({ endpoint, ids }) =>
			endpoint === 'broken' || ids.some(everyHundredth) ? refusal() : undefined,
		);
		const session = client.session();
		const ids = range(400);

		expect(scoredIn(await settleAll(session, 'broken', range(100)))).toEqual([]);
		expect(scoredIn(await settleAll(session, 'fine', ids))).toEqual(ids.filter((id) => !everyHundredth(id)));
		expect(server.sentAgain).toEqual([]);
	});

	it('of another endpoint that is called at the same time', async () => {
		const { client } = await scene.serverAndClient(({ endpoint, ids }) =>
			endpoint === 'broken' || ids.some(everyHundredth) ? refusal() : undefined,
		);
		const session = client.session();
		const ids = range(1_000);
		const [refused, fine] = await Promise.all([settleAll(session, 'broken', ids), settleAll(session, 'fine', ids)]);

		expect(scoredIn(refused)).toEqual([]);
		expect(scoredIn(fine)).toEqual(ids.filter((id) => !everyHundredth(id)));
	});

	it.each<[string, SettleOptions, SettleOptions]>([
		['generation', { forcedGeneration: 'old' }, { forcedGeneration: 'new' }],
		['dispatch key', { dispatchKey: 'old' }, { dispatchKey: 'new' }],
		['explanation setting', { withExplanations: true }, { withExplanations: false }],
		['service', { serviceId: 'old' }, { serviceId: 'new' }],
		['header', { headers: { 'x-tenant': 'old' } }, { headers: { 'x-tenant': 'new' } }],
	])('of another %s', async (_what, broken, fine) => {
		const server = await scene.server();
		server.setFault(({ path, headers, body }) => {
			const isBroken = path.includes('/old/') || headers['x-tenant'] === 'old' || /"old"|"enabled":true/.test(body);
			return isBroken || /"id":\d*37\b/.test(body) ? { kind: 'answer', ...refusal() } : undefined;
		});
		const session = scene.clientOf(server).session();
		const ids = range(400);
		const refused = await settleAll(session, 'model', ids, broken);
		const scored = await settleAll(session, 'model', ids, fine);

		expect(scoredIn(refused)).toEqual([]);
		expect(scoredIn(scored)).toEqual(ids.filter((id) => !everyHundredth(id)));
	});

	it.each<[string, [string, SettleOptions], [string, SettleOptions]]>([
		['endpoint', ['broken', {}], ['fine', {}]],
		['generation', ['model', { forcedGeneration: 'old' }], ['model', { forcedGeneration: 'new' }]],
		['header', ['model', { headers: { 'x-tenant': 'old' } }], ['model', { headers: { 'x-tenant': 'new' } }]],
	])('and stays cheap next to another %s that scores everything', async (_what, broken, fine) => {
		const { server, client } = await scene.serverAndClient(async ({ endpoint, generation }) => {
			await wait(2);
			return endpoint === 'broken' || generation === 'old' ? refusal() : undefined;
		});
		server.setFault(({ headers }) => (headers['x-tenant'] === 'old' ? { kind: 'answer', ...refusal() } : undefined));
		const session = client.session();
		const ids = range(3_000);
		const [refused, scored] = await Promise.all([
			session.settle('predict', broken[0], recordsOf(ids), broken[1]),
			session.settle('predict', fine[0], recordsOf(ids), { ...fine[1], batchSize: 10 }),
		]);

		expect(scoredIn(refused)).toEqual([]);
		expect(scoredIn(scored)).toEqual(ids);
		// Two batches are asked about to the end; of each other, two records stand for the rest.
		expect(server.asked().length - 300).toBeLessThanOrEqual(2 * 199 + 28 * 3);
	});

	it('of another session', async () => {
		const { client } = await scene.serverAndClient(refusing((id) => id >= 1_000 || everyHundredth(id)));
		const ids = range(400);
		const others = range(1_400, 1_000);
		const [refused, fine] = await Promise.all([
			settleAll(client.session(), 'model', others),
			settleAll(client.session(), 'model', ids),
		]);

		expect(scoredIn(refused, others)).toEqual([]);
		expect(scoredIn(fine)).toEqual(ids.filter((id) => !everyHundredth(id)));
	});
});

describe.each([100, 800, 2_000])('Of 5,000 records with the first %d bad and one in a hundred after them', (first) => {
	it.each(runs)('every good record is scored, and no record is sent after its outcome (run %d)', async (seed) => {
		const chance = random(first + seed);
		const bad = new Set(range(5_000).filter((id) => id < first || chance() < 0.01));
		const { server, client } = await scene.serverAndClient(refusing((id) => bad.has(id)));
		const ids = range(5_000);
		const outcomes = await settleAll(client.session(), 'model', ids);

		expect(scoredIn(outcomes)).toEqual(ids.filter((id) => !bad.has(id)));
		expect(server.sentAgain).toEqual([]);
		// Taking everything apart: two requests for each bad record of a range that holds nothing else, 15 for one that stands alone.
		expect(server.asked().length).toBeLessThan(50 + 2 * first + 15 * (bad.size - first) + 100);
	});
});

describe('Bad records among good ones', () => {
	it.each(range(5 * runs.length))('nine of a hundred cost none of the other 91 (run %d)', async () => {
		const bad = [0, 1, 2, 3, 5, 8, 15, 30, 60];
		const { server, client } = await scene.serverAndClient(refusing((id) => bad.includes(id)));
		const outcomes = await client.settle('predict', 'model', recordsOf(100));

		expect(scoredIn(outcomes)).toEqual(range(100).filter((id) => !bad.includes(id)));
		expect(server.sentAgain).toEqual([]);
		for (const id of bad) expect(outcomes[id]).not.toHaveProperty('untried');
	});

	it('a 500 of one record per batch is found after another endpoint failed with 500 throughout', async () => {
		const failed = refusal('Scoring failed', 500);
		const { client } = await scene.serverAndClient(({ endpoint, ids }) =>
			endpoint === 'broken' || ids.some(everyHundredth) ? failed : undefined,
		);
		const session = client.session();
		await settleAll(session, 'broken', range(100));
		const ids = range(300);

		expect(scoredIn(await settleAll(session, 'fine', ids))).toEqual(ids.filter((id) => !everyHundredth(id)));
	});

	it('a good record is scored when it is the last of a session whose other records are all bad', async () => {
		const { server, client } = await scene.serverAndClient(refusing((id) => id !== 4_900));
		const outcomes = await settleAll(client.session(), 'model', range(4_901));

		expect(scoredIn(outcomes)).toEqual([4_900]);
		expect(server.sentAgain).toEqual([]);
	});
});

describe('An endpoint that refuses everything', () => {
	it.each(runs)('costs at most 600 requests for 50 batches, and no record gets two outcomes (run %d)', async () => {
		const { server, client } = await scene.serverAndClient(() => refusal());
		const outcomes = await settleAll(client.session(), 'model', range(5_000));

		expect(scoredIn(outcomes)).toEqual([]);
		expect(server.asked().length).toBeLessThanOrEqual(600);
		expect(server.sentAgain).toEqual([]);
		const untried = outcomes.filter((outcome) => 'untried' in outcome).length;
		const alone = server.asked().filter(({ body }) => body.split('"id"').length === 2).length;
		expect(untried).toBe(5_000 - alone);
	});

	it('costs no more requests when all batches come at once', async () => {
		const { server, client } = await scene.serverAndClient(() => refusal());
		const session = client.session();
		await Promise.all(
			range(50).map(async (n) => await session.settle('predict', 'model', recordsOf(range(100 * n + 100, 100 * n)))),
		);

		expect(server.asked().length).toBeLessThanOrEqual(600);
	});

	it('costs no more requests when the batches come one by one', async () => {
		const { server, client } = await scene.serverAndClient(() => refusal());
		const session = client.session();
		for (const n of range(50)) await session.settle('predict', 'model', recordsOf(range(100 * n + 100, 100 * n)));

		expect(server.asked().length).toBeLessThanOrEqual(600);
	});

	it('costs no more requests with 500, although that is repeated once', async () => {
		const { server, client } = await scene.serverAndClient(() => refusal('Scoring failed', 500));
		const random = jest.spyOn(Math, 'random').mockReturnValue(0.01);
		scene.atEnd(() => random.mockRestore());
		expect(scoredIn(await settleAll(client.session(), 'model', range(5_000)))).toEqual([]);
		expect(server.asked().length).toBeLessThanOrEqual(600);
	});
});

it('A record set aside gets its outcome only when no more records come', async () => {
	let recovered = false;
	const { client } = await scene.serverAndClient(() => (recovered ? undefined : refusal()));
	const session = client.session();
	const batcher = session.batcher();
	const target = session.target('predict', 'model', {});
	const outcomes: RecordOutcome[] = [];
	const add = async (ids: readonly number[]) => {
		for (const id of ids) await batcher.add({ features: { id } }, target, (outcome) => (outcomes[id] = outcome));
	};
	await add(range(500));
	await wait(500);
	expect(Object.keys(outcomes).length).toBeLessThan(300);
	recovered = true;
	await add(range(600, 500));
	await batcher.end();
	// Those that stood alone while it refused them keep that; all others are scored.
	expect(scoredIn(outcomes).length).toBeGreaterThan(300);
	expect(outcomes.some((outcome) => 'untried' in outcome)).toBe(false);
});
