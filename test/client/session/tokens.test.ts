import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { type TokenSource, TimeoutError } from '../../../client';
import { failureOf, range, recordsOf, refusal, Scene, scoredIn, type Server } from './harness';

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

it('No request is refused with 401 when a token expires while calls queue', async () => {
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

it('A record is scored with a renewed token when the first token is refused', async () => {
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

it('No call uses a token that expired in the queue when the token source returns tokens immediately', async () => {
	const { server, issue, bornAt, refused, renewals } = await secured(400, 30);
	let token = issue();
	const expired = () => performance.now() - bornAt.get(token)! > 200;
	const fetchToken = async () => {
		await wait(20);
		if (expired()) token = issue();
		return token;
	};
	const tokens: TokenSource = { get: () => (expired() ? fetchToken() : token), renew: fetchToken };
	const session = scene.clientOf(server).session({ tokens });
	const calls = range(60).map(async (id) => await session.predictRecord('model', { id }, { maxConcurrency: 2 }));
	expect((await Promise.all(calls)).map(({ result }) => result)).toEqual(range(60).map((id) => ({ id })));
	expect([refused(), renewals() > 1]).toEqual([0, true]);
});

it('A token source is called twice per call when it always takes time', async () => {
	const server = await scene.server();
	let asked = 0;
	const tokens: TokenSource = {
		get: async () => {
			asked++;
			return await wait(30, 'token');
		},
		renew: async () => await Promise.resolve(),
	};
	expect(await scene.clientOf(server).session({ tokens }).predictRecord('model', { id: 1 })).toEqual({
		result: { id: 1 },
	});
	expect(asked).toBeLessThanOrEqual(4);
	expect(server.requests).toHaveLength(1);
});

describe('A token that never comes', () => {
	const never = async () => await new Promise<string>(() => {});
	const hanging: TokenSource = { provider: 'login.example.com', get: never, renew: never };

	it('ends calls at their deadline, names the identity provider, and does not delay other sessions at the endpoint', async () => {
		const server = await scene.server();
		const client = scene.clientOf(server);
		const session = client.session({ tokens: hanging });
		let ended = 0;
		const calls = range(20).map(async (id) => {
			const failure = await failureOf(session.predictRecord('model', { id }, { deadline: 1_000 }));
			ended++;
			return failure;
		});
		await turn();
		const others = range(40).map(async (id) => await client.predictRecord('model', { id }, { deadline: 900 }));
		expect(await Promise.all(others)).toHaveLength(40);
		expect(ended).toBe(0);
		for (const failure of await Promise.all(calls)) {
			expect(failure).toBeInstanceOf(TimeoutError);
			expect(failure).toMatchObject({
				message: 'The identity provider login.example.com issued no access token within 1 s',
				sent: false,
			});
		}
		expect(server.requests).toHaveLength(40);
	});

	it('ends the request for the OpenAPI document, too', async () => {
		const session = scene.clientOf(await scene.server()).session({ tokens: hanging });
		expect(await failureOf(session.openApi({ deadline: 100 }))).toBeInstanceOf(TimeoutError);
	});

	it('ends a call whose token was refused at its deadline', async () => {
		const { server } = await secured(0, 0);
		const session = scene.clientOf(server).session({ tokens: { ...hanging, get: () => 'revoked' } });
		const failure = await failureOf(session.predictRecord('model', { id: 1 }, { deadline: 300 }));
		expect(failure.message).toMatch(/^The identity provider login.example.com issued no access token/);
		expect(server.requests).toHaveLength(1);
	});

	it('does not count against the endpoint', async () => {
		const server = await scene.server();
		const client = scene.clientOf(server);
		let come: (token: string) => void = () => {};
		const first = new Promise<string>((resolve) => (come = resolve));
		const session = client.session({ tokens: { get: () => first, renew: never } });
		await failureOf(session.predictRecord('model', { id: 1 }, { deadline: 50 }));
		come('token');
		expect(await session.predictRecord('model', { id: 2 })).toEqual({ result: { id: 2 } });
	});
});

it('A request is not sent again with a refused token when the source has no other token', async () => {
	const { server } = await secured(0, 0);
	const session = scene
		.clientOf(server)
		.session({ tokens: { get: () => 'revoked', renew: async (token) => await Promise.resolve(token) } });
	expect((await failureOf(session.predictRecord('model', { id: 1 }))).message).toMatch(/401/);
	expect(server.requests).toHaveLength(1);
});
