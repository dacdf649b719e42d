import fc from 'fast-check';
import { ApiNodeClient, ApiNodeError, type RecordOutcome, StatusError } from '../../../client';
import type { ChaosProxy, ChaosRequest, Fault } from '../../support/chaosProxy';
import { countEvents, dssError, idsIn, outcomeOf, recordsOf, Stage } from '../harness';

const stage = new Stage();
beforeEach(() => stage.withoutPauses());

const passingFaults: fc.Arbitrary<Fault> = fc.constantFrom<Fault[]>(
	{ kind: 'answer', status: 503 },
	{ kind: 'answer', status: 429, headers: { 'retry-after': '0' } },
	{ kind: 'answer', status: 502 },
	{ kind: 'answer', status: 408 },
	{ kind: 'answer', body: '{"results":[' },
	{ kind: 'answer', body: '' },
	{ kind: 'reset', when: 'before' },
	{ kind: 'close', when: 'before' },
	{ kind: 'truncated', by: 'length' },
	{ kind: 'truncated', by: 'chunk' },
	{ kind: 'truncated', by: 'endOfStream' },
	{ kind: 'garbage' },
	{ kind: 'twoAnswers' },
	{ kind: 'closeOnNextRequest' },
	{ kind: 'delay', ms: 5 },
);

/** Faults that leave the request with its healthy answer. */
const isHarmless = ({ kind }: Fault) => ['twoAnswers', 'closeOnNextRequest', 'delay'].includes(kind);

interface Batch {
	records: number;
	batchSize: number;
	bad: number[];
	status: number;
	faults: Array<Fault | undefined>;
}

const batches: fc.Arbitrary<Batch> = fc.integer({ min: 1, max: 60 }).chain((records) =>
	fc.record({
		records: fc.constant(records),
		batchSize: fc.integer({ min: 1, max: 30 }),
		bad: fc.uniqueArray(fc.integer({ min: 0, max: records - 1 }), { maxLength: 6 }),
		status: fc.constantFrom(400, 422, 500),
		faults: fc.array(fc.option(passingFaults, { nil: undefined, freq: 2 }), { maxLength: 60 }),
	}),
);

/** Two instances that every run of a property shares; each run has its own client. */
async function twoInstances() {
	let bad = new Set<number>();
	let status = 400;
	const refuses = (id: number) => (bad.has(id) ? dssError(status, `Record ${id} is bad`) : undefined);
	const both = [await stage.scoring({ refuses }), await stage.scoring({ refuses })] as const;
	return {
		both,
		script: (fault: (request: ChaosRequest) => Fault | undefined) => {
			for (const server of both) server.setFault(fault);
		},
		run: async ({ records, batchSize, ...judgement }: Batch) => {
			bad = new Set(judgement.bad);
			({ status } = judgement);
			const from = both.map(({ requests }) => requests.length);
			const counts = countEvents();
			const { onEvent } = counts;
			const client = new ApiNodeClient({ url: both.map(({ url }) => url), serviceId: 's', onEvent });
			const outcomes = await client.settle('predict', 'e', recordsOf(records), { batchSize });
			await client.destroy();
			const requests = both.flatMap((server: ChaosProxy, i) => server.requests.slice(from[i]));
			return { outcomes, requests, retries: counts.retries };
		},
	};
}

/** The id of a result; of an error the status, as its words may have been cut short on the way. */
const inShort = ({ error, result }: RecordOutcome) => (error ? `status ${error.status}` : result.id);

/** How often each request was sent. The body of a request on a connection that closed at its arrival is not known. */
function timesSent(requests: ChaosRequest[]): Map<string, number> {
	const times = new Map<string, number>();
	for (const { body } of requests) if (body) times.set(body, (times.get(body) ?? 0) + 1);
	return times;
}

