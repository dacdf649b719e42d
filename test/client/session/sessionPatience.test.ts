import { fastClock, seconds } from './fastTime';
import { type Asked, failureOf, range, recordsOf, refusal, Scene } from './harness';
import { countLost } from './outages';

jest.mock('node:timers', () => jest.requireActual<typeof import('./fastTime')>('./fastTime').fastTimers());
fastClock();
const scene = new Scene();

describe('A session', () => {
	it('has its own attempts, even after other sessions failed', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'reset', when: 'before' });
		await Promise.all(
			range(30).map(async (id) => await failureOf(client.predictRecord('model', { id }, { timeout: 300 }))),
		);

		const seen = new Map<string, number>();
		server.setFault(({ body }) => {
			seen.set(body, (seen.get(body) ?? 0) + 1);
			return seen.get(body)! <= 2 ? { kind: 'reset', when: 'before' } : undefined;
		});
		for (const id of range(105, 100)) {
			expect((await client.session().predictRecord('model', { id })).result).toEqual({ id });
		}
	});

	it('has its own attempts some time after others used up those of the endpoint, however many resets occur', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'silent' });
		const neighbours = range(12).map(
			async (id) => await failureOf(client.predictRecord('model', { id }, { timeout: 1_500 })),
		);
		await Promise.all(neighbours);
		await seconds(35);
		const session = client.session();
		for (const id of range(106, 100)) {
			let resets = 0;
			server.setFault(() => (resets++ === 0 ? { kind: 'reset', when: 'before' } : undefined));
			expect((await session.predictRecord('model', { id })).result).toEqual({ id });
		}
	});

	it('stops sending and says why when its patience has ended, while a new session begins to wait', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'answer', ...refusal('Away', 503) });
		const session = client.session();
		await session.settle('predict', 'model', recordsOf(500));
		const sent = server.asked().length;
		const error = await failureOf(session.predictRecord('model', { id: 1 }));

		expect(server.asked()).toHaveLength(sent);
		expect(`${error.message} ${error.advice}`).toMatch(/30 s/);
		const other = client.session().predictRecord('model', { id: 1_000 });
		await seconds(2);
		server.setFault(undefined);
		expect((await other).result).toEqual({ id: 1_000 });
	});

	it('is served again when it is used some time after its patience has ended', async () => {
		const { server, client } = await scene.serverAndClient();
		server.setFault({ kind: 'answer', ...refusal('Away', 503) });
		const session = client.session();
		expect(countLost(await session.settle('predict', 'model', recordsOf(300)))).toBe(300);
		server.setFault(undefined);
		await seconds(35);
		expect((await session.predictRecord('model', { id: 1_000 })).result).toEqual({ id: 1_000 });
	});

	it('continues at another endpoint when its patience has ended at one', async () => {
		const judge = ({ endpoint }: Asked) => (endpoint === 'dead' ? refusal('Away', 503) : undefined);
		const { client } = await scene.serverAndClient(judge);
		const session = client.session();
		const [dead] = await Promise.all([
			session.settle('predict', 'dead', recordsOf(300)),
			session.settle('predict', 'alive', recordsOf(300)),
		]);
		expect(countLost(dead)).toBe(300);
		expect(countLost(await session.settle('predict', 'alive', recordsOf(range(600))))).toBe(0);
	});
});

it('An endpoint that was away for long and asked for long pauses is used soon after it is back', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault({ kind: 'answer', ...refusal('Away', 503), headers: { 'retry-after': '25' } });
	const webhooks: Array<Promise<unknown>> = [];
	for (let second = 0; second < 58; second += 2) {
		webhooks.push(failureOf(client.predictRecord('model', { id: second }, { timeout: 2_000 })));
		await seconds(2);
	}
	await Promise.all(webhooks);
	server.setFault(undefined);
	// The last pause that was respected ended at 50 s; another would go on until 75 s.
	expect((await client.predictRecord('model', { id: 1_000 }, { timeout: 2_500 })).result).toEqual({ id: 1_000 });
});
