import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RawResponse } from '../../../client';
import { Cancellation } from '../../../client/traffic/cancellation';
import { Transport } from '../../../client/traffic/Transport';
import type { Answer } from '../../support/chaosProxy';
import { ManualClock } from '../harness';
import { failureOf, range, recordsOf, refusal, Scene, scoredIn, until } from './harness';

const scene = new Scene();

/** Bytes of the heap that are in use once all is freed that can be. */
async function heapInUse(): Promise<number> {
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('gc') as () => void;
	for (let n = 0; n < 3; n++) {
		collect();
		await wait(20);
	}
	return process.memoryUsage().heapUsed;
}

describe('A socket that is abandoned while it connects', () => {
	/** Accepts TCP connections and never says a word: a TLS handshake with it does not end. */
	async function silentServer() {
		const sockets = new Set<Socket>();
		const server = createServer((socket) => {
			sockets.add(socket);
			socket.on('error', () => {}).on('close', () => sockets.delete(socket));
			socket.resume();
		});
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		scene.atEnd(() => {
			for (const socket of sockets) socket.destroy();
			server.close();
		});
		return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
	}

	const kinds = {
		'in the handshake of TLS': async () => ({ url: (await silentServer()).url }),
		// As a host that drops packets, which loopback has none of: nothing comes of it, not even an error.
		'in the look-up of the name': async () =>
			await Promise.resolve({ url: 'http://apinode.test:12000', lookup: () => {} }),
	};

	it.each(Object.keys(kinds) as Array<keyof typeof kinds>)(
		'is forgotten (%s)',
		async (kind) => {
			const options = await kinds[kind]();
			const client = scene.clientOf(options, options);
			const giveUp = async (calls: number) => {
				for (let n = 0; n < calls; n += 40) {
					const given = range(40).map(
						async (id) => await failureOf(client.runFunction(`model-${id}`, {}, { timeout: 20, deadline: 20 })),
					);
					await Promise.all(given);
				}
			};
			await giveUp(120);
			const before = await heapInUse();
			await giveUp(600);
			const grown = (await heapInUse()) - before;

			// A socket that is kept costs 4 KiB or more.
			expect(grown / 600).toBeLessThan(2 * 1024);
		},
		60_000,
	);

	it('is closed immediately when its client is destroyed', async () => {
		const { url, sockets } = await silentServer();
		const client = scene.clientOf({ url });
		const calls = range(10).map(async (id) => await failureOf(client.runFunction(`model-${id}`)));
		await until(() => sockets.size > 0);
		const startedAt = performance.now();
		await client.destroy();
		await Promise.all(calls);
		await until(() => sockets.size === 0);
		expect(performance.now() - startedAt).toBeLessThan(2_000);
	});
});

it('Memory does not grow with the number of endpoints when their IDs come from expressions', async () => {
	const transport = new Transport({ url: 'http://127.0.0.1:12000' });
	scene.atEnd(async () => await transport.destroy());
	const use = async (from: number, to: number) => {
		for (let id = from; id < to; id++) {
			transport.endpoint(`/public/api/v1/service/endpoint-${id}`);
			if (id % 1_000 === 0) await nextTurn();
		}
	};
	await use(0, 5_000);
	const before = await heapInUse();
	await use(5_000, 55_000);
	const grown = (await heapInUse()) - before;

	// The path alone has 45 bytes, and all that is remembered of an endpoint has 3 KiB.
	expect(grown / 50_000).toBeLessThan(40);
});

it('Memory does not grow with the number of pauses before retries when a session lasts', async () => {
	const stopping = new Cancellation();
	const clock = new ManualClock();
	const pause = async (times: number) => {
		for (let n = 0; n < times; n++) {
			const over = stopping.sleep(10, clock);
			clock.advance(10);
			await over;
		}
	};
	await pause(5_000);
	const before = await heapInUse();
	await pause(20_000);
	const grown = (await heapInUse()) - before;
	expect(grown / 20_000).toBeLessThan(40);
	expect(stopping.reason).toBeUndefined();
});