describe('With random records, random bad records and random faults', () => {
	it('each record gets its own result or refusal once and in order when faults pass within four attempts', async () => {
		const { script, run } = await twoInstances();
		await fc.assert(
			fc.asyncProperty(batches, async (batch) => {
				const left = [...batch.faults];
				const harmed = new Map<string, number>();
				const closes = batch.faults.some((fault) => fault?.kind === 'closeOnNextRequest');
				// four attempts, of which a repeated 500 takes one, and in all what the retry budget pays for beside it
				const mostPerRequest = 3 - (closes ? 1 : 0) - (batch.status === 500 ? 1 : 0);
				const most = batch.status === 500 ? 3 : 8;
				let harms = 0;
				let closed = false;
				script(({ body }) => {
					const fault = left.shift();
					if (fault?.kind === 'closeOnNextRequest') {
						if (closed) return undefined;
						closed = true;
						return fault;
					}
					if (!fault || isHarmless(fault)) return fault;
					const times = harmed.get(body) ?? 0;
					if (times === mostPerRequest || harms === most) return undefined;
					harmed.set(body, times + 1);
					harms++;
					return fault;
				});

				const { outcomes, requests, retries } = await run(batch);

				const bad = new Set(batch.bad);
				expect(outcomes.map(inShort)).toEqual(
					Array.from({ length: batch.records }, (_, id) => (bad.has(id) ? `status ${batch.status}` : id)),
				);
				// what had its answer is not asked again, but for a 500 and a connection that closed under a request
				const again = requests.length - timesSent(requests).size;
				expect(again).toBe(retries);
				const failedFirst = batch.status === 500 ? bad.size : 0;
				expect(again).toBeLessThanOrEqual(harms + (closed ? 1 : 0) + failedFirst);
			}),
			{ numRuns: 80 },
		);
	});

	it('each record gets one outcome in order, and no good record a refusal, when faults last', async () => {
		stage.fastClock(100);
		const { script, run } = await twoInstances();
		await fc.assert(
			fc.asyncProperty(batches, fc.integer({ min: 1, max: 4 }), async (batch, every) => {
				let n = 0;
				const faults = batch.faults.filter((fault) => fault !== undefined);
				script(() => (n++ % every === 0 ? faults[n % faults.length] : undefined));

				const { outcomes, requests } = await run(batch);

				const bad = new Set(batch.bad);
				expect(outcomes).toHaveLength(batch.records);
				outcomes.forEach((outcome, id) => {
					if (!outcome.error) expect([outcome.result.id, bad.has(id)]).toEqual([id, false]);
					else if (!isPassing(outcome.error)) {
						expect([id, bad.has(id), inShort(outcome)]).toEqual([id, true, `status ${batch.status}`]);
					}
				});
				// Four where others are served between the attempts, which the order of responses leaves open here. An endpoint that
				// responds to no request is waited for instead.
				if (every > 1) expect(Math.max(0, ...timesSent(requests).values())).toBeLessThanOrEqual(8);
			}),
			{ numRuns: 60 },
		);
	});

	it('a query or a function is sent once and settles once, with its own response or an error', async () => {
		const { both, script } = await twoInstances();
		const [dying] = both;
		await fc.assert(
			fc.asyncProperty(
				fc.array(fc.constantFrom<Array<'sqlQuery' | 'runFunction'>>('sqlQuery', 'runFunction'), {
					minLength: 1,
					maxLength: 40,
				}),
				fc.array(fc.option(passingFaults, { nil: undefined }), { minLength: 1, maxLength: 20 }),
				fc.boolean(),
				async (operations, faults, oneIsDead) => {
					if (oneIsDead) await dying.kill();
					else await dying.revive();
					const from = both.map(({ requests }) => requests.length);
					let n = 0;
					const harmed = new Set<string>();
					script(({ body }) => {
						const fault = faults[n++ % faults.length];
						if (fault && !isHarmless(fault)) harmed.add(body);
						return fault;
					});
					const client = new ApiNodeClient({ url: both.map(({ url }) => url), serviceId: 's' });
					const ended = await Promise.all(
						operations.map(async (operation, id) => await outcomeOf<unknown>(client[operation]('e', { id }))),
					);
					await client.destroy();

					const requests = both.flatMap((server, i) => server.requests.slice(from[i]));
					expect(Math.max(0, ...timesSent(requests).values())).toBeLessThanOrEqual(1);
					expect(requests.length).toBe(operations.length);
					const closing = faults.some((fault) => fault?.kind === 'closeOnNextRequest');
					ended.forEach(({ value, error }, id) => {
						const body = JSON.stringify({ id });
						const own = operations[id] === 'runFunction' ? { response: body } : { columns: [], rows: [[body]] };
						if (!error) {
							// a text that is not JSON is an answer of a function
							if (!harmed.has(body)) expect(value).toEqual(own);
						} else {
							expect(error).toBeInstanceOf(ApiNodeError);
							expect([id, harmed.has(body) || closing]).toEqual([id, true]);
						}
					});
				},
			),
			{ numRuns: 60 },
		);
	});
});

/** A failure of the way to the endpoint, not of a record. */
function isPassing(error: ApiNodeError): boolean {
	if (error instanceof StatusError) return [408, 429, 502, 503].includes(error.status);
	return ['ConnectionError', 'ResponseError', 'TimeoutError'].includes(error.name);
}

it('A request contains exactly the records that were given to it', async () => {
	const server = await stage.scoring();
	await stage.clientOf(server).settle('predict', 'e', recordsOf([7, 3, 5]));
	expect(server.requests.map(idsIn)).toEqual([[7, 3, 5]]);
});
