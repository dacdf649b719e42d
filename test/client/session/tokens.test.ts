import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { ApiNodeError, CancelledError, type TokenSource, TimeoutError } from '../../../client';
import { failureOf, range, recordsOf, refusal, Scene, scoredIn, type Server, until } from './harness';

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

it.each<[string, string, number]>([
	['is read with a renewed token when the first token is refused', 'new', 2],
	['is not requested again when the token source has no other token', 'revoked', 1],
])('The OpenAPI document %s', async (_what, next, requests) => {
	const server = await scene.server();
	server.setFault(({ headers }) =>
		headers.authorization === 'Bearer new'
			? { kind: 'answer', status: 200, body: { swagger: '2.0', paths: {} } }
			: { kind: 'answer', ...refusal('Bad token', 401) },
	);
	let token = 'revoked';
	const accepted: string[] = [];
	const tokens: TokenSource = {
		get: () => token,
		renew: async () => await Promise.resolve((token = next)),
		accepted: (good) => accepted.push(good),
	};
	const document = scene.clientOf(server).openApi({ tokens });
	if (requests > 1) expect(await document).toEqual({ swagger: '2.0', paths: {} });
	else expect(await failureOf(document)).toMatchObject({ status: 401 });
	expect(accepted).toEqual(requests > 1 ? ['new'] : []);
	expect(server.requests).toHaveLength(requests);
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

const renew = async () => await Promise.resolve('token');

it('Other calls get their turns when a token source throws while its call waits for a turn', async () => {
	const server = await scene.server();
	const client = scene.clientOf(server);
	let asked = 0;
	const tokens: TokenSource = {
		get: () => {
			if (++asked % 2 === 0) throw new Error('The token has expired');
			return 'token';
		},
		renew,
	};
	const calls = range(20).map(async (id) => await client.session({ tokens }).predictRecord('model', { id }));
	await Promise.allSettled(calls);
	await client.settle('predict', 'model', recordsOf(20), { batchSize: 1, deadline: 1_000 });
	expect(scoredIn(await client.settle('predict', 'model', recordsOf(20), { batchSize: 1 }))).toHaveLength(20);
	expect(client.isBusy).toBe(false);
});

it.each([
	[
		'throws',
		() => {
			throw new Error('No network');
		},
		'No access token: No network',
	],
	[
		'throws a value that has no text',
		() => {
			throw Object.create(null);
		},
		'No access token: a value of type object',
	],
	[
		'rejects with an object',
		async () => {
			await turn();
			// eslint-disable-next-line @typescript-eslint/only-throw-error
			throw { error: 'invalid_grant' };
		},
		'No access token: [object Object]',
	],
	['returns an empty text', () => '', 'No access token: the source returned none'],
	['returns undefined', () => undefined, 'No access token: the source returned none'],
	['resolves with an empty text', async () => await Promise.resolve(''), 'No access token: the source returned none'],
	[
		'resolves with undefined',
		async () => await Promise.resolve(undefined),
		'No access token: the source returned none',
	],
	['resolves with null', async () => await Promise.resolve(null), 'No access token: the source returned none'],
])('Nothing is sent when a token source %s', async (_does, get, message) => {
	const server = await scene.server();
	const tokens = { get, renew } as TokenSource;
	const session = scene.clientOf(server).session({ tokens });
	const failure = await failureOf(session.predictRecord('model', { id: 1 }));
	expect(failure).toBeInstanceOf(ApiNodeError);
	expect(failure.message).toBe(message);
	expect(server.requests).toHaveLength(0);
});

it('A token is taken from anything that can be awaited', async () => {
	const server = await scene.server();
	const get = () => ({ then: (done: (token: string) => void) => done('token') });
	const session = scene.clientOf(server).session({ tokens: { get, renew } as unknown as TokenSource });
	await session.predictRecord('model', { id: 1 });
	expect(server.requests[0]!.headers.authorization).toBe('Bearer token');
});

it('A token source is called a few times per call when its tokens always seem to have expired', async () => {
	const server = await scene.server();
	let asked = 0;
	const get = () => (++asked === 1 ? 'token' : wait(1, 'token'));
	const session = scene.clientOf(server).session({ tokens: { get, renew } });
	expect(await session.predictRecord('model', { id: 1 })).toEqual({ result: { id: 1 } });
	expect(asked).toBeLessThanOrEqual(10);
});

it.each([
	[
		'throws',
		() => {
			throw new Error('Mine');
		},
	],
	['rejects', async () => await Promise.reject(new Error('Mine'))],
])(
	'A call keeps its response, and the error becomes a warning, when `accepted` %s',
	async (_does, accepted: () => unknown) => {
		const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
		const server = await scene.server();
		const tokens: TokenSource = { get: () => 'token', renew, accepted };
		const session = scene.clientOf(server).session({ tokens });
		expect(await session.runFunction('write', { id: 1 })).toEqual({ response: { id: 1 }, timing: {} });
		await turn();
		expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: 'Mine' }));
		warned.mockRestore();
	},
);

it('A function is not called when its session is stopped after its token was fetched', async () => {
	const { server, client } = await scene.serverAndClient();
	let looks = 0;
	const get = () => {
		// The second look follows the wait for a turn.
		if (++looks === 2) session.stop();
		return 'token';
	};
	const session = client.session({ tokens: { get, renew } });
	expect(await failureOf(session.runFunction('model'))).toBeInstanceOf(CancelledError);
	expect(server.asked()).toHaveLength(0);
});

it('A call ends immediately when its session is stopped while its token arrives and the endpoint is busy', async () => {
	const { server, client } = await scene.serverAndClient();
	server.setFault({ kind: 'silent' });
	const busy = new AbortController();
	const limits = { maxConcurrency: 1 };
	const other = failureOf(client.predictRecord('model', { id: 1 }, { ...limits, signal: busy.signal }));
	await until(() => server.asked().length === 1);
	const errors: unknown[] = [];
	for (const steps of range(12)) {
		const get = async () => {
			await turn();
			void stopAfter(steps);
			return 'token';
		};
		const session = client.session({ tokens: { get, renew: get } });
		const stopAfter = async (left: number): Promise<void> => {
			for (; left > 0; left--) await Promise.resolve();
			session.stop();
		};
		void failureOf(session.predictRecord('model', { id: 2 }, limits)).then((error) => errors.push(error));
	}
	await until(() => errors.length === 12);
	expect(errors.every((error) => error instanceof CancelledError)).toBe(true);
	busy.abort();
	await other;
});
