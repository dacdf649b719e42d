import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { range, random, refusal, refusing, Scene } from '../../client/session/harness';
import { expectNothingSent } from '../../support/expectNothingSent';
import { jsonOf, run } from '../demo';

const scene = new Scene();
const itemsOf = (count: number) => range(count).map((id) => ({ id }));
const output = 'resultOnly';

describe('Predict with records that are refused', () => {
	it('scores the good records of one endpoint while another endpoint refuses everything', async () => {
		const bad = (id: number) => id % 100 === 37;
		const server = await scene.server(({ endpoint, ids }) =>
			endpoint === 'broken' || ids.some(bad) ? refusal() : undefined,
		);
		const items = itemsOf(1_400).map((item, n) => ({ ...item, to: n < 1_000 ? 'broken' : 'fine' }));
		const { output: made, status } = await run('dataikuPredict', {
			url: server.url,
			items,
			parameters: { endpointId: { __rl: true, mode: 'id', value: '={{ $json.to }}' }, output },
			onError: 'continueRegularOutput',
		});

		expect(status).toBe('success');
		const lost = items.filter(({ to, id }, n) => to === 'fine' && !bad(id) && made[n]!.json.id !== id);
		expect(lost).toEqual([]);
		for (const [n, { to }] of items.entries()) if (to === 'broken') expect(made[n]!.json).toHaveProperty('error');
	});

	it('scores the good records of one generation while another one refuses everything', async () => {
		const bad = (id: number) => id % 100 === 37;
		const server = await scene.server(({ generation, ids }) =>
			generation === 'old' || ids.some(bad) ? refusal() : undefined,
		);
		const items = itemsOf(1_400).map((item, n) => ({ ...item, generation: n < 1_000 ? 'old' : 'new' }));
		const { output: made } = await run('dataikuPredict', {
			url: server.url,
			items,
			endpointId: 'model',
			parameters: { output },
			options: { forcedGeneration: '={{ $json.generation }}' },
			onError: 'continueRegularOutput',
		});
		const scored = items.filter(({ id }, n) => !made[n]!.json.error && made[n]!.json.id === id);
		expect(scored).toEqual(items.filter(({ id, generation }) => generation === 'new' && !bad(id)));
	});

	it.each([100, 800, 2_000])(
		'scores all good records of 5,000 when the first %d and one in a hundred of the others are bad',
		async (first) => {
			const chance = random(first);
			const bad = new Set(range(5_000).filter((id) => id < first || chance() < 0.01));
			const server = await scene.server(refusing((id) => bad.has(id)));
			const { output: made } = await run('dataikuPredict', {
				url: server.url,
				items: itemsOf(5_000),
				endpointId: 'model',
				parameters: { output },
				onError: 'continueRegularOutput',
			});

			expect(made).toHaveLength(5_000);
			const lost = range(5_000).filter((id) => !bad.has(id) && made[id]!.json.id !== id);
			expect(lost).toEqual([]);
			expect(server.sentAgain).toEqual([]);
		},
	);

	it('sends at most 600 requests for 50 batches, and names untested records, when an endpoint refuses everything', async () => {
		const server = await scene.server(() => refusal());
		const { output: made } = await run('dataikuPredict', {
			url: server.url,
			items: itemsOf(5_000),
			endpointId: 'model',
			onError: 'continueRegularOutput',
		});
		expect(server.asked().length).toBeLessThanOrEqual(600);
		const untried = jsonOf(made).filter(({ error }) => /were not tried/.test(String(error))).length;
		expect(untried).toBeGreaterThan(4_400);
		expect(jsonOf(made).every(({ error }) => /Invalid feature/.test(String(error)))).toBe(true);
	});
});

