import type { LookupFunction } from 'node:net';
import {
	type ApiNodeClient,
	ApiNodeError,
	type CallOptions,
	CallStatistics,
	RawAnswer,
} from '../../../nodes/shared/client';
import { type ChaosProxy, type Fault, inOrder } from '../../support/chaosProxy';
import { asked, dssError, outcomeOf, scoringServers, withoutPauses } from './scoring';

const servers = scoringServers();
withoutPauses();

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
const cut = { repeatable: 4, error: 'AnswerError', words: /is not whole JSON/ };
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
	'invalid JSON': { ...cut, fault: { kind: 'answer', body: '{"results":[}' } },
	'an empty answer': { ...cut, fault: { kind: 'answer', body: '' } },
	'bytes that are not HTTP': { ...broken, fault: { kind: 'garbage' } },
	'a header of a mebibyte': { ...broken, fault: { kind: 'hugeHeader' } },
	silence: {
		fault: { kind: 'silent' },
		repeatable: 2,
		error: 'TimeoutError',
		words: /did not answer within 150 ms/,
		advice: /Raise the time-out/,
	},
	'a web page': {
		fault: { kind: 'answer', headers: { 'content-type': 'text/html' }, body: '<html><title>Hello</title></html>' },
		repeatable: 1,
		error: 'AnswerError',
		words: /answered with a web page/,
	},
	'a 408': status(408, /answered with status 408/, 4),
	'a 429': status(429, /is too busy \(429\)/, 4, /Lower the number of requests/),
	'a 502': status(502, /answered with status 502/, 4),
	'a 503': status(503, /is too busy or out of service \(503\)/, 4, /Lower the number of requests/),
	'a 504': status(504, /answered with status 504/, 4),
	'a 500': status(500, /failed on the request \(500\)/, 2),
	'a 400': status(400, /refused the request \(400\)/, 1),
	'a 401': status(401, /refused the key or token \(401\)/, 1, /Check the key/),
	'a 403': status(403, /does not allow this call \(403\)/, 1, /may use this service/),
	'a 404': status(404, /does not know this service or endpoint \(404\)/, 1, /Check the service id/),
	'a 413': status(413, /refused the request as too large \(413\)/, 1),
	'a 422': status(422, /refused the request \(422\)/, 1),
	'a 418': status(418, /answered with status 418/, 1),
	'a 501': status(501, /answered with status 501/, 1),
	'a 301': status(301, /redirects \(301\)/, 1, /Redirects are not followed/),
	'a 307': status(307, /redirects \(307\)/, 1, /Redirects are not followed/),
};

/** Every operation, and whether the API node may get it twice. */
type Call = (client: ApiNodeClient, options: CallOptions) => Promise<unknown>;
const repeatableCalls: Record<string, Call> = {
	'a prediction': (client, options) => client.predictRecord('e', { id: 1 }, options),
	'a prediction of several records': (client, options) =>
		client.predictRecords('e', [{ features: { id: 1 } }], options),
	'a query that may repeat': (client, options) => client.sqlQuery('e', { id: 1 }, { ...options, repeatable: true }),
};
const unrepeatableCalls: Record<string, Call> = {
	'a query': (client, options) => client.sqlQuery('e', { id: 1 }, options),
	'a query that may not repeat': (client, options) =>
		client.sqlQuery('e', { id: 1 }, { ...options, repeatable: false }),
};

async function fail(call: Call, server: ChaosProxy, fault?: Fault) {
	const statistics = new CallStatistics();
	const { error } = await outcomeOf(call(servers.client(server), { timeout: timeoutFor(fault), statistics }));
	if (!(error instanceof ApiNodeError)) throw new Error('The call did not fail as it should', { cause: error });
	return { error, statistics };
}

describe.each(Object.entries(lasting))('While the answer to every request is %s', (_name, { fault, ...expected }) => {
	it.each(Object.entries(repeatableCalls))(
		`%s takes ${expected.repeatable} requests in all`,
		async (_operation, call) => {
			const server = await servers.server({ faults: fault });
			const { error, statistics } = await fail(call, server, fault);
			expect(error).toMatchObject({ name: expected.error, message: expect.stringMatching(expected.words) as string });
			expect(error.facts).toMatchObject({ attempts: expected.repeatable, instance: `127.0.0.1:${server.port}` });
			if (expected.advice) expect(error.facts.advice).toMatch(expected.advice);
			expect(server.requests).toHaveLength(expected.repeatable);
			expect(statistics.retries).toBe(expected.repeatable - 1);
		},
	);

	it.each(Object.entries(unrepeatableCalls))('%s is sent once', async (_operation, call) => {
		const server = await servers.server({ faults: fault });
		const { error, statistics } = await fail(call, server, fault);
		expect(error).toMatchObject({ name: expected.error, message: expect.stringMatching(expected.words) as string });
		expect(server.requests).toHaveLength(1);
		expect(statistics.retries).toBe(0);
	});
});

