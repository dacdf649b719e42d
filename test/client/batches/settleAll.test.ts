import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { FeaturesRecord, SettleAllOptions, SettledRecord } from '../../../client';
import { failureOf, range, recordsOf, refusal, refusing, Scene, until } from '../session/harness';

const scene = new Scene();

const drained = async <Settled>(outcomes: AsyncIterable<Settled>) => {
	const all: Settled[] = [];
	for await (const settled of outcomes) all.push(settled);
	return all;
};

/** Records without end, of which it is known how many were read, and whether the reader closed it. */
function endless(recordOf = (id: number): FeaturesRecord => ({ features: { id } })) {
	const state = { read: 0, closed: false };
	const records = (function* () {
		try {
			for (;;) yield recordOf(state.read++);
		} finally {
			state.closed = true;
		}
	})();
	return { state, records };
}

const idOf = ({ result }: SettledRecord<'predict'>) => result?.id;

it.each([
	['a list', () => recordsOf(250)],
	['a generator', () => recordsOf(250).values()],
	['a stream', () => Readable.from(recordsOf(250))],
	['a paused stream', () => Readable.from(recordsOf(250), { highWaterMark: 1 })],
])('gives each record of %s its own outcome', async (_name, source) => {
	const { client } = await scene.serverAndClient(refusing((id) => id % 50 === 7));
	const all = await drained(client.settleAll('predict', 'model', source()));

	expect(all.map(({ index }) => index).sort((a, b) => a - b)).toEqual(range(250));
	for (const { index, record, result, error } of all) {
		expect(record).toEqual({ features: { id: index } });
		if (index % 50 === 7) expect(error).toMatchObject({ status: 400 });
		else expect(result).toEqual({ id: index });
	}
});

it.each([false, true])('gives outcomes where all records of a list are unusable (in order: %s)', async (inOrder) => {
	const { client } = await scene.serverAndClient();
	const unusable = Array.from({ length: 12_000 }, () => ({}) as FeaturesRecord);
	const all = await drained(client.settleAll('predict', 'model', unusable, { inOrder }));
	expect(all.filter(({ error }) => error?.name === 'InvalidCallError')).toHaveLength(12_000);
});

it('keeps the order of the records on request, however late and refused some are', async () => {
	const { client } = await scene.serverAndClient(async ({ ids }) => {
		await wait(ids[0]! % 300 === 0 ? 30 : 0);
		return ids.some((id) => id % 130 === 5) ? refusal() : undefined;
	});
	const records: FeaturesRecord[] = recordsOf(3_000);
	records[1_111] = {} as FeaturesRecord;
	const all = await drained(client.settleAll('predict', 'model', records, { inOrder: true }));

	expect(all.map(({ index }) => index)).toEqual(range(3_000));
	expect(all[1_111]!.error).toMatchObject({ name: 'InvalidCallError' });
});

it('ends immediately when there are no records', async () => {
	const { server, client } = await scene.serverAndClient();
	expect(await drained(client.settleAll('predict', 'model', []))).toEqual([]);
	expect(server.asked()).toHaveLength(0);
});

it.each([
	[false, 4_000],
	[true, 13_000],
])('pauses reading when nobody takes the outcomes (in order: %s)', async (inOrder, most) => {
	const { server, client } = await scene.serverAndClient();
	const { state, records } = endless();
	const outcomes = client.settleAll('predict', 'model', records, { inOrder });
	await outcomes.next();
	let asked = -1;
	while (asked < server.asked().length) {
		asked = server.asked().length;
		await wait(200);
	}
	expect(state.read).toBeLessThan(most);

	await outcomes.return();
	expect(state.closed).toBe(true);
});

it.each([false, true])('ends when the endpoint refuses every record (in order: %s)', async (inOrder) => {
	const { client } = await scene.serverAndClient(() => refusal());
	const all = await drained(client.settleAll('predict', 'model', recordsOf(12_345), { inOrder }));

	expect(all).toHaveLength(12_345);
	expect(all.every(({ error }) => error !== undefined)).toBe(true);
});

it('yields failures of an endless source when the endpoint refuses every record', async () => {
	const { client } = await scene.serverAndClient(() => refusal());
	const { state, records } = endless();
	let failed = 0;
	let untried = 0;
	for await (const settled of client.settleAll('predict', 'model', records)) {
		if (settled.error) failed++;
		if (settled.untried) untried++;
		if (failed === 15_000) break;
	}
	expect(untried).toBeGreaterThan(10_000);
	expect(state.closed).toBe(true);
});

it('sends an incomplete batch when the source is silent', async () => {
	const { client } = await scene.serverAndClient();
	const told: unknown[] = [];
	const source = async function* () {
		yield* recordsOf(3);
		await until(() => told.length === 3);
		yield* recordsOf([3]);
	};
	for await (const settled of client.settleAll('predict', 'model', source())) told.push(idOf(settled));
	expect(told).toEqual([0, 1, 2, 3]);
});

it('closes the source and cancels requests on the wire when the loop is left', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault(({ body }) => (body.includes('"id":150') ? { kind: 'silent' } : undefined));
	const { state, records } = endless();
	for await (const { index } of client.settleAll('predict', 'model', records)) {
		expect(index).not.toBe(150);
		if (index === 20) break;
	}
	expect(state.closed).toBe(true);
	const asked = server.asked().length;
	await client.predictRecord('model', { id: 0 });
	expect(server.asked()).toHaveLength(asked + 1);
});