/** An API node that answers each call after a while; it knows which answers were taken to their end. */
async function slowNode(failing: number) {
	const arrived: number[] = [];
	const brokenOff: number[] = [];
	let arrivedThen: number | undefined;
	const answer = async (id: number, response: ServerResponse) => {
		await wait(id === failing ? 20 : 150);
		const body =
			id === failing ? { errorType: 'SQLException', message: 'No such table' } : { columns: ['id'], rows: [[`${id}`]] };
		if (id === failing) arrivedThen = arrived.length;
		response.writeHead(id === failing ? 400 : 200, { 'content-type': 'application/json' });
		response.end(JSON.stringify(body));
	};
	const server = createServer((request, response) => {
		void text(request).then(async (body) => {
			const { id } = JSON.parse(body) as { id: number };
			arrived.push(id);
			response.once('close', () => {
				if (!response.writableFinished) brokenOff.push(id);
			});
			await answer(id, response);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	scene.atEnd(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return {
		url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		arrived,
		brokenOff,
		arrivedThen: () => arrivedThen,
	};
}

describe.each(['dataikuSqlQuery', 'dataikuRunFunction'])('%s under "stop"', (type) => {
	it.each([1, 2, 8])(
		'sends nothing after the first failure, and aborts nothing (Max Concurrency %d)',
		async (maxConcurrency) => {
			const node = await slowNode(3);
			const { error, output: made } = await run(type, {
				url: node.url,
				items: itemsOf(50),
				endpointId: 'endpoint',
				options: { maxConcurrency },
			});

			expect(error?.message).toMatch(/ \(item 3, endpoint 'endpoint'\)$/);
			expect(made).toEqual([]);
			await wait(250);
			expect(node.brokenOff).toEqual([]);
			// The others on the wire take a while longer than it.
			expect(node.arrived).toHaveLength(node.arrivedThen()!);
			expect(new Set(node.arrived).size).toBe(node.arrived.length);
		},
	);

	it('sends everything under "continue"', async () => {
		const node = await slowNode(3);
		const { output: made } = await run(type, {
			url: node.url,
			items: itemsOf(20),
			endpointId: 'endpoint',
			onError: 'continueRegularOutput',
		});
		expect(node.arrived.sort((a, b) => a - b)).toEqual(range(20));
		expect(jsonOf(made).filter(({ error }) => error)).toHaveLength(1);
	});

	it('ends immediately when it is cancelled, also on the wire', async () => {
		const node = await slowNode(-1);
		const { cancelled, timing } = await run(type, {
			url: node.url,
			items: itemsOf(50),
			endpointId: 'endpoint',
			cancelAfter: () => node.arrived.length > 0,
		});
		expect(cancelled).toBe(true);
		expect(timing.afterCancel).toBeLessThan(1_000);
		await expectNothingSent(node.url);
	});
});

describe('Run Function', () => {
	const answering = async (headers: Record<string, string>, body: string | Buffer) => {
		const server = await scene.server();
		server.setFault({ kind: 'answer', headers, body });
		return await run('dataikuRunFunction', { url: server.url, items: [{ a: 1 }, { a: 2 }], endpointId: 'f' });
	};

	it('returns null for an empty JSON response', async () => {
		const { output: made, error } = await answering({ 'content-type': 'application/json' }, '');
		expect(error).toBeUndefined();
		expect(jsonOf(made)).toEqual([
			{ a: 1, result: null },
			{ a: 2, result: null },
		]);
	});

	it('returns null for null, and for an empty response without a type', async () => {
		for (const [type, body] of [
			['application/json', 'null'],
			['application/problem+json', ''],
			['', ''],
		] as const) {
			const { output: made, error } = await answering(type ? { 'content-type': type } : {}, body);
			expect(error).toBeUndefined();
			expect(jsonOf(made).map(({ result }) => result)).toEqual([null, null]);
		}
	});

	it('passes on the bytes of a text when its charset does not exist', async () => {
		const bytes = Buffer.from([0x66, 0xfc, 0x72]);
		const { output: made, error } = await answering({ 'content-type': 'text/plain; charset=klingon-8' }, bytes);
		expect(error).toBeUndefined();
		expect(jsonOf(made)).toEqual([
			{ a: 1, contentType: 'text/plain' },
			{ a: 2, contentType: 'text/plain' },
		]);
		for (const { binary } of made) {
			expect(binary?.data).toMatchObject({ mimeType: 'text/plain', data: bytes.toString('base64') });
		}
	});

	it('decodes a text when its charset exists', async () => {
		const bytes = Buffer.from([0x66, 0xfc, 0x72]);
		const { output: made } = await answering({ 'content-type': 'text/plain; charset="ISO-8859-1"' }, bytes);
		expect(jsonOf(made)[0]).toEqual({ a: 1, result: 'für', contentType: 'text/plain' });
	});
});