const faultyStatuses = Object.values(lasting).filter(({ error }) => error === 'StatusError');
const faultyConnections = Object.values(lasting).filter(({ error }) =>
	['ConnectionError', 'TimeoutError'].includes(error),
);

describe('A function', () => {
	it.each(faultyStatuses.map(({ fault }) => [(fault as { status: number }).status]))(
		'that chooses status %i runs once',
		async (code) => {
			const server = await servers.server({ faults: { kind: 'answer', status: code, body: 'chosen' } });
			const { error } = await fail((client) => client.runFunction('e', { id: 1 }), server);
			expect(error).toMatchObject({ name: 'StatusError', facts: { status: code, detail: 'chosen' } });
			if (code >= 400) expect(error.message).toBe(`The function answered with status ${code}`);
			expect(server.requests).toHaveLength(1);
		},
	);

	it.each(faultyConnections.map(({ fault }) => [JSON.stringify(fault), fault] as const))(
		'runs once when what follows is %s',
		async (_name, fault) => {
			const server = await servers.server({ faults: fault });
			await fail((client, options) => client.runFunction('e', { id: 1 }, options), server, fault);
			expect(server.requests).toHaveLength(1);
		},
	);

	it('runs again after its own 503 when its user says that it may', async () => {
		const server = await servers.server({ faults: inOrder({ kind: 'answer', status: 503 }) });
		const client = servers.client(server);
		expect(await client.runFunction('e', { id: 1 }, { repeatable: true })).toEqual({ response: '{"id":1}' });
		expect(server.requests).toHaveLength(2);
	});

	it('may answer what is not JSON, and that is no reason to run it again', async () => {
		const server = await servers.server({
			faults: { kind: 'answer', headers: { 'content-type': 'text/plain' }, body: '{not json' },
		});
		const client = servers.client(server);
		expect(await client.runFunction('e', {}, { repeatable: true })).toBeInstanceOf(RawAnswer);
		expect(server.requests).toHaveLength(1);
	});
});

const passing = Object.entries(lasting).filter(([, { repeatable }]) => repeatable > 1);

it.each(passing)('A single case of %s goes unnoticed', async (_name, { fault }) => {
	const server = await servers.server({ faults: inOrder(fault) });
	const statistics = new CallStatistics();
	const client = servers.client(server);
	expect(await client.predictRecord('e', { id: 7 }, { timeout: timeoutFor(fault), statistics })).toEqual({
		result: { id: 7 },
	});
	expect(server.requests).toHaveLength(2);
	expect(statistics.retries).toBe(1);
});

describe('A connection that ends after its answer', () => {
	const idle = async () => await new Promise((resolve) => setTimeout(resolve, 100));

	it.each([
		['by a reset', { kind: 'reset', when: 'after' }],
		['by an orderly close', { kind: 'close', when: 'after', afterMs: 20 }],
		['after a second answer that nobody asked for', { kind: 'twoAnswers' }],
	] as Array<[string, Fault]>)('%s harms neither its call nor the next', async (_name, fault) => {
		const server = await servers.server({ faults: inOrder(fault) });
		const client = servers.client(server);
		expect(await client.sqlQuery('e', { id: 1 })).toMatchObject({ rows: [['{"id":1}']] });
		await idle();
		expect(await client.sqlQuery('e', { id: 2 })).toMatchObject({ rows: [['{"id":2}']] });
		expect(server.requests.map(({ connection }) => connection)).toEqual([1, 2]);
	});

	it('at the moment the next request arrives costs a prediction one more request', async () => {
		const server = await servers.server({ faults: inOrder({ kind: 'closeOnNextRequest' }) });
		const client = servers.client(server);
		await client.predictRecord('e', { id: 1 });
		await idle();
		const statistics = new CallStatistics();
		expect(await client.predictRecord('e', { id: 2 }, { statistics })).toEqual({ result: { id: 2 } });
		expect([server.requests.length, statistics.retries]).toEqual([3, 1]);
	});

	it('at the moment the next request arrives fails a query, for it may have run', async () => {
		const server = await servers.server({ faults: inOrder({ kind: 'closeOnNextRequest' }) });
		const client = servers.client(server);
		await client.sqlQuery('e', { id: 1 });
		await idle();
		await expect(client.sqlQuery('e', { id: 2 })).rejects.toThrow('closed the connection without a whole answer');
		expect(server.requests).toHaveLength(2);
	});
});

