import { getEventListeners } from 'node:events';
import type { LookupFunction } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import {
	type ApiNodeClient,
	type ApiNodeClientOptions,
	type ApiNodeError,
	CancelledError,
	type CallOptions,
	type SessionOptions,
} from '../../../client';
import { certificates } from '../../support/certificates';
import type { ChaosOptions, ChaosProxy } from '../../support/chaosProxy';
import { expectNothingSent } from '../../support/expectNothingSent';
import { eventually, failureOf, Stage } from '../harness';

const stage = new Stage();
// A retry would come at once.
beforeEach(() => stage.withoutPauses());

const never: LookupFunction = () => {};

/** Far below what any of the faults would take, far above the 50 ms allowed, for a machine that does much else. */
const atOnce = 1_000;

/** Longer than the test may take. */
const patient = { timeout: 60_000, deadline: 240_000 };

const answer = { body: { result: {}, results: [{}] } };
const record = { features: {} };

type Options = CallOptions & Pick<SessionOptions, 'tokens'>;
type Call = (client: ApiNodeClient, options: Options) => Promise<unknown>;
const caller = (client: ApiNodeClient, { tokens }: Options) => (tokens ? client.session({ tokens }) : client);
const calls: Array<[string, Call]> = [
	['predictRecord', async (client, options) => await caller(client, options).predictRecord('e', {}, options)],
	['runFunction', async (client, options) => await caller(client, options).runFunction('e', {}, options)],
	[
		'settle',
		async (client, options) => await caller(client, options).settle('predict', 'e', [record, record], options),
	],
	['openApi', async (client, options) => await caller(client, options).openApi(options)],
];

async function cancelled(
	call: (signal: AbortSignal) => Promise<unknown>,
	when: () => Promise<unknown>,
): Promise<ApiNodeError> {
	const abort = new AbortController();
	const outcome = failureOf(call(abort.signal));
	await when();
	const abortedAt = performance.now();
	abort.abort();
	const error = await outcome;
	expect(performance.now() - abortedAt).toBeLessThan(atOnce);
	expect(error).toBeInstanceOf(CancelledError);
	expect(error.message).toBe('The call was canceled');
	return error;
}

/** Nothing more was sent and no socket is open, now and after any retry would have come. */
async function expectQuiet(chaos: ChaosProxy) {
	await expectNothingSent(chaos.url);
	expect(await eventually(() => chaos.openSockets(), 0)).toBe(0);
}

interface Phase {
	chaos?: ChaosOptions | (() => Promise<ChaosOptions>);
	client?: Partial<ApiNodeClientOptions> | ((chaos: ChaosProxy) => Partial<ApiNodeClientOptions>);
	/** When to cancel. */
	when: (chaos: ChaosProxy) => Promise<unknown>;
}

const phases: Array<[string, Phase]> = [
	[
		'while the name is looked up',
		{
			client: ({ port }) => ({ url: `http://slow.example:${port}`, lookup: never, connectTimeout: 60_000 }),
			when: () => wait(30),
		},
	],
	[
		'during the TLS handshake',
		{
			chaos: async () => ({ tls: (await certificates()).server, connectionFaults: 'silent' }),
			client: { connectTimeout: 60_000 },
			when: (chaos) => eventually(() => chaos.connections, 1),
		},
	],
	['before the answer begins', { chaos: { faults: { kind: 'silent' } }, when: (chaos) => chaos.requestsArrived(1) }],
	[
		'in the middle of the answer',
		{
			chaos: { faults: { kind: 'dribble', bytes: 1, everyMs: 100 }, respond: () => answer },
			when: async (chaos) => {
				await chaos.requestsArrived(1);
				await wait(50);
			},
		},
	],
	[
		'in the middle of an endless answer',
		{
			chaos: { faults: { kind: 'endless' } },
			when: async (chaos) => await chaos.requestsArrived(1),
		},
	],
];

describe.each(calls)('%s ends at once when it is cancelled', (name, call) => {
	test.each(phases)('%s', async (_phase, { chaos: chaosOptions = {}, client: options = {}, when }) => {
		const chaos = await stage.chaos(typeof chaosOptions === 'function' ? await chaosOptions() : chaosOptions);
		const client = stage.client({ url: chaos.url, ...(typeof options === 'function' ? options(chaos) : options) });
		await cancelled(
			(signal) => call(client, { ...patient, signal, maxResponseBytes: 2 ** 32 }),
			() => when(chaos),
		);
		await expectQuiet(chaos);
	});

	test('before it has started', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
		const error = await failureOf(call(client, { signal: AbortSignal.abort() }));
		expect(error).toBeInstanceOf(CancelledError);
		await expectQuiet(chaos);
		expect(chaos.connections).toBe(0);
	});

	test('while a token is fetched', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
		const forever = new Promise<string>(() => {});
		const tokens = { get: async () => await forever, renew: async () => await forever };
		await cancelled(
			(signal) => call(client, { ...patient, signal, tokens }),
			() => wait(20),
		);
		await expectQuiet(chaos);
	});

	test('with several instances, and asks none of them afterwards', async () => {
		const instances = [
			await stage.chaos({ faults: { kind: 'silent' } }),
			await stage.chaos({ faults: { kind: 'silent' } }),
		] as const;
		const client = stage.client({ url: instances.map(({ url }) => url) });
		const asked = () => instances[0].requests.length + instances[1].requests.length;
		await cancelled(
			(signal) => call(client, { ...patient, signal }),
			() => eventually(asked, 1),
		);
		for (const instance of instances) await expectQuiet(instance);
		expect(asked()).toBe(1);
	});

	if (name === 'openApi') return;

	test('while it waits for room', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
		const others = new AbortController();
		const busy = failureOf(call(client, { ...patient, maxConcurrency: 1, signal: others.signal }));
		await chaos.requestsArrived(1);

		await cancelled(
			(signal) => call(client, { ...patient, maxConcurrency: 1, signal }),
			() => wait(30),
		);

		expect(chaos.requests).toHaveLength(1);
		expect(chaos.openSockets()).toBe(1);
		others.abort();
		await busy;
		await expectQuiet(chaos);
	});
});

