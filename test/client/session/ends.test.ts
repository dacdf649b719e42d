import { setTimeout as wait } from 'node:timers/promises';
import { CancelledError, type ClientEvent } from '../../../client';
import { expectNothingSent } from '../../support/expectNothingSent';
import { eventLog, failureOf, range, recordsOf, refusal, Scene, scoredIn, until } from './harness';

const scene = new Scene();

const slow = async (ms = 100) =>
	await scene.serverAndClient(async () => {
		await wait(ms);
		return undefined;
	});

it.each(['sqlQuery', 'runFunction', 'predictRecord'] as const)(
	'A session that is stopped sends no %s that waits, and lets those on the wire end',
	async (method) => {
		const { server, client } = await slow();
		const session = client.session();
		const calls = Promise.allSettled(
			range(50).map(async (id) => await (session[method] as typeof session.sqlQuery)('endpoint', { id })),
		);
		await until(() => server.asked().length === 2);
		session.stop();
		await expectNothingSent(server.url);
		const outcomes = await calls;

		expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
		for (const outcome of outcomes) {
			if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(CancelledError);
		}
		expect(await failureOf((session[method] as typeof session.sqlQuery)('endpoint', { id: 99 }))).toBeInstanceOf(
			CancelledError,
		);
		await expectNothingSent(server.url);
	},
);

it('A stopped session sends no retries and no halves of a batch', async () => {
	const { server, client } = await scene.serverAndClient(async ({ endpoint }) => {
		await wait(50);
		return endpoint === 'busy' ? refusal('Busy', 503) : refusal();
	});
	const session = client.session();
	const refused = failureOf(session.settle('predict', 'refusing', recordsOf(100)));
	const busy = session.settle('predict', 'busy', recordsOf(100));
	await until(() => server.asked().length >= 2);
	session.stop();
	await expectNothingSent(server.url);
	expect(await refused).toBeInstanceOf(CancelledError);
	// What was on the wire came to its end, and that was it.
	expect((await busy).map(({ error }) => error?.status)).toEqual(Array(100).fill(503));
});

it('Other sessions continue when a session is stopped', async () => {
	const { client } = await slow(10);
	const [stopped, other] = [client.session(), client.session()];
	const lost = stopped.settle('predict', 'model', recordsOf(1_000));
	const kept = other.settle('predict', 'model', recordsOf(1_000));
	stopped.stop();
	expect(await failureOf(lost)).toBeInstanceOf(CancelledError);
	expect(scoredIn(await kept)).toHaveLength(1_000);
});

it('destroy() ends queued, pausing, held back and in-flight calls immediately with a CancelledError', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault(({ path }) =>
		path.includes('/silent/')
			? { kind: 'silent' }
			: { kind: 'answer', ...refusal('No', path.includes('/refusing/') ? 400 : 503) },
	);
	const { events, onEvent } = eventLog();
	const session = client.session({ onEvent });
	const held = session.batcher();
	const target = session.target('predict', 'refusing', {});
	for (const record of recordsOf(500)) await held.add(record, target, () => {});
	const calls = [
		...range(50).map(async (id) => await client.predictRecord('silent', { id })),
		...range(5).map(async (id) => await session.predictRecord('busy', { id })),
		session.runFunction('silent'),
		client.settle('predict', 'silent', recordsOf(1_000)),
	];
	const settled = Promise.allSettled(calls);
	await until(() => events.some(({ type }: ClientEvent) => type === 'retry'));
	await wait(400);
	const startedAt = performance.now();
	await client.destroy();
	const outcomes = await settled;

	expect(performance.now() - startedAt).toBeLessThan(1_000);
	for (const outcome of outcomes) {
		expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'CancelledError' } });
	}
	expect(await failureOf(held.end())).toBeInstanceOf(CancelledError);
	await expectNothingSent(server.url);
	await until(() => server.openSockets() === 0);
	expect(await failureOf(client.predictRecord('model', {}))).toMatchObject({ message: 'The client was destroyed' });
	expect(await failureOf(session.sqlQuery('model'))).toMatchObject({ message: 'The client was destroyed' });
	expect(await failureOf(client.isAlive())).toBeInstanceOf(CancelledError);
	expect(await failureOf(client.openApi())).toBeInstanceOf(CancelledError);
});

