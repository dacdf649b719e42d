import {
	ResponseError,
	type ApiNodeClient,
	type RecordOutcome,
	type SettleOptions,
	StatusError,
} from '../../../client';
import type { ChaosProxy } from '../../support/chaosProxy';
import { countEvents, dssError, idsIn, recordsOf, type Refuses, scored, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

type Words = (id: number) => string;
const ownWords: Words = (id) => `Record ${id} is bad`;

/** One server and client for many batches; each batch sets which records are bad. */
async function judge() {
	let bad: ReadonlySet<number> = new Set();
	let status = 400;
	let words = ownWords;
	const server = await stage.scoring({
		refuses: (id) => (bad.has(id) ? dssError(status, words(id)) : undefined),
	});
	const counts = countEvents();
	const client = stage.clientOf(server, { onEvent: counts.onEvent });
	return {
		server,
		client,
		settle: async (n: number, badOnes: Iterable<number>, how: { status?: number; words?: Words } = {}) => {
			bad = new Set(badOnes);
			({ status = 400, words = ownWords } = how);
			const from = server.requests.length;
			counts.retries = counts.splits = 0;
			const outcomes = await client.settle('predict', 'e', recordsOf(n), { batchSize: 1_000 });
			const { retries, splits } = counts;
			return { outcomes, requests: server.requests.slice(from), retries, splits, bad };
		},
	};
}

/** The result's id, or the error's words. */
const inShort = (outcomes: RecordOutcome[]) =>
	outcomes.map((outcome) => (outcome.error ? outcome.error.serverMessage : outcome.result.id));

const said = (message: string) => `com.dataiku.dip.exceptions.DataikuException: ${message}`;
const expected = (n: number, bad: ReadonlySet<number>, words = ownWords) =>
	Array.from({ length: n }, (_, id) => (bad.has(id) ? said(words(id)) : id));

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe.each([400, 422, 500])('A record that is refused with %i', (status) => {
	const once = status === 500 ? 1 : 0;

	it.each([
		['first', 100, [0], 15],
		['last', 100, [99], 15],
		['in the middle', 100, [50], 15],
		['one of two', 2, [1], 3],
		['alone', 1, [0], 1],
		['first of 500', 500, [0], 19],
		['four, spread', 100, [3, 30, 60, 97], 47],
		['four in a row', 100, [48, 49, 50, 51], 27],
		['every second', 16, range(0, 8).map((i) => 2 * i), 31],
	])('%s (of %i) fails alone, and the rest succeed', async (_name, n, badOnes, most) => {
		const { settle } = await judge();
		const { outcomes, requests, retries, splits, bad } = await settle(n, badOnes, { status });
		expect(inShort(outcomes)).toEqual(expected(n, bad));
		expect(requests.length).toBeLessThanOrEqual(most + once);
		expect(retries).toBe(once);
		expect(splits).toBe((requests.length - once - 1) / 2);
		for (const id of bad) {
			const { error } = outcomes[id] as { error: StatusError };
			expect(error).toMatchObject({ name: 'StatusError', status, detail: ownWords(id) });
			expect(error.summary).toMatch(/^127\.0\.0\.1:\d+ (refused|failed to process) the request \(\d+\)$/);
		}
	});

	it('does not stop the search when all records are bad with different messages', async () => {
		const { settle } = await judge();
		const { outcomes, requests, bad } = await settle(16, range(0, 16), { status });
		expect(inShort(outcomes)).toEqual(expected(16, bad));
		expect(requests).toHaveLength(31 + once);
	});
});

it('All batches are full when there are more than 10,000 records', async () => {
	const server = await stage.scoring();
	const outcomes = await stage.clientOf(server).settle('predict', 'e', recordsOf(11_000));
	expect(inShort(outcomes)).toEqual(range(0, 11_000));
	expect(server.requests.map((request) => idsIn(request).length)).toEqual(Array(110).fill(100));
});

it('Each record has an outcome when all records together are larger than what may be in progress', async () => {
	const server = await stage.scoring();
	const text = 'x'.repeat(2 ** 20);
	const records = range(0, 40).map((id) => ({ features: { id, text } }));
	expect(inShort(await stage.clientOf(server).settle('predict', 'e', records))).toEqual(range(0, 40));
});

it('Most records are not read yet when the first batches are in progress', async () => {
	let release = () => {};
	const released = new Promise<void>((resolve) => (release = resolve));
	const server = await stage.scoring({ faults: async () => void (await released) });
	const read = new Set<number>();
	const records = range(0, 5_000).map((id) => ({
		get features() {
			read.add(id);
			return { id };
		},
	}));
	const settled = stage.clientOf(server).settle('predict', 'e', records);
	await server.requestsArrived(1);
	expect(read.size).toBeLessThan(2_500);
	release();
	expect(inShort(await settled)).toEqual(range(0, 5_000));
});

it('A single 500 costs one additional request and no record', async () => {
	let n = 0;
	const server = await stage.scoring({
		faults: () => (n++ === 0 ? { kind: 'answer', ...dssError(500, 'once') } : undefined),
	});
	const outcomes = await stage.clientOf(server).settle('predict', 'e', recordsOf(20));
	expect(inShort(outcomes)).toEqual(range(0, 20));
	expect(server.requests).toHaveLength(2);
});

it('The halves of a batch are sent in the order of its records, those before a bad one first', async () => {
	const { settle } = await judge();
	const { requests } = await settle(8, [5]);
	expect(requests.map(idsIn)).toEqual([range(0, 8), range(0, 4), range(4, 8), [4, 5], [4], [5], [6, 7]]);
});

it.each([
	['a page', '<!DOCTYPE html><html><title>Blocked</title></html>'],
	['a page of one sentence', 'The request is blocked.'],
	['an empty page', ''],
])('All other records are scored when a firewall refuses the text of one record with %s', async (_what, body) => {
	const server = await stage.scoring({
		refuses: (id) => (id === 5 ? { status: 403, headers: { 'content-type': 'text/html' }, body } : undefined),
	});
	const outcomes = await stage.clientOf(server).settle('predict', 'e', recordsOf(8));
	const failed = outcomes.flatMap(({ error }, id) => (error ? [[id, error.message]] : []));
	expect(failed).toEqual([[5, expect.stringContaining('A firewall in front of')]]);
});

describe('An endpoint that refuses everything', () => {
	const refusing = async (refuses: Refuses) => {
		const server = await stage.scoring({ refuses });
		return { server, client: stage.clientOf(server) };
	};
	const kinds = (outcomes: RecordOutcome[]) =>
		outcomes.map((outcome) => (outcome.error ? (outcome.untried ? 'untried' : 'failed') : 'scored'));

	it.each([
		[401, 'refused the key or token'],
		[403, 'does not allow this call'],
		[404, 'does not know this service or endpoint'],
		[409, 'responded with status 409'],
	])('gets one request per batch when it responds with %i, which no single record can cause', async (status, words) => {
		const { server, client } = await refusing(() => dssError(status, 'No'));
		const counts = countEvents();
		const outcomes = await client.session(counts).settle('predict', 'e', recordsOf(100));
		expect(kinds(outcomes)).toEqual(range(0, 100).map(() => 'failed'));
		for (const { error } of outcomes) expect(error?.message).toContain(words);
		expect(server.requests).toHaveLength(1);
		expect(counts.splits).toBe(0);
	});

	it.each([408, 429, 503])('is waited for, without splitting a batch, when it responds with %i', async (status) => {
		stage.fastClock(50);
		const { client } = await refusing(() => ({ status }));
		const counts = countEvents();
		const outcomes = await client.session(counts).settle('predict', 'e', recordsOf(100));
		expect(kinds(outcomes)).toEqual(range(0, 100).map(() => 'failed'));
		expect(counts.splits).toBe(0);
		expect(counts.retries).toBeGreaterThanOrEqual(4);
	});

	it('is not searched for a bad record when the deadline cut the last attempt short', async () => {
		const server = await stage.scoring({
			faults: { kind: 'delay', ms: 40, then: { kind: 'answer', status: 503 } },
		});
		const counts = countEvents();
		const session = stage.clientOf(server).session(counts);
		await session.settle('predict', 'e', recordsOf(4), { deadline: 300 });
		expect(counts.splits).toBe(0);
	});

	it.each([502, 504])(
		'with %i is searched for a record that made the worker die until the patience ends',
		async (status) => {
			stage.fastClock(50);
			const { server, client } = await refusing(() => ({ status }));
			const outcomes = await client.settle('predict', 'e', recordsOf(100));
			expect(kinds(outcomes)).toEqual(range(0, 100).map(() => 'failed'));
			// four attempts for the whole batch before it is halved
			expect(server.requests.slice(0, 5).map((request) => idsIn(request).length)).toEqual([100, 100, 100, 100, 50]);
			for (const { error } of outcomes)
				expect(error).toMatchObject({ name: expect.stringMatching(/^(Status|Timeout)Error$/) });
		},
	);
});

it('A batch is split until each response fits when its response is too large', async () => {
	const text = 'x'.repeat(1_000);
	const { client } = await stage.chaosAndClient({
		respond: (request) => {
			const results = idsIn(request).map((id) => ({ id, text: id === 5 ? text.repeat(9) : text }));
			return { body: JSON.stringify(request.path.endsWith('-multi') ? { results } : { result: results[0] }) };
		},
	});
	const outcomes = await client.settle('predict', 'e', recordsOf(8), { maxResponseBytes: 3_000 });
	expect(outcomes.map(({ error }) => error?.name)).toEqual(
		range(0, 8).map((id) => (id === 5 ? 'ResponseError' : undefined)),
	);
});

describe('A body that is too large', () => {
	/** Refuses bodies beyond this with 413, as reverse proxies do. */
	async function bounded(maxBytes: number) {
		const server = await stage.scoring({
			faults: ({ body }) => (Buffer.byteLength(body) > maxBytes ? { kind: 'answer', status: 413 } : undefined),
		});
		return { server, client: stage.clientOf(server) };
	}
	const settle = async (client: ApiNodeClient, n: number, options?: SettleOptions) =>
		inShort(await client.settle('predict', 'e', recordsOf(n), options));
	const refused = (server: ChaosProxy, maxBytes: number) =>
		server.requests.filter(({ body }) => Buffer.byteLength(body) > maxBytes).length;

	it('is halved until it fits, in order, and the size is remembered for later batches', async () => {
		const maxBytes = 100_000;
		const { server, client } = await bounded(maxBytes);
		const records = range(0, 100).map((id) => ({ features: { id, text: 'x'.repeat(3_000) } }));
		const settleThem = async () => inShort(await client.settle('predict', 'e', records));
		expect(await settleThem()).toEqual(range(0, 100));
		expect(refused(server, maxBytes)).toBeGreaterThan(0);
		const from = server.requests.length;
		expect(await settleThem()).toEqual(range(0, 100));
		expect(await settleThem()).toEqual(range(0, 100));
		expect(refused(server, maxBytes)).toBe(refused({ ...server, requests: server.requests.slice(0, from) }, maxBytes));
	});

	it('is halved when it has less than 64 KiB, and teaches nothing about a size limit', async () => {
		const { server, client } = await bounded(1_000);
		expect(await settle(client, 100)).toEqual(range(0, 100));
		const first = refused(server, 1_000);
		expect(await settle(client, 100)).toEqual(range(0, 100));
		expect(refused(server, 1_000)).toBe(2 * first);
	});

	it('that holds a single record fails that record alone', async () => {
		const { client, server } = await bounded(1_000);
		const records = recordsOf(10);
		records[6] = { features: { id: 6, text: 'x'.repeat(2_000) } };
		const outcomes = await client.settle('predict', 'e', records);
		expect(outcomes.map(({ error }) => error !== undefined)).toEqual(range(0, 10).map((id) => id === 6));
		expect(outcomes[6]!.error).toMatchObject({
			name: 'StatusError',
			message: `127.0.0.1:${server.port} refused the request as too large (413)`,
		});
		expect(inShort(outcomes.filter(({ error }) => !error))).toEqual(range(0, 10).filter((id) => id !== 6));
	});

	it('is never sent when the size limit is known: batches are built smaller', async () => {
		const { client, server } = await bounded(1_000);
		expect(await settle(client, 100, { maxBodyBytes: 900 })).toEqual(range(0, 100));
		expect(refused(server, 1_000)).toBe(0);
		expect(Math.max(...server.requests.map(({ body }) => Buffer.byteLength(body)))).toBeGreaterThan(800);
	});

	it('fails each of its records when it cannot be sent at all', async () => {
		const { client } = await bounded(0);
		const outcomes = await client.settle('predict', 'e', recordsOf(16));
		expect(outcomes.map(({ error }) => (error as StatusError).status)).toEqual(range(0, 16).map(() => 413));
	});
});

describe('A response that does not match its request', () => {
	const misfits: Array<[string, (ids: number[]) => unknown, string]> = [
		['is one result short', (ids) => ({ results: ids.slice(1).map((id) => ({ id })) }), '3 results'],
		['is one result long', (ids) => ({ results: [...ids, -1].map((id) => ({ id })) }), '5 results'],
		['has no results', () => ({ results: [] }), '0 results'],
		['has null for results', () => ({ results: null }), 'no list of results'],
		['has an object for results', () => ({ results: { 0: {} } }), 'no list of results'],
		['has nulls in its results', (ids) => ({ results: ids.map(() => null) }), 'no list of results'],
		['says nothing of results', () => ({ response: 1 }), 'no list of results'],
		['is a list', (ids) => ids, 'no list of results'],
		['is null', () => null, 'no list of results'],
	];

	const answering = async (misfit: (ids: number[]) => unknown, when: (ids: number[]) => boolean = () => true) => {
		const server = await stage.scoring({
			faults: (request) => {
				const ids = idsIn(request);
				return when(ids) ? { kind: 'answer', body: JSON.stringify(misfit(ids)) } : undefined;
			},
		});
		return { server, client: stage.clientOf(server) };
	};

	it.each(misfits)(
		'(%s) is assigned to no record: its halves are tried once, and then fail',
		async (_name, misfit, got) => {
			const { server, client } = await answering(misfit);
			const outcomes = await client.settle('predict', 'e', recordsOf(8));
			expect(server.requests.map(idsIn)).toEqual([range(0, 8), range(0, 4), range(4, 8)]);
			for (const { error } of outcomes) {
				expect(error).toBeInstanceOf(ResponseError);
				expect(error?.message).toBe(`The API node returned ${got} for 4 records`);
				expect(error?.advice).toContain('No result was used');
			}
		},
	);

	it.each(misfits)('(%s) fails no record when it occurs once: the halves succeed', async (_name, misfit) => {
		const { server, client } = await answering(misfit, (ids) => ids.length === 8);
		expect(inShort(await client.settle('predict', 'e', recordsOf(8)))).toEqual(range(0, 8));
		expect(server.requests).toHaveLength(3);
	});

	it.each(['lookup', 'predictEffect'] as const)(
		'has bare values in its results, which only a model may (%s)',
		async (operation) => {
			const { client, server } = await answering((ids) => ({ results: ids }));
			const record = { features: { id: 1 }, data: { id: 1 } };
			const outcomes = await client.settle(operation, 'e', [record, record], { batchSize: 2 });
			expect(outcomes.map(({ error }) => error?.name)).toEqual(['ResponseError', 'ResponseError']);
			expect(server.requests).toHaveLength(3);
		},
	);

	it('fails only the half that it occurs for', async () => {
		const { client } = await answering(
			() => ({ results: null }),
			(ids) => ids.includes(5),
		);
		const outcomes = await client.settle('predict', 'e', recordsOf(8));
		expect(outcomes.map(({ error }) => error !== undefined)).toEqual(range(0, 8).map((id) => id >= 4));
	});

	it('is a valid result when the API node ignored the record', async () => {
		const ignored = { ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' };
		const { client, server } = await answering((ids) => ({ results: ids.map((id) => (id === 2 ? ignored : { id })) }));
		const outcomes = await client.settle('predict', 'e', recordsOf(4));
		expect(outcomes.map((outcome) => !outcome.error && outcome.result)).toEqual([
			{ id: 0 },
			{ id: 1 },
			ignored,
			{ id: 3 },
		]);
		expect(server.requests).toHaveLength(1);
	});
});

it('Mismatched responses, bad records and bodies that are too large are told apart when one batch has all of them', async () => {
	const server = await stage.scoring({
		faults: (request) => {
			const ids = idsIn(request);
			if (ids.length > 8) return { kind: 'answer', status: 413 };
			if (ids.includes(13)) return { kind: 'answer', ...dssError(400, 'Record 13 is bad') };
			if (ids.includes(20) && ids.length > 4) return { kind: 'answer', body: '{"results":[]}' };
			return { kind: 'answer', ...scored(request) };
		},
	});
	const outcomes = await stage.clientOf(server).settle('predict', 'e', recordsOf(32));
	expect(inShort(outcomes)).toEqual(expected(32, new Set([13])));
});
