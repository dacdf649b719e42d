import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { Pool } from 'undici';
import { certificates } from './certificates';
import { chaosProxy, inOrder, type ChaosOptions, type ChaosProxy, type Fault } from './chaosProxy';

const RESULTS = { results: [{ prediction: 'a' }, { prediction: 'b' }, { prediction: 'c' }] };

describe('chaosProxy', () => {
	const cleanUps: Array<() => Promise<unknown>> = [];
	afterEach(async () => {
		for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
	});

	async function start(options: ChaosOptions = {}, poolOptions: Pool.Options = {}) {
		const chaos = await chaosProxy({ respond: () => ({ body: RESULTS }), ...options });
		const pool = new Pool(chaos.url, { connections: 1, headersTimeout: 300, bodyTimeout: 300, ...poolOptions });
		cleanUps.push(
			() => chaos.close(),
			() => pool.destroy(),
		);
		const ask = async (path = '/predict', body = '{}') => {
			const answer = await pool.request({ method: 'POST', path, body });
			return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
		};
		return { chaos, pool, ask };
	}

	const settled = async (chaos: ChaosProxy, sockets: number) => {
		for (let waited = 0; chaos.openSockets() !== sockets && waited < 1000; waited += 5) {
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		return chaos.openSockets();
	};

	it('responds without a server behind it and logs each request with its connection', async () => {
		const { chaos, ask } = await start();

		expect(JSON.parse((await ask('/one', '{"a":1}')).text)).toEqual(RESULTS);
		await ask('/two');

		expect(chaos.requests).toMatchObject([
			{ n: 1, connection: 1, nOnConnection: 1, method: 'POST', path: '/one', body: '{"a":1}', outstanding: 1 },
			{ n: 2, connection: 1, nOnConnection: 2, method: 'POST', path: '/two', body: '{}', outstanding: 1 },
		]);
		expect(chaos.connections).toBe(1);
	});

	it('passes requests and responses of a real server through, including headers, body and status', async () => {
		const upstream = createServer((request, response) => {
			void text(request).then((body) =>
				response
					.writeHead(201, { 'x-from': 'upstream' })
					.end(`${request.method} ${request.url} ${String(request.headers['x-sent'])} ${body}`),
			);
		}).listen(0);
		cleanUps.push(async () => upstream.close());
		const { pool } = await start({ upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` });

		const answer = await pool.request({ method: 'PUT', path: '/a?b=c', headers: { 'x-sent': 'yes' }, body: 'B' });

		expect(answer.statusCode).toBe(201);
		expect(answer.headers['x-from']).toBe('upstream');
		expect(await answer.body.text()).toBe('PUT /a?b=c yes B');
	});

	it('cancels its request to the real server when the client goes away', async () => {
		let gone = () => {};
		const upstreamLeft = new Promise<void>((resolve) => (gone = resolve));
		const upstream = createServer((_request, response) => void response.once('close', gone)).listen(0);
		cleanUps.push(async () => upstream.close());
		const { chaos, pool } = await start({
			upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
		});
		const abort = new AbortController();

		const asked = pool.request({ method: 'GET', path: '/', signal: abort.signal });
		await chaos.requestsArrived(1);
		setTimeout(() => abort.abort(), 20);

		await expect(asked).rejects.toThrow('aborted');
		await upstreamLeft;
	});

	it.each<[string, Fault, string]>([
		['silence', { kind: 'silent' }, 'UND_ERR_HEADERS_TIMEOUT'],
		['a reset before the response', { kind: 'reset', when: 'before' }, 'ECONNRESET'],
		['a reset during the response', { kind: 'reset', when: 'during' }, 'ECONNRESET'],
		['a close before the response', { kind: 'close', when: 'before' }, 'UND_ERR_SOCKET'],
		['a body shorter than its length', { kind: 'truncated', by: 'length' }, 'UND_ERR_SOCKET'],
		['a body cut inside a chunk', { kind: 'truncated', by: 'chunk' }, 'UND_ERR_SOCKET'],
		['a huge header', { kind: 'hugeHeader' }, 'UND_ERR_HEADERS_OVERFLOW'],
	])('shows %s to undici', async (_name, fault, code) => {
		const { ask, chaos } = await start({ faults: inOrder(fault) });

		await expect(ask()).rejects.toMatchObject({ code });
		expect((await ask()).status).toBe(200);
		expect(chaos.requests).toHaveLength(2);
		expect(chaos.connections).toBe(2);
	});

	it('responds with bytes that are not HTTP', async () => {
		const { ask } = await start({ faults: inOrder({ kind: 'garbage' }) });

		await expect(ask()).rejects.toMatchObject({ name: 'HTTPParserError' });
		expect((await ask()).status).toBe(200);
	});

	it('cuts a body that has no length without undici noticing', async () => {
		const { ask } = await start({ faults: { kind: 'truncated', by: 'endOfStream' } });

		const answer = await ask();

		expect(answer.status).toBe(200);
		expect(JSON.stringify(RESULTS).startsWith(answer.text)).toBe(true);
		expect(answer.text.length).toBe(Math.ceil(JSON.stringify(RESULTS).length / 2));
	});

	it.each<[string, Fault]>([
		['reset', { kind: 'reset', when: 'after' }],
		['closed', { kind: 'close', when: 'after' }],
	])('sends a whole response when the connection is then %s', async (_name, fault) => {
		const { ask, chaos } = await start({ faults: inOrder(fault) });

		expect(JSON.parse((await ask()).text)).toEqual(RESULTS);
		expect(await settled(chaos, 0)).toBe(0);
		expect((await ask()).status).toBe(200);
		expect(chaos.connections).toBe(2);
	});

	it('closes an idle connection at the moment the next request arrives on it', async () => {
		const { ask, chaos } = await start({ faults: inOrder({ kind: 'closeOnNextRequest' }) });

		expect((await ask()).status).toBe(200);
		await expect(ask()).rejects.toMatchObject({ code: expect.stringMatching(/UND_ERR_SOCKET|ECONNRESET/) });
		expect(chaos.requests.map(({ connection }) => connection)).toEqual([1, 1]);
	});

	it('sends two responses to one request', async () => {
		const { ask, chaos } = await start({ faults: inOrder({ kind: 'twoAnswers' }) });

		const first = await ask().then(
			({ text: body }) => body,
			(error: { code: string }) => error.code,
		);
		expect([JSON.stringify(RESULTS), 'HPE_INVALID_CONSTANT', 'UND_ERR_SOCKET']).toContain(first);
		expect(JSON.parse((await ask()).text)).toEqual(RESULTS);
		expect(chaos.connections).toBe(2);
	});

	it('sends a body so slowly that no pause is long but the whole takes long', async () => {
		const { ask } = await start({ faults: { kind: 'dribble', bytes: 10, everyMs: 20 } });
		const began = performance.now();

		expect(JSON.parse((await ask()).text)).toEqual(RESULTS);
		expect(performance.now() - began).toBeGreaterThan(100);
	});

	it('sends a body without end until the client leaves', async () => {
		const { pool, chaos } = await start({ faults: { kind: 'endless' } });

		const { body } = await pool.request({ method: 'GET', path: '/' });
		let received = 0;
		for await (const chunk of body as AsyncIterable<Buffer>) {
			received += chunk.length;
			if (received > 5_000_000) break;
		}

		expect(received).toBeGreaterThan(5_000_000);
		await pool.destroy();
		expect(await settled(chaos, 0)).toBe(0);
	});

	it('sends a gzip body that is a thousand times larger once decoded', async () => {
		const { pool } = await start({ faults: { kind: 'gzipBomb', bytes: 8 * 1024 * 1024 } });

		const { headers, body } = await pool.request({ method: 'GET', path: '/' });
		const wire = Buffer.from(await body.arrayBuffer());

		expect(headers['content-encoding']).toBe('gzip');
		expect(wire.length).toBeLessThan(16 * 1024);
		expect(gunzipSync(wire).length).toBe(8 * 1024 * 1024);
	});

	it('responds with any status, headers and body, and then with the healthy response', async () => {
		const { ask } = await start({
			faults: inOrder(
				{ kind: 'answer', status: 502, headers: { 'content-type': 'text/html' }, body: '<html>Bad gateway</html>' },
				{ kind: 'answer', status: 503, headers: { 'retry-after': '1e9' } },
			),
		});

		expect(await ask()).toMatchObject({ status: 502, text: '<html>Bad gateway</html>' });
		expect(await ask()).toMatchObject({ status: 503, text: '', headers: { 'retry-after': '1e9' } });
		expect((await ask()).status).toBe(200);
	});

	it('lets a script choose by request, so that isAlive fails and the rest succeeds', async () => {
		const { ask } = await start({
			faults: ({ path }) => (path.endsWith('/isAlive') ? { kind: 'answer', status: 500 } : undefined),
		});

		expect((await ask('/isAlive')).status).toBe(500);
		expect((await ask('/predict')).status).toBe(200);
	});

	it('delays a response and counts the requests that wait with it', async () => {
		const { ask, chaos } = await start({ faults: { kind: 'delay', ms: 60 } }, { connections: 3 });
		const began = performance.now();

		await Promise.all([ask(), ask(), ask()]);

		expect(performance.now() - began).toBeGreaterThan(55);
		expect(chaos.requests.map(({ outstanding }) => outstanding)).toEqual([1, 2, 3]);
		await ask();
		expect(chaos.requests[3]?.outstanding).toBe(1);
	});

	it('can die while a connection is being closed in an orderly way', async () => {
		let killed: Promise<void> | undefined;
		const { chaos, ask } = await start({
			faults: () => {
				// right after the fault, so in the turn of the event loop in which the socket shuts down
				process.nextTick(() => (killed = chaos.kill()));
				return { kind: 'close', when: 'before' };
			},
		});

		await expect(ask()).rejects.toThrow();
		await killed;
		expect(chaos.openSockets()).toBe(0);
	});

	it('refuses connections when it is dead, and accepts them on the same port when it is revived', async () => {
		const { ask, chaos } = await start();
		await ask();

		await chaos.kill();
		expect(chaos.openSockets()).toBe(0);
		await expect(ask()).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|ECONNREFUSED/) });
		await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED' });

		await chaos.revive();
		expect((await ask()).status).toBe(200);
		expect(chaos.requests).toHaveLength(2);
	});

	it('accepts a connection and stays silent, or resets it', async () => {
		const { ask, chaos } = await start({ connectionFaults: (connection) => (connection === 1 ? 'reset' : 'silent') });

		await expect(ask()).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) });
		await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_HEADERS_TIMEOUT' });
		expect(chaos.connections).toBe(2);
		expect(chaos.requests).toHaveLength(0);
		expect(await settled(chaos, 0)).toBe(0);
	});

	describe('over TLS', () => {
		it('makes the same faults, including a reset below TLS', async () => {
			const { ca, server } = await certificates();
			const { ask, chaos } = await start(
				{ tls: server, faults: inOrder({ kind: 'reset', when: 'during' }, { kind: 'truncated', by: 'length' }) },
				{ connect: { ca } },
			);

			await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
			await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' });
			expect(JSON.parse((await ask()).text)).toEqual(RESULTS);
			expect(chaos.requests.map(({ connection }) => connection)).toEqual([1, 2, 3]);
			await chaos.kill();
			expect(chaos.openSockets()).toBe(0);
		});

		it('stalls the handshake', async () => {
			const { ca, server } = await certificates();
			const { ask, chaos } = await start(
				{ tls: server, connectionFaults: 'silent' },
				{ connect: { ca, timeout: 200 } },
			);

			await expect(ask()).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
			expect(chaos.connections).toBe(1);
		});
	});
});
