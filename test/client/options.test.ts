import {
	ApiNodeClient,
	type ApiNodeClientOptions,
	type CallOptions,
	InvalidCallError,
	type PredictOptions,
	type SettleOptions,
} from '../../client';
import { inOrder } from '../support/chaosProxy';
import { asked, failureOf, Stage } from './harness';

const stage = new Stage();

async function refused(call: (client: ApiNodeClient) => Promise<unknown>): Promise<string> {
	const { chaos, client } = await stage.chaosAndClient();
	const error = await failureOf(call(client));
	expect(error).toBeInstanceOf(InvalidCallError);
	expect(chaos.connections).toBe(0);
	return error.message;
}

describe('throws without sending anything', () => {
	test.each([
		['.', 'is not a valid ID'],
		['..', 'is not a valid ID'],
		[' .. ', 'is not a valid ID'],
		['a/b', 'is not a valid ID'],
		['a\\b', 'is not a valid ID'],
		['../../admin', 'is not a valid ID'],
		['', 'is missing'],
		['   ', 'is missing'],
		['\ud800', 'is not a valid ID'],
		['a'.repeat(501), 'is too long'],
	])('when an endpoint or service has the ID %j', async (id, words) => {
		const ofEndpoint = await refused((client) => client.predictRecord(id, {}));
		const ofService = await refused((client) => client.runFunction('e', {}, { serviceId: id }));
		const ofOpenApi = await refused((client) => client.openApi({ serviceId: id }));
		const ofSettle = await refused((client) => client.settle('predict', id, [{ features: {} }]));

		expect([ofEndpoint, ofSettle]).toEqual([expect.stringMatching(`^The endpoint ID.*${words}`), ofEndpoint]);
		expect([ofService, ofOpenApi]).toEqual([expect.stringMatching(`^The service ID.*${words}`), ofService]);
	});

	test.each<[string, PredictOptions, string]>([
		['an unknown method', { explanationMethod: 'LIME' as 'ICE' }, "ICE or SHAPLEY, not 'LIME'"],
		['no explanations', { nExplanations: 0 }, "a positive integer, not '0'"],
		['half an explanation', { nExplanations: 1.5 }, "not '1.5'"],
		['too few Monte Carlo steps', { nExplanationsMcSteps: 24 }, "25 to 1000, not '24'"],
		['too many Monte Carlo steps', { nExplanationsMcSteps: 1001 }, "25 to 1000, not '1001'"],
		['Monte Carlo steps that are not a number', { nExplanationsMcSteps: NaN }, "not 'NaN'"],
	])('%s', async (_name, options, words) => {
		expect(await refused((client) => client.predictRecord('e', {}, options))).toContain(words);
		expect(await refused((client) => client.predictRecords('e', [{ features: {} }], options))).toContain(words);
	});

	test.each<[string, CallOptions, string]>([
		['a time-out of 0', { timeout: 0 }, 'timeout'],
		['a negative time-out', { timeout: -1 }, 'timeout'],
		['a time-out that is not a number', { timeout: NaN }, 'timeout'],
		["a time-out longer than Node's timers", { timeout: 2 ** 31 }, 'timeout'],
		['a deadline of 0', { deadline: 0 }, 'deadline'],
		['no request in flight at all', { maxConcurrency: 0 }, 'maxConcurrency'],
		['a concurrency that is not a number', { maxConcurrency: NaN }, 'maxConcurrency'],
		['an answer of no size', { maxResponseBytes: 0 }, 'maxResponseBytes'],
	])('%s', async (_name, options, name) => {
		expect(await refused((client) => client.predictRecord('e', {}, options))).toContain(name);
		expect(await refused((client) => client.openApi(options))).toContain(name);
		expect(await refused((client) => client.settle('predict', 'e', [{ features: {} }], options))).toContain(name);
	});

	test('when a record of a batch lacks its features or data, and names its number', async () => {
		const broken = [{ features: {} }, {} as { features: object }] as Array<{ features: Record<string, unknown> }>;
		expect(await refused((client) => client.predictRecords('e', broken))).toBe("Record 1 has no 'features' object");
		expect(await refused((client) => client.predictEffects('e', broken))).toBe("Record 1 has no 'features' object");
		const lists = [{ data: [] as unknown as Record<string, unknown> }];
		expect(await refused((client) => client.lookupRecords('e', lists))).toBe("Record 0 has no 'data' object");
	});

	test.each<[string, unknown]>([
		['nothing', undefined],
		['a text', 'amount=1'],
		['a list', [1]],
	])('when there is %s in place of features, data, parameters or arguments', async (_name, value) => {
		const wrong = value as Record<string, unknown>;
		expect(await refused((client) => client.predictRecord('e', wrong))).toContain('features');
		expect(await refused((client) => client.predictEffect('e', wrong))).toContain('features');
		expect(await refused((client) => client.lookupRecord('e', wrong))).toContain('data');
		if (value === undefined) return;
		expect(await refused((client) => client.sqlQuery('e', wrong))).toContain('parameters');
		expect(await refused((client) => client.runFunction('e', wrong))).toContain('arguments');
	});

	test('when records are not a list, or a row of a history is not an object', async () => {
		const noList = { features: {} } as unknown as [];
		const calls = [
			(client: ApiNodeClient) => client.predictRecords('e', noList),
			(client: ApiNodeClient) => client.lookupRecords('e', noList),
			(client: ApiNodeClient) => client.forecast('e', noList),
		];
		for (const call of calls) expect(await refused(call)).toBe('The records must be a list');
		const lines = [{ date: '2024-01-01' }, null as unknown as Record<string, unknown>];
		expect(await refused((client) => client.forecast('e', lines))).toBe('Record 1 is not an object');
	});

	test('when JSON cannot represent a value', async () => {
		const circular: Record<string, unknown> = {};
		circular.self = circular;
		for (const features of [circular, { id: 10n }]) {
			expect(await refused((client) => client.predictRecord('e', features))).toContain('JSON');
			expect(await refused((client) => client.predictRecords('e', [{ features }]))).toContain('JSON');
			expect(await refused((client) => client.forecast('e', [features]))).toContain('JSON');
			expect(await refused((client) => client.runFunction('e', features))).toContain('JSON');
		}
	});

	test.each<[string, SettleOptions]>([
		['batchSize', { batchSize: 0 }],
		['batchSize', { batchSize: NaN }],
		['maxBodyBytes', { maxBodyBytes: 0 }],
	])('when records to settle have %s, which no batch can have', async (name, options) => {
		expect(await refused((client) => client.settle('predict', 'e', [{ features: {} }], options))).toContain(name);
	});
});

