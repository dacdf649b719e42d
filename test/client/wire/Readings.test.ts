import { ApiNodeError, parseLocations } from '../../../client/internal';
import { Connections } from '../../../client/wire/Connections';
import { Reading, Readings, readings } from '../../../client/wire/Readings';
import { Stage } from '../harness';

const stage = new Stage();

/** A response of so many bytes at a time, and whether its server is held back. */
function started(all: Readings) {
	const reading = new Reading(all);
	const flow = { isPaused: false, pause: () => (flow.isPaused = true), resume: () => (flow.isPaused = false) };
	return { reading, flow, take: (bytes: number) => reading.took(bytes, flow) };
}

describe('the responses of a process', () => {
	test('wait, except for the oldest, when they are too large together', () => {
		const own = new Readings(100);
		const [first, second, third] = [started(own), started(own), started(own)];
		for (const each of [first, second, third]) each.take(40);
		expect([first, second, third].map(({ flow }) => flow.isPaused)).toEqual([false, false, true]);
		second.take(40);
		first.take(400);
		expect([first, second, third].map(({ flow }) => flow.isPaused)).toEqual([false, true, true]);
	});

	test('continue after another one was parsed: as many as have room, or the oldest', () => {
		const own = new Readings(100);
		const [first, second, third] = [started(own), started(own), started(own)];
		for (const each of [first, second, third]) each.take(90);
		first.reading.end();
		expect([second, third].map(({ flow }) => flow.isPaused)).toEqual([false, true]);
		expect(third.reading.waits).toBe(true);
		second.reading.end();
		expect(third.flow.isPaused).toBe(false);
		third.reading.end();
		const next = started(own);
		next.take(100);
		expect(next.flow.isPaused).toBe(false);
	});

	test('wait for no other response while they are small', () => {
		const own = new Readings(100, 10);
		const [first, small] = [started(own), started(own)];
		first.take(200);
		small.take(10);
		expect(small.flow.isPaused).toBe(false);
		small.take(1);
		expect(small.flow.isPaused).toBe(true);
	});

	test('are read completely when the connection closes behind them', async () => {
		const { url } = await stage.chaos({
			respond: () => ({ status: 200, headers: { connection: 'close' }, body: Buffer.alloc(1_000, 'x') }),
		});
		const connections = new Connections(parseLocations(url)[0]!, { connectTimeout: 5_000 });
		stage.atEnd(async () => await connections.destroy());
		const own = new Readings(2 ** 18);
		const other = started(own);
		other.take(2 ** 18);
		const reading = new Reading(own);
		const limits = { timeout: 30_000, maxResponseBytes: 2 ** 21, reading };
		const response = connections.exchange({ method: 'GET', path: '/', headers: {} }, limits);
		setTimeout(() => other.reading.end(), 200);
		expect((await response).body).toHaveLength(1_000);
		reading.end();
	});

	test('count with their size after decompression', () => {
		const own = new Readings(100);
		const [first, second] = [started(own), started(own)];
		first.reading.took(10);
		first.reading.took(90);
		second.take(1);
		expect(second.flow.isPaused).toBe(true);
	});

	test('all arrive when they are larger together than the limit', async () => {
		const body = Buffer.alloc(2 ** 20, 'x');
		const { url } = await stage.chaos({ respond: () => ({ status: 200, body }) });
		const connections = new Connections(parseLocations(url)[0]!, { connectTimeout: 5_000 });
		stage.atEnd(async () => await connections.destroy());
		const own = new Readings(2 ** 18);
		const read = async () => {
			const reading = new Reading(own);
			const request = { method: 'GET', path: '/', headers: {} } as const;
			const limits = { timeout: 30_000, maxResponseBytes: 2 ** 21, reading };
			const response = await connections.exchange(request, limits).finally(() => reading.end());
			return response.body.length;
		};
		expect(await Promise.all(Array.from({ length: 6 }, read))).toEqual(Array.from({ length: 6 }, () => 2 ** 20));
	});

	test('free their bytes when they fail', async () => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ status: 200, body: Buffer.alloc(2 ** 17, '{') }),
		});
		const took = jest.spyOn(readings, 'hold');
		const dropped = jest.spyOn(readings, 'drop');
		await expect(client.sqlQuery('q', {})).rejects.toBeInstanceOf(ApiNodeError);
		const sum = (spy: typeof took | typeof dropped) => spy.mock.calls.reduce((total, [, bytes]) => total + bytes, 0);
		expect(sum(took)).toBe(2 ** 17);
		expect(sum(dropped)).toBe(2 ** 17);
	});
});