it("throws the source's error after the outcomes of all earlier records", async () => {
	const { client } = await scene.serverAndClient();
	const source = async function* () {
		yield* recordsOf(130);
		throw new RangeError('line 131');
	};
	const told: unknown[] = [];
	const loop = (async () => {
		for await (const settled of client.settleAll('predict', 'model', source(), { inOrder: true })) {
			told.push(idOf(settled));
		}
	})();
	await expect(loop).rejects.toThrow(new RangeError('line 131'));
	expect(told).toEqual(range(130));
});

describe.each([
	['the signal is aborted', 'signal'],
	['the signal of the session is aborted', 'session'],
	['the session is stopped', 'stop'],
	['the client is destroyed', 'destroy'],
] as const)('throws a CancelledError when %s', (_name, how) => {
	const end = async (source: Iterable<FeaturesRecord> | AsyncIterable<FeaturesRecord>) => {
		const { client } = await scene.serverAndClient();
		const own = new AbortController();
		const all = new AbortController();
		const session = client.session({ signal: all.signal });
		const taken = drained(session.settleAll('predict', 'model', source, { signal: own.signal }));
		setTimeout(() => {
			if (how === 'signal') own.abort(new Error('enough'));
			else if (how === 'session') all.abort(new Error('enough'));
			else if (how === 'stop') session.stop();
			else void client.destroy();
		}, 50);
		return await failureOf(taken);
	};

	it('when the source never responds', async () => {
		let returned = 0;
		const silent = {
			[Symbol.asyncIterator]: () => ({
				next: () => new Promise<IteratorResult<FeaturesRecord>>(() => {}),
				return: () => new Promise<IteratorResult<FeaturesRecord>>(() => void returned++),
			}),
		};
		expect((await end(silent)).name).toBe('CancelledError');
		expect(returned).toBe(1);
	});

	it('when no record ever has to wait for a response', async () => {
		const { state, records } = endless(() => ({}) as FeaturesRecord);
		const error = await end(records);
		expect(error.name).toBe('CancelledError');
		if (how === 'signal' || how === 'session') expect(error.cause).toEqual(new Error('enough'));
		expect(state.closed).toBe(true);
	});
});

it.each<[string, { records?: unknown; endpointId?: string; options?: SettleAllOptions }, RegExp]>([
	['records that are no list', { records: 7 }, /list/],
	['an empty endpoint', { endpointId: '' }, /endpoint/i],
	['a batch of no record', { options: { batchSize: 0 } }, /batchSize/],
])(
	'sends nothing and throws when it is given %s',
	async (_name, { records = [], endpointId = 'model', options = {} }, words) => {
		const { server, client } = await scene.serverAndClient();
		const all = client.settleAll('predict', endpointId, records as FeaturesRecord[], options);
		expect(await failureOf(drained(all))).toMatchObject({
			name: 'InvalidCallError',
			message: expect.stringMatching(words),
		});
		expect(server.asked()).toHaveLength(0);
	},
);

it('shares the endpoint with other calls', async () => {
	const { server, client } = await scene.serverAndClient(async () => void (await wait(5)));
	const { records } = endless();
	const outcomes = client.settleAll('predict', 'model', records);
	await outcomes.next();
	const reading = (async () => {
		for await (const { index } of outcomes) if (index > 20_000) break;
	})();
	const from = server.asked().length;
	await client.predictRecord('model', { id: 0 });
	expect(server.asked().length - from).toBeLessThan(20);
	await outcomes.return();
	await reading;
});

describe('The heap does not grow with the number of records', () => {
	setFlagsFromString('--expose-gc');
	const gc = runInNewContext('gc') as () => void;

	// Its own server: those of other tests remember their requests.
	const scoring = async (refuses: boolean) => {
		const server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on('data', (chunk: Buffer) => chunks.push(chunk));
			request.on('end', () => {
				const { items } = JSON.parse(Buffer.concat(chunks).toString()) as { items: FeaturesRecord[] };
				response.writeHead(refuses ? 400 : 200, { 'content-type': 'application/json' });
				response.end(JSON.stringify(refuses ? { message: 'No' } : { results: items.map(() => ({ prediction: 1 })) }));
			});
		});
		await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
		scene.atEnd(() => server.close());
		return scene.client({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
	};

	it.each([
		['when each is scored', false, 200_000],
		['when each is refused', true, 100_000],
	])('%s', async (_name, refuses, count) => {
		const client = await scoring(refuses);
		const { records } = endless((id) => ({ features: { id, text: 'some text' } }));
		const heaps: number[] = [];
		let taken = 0;
		for await (const { error } of client.settleAll('predict', 'model', records, { batchSize: 1_000 })) {
			expect(error !== undefined).toBe(refuses);
			if (++taken % (count / 5) === 0) {
				gc();
				heaps.push(process.memoryUsage().heapUsed);
			}
			if (taken === count) break;
		}
		expect(Math.max(...heaps) - heaps[0]!).toBeLessThan(5 * 2 ** 20);
	});
});