describe('maxAttempts', () => {
	const calls: Record<string, (client: ApiNodeClient, options: CallOptions) => Promise<unknown>> = {
		predictRecord: async (client, options) => await client.predictRecord('e', {}, options),
		runFunction: async (client, options) => await client.runFunction('e', {}, { ...options, repeatable: true }),
		settle: async (client, options) => {
			const [outcome] = await client.settle('predict', 'e', [{ features: {} }], options);
			if (outcome!.error) throw outcome!.error;
		},
	};
	const busy = { kind: 'answer', status: 503, body: { message: 'Busy' } } as const;

	describe.each(Object.entries(calls))('of %s', (_name, call) => {
		test.each([1, 2, 6])('%i: is the number of requests to an endpoint that never responds', async (maxAttempts) => {
			stage.withoutPauses();
			stage.fastClock(50);
			const { chaos, client } = await stage.chaosAndClient({ respond: () => ({ status: 504 }) });
			expect(await failureOf(call(client, { maxAttempts }))).toMatchObject({ status: 504, attempts: maxAttempts });
			expect(asked(chaos)).toHaveLength(maxAttempts);
		});

		test('does not matter when an earlier attempt succeeds', async () => {
			stage.withoutPauses();
			const server = await stage.scoring({ faults: inOrder(busy) });
			await call(stage.clientOf(server), { maxAttempts: 3 });
			expect(asked(server)).toHaveLength(2);
		});
	});

	test('does not count an attempt that was refused for an expired token', async () => {
		stage.withoutPauses();
		const server = await stage.scoring({ faults: inOrder({ kind: 'answer', status: 401 }, busy) });
		const tokens = { get: async () => await Promise.resolve('old'), renew: async () => await Promise.resolve('new') };
		const client = stage.clientOf(server, { tokens });
		await client.predictRecord('e', {}, { maxAttempts: 2 });
		expect(asked(server)).toHaveLength(3);
	});

	test.each([0, -1, NaN])('refuses %d', async (maxAttempts) => {
		expect(await refused(async (client) => await client.predictRecord('e', {}, { maxAttempts }))).toContain(
			'maxAttempts',
		);
	});
});

describe('a client cannot be created', () => {
	const unmade = (options: Partial<ApiNodeClientOptions>) => {
		try {
			void new ApiNodeClient({ url: 'http://127.0.0.1:1', serviceId: 's', ...options }).destroy();
		} catch (error) {
			expect(error).toBeInstanceOf(InvalidCallError);
			return (error as Error).message;
		}
		throw new Error('The client was made');
	};

	test.each([
		['', 'is missing'],
		[' , ', 'is missing'],
		['api-node', 'must look like https://host:port'],
		['localhost:12443', 'must look like https://host:port'],
		['ftp://host', 'must look like https://host:port'],
		['https://host/?a=b', 'must not contain a username, a password, ? or #'],
		['https://host/#here', 'must not contain a username, a password, ? or #'],
		['http://ok:1, nonsense', 'URL number 2 of the API node must look like'],
	])('with the URL %j', (url, words) => {
		expect(unmade({ url })).toContain(words);
	});

	test('with a user and password in the URL, which the message does not repeat', () => {
		const message = unmade({ url: 'https://user:hunter2@host' });
		expect(message).toContain('must not contain a username, a password');
		expect(message).not.toMatch(/hunter2|user:/);
	});

	test.each(['two lines\n', 'sp ace', 'é', '\u0000'])('with the bearer token %j, which no header can hold', (end) => {
		const message = unmade({ bearerToken: `s3cr3t${end}` });
		expect(message).toContain('paste it again as one line');
		expect(message).not.toContain('s3cr3t');
	});

	test.each([0, -1, NaN, 2 ** 31])('with a connect time-out of %d', (connectTimeout) => {
		expect(unmade({ connectTimeout })).toContain('connectTimeout');
	});
});
