import { setTimeout as wait } from 'node:timers/promises';
import { ConnectionError } from '../../../client';
import { fastClock, seconds } from './fastTime';
import { failureOf, range, recordsOf, Scene } from './harness';
import { countLost, kinds, outages, twentyBatches, works } from './outages';

jest.mock('node:timers', () => jest.requireActual<typeof import('./fastTime')>('./fastTime').fastTimers());
fastClock();
const scene = new Scene();

describe.each(kinds)('An API node that is away for 4 s (%s)', (kind) => {
	it.each(Object.keys(works))('costs no record of %s', async (work) => {
		const { server, client } = await scene.serverAndClient();
		const comeBack = await outages[kind](server);
		const done = works[work]!(client);
		await seconds(4);
		await comeBack();

		expect(countLost(await done)).toBe(0);
		expect(server.sentAgain).toEqual([]);
	});

	it('costs no record when connections are open and requests in flight', async () => {
		const { server, client } = await scene.serverAndClient(async () => {
			await wait(5);
			return undefined;
		});
		await client.predictRecord('model', { id: -1 });
		const done = Promise.all([
			twentyBatches(client),
			...range(20).map(async (id) => await client.settle('predict', 'other', recordsOf([id]))),
		]);
		await wait(20);
		const comeBack = await outages[kind](server);
		await seconds(4);
		await comeBack();

		expect((await done).map(countLost)).toEqual(Array(21).fill(0));
	});

	it('retries queries and functions whose connection was refused, and no others', async () => {
		const { server, client } = await scene.serverAndClient();
		const comeBack = await outages[kind](server);
		const calls = [
			...range(10).map(async (id) => await client.sqlQuery('query', { id })),
			...range(10).map(async (id) => await client.runFunction('function', { id })),
		];
		const settled = Promise.allSettled(calls);
		await seconds(4);
		await comeBack();
		const outcomes = await settled;
		const bodies = server.asked().map(({ path, body }) => path + body);

		expect(new Set(bodies).size).toBe(bodies.length);
		const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
		if (kind === 'refused') expect(failures).toEqual([]);
		else {
			// Those that were sent while it said 503 have failed; those that waited meanwhile have not.
			expect(failures.length).toBeGreaterThan(2);
			for (const failure of failures) expect(failure).toMatchObject({ status: 503, attempts: 1 });
		}
	});
});

it.each(['sqlQuery', 'runFunction'] as const)(
	'%s is sent once when the connection breaks after it was sent',
	async (method) => {
		const { server, client } = await scene.serverAndClient();
		for (const when of ['before', 'during'] as const) {
			server.setFault({ kind: 'reset', when });
			const error = await failureOf(client[method]('endpoint', { id: 1 }));
			expect(error).toBeInstanceOf(ConnectionError);
			expect(error).toMatchObject({ sent: true, attempts: 1 });
		}
		expect(server.asked()).toHaveLength(2);
	},
);