test('a call that backs off ends immediately when it is cancelled', async () => {
	const faults = { kind: 'answer', status: 503, headers: { 'retry-after': '20' } } as const;
	const { chaos, client } = await stage.chaosAndClient({ faults });
	await cancelled(
		(signal) => client.predictRecord('e', {}, { ...patient, signal }),
		async () => {
			await chaos.requestsArrived(1);
			await wait(50);
		},
	);
	expect(chaos.requests).toHaveLength(1);
});

test('a batch that is being split ends immediately when it is cancelled, and sends nothing more', async () => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: { kind: 'delay', ms: 20, then: { kind: 'answer', status: 400, body: { message: 'a bad record' } } },
	});
	const records = Array.from({ length: 1_000 }, (_, i) => ({ features: { i } }));
	await cancelled(
		(signal) => client.settle('predict', 'e', records, { ...patient, batchSize: 1_000, signal }),
		() => chaos.requestsArrived(4),
	);
	await expectQuiet(chaos);
	expect(chaos.requests.length).toBeLessThan(20);
});

test('a thousand calls in flight and in the queue end immediately with one signal', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
	const abort = new AbortController();
	const options = { ...patient, signal: abort.signal };
	const calls = Promise.allSettled(
		Array.from({ length: 1_000 }, async () => await client.predictRecord('e', {}, options)),
	);
	await chaos.requestsArrived(2);
	const abortedAt = performance.now();
	abort.abort();
	const outcomes = await calls;
	expect(performance.now() - abortedAt).toBeLessThan(atOnce);
	expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason instanceof CancelledError)).toBe(
		true,
	);
	await expectQuiet(chaos);
	expect(chaos.requests).toHaveLength(2);
});

test('other calls of the same client finish when one call is cancelled', async () => {
	const { chaos, client } = await stage.chaosAndClient({
		faults: ({ body }) => (body.includes('doomed') ? { kind: 'silent' } : { kind: 'delay', ms: 100 }),
		respond: ({ body }) => ({ body: { result: JSON.parse(body) as object } }),
	});
	const abort = new AbortController();
	const doomed = failureOf(client.predictRecord('e', { doomed: true }, { ...patient, signal: abort.signal }));
	await chaos.requestsArrived(1);
	const others = Array.from({ length: 5 }, async (_, i) => await client.predictRecord('e', { i }));
	await chaos.requestsArrived(2);

	abort.abort();

	expect(await doomed).toBeInstanceOf(CancelledError);
	expect(await Promise.all(others)).toEqual(Array.from({ length: 5 }, (_, i) => ({ result: { features: { i } } })));
	expect(await client.predictRecord('e', { later: 1 })).toEqual({ result: { features: { later: 1 } } });
	expect(chaos.requests).toHaveLength(7);
});

test('nothing happens when a signal is aborted after its call has ended', async () => {
	const { client } = await stage.chaosAndClient({ respond: () => answer });
	const abort = new AbortController();
	await client.predictRecord('e', {}, { signal: abort.signal });
	abort.abort();
	expect(await client.predictRecord('e', {})).toEqual(answer.body);
});

test('a signal gets one listener, without a warning, when many calls share it', async () => {
	const warnings: Error[] = [];
	const onWarning = (warning: Error) => warnings.push(warning);
	process.on('warning', onWarning);
	try {
		const { client } = await stage.chaosAndClient({ faults: { kind: 'delay', ms: 5 }, respond: () => answer });
		const { signal } = new AbortController();
		const options = { signal };
		await Promise.all([
			...Array.from({ length: 60 }, async () => await client.predictRecord('e', {}, options)),
			...Array.from({ length: 60 }, async () => await client.settle('predict', 'e', [record], options)),
		]);
		for (let i = 0; i < 30; i++) await client.runFunction('e', {}, options);

		expect(getEventListeners(signal, 'abort')).toHaveLength(1);
		await wait(10);
		expect(warnings).toEqual([]);
	} finally {
		process.off('warning', onWarning);
	}
});

test('calls in progress end when the client is closed', async () => {
	const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'silent' } });
	const calls = [client.predictRecord('e', {}, patient), client.runFunction('e', {}, patient)].map(failureOf);
	await chaos.requestsArrived(2);
	await client.destroy();
	for (const error of await Promise.all(calls)) {
		expect(error).toMatchObject({ name: 'CancelledError', message: 'The client was destroyed' });
	}
	await expectQuiet(chaos);
	expect(chaos.requests).toHaveLength(2);
});
