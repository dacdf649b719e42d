import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ClientEvent } from '../../../client';
import { eventLog, range, recordsOf, refusal, refusing, Scene, scoredIn, until } from './harness';

const scene = new Scene();

/** A client and two of its sessions, of which only the first will cause anything. */
async function listeners(servers: Parameters<Scene['clientOf']>[0]) {
	const [ofClient, ofSession, ofOther] = [eventLog(), eventLog(), eventLog()];
	const client = scene.clientOf(servers, { onEvent: ofClient.onEvent });
	const session = client.session({ onEvent: ofSession.onEvent });
	const other = client.session({ onEvent: ofOther.onEvent });
	return { client, session, other, ofClient, ofSession, ofOther };
}

it('A retry is reported to its session and to the client, with the error and the pause', async () => {
	const server = await scene.server();
	const { session, other, ofClient, ofSession, ofOther } = await listeners(server);
	let failures = 1;
	server.setFault(() => (failures-- > 0 ? { kind: 'answer', ...refusal('Busy', 503) } : undefined));
	await session.predictRecord('model', { id: 1 });
	await other.predictRecord('model', { id: 2 });
	const retry = {
		type: 'retry',
		endpoint: 'open/model',
		instance: `127.0.0.1:${server.port}`,
		attempt: 1,
		pauseMs: expect.any(Number) as number,
		error: expect.objectContaining({ name: 'StatusError', status: 503 }) as Error,
	};

	expect(ofSession.events).toEqual([retry]);
	expect(ofClient.events).toEqual([retry]);
	expect(ofOther.events).toEqual([]);
});

it('Each end of a request is reported to its session and to the client, with its duration and its error', async () => {
	const server = await scene.server();
	const { session, ofClient, ofSession, ofOther } = await listeners(server);
	let failures = 1;
	server.setFault(() => (failures-- > 0 ? { kind: 'answer', ...refusal('Busy', 503) } : undefined));
	await session.settle('predict', 'model', recordsOf(4));
	const request = {
		type: 'request',
		endpoint: 'open/model',
		instance: `127.0.0.1:${server.port}`,
		durationMs: expect.any(Number) as number,
	};

	expect(ofSession.requests).toEqual([
		{ ...request, attempt: 1, error: expect.objectContaining({ status: 503 }) as Error },
		{ ...request, attempt: 2 },
	]);
	expect(ofClient.requests).toEqual(ofSession.requests);
	expect(ofOther.requests).toEqual([]);
});

it('A split is reported to its session and to the client, with the number of records', async () => {
	const server = await scene.server(refusing((id) => id === 0));
	const { session, ofClient, ofSession, ofOther } = await listeners(server);
	await session.settle('predict', 'model', recordsOf(4));

	expect(ofSession.of('split').map(({ endpoint, records, error }) => [endpoint, records, error.status])).toEqual([
		['open/model', 4, 400],
		['open/model', 2, 400],
	]);
	expect(ofClient.events).toEqual(ofSession.events);
	expect(ofOther.events).toEqual([]);
});

it('A pause is reported to the session whose request caused it and to the client', async () => {
	const server = await scene.server();
	const { session, ofClient, ofSession, ofOther } = await listeners(server);
	let failures = 1;
	server.setFault(() =>
		failures-- > 0 ? { kind: 'answer', ...refusal('Busy', 503), headers: { 'retry-after': '0.2' } } : undefined,
	);
	await session.predictRecord('model', { id: 1 });
	const pause = { type: 'pause', endpoint: 'open/model', instance: `127.0.0.1:${server.port}`, pauseMs: 200 };

	expect(ofSession.of('pause')).toEqual([pause]);
	expect(ofClient.of('pause')).toEqual([pause]);
	expect(ofOther.events).toEqual([]);
});

it('An instance that is taken out or comes back is reported to all active sessions and to the client', async () => {
	const [alive, dead] = [await scene.server(), await scene.server()];
	const realNow = performance.now.bind(performance);
	let ahead = 0;
	const clock = jest.spyOn(performance, 'now').mockImplementation(() => realNow() + ahead);
	scene.atEnd(() => clock.mockRestore());
	const { client, session, ofClient, ofSession } = await listeners([alive, dead]);
	await dead.kill();
	for (const id of range(60)) await session.predictRecord('model', { id });
	await until(() => ofClient.of('instanceOut').length > 0);
	const out = ofClient.of('instanceOut')[0]!;
	expect(out).toEqual({
		type: 'instanceOut',
		instance: `127.0.0.1:${dead.port}`,
		breakMs: expect.any(Number) as number,
	});
	expect(ofSession.of('instanceOut')).toContainEqual(out);

	await dead.revive();
	ahead += 60_000;
	for (let n = 0; ofClient.of('instanceBack').length === 0 && n < 200; n++) {
		await client.predictRecord('model', { id: n });
		await wait(5);
	}
	expect(ofClient.of('instanceBack')[0]).toEqual({ type: 'instanceBack', instance: `127.0.0.1:${dead.port}` });
});

it.each([
	['throws', '() => { throw mistake; }'],
	['rejects', 'async () => { throw mistake; }'],
	['throws a value that has no text', '() => { throw Object.create(null); }'],
])(
	'A listener of a session, of the client or of outcomes that %s loses no record, and a warning says so',
	async (_how, fail) => {
		const server = await scene.server(({ ids }) => (ids.includes(7) ? refusal() : undefined));
		let failures = 2;
		server.setFault(() => (failures-- > 0 ? { kind: 'answer', ...refusal('Busy', 503) } : undefined));
		// In its own process, as what the listeners throw is a warning there.
		const script = `
		const { ApiNodeClient } = require(${JSON.stringify(join(__dirname, '../../../client/index.ts'))});
		let warned = 0;
		process.on('warning', ({ message }) => (warned += /^(A mistake in a listener|a value of type object)$/.test(message)));
		const mistake = new Error('A mistake in a listener');
		const fail = ${fail};
		const client = new ApiNodeClient({ url: ${JSON.stringify(server.url)}, serviceId: 's', onEvent: fail });
		const records = Array.from({ length: 300 }, (_, id) => ({ features: { id } }));
		client.session({ onEvent: fail }).settle('predict', 'model', records, { onOutcome: fail }).then((outcomes) => {
			const lost = outcomes.filter(({ result }, id) => result?.id !== id).length;
			setTimeout(() => { console.log(JSON.stringify({ lost, warned: warned > 0 })); process.exit(); }, 50);
		});`;
		const { stdout } = await promisify(execFile)(process.execPath, ['--require', 'tsx/cjs', '--eval', script], {
			cwd: join(__dirname, '../../..'),
		});
		expect(JSON.parse(stdout)).toEqual({ lost: 1, warned: true });
	},
);

it('Events can be counted without a library', async () => {
	const server = await scene.server(refusing((id) => id % 10 === 0));
	const counts: Partial<Record<ClientEvent['type'], number>> = {};
	const client = scene.clientOf(server, { onEvent: ({ type }) => (counts[type] = (counts[type] ?? 0) + 1) });
	scoredIn(await client.settle('predict', 'model', recordsOf(100)));
	expect(counts.split).toBeGreaterThan(10);
});
