import type { LookupFunction } from 'node:net';
import { type ApiNodeClient, ApiNodeError, type CallOptions, RawResponse } from '../../../client';
import { type ChaosProxy, type Fault, type FaultScript, inOrder } from '../../support/chaosProxy';
import { countEvents, dssError, outcomeOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

const answer = (status: number, message = 'the words of the node'): Fault => ({
	kind: 'answer',
	...dssError(status, message),
});

/** Time-out of one attempt in ms, short where the test has to wait for it. */
const timeoutFor = (fault?: Fault) => (fault?.kind === 'silent' ? 150 : 5_000);

interface Case {
	fault: Fault;
	/** Requests on the wire while the fault lasts. */
	repeatable: number;
	error: string;
	words: RegExp;
	advice?: RegExp;
}

const broken = { repeatable: 4, error: 'ConnectionError', words: /closed the connection without/ };
const cut = { repeatable: 4, error: 'ResponseError', words: /is not complete JSON/ };
const status = (code: number, words: RegExp, repeatable: number, advice?: RegExp): Case => ({
	fault: answer(code),
	repeatable,
	error: 'StatusError',
	words,
	advice,
});

const lasting: Record<string, Case> = {
	'a reset before the answer': { ...broken, fault: { kind: 'reset', when: 'before' } },
	'a reset during the answer': { ...broken, fault: { kind: 'reset', when: 'during' } },
	'a close before the answer': { ...broken, fault: { kind: 'close', when: 'before' } },
	'an answer shorter than its length': { ...broken, fault: { kind: 'truncated', by: 'length' } },
	'an answer that ends within a chunk': { ...broken, fault: { kind: 'truncated', by: 'chunk' } },
	'an answer cut short without a length': { ...cut, fault: { kind: 'truncated', by: 'endOfStream' } },
	'JSON without its end': { ...cut, fault: { kind: 'answer', body: '{"results":[' } },
	'an empty answer': { ...cut, fault: { kind: 'answer', body: '' } },
	'bytes that are not HTTP': { ...broken, fault: { kind: 'garbage' } },
	'invalid JSON': {
		fault: { kind: 'answer', body: '{"results":[}' },
		repeatable: 1,
		error: 'ResponseError',
		words: /responded with something that is not JSON/,
	},
	'a header of a mebibyte': {
		fault: { kind: 'hugeHeader' },
		repeatable: 1,
		error: 'ResponseError',
		words: /response headers from .* are larger than the allowed 256 KiB/,
	},
	silence: {
		fault: { kind: 'silent' },
		repeatable: 2,
		error: 'TimeoutError',
		words: /did not respond within 150 ms/,
		advice: /Raise the timeout/,
	},
	'a web page': {
		fault: { kind: 'answer', headers: { 'content-type': 'text/html' }, body: '<html><title>Hello</title></html>' },
		repeatable: 1,
		error: 'ResponseError',
		words: /responded with a web page/,
	},
	'a 408': status(408, /responded with status 408/, 4),
	'a 429': status(429, /is too busy \(429\)/, 4, /Lower the number of concurrent requests/),
	'a 502': status(502, /responded with status 502/, 4),
	'a 503': status(503, /is too busy or out of service \(503\)/, 4, /Lower the number of concurrent requests/),
	'a 504': status(504, /responded with status 504/, 4),
	'a 500': status(500, /failed to process the request \(500\)/, 2),
	'a 400': status(400, /refused the request \(400\)/, 1),
	'a 401': status(401, /refused the key or token \(401\)/, 1, /Check the key/),
	'a 403': status(403, /does not allow this call \(403\)/, 1, /is allowed to use this service/),
	'a 404': status(404, /does not know this service or endpoint \(404\)/, 1, /Check the service ID/),
	'a 413': status(413, /refused the request as too large \(413\)/, 1),
	'a 422': status(422, /refused the request \(422\)/, 1),
	'a 418': status(418, /responded with status 418/, 1),
	'a 501': status(501, /responded with status 501/, 1),
	'a 301': status(301, /redirects \(301\)/, 1, /Redirects are not followed/),
	'a 307': status(307, /redirects \(307\)/, 1, /Redirects are not followed/),
};

/** Operations that the API node may get twice, and those that it may not. */
type Call = (client: ApiNodeClient, options: CallOptions) => Promise<unknown>;
const repeatableCalls = {
	'a prediction': (client, options) => client.predictRecord('e', { id: 1 }, options),
	'a prediction of several records': (client, options) =>
		client.predictRecords('e', [{ features: { id: 1 } }], options),
	'a query that may repeat': (client, options) => client.sqlQuery('e', { id: 1 }, { ...options, repeatable: true }),
} satisfies Record<string, Call>;
const unrepeatableCalls: Record<string, Call> = {
	'a query': (client, options) => client.sqlQuery('e', { id: 1 }, options),
	'a query that may not repeat': (client, options) =>
		client.sqlQuery('e', { id: 1 }, { ...options, repeatable: false }),
};

/** The record of the others, whose requests are answered as they should be. */
const othersId = 1_000;
const isOthers = ({ body }: { body: string }) => body.includes(`"id":${othersId}`);
const unlessOthers =
	(fault: Fault): FaultScript =>
	(request) =>
		isOthers(request) ? undefined : fault;
const own = ({ requests }: ChaosProxy) => requests.filter((request) => !isOthers(request));

async function fail(call: Call, server: ChaosProxy, options: CallOptions = {}) {
	const counts = countEvents();
	const { error } = await outcomeOf(call(stage.clientOf(server, counts), options));
	if (!(error instanceof ApiNodeError)) throw new Error('The call did not fail as it should', { cause: error });
	return { error, retries: counts.retries };
}

/**
 * Makes a call that fails while others are served. One request at a time: what is sent again takes its turn behind one of
 * theirs.
 */
async function failWhileOthersAreServed(call: Call, server: ChaosProxy, options: CallOptions) {
	let over = false;
	const others = async (client: ApiNodeClient) => {
		while (!over) await client.predictRecord('e', { id: othersId }, { maxConcurrency: 1 });
	};
	let served: Promise<void> | undefined;
	const failed = await fail(
		async (client) => {
			served = others(client);
			await call(client, { ...options, maxConcurrency: 1 });
		},
		server,
		options,
	);
	over = true;
	await served;
	return failed;
}

describe.each(Object.entries(lasting))('While the response to every request is %s', (_name, { fault, ...expected }) => {
	const timeout = timeoutFor(fault);

	it.each(Object.entries(repeatableCalls))(
		`%s takes ${expected.repeatable} requests in all, if others are served`,
		async (_operation, call) => {
			const server = await stage.scoring({ faults: unlessOthers(fault) });
			const { error, retries } = await failWhileOthersAreServed(call, server, { timeout });
			expect(error).toMatchObject({ name: expected.error, message: expect.stringMatching(expected.words) as string });
			expect(error).toMatchObject({ attempts: expected.repeatable, instance: `127.0.0.1:${server.port}` });
			if (expected.advice) expect(error.advice).toMatch(expected.advice);
			expect(own(server)).toHaveLength(expected.repeatable);
			expect(retries).toBe(expected.repeatable - 1);
		},
	);

	it.each(Object.entries(unrepeatableCalls))('%s is sent once', async (_operation, call) => {
		const server = await stage.scoring({ faults: fault });
		const { error, retries } = await fail(call, server, { timeout });
		expect(error).toMatchObject({ name: expected.error, message: expect.stringMatching(expected.words) as string });
		expect(server.requests).toHaveLength(1);
		expect(retries).toBe(0);
	});
});

it.each<[string, string, number, Call]>([
	['A causal prediction', 'twice', 2, (client) => client.predictEffect('e', { id: 1 })],
	['A lookup', 'twice', 2, (client) => client.lookupRecord('e', { id: 1 })],
	['A forecast', 'twice', 2, (client) => client.forecast('e', [{ id: 1 }])],
	['A function', 'once', 1, (client) => client.runFunction('e', { id: 1 })],
])('%s is sent %s when the first request gets no response', async (_operation, _times, requests, call) => {
	const body = { result: { prediction: 1 }, results: [{ data: {}, forecast: 1 }], response: 1 };
	const server = await stage.chaos({ faults: inOrder({ kind: 'reset', when: 'before' }), respond: () => ({ body }) });
	await outcomeOf(call(stage.clientOf(server), {}));
	expect(server.requests).toHaveLength(requests);
});

describe('While the endpoint responds to no request', () => {
	const waitedFor = Object.entries(lasting).filter(
		([, { error, repeatable }]) => repeatable === 4 && error !== 'ResponseError',
	);

	it.each(waitedFor)(
		'a prediction is sent again until its deadline: %s',
		async (_name, { fault, error: name, words }) => {
			// pauses of 5, 10, 20 ms and so on
			stage.jitter(0.02);
			const server = await stage.scoring({ faults: fault });
			const { error, retries } = await fail(repeatableCalls['a prediction'], server, { deadline: 1_000 });
			// The deadline may cut the last attempt short, even before the server has read it.
			expect(error.name).toMatch(new RegExp(`${name}|TimeoutError`));
			if (error.name === name) expect(error.message).toMatch(words);
			// The circuit may still be open when the last pause ends.
			expect([0, 1]).toContain(retries - (error.attempts! - 1));
			expect([0, 1]).toContain(error.attempts! - server.requests.length);
			expect(server.requests.length).toBeGreaterThan(4);
		},
	);

	it.each(Object.entries(lasting).filter(([, { error, repeatable }]) => repeatable === 4 && error === 'ResponseError'))(
		'%s counts as a response, so that only four requests are sent',
		async (_name, { fault }) => {
			const server = await stage.scoring({ faults: fault });
			const { error } = await fail(repeatableCalls['a prediction'], server);
			expect(error).toMatchObject({ name: 'ResponseError', attempts: 4 });
			expect(server.requests).toHaveLength(4);
		},
	);
});

const faultyStatuses = Object.values(lasting).filter(({ error }) => error === 'StatusError');
const faultyConnections = Object.values(lasting).filter(({ error }) =>
	['ConnectionError', 'TimeoutError'].includes(error),
);

describe('A function', () => {
	it.each(faultyStatuses.map(({ fault }) => [(fault as { status: number }).status]))(
		'runs once when it chooses status %i',
		async (code) => {
			const server = await stage.scoring({ faults: { kind: 'answer', status: code, body: 'chosen' } });
			const { error } = await fail((client) => client.runFunction('e', { id: 1 }), server);
			expect(error).toMatchObject({ name: 'StatusError', status: code, detail: 'chosen' });
			if (code >= 400) expect(error.summary).toBe(`The function responded with status ${code}`);
			expect(server.requests).toHaveLength(1);
		},
	);

	it.each(faultyConnections.map(({ fault }) => [JSON.stringify(fault), fault] as const))(
		'runs once when the response is %s',
		async (_name, fault) => {
			const server = await stage.scoring({ faults: fault });
			await fail((client, options) => client.runFunction('e', { id: 1 }, options), server, {
				timeout: timeoutFor(fault),
			});
			expect(server.requests).toHaveLength(1);
		},
	);

	it('is called again after its own 503 when its user allows it', async () => {
		const server = await stage.scoring({ faults: inOrder({ kind: 'answer', status: 503 }) });
		const client = stage.clientOf(server);
		expect(await client.runFunction('e', { id: 1 }, { repeatable: true })).toEqual({ response: '{"id":1}' });
		expect(server.requests).toHaveLength(2);
	});

	it('runs once when its response is not JSON', async () => {
		const server = await stage.scoring({
			faults: { kind: 'answer', headers: { 'content-type': 'text/plain' }, body: '{not json' },
		});
		const client = stage.clientOf(server);
		expect(await client.runFunction('e', {}, { repeatable: true })).toBeInstanceOf(RawResponse);
		expect(server.requests).toHaveLength(1);
	});
});

const passing = Object.entries(lasting).filter(([, { repeatable }]) => repeatable > 1);

it.each(passing)('A call succeeds after a single %s', async (_name, { fault }) => {
	const server = await stage.scoring({ faults: inOrder(fault) });
	const counts = countEvents();
	const client = stage.clientOf(server, counts);
	expect(await client.predictRecord('e', { id: 7 }, { timeout: timeoutFor(fault) })).toEqual({ result: { id: 7 } });
	expect(server.requests).toHaveLength(2);
	expect(counts.retries).toBe(1);
});

describe('A connection that ends after its response', () => {
	const idle = async () => await new Promise((resolve) => setTimeout(resolve, 100));

	it.each([
		['by a reset', { kind: 'reset', when: 'after' }],
		['by an orderly close', { kind: 'close', when: 'after', afterMs: 20 }],
		['after a second answer that nobody asked for', { kind: 'twoAnswers' }],
	] as Array<[string, Fault]>)('%s fails neither its call nor the next one', async (_name, fault) => {
		const server = await stage.scoring({ faults: inOrder(fault) });
		const client = stage.clientOf(server);
		expect(await client.sqlQuery('e', { id: 1 })).toMatchObject({ rows: [['{"id":1}']] });
		await idle();
		expect(await client.sqlQuery('e', { id: 2 })).toMatchObject({ rows: [['{"id":2}']] });
		expect(server.requests.map(({ connection }) => connection)).toEqual([1, 2]);
	});

	it('costs a prediction one more request when it closes exactly then', async () => {
		const server = await stage.scoring({ faults: inOrder({ kind: 'closeOnNextRequest' }) });
		const client = stage.clientOf(server);
		await client.predictRecord('e', { id: 1 });
		await idle();
		const counts = countEvents();
		expect(await client.session(counts).predictRecord('e', { id: 2 })).toEqual({ result: { id: 2 } });
		expect([server.requests.length, counts.retries]).toEqual([3, 1]);
	});

	it('fails a query that may have run when it closes exactly then', async () => {
		const server = await stage.scoring({ faults: inOrder({ kind: 'closeOnNextRequest' }) });
		const client = stage.clientOf(server);
		await client.sqlQuery('e', { id: 1 });
		await idle();
		await expect(client.sqlQuery('e', { id: 2 })).rejects.toThrow('closed the connection without a complete response');
		expect(server.requests).toHaveLength(2);
	});
});

describe('A query is retried as often as a prediction while nothing can have been sent', () => {
	const both: Record<string, Call> = { ...repeatableCalls, ...unrepeatableCalls };

	it.each(Object.entries(both))('%s, while its connection is refused, until the deadline', async (_operation, call) => {
		// pauses of 5, 10, 20 ms and so on
		stage.jitter(0.02);
		const server = await stage.scoring();
		await server.kill();
		const { error, retries } = await fail(call, server, { deadline: 1_000 });
		expect(error).toMatchObject({ name: 'ConnectionError', code: 'ECONNREFUSED' });
		expect([0, 1]).toContain(retries - (error.attempts! - 1));
		expect(error.message).toMatch(/refused the connection: nothing is listening on this port/);
		expect(error.advice).toMatch(/No time was left for another attempt\.$/);
		expect(retries).toBeGreaterThan(4);
		expect(server.requests).toHaveLength(0);
	});

	it.each(Object.entries(both))('%s, while its connection is refused for some time', async (_operation, call) => {
		stage.jitter(0.02);
		const server = await stage.scoring();
		await server.kill();
		const responded = call(stage.clientOf(server), {});
		setTimeout(() => void server.revive(), 300);
		await responded;
		expect(server.requests).toHaveLength(1);
	});

	it.each(Object.entries(both))('%s, while its host name is not found', async (_operation, call) => {
		const server = await stage.scoring();
		let lookups = 0;
		const lookup: LookupFunction = (hostname, _options, found) => {
			const unknown = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
			if (++lookups <= 3) found(unknown, '', 0);
			else found(null, [{ address: '127.0.0.1', family: 4 }], 4);
		};
		const client = stage.client({ url: `http://node.invalid:${server.port}`, lookup });
		await call(client, {});
		expect([lookups, server.requests.length]).toEqual([4, 1]);

		lookups = -4;
		const other = stage.client({ url: `http://node.invalid:${server.port}`, lookup });
		const { error } = await outcomeOf(call(other, {}));
		expect(error?.message).toMatch(/^node\.invalid:\d+ could not be found: the host name cannot be resolved$/);
		expect([lookups, server.requests.length]).toEqual([0, 1]);
	});

	it.each(Object.entries(both))('%s, while no connection opens in time', async (_operation, call) => {
		const server = await stage.scoring();
		let lookups = 0;
		const lookup: LookupFunction = (_hostname, _options, found) => {
			if (++lookups > 2) found(null, [{ address: '127.0.0.1', family: 4 }], 4);
		};
		const client = stage.client({ url: `http://node.invalid:${server.port}`, lookup, connectTimeout: 100 });
		await call(client, {});
		expect([lookups, server.requests.length]).toEqual([3, 1]);
	});
});

describe('With two instances', () => {
	it('a 500 is repeated on the other instance', async () => {
		const failing = await stage.scoring({ faults: answer(500) });
		const sound = await stage.scoring();
		for (let id = 0; id < 5; id++) {
			const client = stage.clientOf([failing, sound]);
			expect(await client.predictRecord('e', { id })).toEqual({ result: { id } });
		}
		// all ties fall on the first one here
		expect([failing.requests.length, sound.requests.length]).toEqual([5, 5]);
	});

	it('a 500 on both instances ends the call after one request to each', async () => {
		const pair = [await stage.scoring({ faults: answer(500) }), await stage.scoring({ faults: answer(500) })];
		const { error } = await outcomeOf(stage.clientOf(pair).predictRecord('e', { id: 1 }));
		expect(error).toMatchObject({ name: 'StatusError', status: 500, attempts: 2 });
		expect(pair.map(({ requests }) => requests.length)).toEqual([1, 1]);
	});

	it.each(['predictRecord', 'sqlQuery'] as const)(
		'%s moves immediately to the other instance when a connection is refused',
		async (operation) => {
			stage.jitter(0.999);
			const sound = await stage.scoring();
			const dead = await stage.scoring();
			await dead.kill();
			// ties fall on the last one here, and a back-off would take 250 ms, more than the deadline has
			const client = stage.clientOf([sound, dead]);
			await client[operation]('e', { id: 1 }, { deadline: 245 });
			expect(sound.requests).toHaveLength(1);
		},
	);

	it('a call moves immediately to the other instance when no connection opens', async () => {
		stage.jitter(0.999);
		const sound = await stage.scoring();
		const lookup: LookupFunction = () => {};
		const url = [sound.url, `http://node.invalid:${sound.port}`];
		const client = stage.client({ url, lookup, connectTimeout: 100 });
		// a back-off would take 250 ms
		await client.sqlQuery('e', { id: 1 }, { deadline: 345 });
		expect(sound.requests).toHaveLength(1);
	});

	it('a query is not sent to the other instance when its connection broke', async () => {
		const breaking = await stage.scoring({ faults: { kind: 'reset', when: 'before' } });
		const sound = await stage.scoring();
		await expect(stage.clientOf([breaking, sound]).sqlQuery('e')).rejects.toThrow('closed the connection');
		expect([breaking.requests.length, sound.requests.length]).toEqual([1, 0]);
	});
});

it('At most four attempts are made, also with three instances', async () => {
	const three = await Promise.all(
		[1, 2, 3].map(
			async () =>
				await stage.scoring({
					faults: async (request) => {
						if (isOthers(request)) return undefined;
						// others are served meanwhile
						await client.predictRecord('e', { id: othersId });
						return answer(503);
					},
				}),
		),
	);
	const client: ApiNodeClient = stage.clientOf(three);
	const { error } = await outcomeOf(client.predictRecord('e', { id: 1 }));
	expect(error).toMatchObject({ status: 503, attempts: 4 });
	const counts = three.map((server) => own(server).length);
	expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4);
	expect(Math.min(...counts)).toBe(1);
});
