import { inspect } from 'node:util';
import {
	type ApiNodeClient,
	type ApiNodeError,
	type CallOptions,
	type ClientEvent,
	InvalidCallError,
	type ResponseHead,
} from '../../client';
import { version } from '../../package.json';
import { type Answer, type ChaosRequest, inOrder } from '../support/chaosProxy';
import { asked, dssError, eventually, failureOf, idsIn, recordsOf, scored, Stage } from './harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

/** Fits every method. */
const answer: Answer = { body: { result: {}, results: [{}], columns: [], rows: [], response: null } };

const features = {};
type Method = (client: Pick<ApiNodeClient, keyof ApiNodeClient>, options: CallOptions) => Promise<unknown>;
const methods: Record<string, Method> = {
	predictRecord: (client, options) => client.predictRecord('e', features, options),
	predictRecords: (client, options) => client.predictRecords('e', [{ features }], options),
	predictEffect: (client, options) => client.predictEffect('e', features, options),
	predictEffects: (client, options) => client.predictEffects('e', [{ features }], options),
	forecast: (client, options) => client.forecast('e', [{}], options),
	lookupRecord: (client, options) => client.lookupRecord('e', {}, options),
	lookupRecords: (client, options) => client.lookupRecords('e', [{ data: {} }], options),
	sqlQuery: (client, options) => client.sqlQuery('e', {}, options),
	runFunction: (client, options) => client.runFunction('e', {}, options),
	openApi: (client, options) => client.openApi(options),
	isAlive: (client, options) => client.isAlive(options),
};
const settle: Method = (client, options) => client.settle('predict', 'e', [{ features }], options);
const settleSeries: Method = (client, options) => client.settle('forecast', 'e', [[{}]], options);
const allMethods = Object.entries({ ...methods, settle, settleSeries });

describe.each(allMethods)('%s', (_name, call) => {
	it("sends the headers of the call together with the client's own", async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer }, { apiKey: 'key' });
		await call(client, { headers: { 'X-Tenant': 'acme', 'x-empty': '', 'X-Name': 'Zoë\t2' } });

		expect(chaos.requests.map(({ headers }) => headers)).toEqual([
			expect.objectContaining({
				'x-tenant': 'acme',
				'x-empty': '',
				'x-name': 'Zoë\t2',
				authorization: `Basic ${Buffer.from('key:').toString('base64')}`,
				'content-type': 'application/json',
				'accept-encoding': 'identity',
			}),
		]);
	});

	it('sends a User-Agent with the package and its version', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
		await call(client, {});

		expect(chaos.requests.map(({ headers }) => headers['user-agent'])).toEqual([`n8n-nodes-dataiku/${version}`]);
	});

	it('sends the User-Agent of the call when it has one', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
		await call(client, { headers: { 'User-Agent': 'acme' } });

		expect(chaos.requests.map(({ headers }) => headers['user-agent'])).toEqual(['acme']);
	});

	it('fails and sends nothing when a header belongs to the credential', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer }, { apiKey: 'key' });
		const error = await failureOf(call(client, { headers: { 'x-tenant': 'acme', Authorization: 'Bearer other' } }));

		expect(error).toBeInstanceOf(InvalidCallError);
		expect(error.message).toBe('The header "Authorization" cannot be sent: authentication is set in the credential');
		expect(chaos.connections).toBe(0);
	});
});

it('sends the headers as they were when the call was made', async () => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: inOrder({ kind: 'answer', status: 503 }),
		respond: () => answer,
	});
	const headers: Record<string, string> = { 'x-tenant': 'acme' };
	const call = client.predictRecord('e', {}, { headers });
	headers.authorization = 'Bearer other';
	headers['x-tenant'] = 'other';
	await call;

	expect(chaos.requests.map(({ headers: { authorization, 'x-tenant': tenant } }) => [authorization, tenant])).toEqual([
		[undefined, 'acme'],
		[undefined, 'acme'],
	]);
});

it('sends them again when a request is retried, also on another instance', async () => {
	const [broken, healthy] = [await stage.chaos({ respond: () => dssError(503, 'busy') }), await stage.scoring()];
	const client = stage.clientOf([broken, healthy]);
	for (let id = 0; id < 4; id++) await client.predictRecord('e', { id }, { headers: { 'x-id': String(id) } });

	expect(asked(broken).length).toBeGreaterThan(0);
	for (const request of [...asked(broken), ...asked(healthy)]) {
		expect(request.headers['x-id']).toBe(String(idsIn(request)[0]));
	}
});