it('Records set aside end with the signal of their own call', async () => {
	const { client } = await scene.serverAndClient(() => refusal());
	const own = new AbortController();
	const session = client.session();
	const batcher = session.batcher(own.signal);
	const target = session.target('predict', 'model', {});
	for (const record of recordsOf(500)) await batcher.add(record, target, () => {});
	await wait(300);
	own.abort();

	expect(await failureOf(batcher.end())).toMatchObject({ name: 'CancelledError' });
});

// Each was looked up among all that wait, once: 16 s for 100,000, in one go.
it.each(['session', 'own'] as const)(
	'Aborting 20,000 calls that wait ends all of them, and leaves room for the next (their signal: %s)',
	async (signals) => {
		const { server, client } = await scene.serverAndClient();
		server.setFault(({ body }) => (body.includes('"late"') ? undefined : { kind: 'silent' }));
		const stop = new AbortController();
		const session = client.session(signals === 'session' ? { signal: stop.signal } : {});
		const controllers: AbortController[] = [];
		const count = 20_000;
		let cancelled = 0;
		for (const id of range(count)) {
			const own = signals === 'own' ? new AbortController() : undefined;
			if (own) controllers.push(own);
			session.predictRecord('model', { id }, { signal: own?.signal }).catch((error: unknown) => {
				if (error instanceof CancelledError) cancelled++;
			});
		}
		await until(() => server.asked().length === 2);
		stop.abort();
		for (const controller of controllers) controller.abort();
		while (cancelled < count) await wait(1);

		// Nothing of them is counted as in flight: as many as at the start go out at once.
		const late = range(2).map(async (n) => await client.predictRecord('model', { id: n, late: 'late' }));
		expect((await Promise.all(late)).map(({ result }) => result)).toEqual([{ id: 0 }, { id: 1 }]);
	},
	60_000,
);

describe('close()', () => {
	it('lets calls in progress finish, and refuses new ones', async () => {
		const { server, client } = await scene.serverAndClient(async ({ ids }) => {
			await wait(20);
			return ids.includes(7) ? refusal() : undefined;
		});
		const settled = client.settle('predict', 'model', recordsOf(1_000), { maxConcurrency: 1 });
		const query = client.sqlQuery('other', { id: 1 });
		await until(() => server.asked().length === 2);
		const closed = client.close();
		for (const call of [client.predictRecord('model', {}), client.isAlive(), client.settle('predict', 'model', [])]) {
			expect(await failureOf(call)).toMatchObject({ name: 'CancelledError', message: 'The client was closed' });
		}
		await closed;

		expect(scoredIn(await settled)).toHaveLength(999);
		expect(await query).toMatchObject({ columns: ['id'] });
		await client.close();
		expect(await failureOf(client.isAlive())).toMatchObject({ message: 'The client was closed' });
		await expectNothingSent(server.url);
	});

	it('is called at the end of `await using`', async () => {
		const { client } = await slow(10);
		const call = client.predictRecord('model', { id: 1 });
		await client[Symbol.asyncDispose]();
		expect(await call).toEqual({ result: { id: 1 } });
		expect(await failureOf(client.predictRecord('model', {}))).toBeInstanceOf(CancelledError);
	});

	it('stops waiting when the client is destroyed', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		const call = failureOf(client.predictRecord('model', { id: 1 }));
		const closed = client.close();
		await client.destroy();
		await closed;
		expect((await call).message).toBe('The client was destroyed');
	});
});

it('A call fails with a CancelledError when the reason of its signal has no text', async () => {
	const server = await scene.server(async () => await new Promise(() => {}));
	const abort = new AbortController();
	const reason = Object.create(null) as object;
	const call = failureOf(scene.clientOf(server).predictRecord('model', { id: 1 }, { signal: abort.signal }));
	while (server.requests.length === 0) await wait(1);
	abort.abort(reason);
	expect(await call).toBeInstanceOf(CancelledError);
	expect(await call).toHaveProperty('reason', reason);
});
