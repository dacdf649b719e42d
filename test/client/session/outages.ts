import type { ApiNodeClient, RecordOutcome } from '../../../client';
import { range, recordsOf, refusal, type Server } from './harness';

/** Ways for an API node to be away; each returns how it comes back. */
export const outages = {
	refused: async (server: Server) => {
		await server.kill();
		return async () => await server.revive();
	},
	503: async (server: Server) => {
		server.setFault({ kind: 'answer', ...refusal('Starting', 503) });
		return async () => await Promise.resolve(server.setFault(undefined));
	},
};
export const kinds = Object.keys(outages) as unknown as Array<keyof typeof outages>;

export const twentyBatches = async (client: ApiNodeClient) =>
	await client.settle('predict', 'model', recordsOf(2_000), { maxConcurrency: 1 });

/** Repeatable work, by what it is. */
export const works: Record<string, (client: ApiNodeClient) => Promise<RecordOutcome[]>> = {
	"a webhook's record": async (client) => {
		const { result } = await client.predictRecord('model', { id: 0 });
		return [{ result, response: {} }];
	},
	'one batch': async (client) => await client.settle('predict', 'model', recordsOf(100)),
	'20 batches, one at a time': twentyBatches,
	'the batches of a session': async (client) => {
		const session = client.session();
		const all = range(20).map(async (n) => await session.settle('predict', 'model', recordsOf(range(n + 1, n))));
		return (await Promise.all(all)).flat();
	},
};

export const countLost = (outcomes: readonly RecordOutcome[]) => outcomes.filter(({ error }) => error).length;
