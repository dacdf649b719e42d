import { StatusError, type TimeoutError } from '../../../client';
import { inOrder } from '../../support/chaosProxy';
import { countEvents, outcomeOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

const busy = (retryAfter: string | undefined, status = 503) => ({
	kind: 'answer' as const,
	status,
	headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
});

/** How long the second request was held back, in ms. */
async function pauseAfter(retryAfter: string, status = 503): Promise<number> {
	const server = await stage.scoring({ faults: inOrder(busy(retryAfter, status)) });
	expect(await stage.clientOf(server).predictRecord('e', { id: 5 })).toEqual({ result: { id: 5 } });
	expect(server.requests).toHaveLength(2);
	return server.requests[1]!.at - server.requests[0]!.at;
}

describe.each([429, 503])('Retry-After of a %i', (status) => {
	it('in seconds is waited for', async () => expect(await pauseAfter('1', status)).toBeGreaterThanOrEqual(995));

	it('as a date is waited for', async () => {
		const inTwoSeconds = new Date(Date.now() + 2_000).toUTCString();
		// a date has whole seconds, so that up to one of the two is lost
		expect(await pauseAfter(inTwoSeconds, status)).toBeGreaterThanOrEqual(900);
	});

	// -1 and junk taken for numbers of seconds, days or years would hold the test up beyond its end
	it.each(['0', '-1', 'soon', '1e9', '9 lives', 'Sat, 01 Mar 2025 12:00:00 GMT'])(
		'that is %s is no reason to wait',
		async (value) => expect(await pauseAfter(value, status)).toBeLessThan(900),
	);

	it('ends the call immediately when it exceeds the deadline, with an error that says so', async () => {
		const server = await stage.scoring({ faults: busy('1000000000', status) });
		const counts = countEvents();
		const { error } = await outcomeOf(stage.clientOf(server, counts).predictRecord('e', { id: 1 }));
		expect(error).toBeInstanceOf(StatusError);
		expect(error).toMatchObject({
			status,
			attempts: 1,
			advice: 'The response asked for a pause of 1,000,000,000 s, but only 120 s were left for this call.',
		});
		expect(server.requests).toHaveLength(1);
		expect(counts.retries).toBe(0);
	});

	it('is compared with the deadline that the caller sets', async () => {
		const server = await stage.scoring({ faults: busy('10', status) });
		const { error } = await outcomeOf(stage.clientOf(server).predictRecord('e', { id: 1 }, { deadline: 4_000 }));
		expect((error as StatusError).advice).toBe(
			'The response asked for a pause of 10 s, but only 4 s were left for this call.',
		);
		expect(server.requests).toHaveLength(1);
	});
});

it('A query is not repeated because of Retry-After', async () => {
	const server = await stage.scoring({ faults: busy('0') });
	await expect(stage.clientOf(server).sqlQuery('e')).rejects.toThrow('(503)');
	expect(server.requests).toHaveLength(1);
});

it('Retry-After also delays the calls behind, and they all succeed', async () => {
	const server = await stage.scoring({ faults: inOrder(busy('1')) });
	const client = stage.clientOf(server);
	await Promise.all(
		[1, 2, 3, 4].map(async (id) => {
			expect(await client.predictRecord('e', { id }, { maxConcurrency: 1 })).toEqual({ result: { id } });
		}),
	);
	const [first = NaN, ...others] = server.requests.map(({ at }) => at);
	expect(others).toHaveLength(4);
	expect(others[0]! - first).toBeGreaterThanOrEqual(995);
});

it.each([180_000, -180_000])(
	'A date in Retry-After is counted from the Date of the response when the clock of the server differs by %i ms',
	async (ahead) => {
		const date = (ms: number) => new Date(Date.now() + ahead + ms).toUTCString();
		const headers = { date: date(0), 'retry-after': date(2_000) };
		const server = await stage.scoring({ faults: inOrder({ kind: 'answer', status: 503, headers }) });
		expect(await stage.clientOf(server).predictRecord('e', { id: 5 }, { deadline: 10_000 })).toEqual({
			result: { id: 5 },
		});
		expect(server.requests[1]!.at - server.requests[0]!.at).toBeGreaterThanOrEqual(900);
	},
);

describe('A long pause that one caller was asked for', () => {
	/** The endpoint asks the first request for a pause, and is well. */
	async function paused(status: number, retryAfter = '50') {
		const server = await stage.scoring({ faults: inOrder(busy(retryAfter, status)) });
		const client = stage.clientOf(server);
		const startedAt = performance.now();
		await outcomeOf(client.predictRecord('e', { id: 0 }, { deadline: 5_000 }));
		/** The pause, less what of it has passed: a busy machine may have taken seconds. */
		const expectNamed = (message = '') => {
			const named = Number(/^The endpoint asked for a pause of (\d+) s/.exec(message)?.[1]);
			const passed = (performance.now() - startedAt) / 1_000;
			expect(named).toBeLessThanOrEqual(Number(retryAfter));
			expect(named).toBeGreaterThan(Number(retryAfter) - passed - 1);
		};
		return { server, client, expectNamed };
	}

	it('does not delay others when it came with a 503 and the endpoint works', async () => {
		const { client } = await paused(503);
		const calls = [1, 2, 3].map(async (id) => await client.predictRecord('e', { id }));
		expect(await Promise.all(calls)).toEqual([1, 2, 3].map((id) => ({ result: { id } })));
	}, 20_000);

	it('is named in the error of calls that cannot wait for it when it came with a 503', async () => {
		const { server, client, expectNamed } = await paused(503);
		const { error } = await outcomeOf(client.predictRecord('e', { id: 1 }, { deadline: 300 }));
		expect(error).toMatchObject({ name: 'TimeoutError', sent: false });
		expectNamed(error?.message);
		expect(server.requests).toHaveLength(1);
	});

	it('is named immediately in the error of calls that cannot wait for it when it came with a 429', async () => {
		const { server, client, expectNamed } = await paused(429);
		const { error } = await outcomeOf(client.predictRecord('e', { id: 1 }, { deadline: 45_000 }));
		expectNamed(error?.message);
		expect(server.requests).toHaveLength(1);
	});

	it('immediately ends waiting calls that cannot wait for it when it comes with a 429', async () => {
		const server = await stage.scoring({ faults: inOrder({ kind: 'delay', ms: 50, then: busy('50', 429) }) });
		const client = stage.clientOf(server);
		const calls = [1, 2, 3].map(
			async (id) => await outcomeOf(client.predictRecord('e', { id }, { maxConcurrency: 1, deadline: 40_000 })),
		);
		for (const { error } of await Promise.all(calls))
			expect(`${error?.message} ${(error as StatusError).advice}`).toMatch(/50 s/);
	});
});

describe('The deadline', () => {
	it('ends an attempt that would outlast it', async () => {
		const server = await stage.scoring({ faults: { kind: 'silent' } });
		const startedAt = performance.now();
		const { error } = await outcomeOf(
			stage.clientOf(server).predictRecord('e', { id: 1 }, { deadline: 200, timeout: 5_000 }),
		);
		expect(performance.now() - startedAt).toBeLessThan(2_000);
		expect(error).toMatchObject({ name: 'TimeoutError', attempts: 1 });
		// nobody asked for a pause
		expect((error as TimeoutError).advice).toMatch(/No time was left for another attempt\.$/);
	});

	it('does not blame a pause of the API node when it leaves no time for another attempt', async () => {
		stage.jitter(0.999);
		const server = await stage.scoring({ faults: busy(undefined) });
		const { error } = await outcomeOf(stage.clientOf(server).predictRecord('e', { id: 1 }, { deadline: 100 }));
		expect((error as StatusError).advice).toBe('No time was left for another attempt.');
		expect(server.requests).toHaveLength(2);
	});

	it('shortens a random pause, so that a last attempt succeeds when the endpoint was busy for half of the time', async () => {
		stage.jitter(0.999);
		const server = await stage.scoring({ faults: inOrder(busy(undefined), busy(undefined)) });
		const client = stage.clientOf(server);
		// pauses of 250 ms, and of 500 where 350 are left
		expect(await client.predictRecord('e', { id: 1 }, { deadline: 600 })).toEqual({ result: { id: 1 } });
		expect(server.requests).toHaveLength(3);
	});

	it('does not shorten a pause that the endpoint asked for', async () => {
		const server = await stage.scoring({ faults: busy('1') });
		const { error } = await outcomeOf(stage.clientOf(server).predictRecord('e', { id: 1 }, { deadline: 600 }));
		expect((error as StatusError).advice).toMatch(/^The response asked for a pause of 1 s, but only \d+ ms were left/);
		expect(server.requests).toHaveLength(1);
	});

	it('does not include the time in which a call waits for room', async () => {
		const slow = { kind: 'delay' as const, ms: 150 };
		const server = await stage.scoring({ faults: inOrder({ ...slow, then: busy('0') }, slow, slow, slow, slow) });
		const client = stage.clientOf(server);
		// the first call comes again behind four others, 600 ms later
		const options = { maxConcurrency: 1, deadline: 500 };
		const results = await Promise.all(
			[1, 2, 3, 4, 5].map(async (id) => await client.predictRecord('e', { id }, options)),
		);
		expect(results).toEqual([1, 2, 3, 4, 5].map((id) => ({ result: { id } })));
		expect(server.requests).toHaveLength(6);
	});
});
