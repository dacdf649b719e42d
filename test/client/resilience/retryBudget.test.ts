import { CallStatistics } from '../../../nodes/shared/client';
import { outcomeOf, scoringServers, withoutPauses } from './scoring';

const servers = scoringServers();
withoutPauses();

describe('While an endpoint answers nothing but errors that may pass', () => {
	it.each([
		['broken JSON', { kind: 'answer', body: '{' }],
		['an empty answer', { kind: 'truncated', by: 'endOfStream' }],
	] as const)('%s, 200 calls are 200 requests and the ten that the budget pays for', async (_name, fault) => {
		const server = await servers.server({ faults: fault });
		const client = servers.client(server);
		const statistics = new CallStatistics();
		for (let id = 0; id < 200; id++) {
			const { error } = await outcomeOf(client.predictRecord('e', { id }, { statistics }));
			expect(error?.name).toBe('AnswerError');
		}
		expect(server.requests).toHaveLength(210);
		expect(statistics.retries).toBe(10);
	});

	it('what succeeds pays for a fifth as many retries of the rest', async () => {
		let n = 0;
		// every other call fails for good: without a budget, each of those would take four requests
		const server = await servers.server({
			faults: ({ body }) => (body.includes('"bad":true') ? { kind: 'answer', body: `{${n++}` } : undefined),
		});
		const client = servers.client(server);
		const statistics = new CallStatistics();
		for (let call = 0; call < 200; call++) {
			await outcomeOf(client.predictRecord('e', { id: call, bad: call % 2 === 1 }, { statistics }));
		}
		expect(statistics.retries).toBeLessThanOrEqual(10 + 100 / 5);
		expect(statistics.retries).toBeGreaterThanOrEqual(25);
		expect(server.requests).toHaveLength(200 + statistics.retries);
	});

	it('the budget of one endpoint is not spent by another', async () => {
		const server = await servers.server({
			faults: ({ path, n }) => (path.includes('/broken/') || n === 213 ? { kind: 'answer', body: '{' } : undefined),
		});
		const client = servers.client(server);
		for (let id = 0; id < 200; id++) await outcomeOf(client.predictRecord('broken', { id }));
		for (let id = 0; id < 5; id++) await client.predictRecord('sound', { id });
		expect(server.requests).toHaveLength(210 + 6);
	});
});

it('With nothing left to pay retries from, a call still moves on from an instance that refuses', async () => {
	let broken = true;
	const faults = () => (broken ? ({ kind: 'answer', body: '{' } as const) : undefined);
	const sound = await servers.server({ faults });
	const dead = await servers.server({ faults });
	// all ties fall on the first one here
	const client = servers.client([dead, sound]);
	for (let id = 0; id < 30; id++) await outcomeOf(client.predictRecord('e', { id }));
	broken = false;
	await dead.kill();
	expect(await client.predictRecord('e', { id: 1 })).toEqual({ result: { id: 1 } });
	expect(await client.sqlQuery('e', { id: 1 })).toMatchObject({ rows: [['{"id":1}']] });
});

describe('In a lasting outage', () => {
	it.each([
		['503', { kind: 'answer', status: 503 }],
		['a reset', { kind: 'reset', when: 'before' }],
	] as const)(
		'of %s, each call gives up after four attempts at most and the pacing ends with the patience',
		async (_name, fault) => {
			const realNow = Date.now;
			let ahead = 0;
			jest.spyOn(Date, 'now').mockImplementation(() => realNow() + ahead);
			const server = await servers.server({ faults: fault });
			const client = servers.client(server);
			const fail = async (id: number) =>
				expect((await outcomeOf(client.predictRecord('e', { id }))).error).toBeDefined();
			// two retries from the budget before the third failure in a row makes probes of them, which cost nothing
			for (let id = 0; id < 10; id++) await fail(id);
			expect(server.requests).toHaveLength(40);

			ahead = 31_000;
			for (let id = 0; id < 200; id++) await fail(id);
			// 50 - 2 * 5 tokens were left
			expect(server.requests).toHaveLength(40 + 200 + 8);
		},
	);

	it('one request at a time is on its way once three have failed, however many calls wait', async () => {
		const outstanding: number[] = [];
		const server = await servers.server({
			faults: (request) => {
				outstanding.push(request.outstanding);
				return { kind: 'delay', ms: 5, then: { kind: 'answer', status: 503 } };
			},
		});
		const client = servers.client(server);
		await Promise.all(Array.from({ length: 50 }, async (_, id) => await outcomeOf(client.predictRecord('e', { id }))));
		expect(outstanding).toHaveLength(200);
		expect(Math.max(...outstanding.slice(4))).toBe(1);
	});

	it('the calls that waited it out all succeed once it ends', async () => {
		jest.spyOn(Math, 'random').mockReturnValue(0.9);
		const server = await servers.server();
		const client = servers.client(server);
		await server.kill();
		const calls = Array.from({ length: 40 }, async (_, id) => await client.predictRecord('e', { id }));
		setTimeout(() => void server.revive(), 2_200);
		expect(await Promise.all(calls)).toEqual(Array.from({ length: 40 }, (_, id) => ({ result: { id } })));
		expect(server.requests).toHaveLength(40);
	});
});