it('sends them with every part of a batch that is split', async () => {
	const chaos = await stage.scoring({ refuses: (id) => (id === 3 ? dssError(400, 'Invalid feature') : undefined) });
	const options = { headers: { 'x-tenant': 'acme' }, maxBodyBytes: 200, batchSize: 40 };
	const outcomes = await stage.clientOf(chaos).settle('predict', 'e', recordsOf(50), options);

	expect(outcomes.filter(({ error }) => error)).toHaveLength(1);
	expect(chaos.requests.length).toBeGreaterThan(5);
	expect(chaos.requests.every(({ headers }) => headers['x-tenant'] === 'acme')).toBe(true);
});

it('sends them again after a token was renewed', async () => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: inOrder({ kind: 'answer', status: 401 }),
		respond: () => answer,
	});
	const tokens = { get: async () => 'token', renew: async () => undefined };
	await client.session({ tokens }).predictRecord('e', {}, { headers: { 'x-tenant': 'acme' } });
	expect(chaos.requests.map(({ headers }) => headers['x-tenant'])).toEqual(['acme', 'acme']);
});

it('leaves them out when it checks isAlive', async () => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: ({ path }) => (path === '/isAlive/' ? undefined : { kind: 'reset', when: 'before' }),
		respond: scored,
	});
	await failureOf(client.predictRecord('e', {}, { headers: { 'x-tenant': 'acme' }, deadline: 3_000 }));
	await eventually(() => chaos.requests.some(({ path }) => path === '/isAlive/'), true);

	const checks = chaos.requests.filter(({ path }) => path === '/isAlive/');
	expect(checks.map(({ headers }) => headers['x-tenant'])).toEqual(checks.map(() => undefined));
});

it('keeps one queue and one limit per endpoint, whatever the headers are', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 10 }, respond: () => answer });
	const ids = Array.from({ length: 12 }, (_, id) => id);
	await Promise.all(
		ids.map((id) => client.predictRecord('e', {}, { headers: { 'x-id': String(id) }, maxConcurrency: 2 })),
	);
	expect(Math.max(...chaos.requests.map(({ outstanding }) => outstanding))).toBe(2);
});

describe('A header value that a server echoes', () => {
	const value = 'T0k/n+of the="function" <&>';
	const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
	const echoes: Record<string, (echoed: string) => Answer> = {
		'in a JSON error': (echoed) => dssError(400, `Not for ${echoed}`),
		'in the type of an error': (echoed) => ({ status: 500, body: { errorType: echoed, message: echoed } }),
		'in a page': (echoed) => ({ status: 500, body: `<html><title>${escaped(echoed)}</title></html>` }),
		'in a text, URL-encoded': (echoed) => ({ status: 400, body: `Not for ${encodeURIComponent(echoed)}` }),
		'in a redirect': (echoed) => ({ status: 302, headers: { location: `/login/${encodeURI(echoed)}` } }),
		'in the version header': (echoed) => ({ status: 400, headers: { 'dss-version': echoed } }),
	};
	const traces = (secret: string) => [
		secret,
		encodeURIComponent(secret),
		encodeURI(secret),
		JSON.stringify(secret).slice(1, -1),
		escaped(secret),
	];

	async function shownOf(sent: string, respond: (request: ChaosRequest) => Answer) {
		const events: ClientEvent[] = [];
		const { client } = await stage.chaosAndClient({ respond }, { onEvent: (event) => void events.push(event) });
		const options = { headers: { 'x-function-key': sent }, deadline: 1_000 };
		const failures: ApiNodeError[] = [
			await failureOf(client.predictRecord('e', {}, options)),
			await failureOf(client.runFunction('e', {}, options)),
		];
		for (const { error } of await client.settle('predict', 'e', recordsOf(2), options)) failures.push(error!);
		return { failures, shown: [failures, events, client].map((each) => inspect(each, { depth: 9, showHidden: true })) };
	}

	it.each(Object.entries(echoes))('%s does not appear in any error or event', async (_where, echo) => {
		const { shown } = await shownOf(value, ({ headers }) => echo(String(headers['x-function-key'])));
		for (const trace of traces(value)) for (const text of shown) expect(text).not.toContain(trace);
		expect(shown.join()).toContain('***');
	});

	it.each(['Token abcdefgh12345', 'abcdefgh12345'])('does not appear without its scheme, either: %s', async (sent) => {
		const { failures } = await shownOf(sent, () => dssError(400, 'No such token: abcdefgh12345'));
		for (const { detail } of failures) expect(detail).toBe('No such token: ***');
	});

	it('is removed as a whole when another value is a part of it', async () => {
		const headers = { 'x-short': 'abcdefgh', 'x-long': 'abcdefgh-and-more' };
		const { client } = await stage.chaosAndClient({ respond: () => dssError(400, 'Not for abcdefgh-and-more') });
		expect((await failureOf(client.predictRecord('e', {}, { headers }))).detail).toBe('Not for ***');
	});

	it('is kept when it is short, because any text may contain it', async () => {
		const { failures } = await shownOf('eu-west', () => dssError(400, 'No such model in eu-west'));
		for (const { detail } of failures) expect(detail).toBe('No such model in eu-west');
	});
});

