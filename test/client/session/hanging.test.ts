import { fastClock } from './fastTime';
import { range, read, recordsOf, Scene, scoredIn } from './harness';

jest.mock('node:timers', () => jest.requireActual<typeof import('./fastTime')>('./fastTime').fastTimers());
fastClock();
const scene = new Scene();

// One attempt takes as long as anybody waits for an endpoint that is down.
it('A record that hangs costs none of its neighbors at the default timeout, with and without other batches', async () => {
	const neighboursLost = async (records: number, batchSize: number, maxConcurrency: number) => {
		const { server, client } = await scene.serverAndClient();
		server.setFault((request) => (read(request).ids.includes(3) ? { kind: 'silent' } : undefined));
		const outcomes = await client.settle('predict', 'model', recordsOf(records), { batchSize, maxConcurrency });
		const scored = scoredIn(outcomes);
		return range(records).filter((id) => id !== 3 && !scored.includes(id));
	};
	expect(await Promise.all([neighboursLost(200, 10, 8), neighboursLost(8, 8, 8), neighboursLost(8, 8, 1)])).toEqual([
		[],
		[],
		[],
	]);
});
