import { inspect } from 'node:util';
import type { ApiNodeClient, TokenSource } from '../../../client';
import { failureOf, range, recordsOf, refusal, Scene, until } from './harness';

const scene = new Scene();
const key = 'sk-very-secret-key';
const token = 'tok-very-secret-token';
const tls = { passphrase: 'very-secret-passphrase' };
const secrets = [key, Buffer.from(`${key}:`).toString('base64'), token, tls.passphrase];

const shown = (value: unknown) =>
	[
		inspect(value, { depth: Infinity, showHidden: true, maxArrayLength: Infinity, maxStringLength: Infinity }),
		inspect(value, { depth: Infinity, showHidden: true, getters: true }),
		JSON.stringify(value) ?? '',
		String(value),
		...(value instanceof Error ? [value.stack ?? ''] : []),
	].join('\n');

function expectNoSecret(value: unknown): void {
	for (const secret of secrets) expect(shown(value)).not.toContain(secret.replace(/=+$/, ''));
}

const tokens: TokenSource = {
	get: async () => await Promise.resolve(token),
	renew: async () => await Promise.resolve(token),
};

/** With a call on the wire, calls in the queue and one that failed. */
async function inUse(client: ApiNodeClient) {
	const session = client.session({ tokens });
	const calls = [...range(20).map(async (id) => await session.predictRecord('silent', { id }))];
	const failed = await Promise.all(
		[401, 403, 404, 400, 500].map(async (status) => await failureOf(session.predictRecord(`status-${status}`, {}))),
	);
	const outcomes = await client.settle('predict', 'status-400', recordsOf(10));
	return { session, calls: Promise.allSettled(calls), failed, outcomes };
}

it.each<[string, object]>([
	['a key', { apiKey: key }],
	['a token', { bearerToken: token }],
])(
	'Neither a client with %s, nor its sessions and errors, show a secret however deep one looks',
	async (_what, secret) => {
		const server = await scene.server();
		server.setFault(({ path, headers }) => {
			if (path.includes('silent')) return { kind: 'silent' };
			const status = Number(/status-(\d+)/.exec(path)![1]);
			return { kind: 'answer', ...refusal(`Refused ${headers.authorization}`, status) };
		});
		const client = scene.clientOf(server, { ...secret, tls });
		expectNoSecret(client);
		const { session, calls, failed, outcomes } = await inUse(client);
		await until(() => server.asked().some(({ path }) => path.includes('silent')));

		expectNoSecret(client);
		expectNoSecret(session);
		for (const value of [...failed, ...outcomes.map(({ error }) => error)]) {
			expect(value?.detail).toMatch(/^Refused (Basic|Bearer) \*\*\*=*$/);
			expectNoSecret(value);
		}
		await client.destroy();
		for (const outcome of await calls) expectNoSecret(outcome);
		expectNoSecret(client);
	},
);

it('console.log of a client shows its addresses and no credentials', async () => {
	const server = await scene.server();
	const client = scene.clientOf(server, { apiKey: key });
	expect(client.origins).toEqual([server.url]);
	expectNoSecret({ client, nested: [{ session: client.session({ tokens }) }] });
	expect(Object.keys(client)).toEqual([]);
});