describe('The status and headers of a response', () => {
	const headers = {
		'x-request-id': 'r-17',
		'X-Model': 'fraud',
		'set-cookie': ['session=secret', 'other=secret'],
		'www-authenticate': 'Basic realm="secret"',
	};
	const shown = { 'x-request-id': 'r-17', 'x-model': 'fraud' };

	it.each(Object.entries(methods))('are passed to the caller of %s once, before it resolves', async (_name, call) => {
		const { client } = await stage.chaosAndClient({
			faults: inOrder(),
			respond: () => ({ ...answer, status: 201, headers }),
		});
		const heads: ResponseHead[] = [];
		await call(client, { onResponse: (head) => void heads.push(head) });

		expect(heads).toEqual([{ status: 201, headers: expect.objectContaining(shown) as object }]);
		expect(JSON.stringify(heads)).not.toContain('secret');
	});

	it('are those of the last response, and are missing when the call fails', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => ({ ...answer, headers: { 'x-n': '2' } }) });
		const heads: ResponseHead[] = [];
		const onResponse = (head: ResponseHead) => void heads.push(head);
		chaos.setFault(inOrder({ kind: 'answer', status: 503, headers: { 'x-n': '1' } }));
		await client.predictRecord('e', {}, { onResponse });
		chaos.setFault({ kind: 'answer', ...dssError(400, 'no') });
		await failureOf(client.predictRecord('e', {}, { onResponse }));

		expect(heads.map((head) => head.headers['x-n'])).toEqual(['2']);
	});

	it('join repeated headers, and are passed for text and empty responses, too', async () => {
		const { chaos, client } = await stage.chaosAndClient();
		const headsOf = async (fault: Answer) => {
			chaos.setFault({ kind: 'answer', ...fault });
			const heads: ResponseHead[] = [];
			await client.runFunction('e', {}, { onResponse: (head) => void heads.push(head) });
			return heads.map((head) => [head.status, head.headers['x-list']]);
		};
		const list = { 'x-list': ['a', 'b'] };
		expect(await headsOf({ headers: { ...list, 'content-type': 'text/plain' }, body: 'text' })).toEqual([
			[200, 'a, b'],
		]);
		expect(await headsOf({ status: 204, headers: { ...list, 'content-type': 'application/json' } })).toEqual([
			[204, 'a, b'],
		]);
	});

	it.each<[string, object]>([
		['key', { apiKey: 'very-secret-key' }],
		['token', { bearerToken: 'very-secret-key' }],
	])('lack a header that echoes the %s, and keep one that echoes a header of the call', async (_what, options) => {
		const { client } = await stage.chaosAndClient(
			{
				respond: ({ headers: { authorization, 'x-request-id': id } }) => ({
					...answer,
					headers: { 'x-was': `it was ${authorization}`, 'x-key': 'very-secret-key', 'x-request-id': id },
				}),
			},
			options,
		);
		let head: ResponseHead | undefined;
		const onResponse = (received: ResponseHead) => void (head = received);
		await client.predictRecord('e', {}, { headers: { 'x-request-id': 'r-0123456789' }, onResponse });

		expect(head?.headers).toMatchObject({ 'x-request-id': 'r-0123456789' });
		expect(Object.keys(head!.headers)).not.toEqual(expect.arrayContaining(['x-was']));
		expect(Object.keys(head!.headers)).not.toEqual(expect.arrayContaining(['x-key']));
	});

	it('do not fail the call when its listener throws', async () => {
		const warned = jest.spyOn(process, 'emitWarning').mockImplementation();
		stage.atEnd(() => warned.mockRestore());
		const { client } = await stage.chaosAndClient({ respond: () => answer });
		const onResponse = () => {
			throw new Error('of the listener');
		};
		await expect(client.runFunction('e', {}, { onResponse })).resolves.toMatchObject({ response: null });
		expect(warned).toHaveBeenCalledWith(expect.objectContaining({ message: 'of the listener' }));
	});

	it("are in each outcome on request, from the record's own response", async () => {
		const chaos = await stage.chaos({
			respond: (request) => ({ ...scored(request), headers: { 'x-first': String(idsIn(request)[0]) } }),
		});
		const client = stage.clientOf(chaos);
		const firsts = async (batchSize: number, responseHeaders?: boolean) => {
			const outcomes = await client.settle('predict', 'e', recordsOf(4), { batchSize, responseHeaders });
			return outcomes.map((outcome) => outcome.error ?? outcome.response.headers?.['x-first']);
		};
		expect(await firsts(1, true)).toEqual(['0', '1', '2', '3']);
		expect(await firsts(2, true)).toEqual(['0', '0', '2', '2']);
		expect(await firsts(2)).toEqual([undefined, undefined, undefined, undefined]);
	});
});