describe('Setting the clock back', () => {
	it('by 10 s does not delay a call that pauses, queues or starts', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'answer', ...refusal('Busy', 503), headers: { 'retry-after': '1' } });
		const calls = range(20).map(async (id) => await client.predictRecord('model', { id }));
		const batch = client.settle('predict', 'model', recordsOf(range(1_000, 100)));
		await until(() => server.asked().length > 1);
		const realNow = Date.now;
		const back = jest.spyOn(Date, 'now').mockImplementation(() => realNow() - 10_000);
		scene.atEnd(() => back.mockRestore());
		await wait(100);
		server.setFault(undefined);
		const startedAt = performance.now();
		const results = await Promise.all([...calls, client.predictRecord('model', { id: 20 })]);

		expect(results.map(({ result }) => result)).toEqual(range(21).map((id) => ({ id })));
		expect(scoredIn(await batch, range(1_000, 100))).toHaveLength(900);
		expect(performance.now() - startedAt).toBeLessThan(7_000);
	});

	it('by a day, or forward, does not delay a call', async () => {
		const { server, client } = await scene.serverAndClient();
		for (const jump of [-86_400_000, 86_400_000]) {
			server.setFault({ kind: 'answer', ...refusal('Busy', 503) });
			const calls = range(10).map(async (id) => await client.predictRecord('model', { id }));
			await until(() => server.asked().length > 1);
			const realNow = Date.now;
			const clock = jest.spyOn(Date, 'now').mockImplementation(() => realNow() + jump);
			server.setFault(undefined);
			expect(await Promise.all(calls)).toHaveLength(10);
			clock.mockRestore();
		}
	});
});

describe('A large error page or header', () => {
	const size = 64 * 1024;
	const page = (text: string) => text.repeat(size / text.length);
	const pages: Record<string, string> = {
		'<': page('<'),
		'<title>': page('<title>'),
		'<title> and then <': `<title>${page('<')}`,
		'<title> that does not end': `<title>${page('a')}`,
		'< >': page('< '),
		'<!--': page('<!--'),
		'<p': `<html>${page('<p ')}`,
		spaces: `<${page(' ')}`,
		'tags and spaces': `<html>${page('<b>      ')}`,
		'brackets the wrong way round': `<${page('>')}`,
	};

	const blockedFor = async (answer: Answer, method: 'predictRecord' | 'runFunction' = 'predictRecord') => {
		const { server, client } = await scene.serverAndClient();
		const call = async (args: object) => await (client[method] as typeof client.sqlQuery)('model', args);
		await call({ id: 1 });
		server.setFault({ kind: 'answer', ...answer });
		let longest = 0;
		let last = performance.now();
		const timer = setInterval(() => {
			longest = Math.max(longest, performance.now() - last);
			last = performance.now();
		}, 1);
		const outcome = await call({}).catch((error: unknown) => error);
		await wait(5);
		clearInterval(timer);
		return { longest, outcome: outcome as Error };
	};

	it.each(Object.keys(pages))('does not block the event loop as a page: %s', async (name) => {
		for (const status of [200, 400]) {
			const { longest, outcome } = await blockedFor({
				status,
				headers: { 'content-type': 'text/html' },
				body: pages[name],
			});
			expect(outcome).toBeInstanceOf(Error);
			expect(longest).toBeLessThan(1_000);
		}
	});

	it.each([
		['charset', `text/plain; charset=${'"'.repeat(7_000)}`],
		['charset=', `text/plain; ${'charset='.repeat(800)}`],
		['spaces', `text/plain;${' '.repeat(7_000)}x`],
		['slashes', `${'text/'.repeat(1_400)}`],
		['+xml', `${'+xml/'.repeat(1_400)}`],
	])('does not block the event loop as a content type: %s', async (_name, contentType) => {
		const answer = { headers: { 'content-type': contentType }, body: 'x' };
		const { longest, outcome } = await blockedFor(answer, 'runFunction');
		expect(outcome).toBeInstanceOf(RawResponse);
		expect(longest).toBeLessThan(1_000);
	});

	it.each([
		['retry-after', '1'.repeat(7_000)],
		['retry-after', `Mon, ${' '.repeat(7_000)}x`],
		['retry-after', `${'1.'.repeat(3_500)}`],
		['location', `http://${'a'.repeat(7_000)}`],
	])('does not block the event loop as a header %s', async (name, value) => {
		const status = name === 'location' ? 302 : 400;
		const { longest } = await blockedFor({ status, headers: { [name]: value }, body: 'x' });
		expect(longest).toBeLessThan(1_000);
	});

	it('still has its title, or its text without tags, in the error', async () => {
		const said = async (body: string) => {
			const { outcome } = await blockedFor({ status: 400, headers: { 'content-type': 'text/html' }, body });
			return (outcome as { detail?: string }).detail;
		};
		expect(await said('<html><head><TITLE>Bad\n gateway</TITLE></head><body>x')).toBe('Bad gateway');
		expect(await said('<html><body><h1>Sorry</h1><p>Try  later</p>')).toBe('Sorry Try later');
		expect(await said('<html><body>')).toBeUndefined();
	});
});
