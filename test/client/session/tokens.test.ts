import { setTimeout as wait } from 'node:timers/promises';
import type { ICredentialDataDecryptedObject, IExecuteFunctions } from 'n8n-workflow';
import type { TokenSource } from '../../../client';
import { oAuth2Tokens } from '../../../nodes/shared/oAuth2Tokens';
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

describe("The token in n8n's credential", () => {
	/** What of n8n's context the tokens need: a refresh that takes its time. */
	function n8n(next: () => string) {
		let refreshes = 0;
		const refreshOAuth2Token = async () => {
			refreshes++;
			await wait(20);
			return { access_token: next() };
		};
		const context = { helpers: { refreshOAuth2Token } } as unknown as IExecuteFunctions;
		return { context, refreshes: () => refreshes };
	}

	it.each<[string, (tokens: TokenSource) => Promise<unknown>]>([
		['get a first token', async (tokens) => await tokens.get()],
		['have the same token refused', async (tokens) => await tokens.renew('old')],
		['do either', async (tokens) => await (Math.random() < 0.5 ? tokens.get() : tokens.renew('old'))],
	])('is refreshed once for 50 calls that %s at the same time', async (what, ask) => {
		const { context, refreshes } = n8n(() => 'new');
		const first = what.includes('first');
		const stored = { access_token: 'old', n8n_expires_at: '1' };
		const credential: ICredentialDataDecryptedObject = first ? {} : { oauthTokenData: stored };
		const tokens = oAuth2Tokens(context, 'oAuth2', credential);
		const got = await Promise.all(range(50).map(async () => await ask(tokens)));

		expect(refreshes()).toBe(1);
		expect(new Set(got)).toEqual(new Set(['new']));
		expect(await tokens.get()).toBe('new');
		expect(await tokens.renew('old')).toBe('new');
		expect(refreshes()).toBe(1);
	});

	it('is refreshed once for those that ask one after the other while the refresh goes on', async () => {
		const { context, refreshes } = n8n(() => 'new');
		const tokens = oAuth2Tokens(context, 'oAuth2', {});
		const got: Array<Promise<string>> = [];
		for (let n = 0; n < 10; n++) {
			got.push(tokens.get());
			await wait(1);
		}
		expect(new Set(await Promise.all(got))).toEqual(new Set(['new']));
		expect(refreshes()).toBe(1);
	});

	it('is asked for again after a refresh that failed', async () => {
		let fail = true;
		const { context, refreshes } = n8n(() => {
			if (fail) throw new Error('The server is away');
			return 'new';
		});
		const tokens = oAuth2Tokens(context, 'oAuth2', {});
		const outcomes = await Promise.allSettled(range(5).map(async () => await tokens.get()));
		expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
		fail = false;
		expect(await tokens.get()).toBe('new');
		expect(refreshes()).toBe(2);
	});

	it('serves a stampede of calls over real sockets with one refresh, and no 401 reaches a caller', async () => {
		const { server, issue, renewals } = await secured(10_000, 1);
		const { context, refreshes } = n8n(issue);
		const credential = { oauthTokenData: { access_token: 'revoked' } };
		const session = scene.clientOf(server).session({ tokens: oAuth2Tokens(context, 'oAuth2', credential) });
		const calls = range(50).map(async (id) => await session.predictRecord(`model-${id % 10}`, { id }));

		expect((await Promise.all(calls)).map(({ result }) => result)).toEqual(range(50).map((id) => ({ id })));
		expect([refreshes(), renewals()]).toEqual([1, 1]);
	});
});
