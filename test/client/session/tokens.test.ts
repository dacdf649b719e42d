import { setTimeout as wait } from 'node:timers/promises';
import type { TokenSource } from '../../../client';
import { range, recordsOf, refusal, Scene, scoredIn, type Server } from './harness';

const scene = new Scene();

/** An API node that knows which tokens are good, and a place that issues them. */
async function secured(lifeMs: number, workMs: number) {
	const bornAt = new Map<string, number>();
	let refused = 0;
	const server: Server = await scene.server();
	server.setFault(({ headers }) => {
		const token = String(headers.authorization).replace('Bearer ', '');
		const good = performance.now() - (bornAt.get(token) ?? -Infinity) <= lifeMs;
		if (!good) refused++;
		return good ? { kind: 'delay', ms: workMs } : { kind: 'answer', ...refusal('Bad token', 401) };
	});
	let renewals = 0;
	const issue = () => {
		const token = `token-${++renewals}`;
		bornAt.set(token, performance.now());
		return token;
	};
	return { server, issue, bornAt, refused: () => refused, renewals: () => renewals };
}

it('A token that expires while calls queue is fetched at each attempt: no call fails with 401, and none is even refused', async () => {
	const { server, issue, bornAt, refused } = await secured(400, 30);
	let token = issue();
	const tokens: TokenSource = {
		// As an OAuth2 token that says when it expires: not sent any more some time before.
		get: async () => {
			if (performance.now() - bornAt.get(token)! > 200) token = issue();
			return await Promise.resolve(token);
		},
		renew: async () => await Promise.resolve((token = issue())),
	};
	const session = scene.clientOf(server).session({ tokens });
	const calls = range(60).map(async (id) => await session.predictRecord('model', { id }, { maxConcurrency: 2 }));
	expect((await Promise.all(calls)).map(({ result }) => result)).toEqual(range(60).map((id) => ({ id })));
	expect(refused()).toBe(0);
});

it('A token that is refused is renewed, and the record scored', async () => {
	const { server, issue, refused, renewals } = await secured(10_000, 1);
	let token = 'revoked';
	let renewal: Promise<string> | undefined;
	const tokens: TokenSource = {
		get: async () => await Promise.resolve(token),
		renew: async (bad) => {
			if (bad !== token) return token;
			renewal ??= wait(20).then(() => (token = issue()));
			return await renewal;
		},
	};
	const outcomes = await scene.clientOf(server).session({ tokens }).settle('predict', 'model', recordsOf(1_000));

	expect(scoredIn(outcomes)).toHaveLength(1_000);
	expect(renewals()).toBe(1);
	expect(refused()).toBeLessThanOrEqual(8);
});
