import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

const record = { features: { amount: 12 } };

describe("an endpoint's pool", () => {
	let node: ApiNode;
	afterEach(() => node.close());
	const many = (count: number, path = 'open/fraud/predict') =>
		Promise.all(Array.from({ length: count }, () => ask<ErrorBody>(node, path, record)));

	test('runs eight requests, lets sixteen wait and rejects the others with 503', async () => {
		// Nobody is served before all are there: how quickly they arrive is the machine's affair.
		node = await startApiNode({ latencyMs: 60_000 });
		const six: Array<Awaited<ReturnType<typeof ask<ErrorBody>>>> = [];
		const rejected = new Promise<void>((resolve) => {
			const note = (answer: (typeof six)[number]) => void (six.push(answer) === 6 && resolve());
			for (let n = 0; n < 30; n++) ask<ErrorBody>(node, 'open/fraud/predict', record).then(note, () => {});
		});
		await rejected;
		expect(new Set(six.map(({ status }) => status))).toEqual(new Set([503]));
		expect(six[0]?.body.message).toContain('queue of 16 is full');
		expect(six[0]?.headers['dss-version']).toBeDefined();
		expect(node.pool('open', 'fraud')).toMatchObject({ peak: 8, rejected: 6, running: 8, waiting: 16 });
	});

	test('serves the requests that wait', async () => {
		node = await startApiNode({ latencyMs: 20 });
		expect(new Set((await many(24)).map(({ status }) => status))).toEqual(new Set([200]));
		expect(node.pool('open', 'fraud')).toMatchObject({ rejected: 0, running: 0, waiting: 0 });
	});

	test('rejects a request that waited too long, and serves the next one', async () => {
		node = await startApiNode({ latencyMs: 1_000, pool: { ceil: 1, queueTimeoutMs: 50 } });
		const answers = await many(2);
		expect(answers.map(({ status }) => status).sort()).toEqual([200, 503]);
		expect(answers.find(({ status }) => status === 503)?.body.message).toContain('50 ms');
		expect((await many(1))[0]?.status).toBe(200);
	});

	test('belongs to one endpoint: a busy endpoint does not delay another one', async () => {
		node = await startApiNode({ latencyMs: 100, pool: { ceil: 1, queue: 0 } });
		const answers = await Promise.all([
			ask(node, 'open/fraud/predict', record),
			ask(node, 'open/house_price/predict', record),
			ask(node, 'secured/fraud/predict', record, { authorization: 'Bearer demo-token' }),
		]);
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
	});

	test('starts more pipelines when they are needed, which takes time, and keeps the cruise number', async () => {
		node = await startApiNode({ latencyMs: 50, pipelineStartMs: 1_000, pool: { floor: 1, cruise: 2, ceil: 4 } });
		const begun = performance.now();
		await many(1);
		expect(performance.now() - begun).toBeLessThan(1_000);
		await many(4);
		expect(performance.now() - begun).toBeGreaterThan(1_000);
		expect(node.pool('open', 'fraud')).toMatchObject({ peak: 4, pipelines: 2 });
	});

	test('frees the pipeline of a request that failed', async () => {
		node = await startApiNode({ pool: { ceil: 1, queue: 0 } });
		await ask(node, 'open/failing/run', {});
		expect((await ask<ErrorBody>(node, 'open/failing/run', {})).body.errorType).toContain('Python');
	});

	test('works for the configured time', async () => {
		node = await startApiNode();
		node.setLatency(120);
		const { body } = await ask<{ timing: { prediction: number } }>(node, 'open/fraud/predict', record);
		expect(body.timing.prediction).toBeGreaterThan(110_000);
		expect(body.timing.prediction).toBeLessThan(2_000_000);
	});
});