describe('Where nothing can have been sent, a query is tried as often as a prediction', () => {
	const both: Record<string, Call> = { ...repeatableCalls, ...unrepeatableCalls };

	it.each(Object.entries(both))('%s, refused', async (_operation, call) => {
		const server = await servers.server();
		await server.kill();
		const { error, statistics } = await fail(call, server);
		expect(error).toMatchObject({ name: 'ConnectionError', facts: { code: 'ECONNREFUSED', attempts: 4 } });
		expect(error.message).toMatch(/refused the connection: nothing listens there/);
		expect(statistics.retries).toBe(3);
		expect(server.requests).toHaveLength(0);
	});

	it.each(Object.entries(both))('%s, while a name is not found', async (_operation, call) => {
		const server = await servers.server();
		let lookups = 0;
		const lookup: LookupFunction = (hostname, _options, found) => {
			const unknown = Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
			if (++lookups <= 3) found(unknown, '', 0);
			else found(null, [{ address: '127.0.0.1', family: 4 }] as unknown as string, 4);
		};
		const client = servers.client([], { url: `http://node.invalid:${server.port}`, lookup });
		await call(client, {});
		expect([lookups, server.requests.length]).toEqual([4, 1]);

		lookups = -4;
		const other = servers.client([], { url: `http://node.invalid:${server.port}`, lookup });
		const { error } = await outcomeOf(call(other, {}));
		expect(error?.message).toMatch(/^node\.invalid:\d+ is not a host name that could be found$/);
		expect([lookups, server.requests.length]).toEqual([0, 1]);
	});

	it.each(Object.entries(both))('%s, while no connection comes about in time', async (_operation, call) => {
		const server = await servers.server();
		let lookups = 0;
		const lookup: LookupFunction = (_hostname, _options, found) => {
			if (++lookups > 2) found(null, [{ address: '127.0.0.1', family: 4 }] as unknown as string, 4);
		};
		const client = servers.client([], { url: `http://node.invalid:${server.port}`, lookup, connectTimeout: 100 });
		await call(client, {});
		expect([lookups, server.requests.length]).toEqual([3, 1]);
	});
});

describe('Over two instances', () => {
	it('a 500 is tried on the other one', async () => {
		const failing = await servers.server({ faults: answer(500) });
		const sound = await servers.server();
		for (let id = 0; id < 5; id++) {
			const client = servers.client([failing, sound]);
			expect(await client.predictRecord('e', { id })).toEqual({ result: { id } });
		}
		// all ties fall on the first one here
		expect([failing.requests.length, sound.requests.length]).toEqual([5, 5]);
	});

	it('a 500 on both ends the call after one request to each', async () => {
		const pair = [await servers.server({ faults: answer(500) }), await servers.server({ faults: answer(500) })];
		const { error } = await outcomeOf(servers.client(pair).predictRecord('e', { id: 1 }));
		expect(error).toMatchObject({ name: 'StatusError', facts: { status: 500, attempts: 2 } });
		expect(pair.map(({ requests }) => requests.length)).toEqual([1, 1]);
	});

	it.each(['predictRecord', 'sqlQuery'] as const)('%s moves on at once from one that refuses', async (operation) => {
		jest.spyOn(Math, 'random').mockReturnValue(0.999);
		const sound = await servers.server();
		const dead = await servers.server();
		await dead.kill();
		// ties fall on the last one here, and a back-off would take 250 ms, more than the deadline has
		const client = servers.client([sound, dead]);
		await client[operation]('e', { id: 1 }, { deadline: 245 });
		expect(sound.requests).toHaveLength(1);
	});

	it('a call moves on at once from one where no connection comes about', async () => {
		jest.spyOn(Math, 'random').mockReturnValue(0.999);
		const sound = await servers.server();
		const lookup: LookupFunction = () => {};
		const url = [sound.url, `http://node.invalid:${sound.port}`];
		const client = servers.client([], { url, lookup, connectTimeout: 100 });
		// a back-off would take 250 ms
		await client.sqlQuery('e', { id: 1 }, { deadline: 345 });
		expect(sound.requests).toHaveLength(1);
	});

	it('a query that was sent to one that broke is not given to the other', async () => {
		const breaking = await servers.server({ faults: { kind: 'reset', when: 'before' } });
		const sound = await servers.server();
		await expect(servers.client([breaking, sound]).sqlQuery('e')).rejects.toThrow('closed the connection');
		expect([breaking.requests.length, sound.requests.length]).toEqual([1, 0]);
	});
});

it('Four attempts are all, over three instances as well', async () => {
	const three = await Promise.all([1, 2, 3].map(async () => await servers.server({ faults: answer(503) })));
	const { error } = await outcomeOf(servers.client(three).predictRecord('e', { id: 1 }));
	expect(error).toMatchObject({ facts: { status: 503, attempts: 4 } });
	const counts = three.map((server) => asked(server).length);
	expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4);
	expect(Math.min(...counts)).toBe(1);
});
