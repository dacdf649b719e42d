import { InvalidCallError, type RecordOutcome } from '../../../client';
import { failureOf, range, recordsOf, refusal, Scene, scoredIn, until } from './harness';

const scene = new Scene();

it('`settle` accepts plain objects and returns what its documentation shows', async () => {
	const server = await scene.server();
	server.setFault(({ body }) => {
		const { items } = JSON.parse(body) as { items: Array<{ features: { amount: unknown } }> };
		if (items.some(({ features }) => typeof features.amount === 'string')) {
			return { kind: 'answer', ...refusal("Cannot parse value 'a lot'") };
		}
		return { kind: 'answer', body: { results: items.map(() => ({ prediction: 'fraud' })) } };
	});
	const client = scene.clientOf(server);
	const outcomes = await client.settle('predict', 'fraud', [
		{ features: { amount: 12 } },
		{ features: { amount: 'a lot' } },
	]);
	const told: unknown[] = [];
	for (const { result, error } of outcomes.map(asDocumented)) told.push(error ? error.detail : result?.prediction);

	expect(told).toEqual(['fraud', "Cannot parse value 'a lot'"]);
	expect(server.asked().map(({ path }) => path)).toEqual(Array(3).fill('/public/api/v1/open/fraud/predict-multi'));
});

const asDocumented = (outcome: RecordOutcome) =>
	outcome.error ? { result: undefined, error: outcome.error } : { result: outcome.result, error: undefined };

it('`onOutcome` is called once per record, with its index and its outcome', async () => {
	let n = 0;
	const { client } = await scene.serverAndClient(({ ids }) => {
		if (++n % 7 === 0) return refusal('Busy', 503);
		return ids.some((id) => id % 13 === 5) ? refusal() : undefined;
	});
	const told = new Map<number, RecordOutcome[]>();
	const records: object[] = recordsOf(1_000);
	records[500] = { wrong: true };
	records[777] = { features: { id: 777, big: 1n } };
	const outcomes = await client.settle('predict', 'model', records as ReturnType<typeof recordsOf>, {
		onOutcome: (index, outcome) => told.set(index, [...(told.get(index) ?? []), outcome]),
	});

	expect([...told.keys()].sort((a, b) => a - b)).toEqual(range(1_000));
	for (const [index, each] of told) expect([index, each]).toEqual([index, [outcomes[index]]]);
	expect(outcomes[500]!.error).toBeInstanceOf(InvalidCallError);
	expect(outcomes[777]!.error).toBeInstanceOf(InvalidCallError);
});

it('outcomes are reported as they arrive, and not at the end', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault(({ body }) =>
		body.includes('"id":150,') || body.includes('"id":150}') ? { kind: 'silent' } : undefined,
	);
	const stop = new AbortController();
	let told = 0;
	const settled = client.settle('predict', 'model', recordsOf(300), { signal: stop.signal, onOutcome: () => told++ });
	await until(() => told === 200);
	stop.abort();
	expect((await failureOf(settled)).name).toBe('CancelledError');
});

it('`settle` sends nothing when there are no records or when the whole call is invalid', async () => {
	const { server, client } = await scene.serverAndClient();
	expect(await client.settle('predict', 'model', [])).toEqual([]);
	for (const options of [{ batchSize: 0 }, { maxBodyBytes: 0 }, { timeout: -1 }, { maxConcurrency: 0 }]) {
		expect(await failureOf(client.settle('predict', 'model', recordsOf(3), options))).toBeInstanceOf(InvalidCallError);
	}
	expect(await failureOf(client.settle('predict', '', recordsOf(3)))).toBeInstanceOf(InvalidCallError);
	expect(await failureOf(client.settle('predict', 'model', {} as never))).toBeInstanceOf(InvalidCallError);
	expect(server.requests).toEqual([]);
});

it('`settle` uses the action for one record when the batch size is 1', async () => {
	const { server, client } = await scene.serverAndClient();
	await client.settle('predict', 'model', recordsOf(3), { batchSize: 1 });
	expect(server.asked().map(({ path }) => path.split('/').at(-1))).toEqual(Array(3).fill('predict'));
});

it('integers arrive exactly, and fractions and exponents as numbers, in settled results', async () => {
	const { server, client } = await scene.serverAndClient();
	const body =
		'{"result":{"a":12345678901234567890,"b":-9007199254740993,"c":0.1234567890123456789,"d":1e21,"e":9007199254740991}}';
	server.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body });
	const [outcome] = await client.settle('predict', 'model', recordsOf(1), { batchSize: 1 });
	expect(outcome).toMatchObject({
		result: {
			a: '12345678901234567890',
			b: '-9007199254740993',
			c: 0.1234567890123456789,
			d: 1e21,
			e: 9007199254740991,
		},
	});
});

describe('More endpoints than the client remembers', () => {
	it('each keep their limit on concurrency while they are in use', async () => {
		const outstanding = new Map<string, number>();
		let most = 0;
		let release = () => {};
		const released = new Promise<void>((resolve) => (release = resolve));
		const { client } = await scene.serverAndClient(async ({ endpoint }) => {
			const count = (outstanding.get(endpoint) ?? 0) + 1;
			outstanding.set(endpoint, count);
			most = Math.max(most, count);
			if (endpoint === 'slow') await released;
			outstanding.set(endpoint, outstanding.get(endpoint)! - 1);
			return undefined;
		});
		const options = { batchSize: 1, maxConcurrency: 1 };
		const first = client.settle('predict', 'slow', recordsOf(1), options);
		await until(() => outstanding.get('slow') === 1);
		const others = range(1_200).map((n) => client.settle('predict', `model_${n}`, recordsOf(2), options));
		const all = await Promise.all(others);
		const second = client.settle('predict', 'slow', recordsOf([1]), options);
		await Promise.all(range(5).map((n) => client.settle('predict', `model_${n}`, recordsOf([2]), options)));
		release();

		expect((await Promise.all([first, second])).flat().map(({ error }) => error)).toEqual([undefined, undefined]);
		expect(all.every((outcomes) => scoredIn(outcomes).length === 2)).toBe(true);
		expect(most).toBe(1);
	});
});
