import fc from 'fast-check';
import type { ApiNodeClient } from '../../client';
import type { ChaosRequest } from '../support/chaosProxy';
import { Stage } from './harness';

const stage = new Stage();

/** Fits every method: one result, alone and in a list. */
const answer = { body: { result: {}, results: [{}], columns: [], rows: [], response: null } };

async function sent(call: (client: ApiNodeClient) => Promise<unknown>): Promise<ChaosRequest> {
	const { chaos, client } = await stage.chaosAndClient({ respond: () => answer }, { serviceId: 'svc' });
	await call(client);
	expect(chaos.requests).toHaveLength(1);
	return chaos.requests[0]!;
}

interface PythonBody {
	explanations?: Record<string, unknown>;
	[key: string]: unknown;
}

/** Python's client sends a null for each setting of the explanations that was left out; this one sends none. */
function withoutUnset({ explanations, ...body }: PythonBody): PythonBody {
	const set = Object.entries(explanations ?? {}).filter(([, value]) => value !== null);
	return { ...body, ...(set.length > 0 && { explanations: Object.fromEntries(set) }) };
}

const unexplained = { enabled: null, method: null, nExplanations: null, nMonteCarloSteps: null };
const features = { amount: 12.5, city: 'Lyon', missing: null, nested: { list: [1, null] }, 'naïve "key"': '\u2028🚀' };
const context = { ticket: 'T-1', nothing: null };
const records = [{ features }];
const lookups = [{ data: { id: 'C001', other: null }, context }];
const history = [
	{ date: '2015-01-04T00:00:00.000Z', timeseries_id: 'A', target: 10.5 },
	{ date: '2015-01-05T00:00:00.000Z', timeseries_id: 'A', target: null },
];

describe("sends what Dataiku's Python client 14.3.3 sends for the same call", () => {
	const cases: Array<[string, (client: ApiNodeClient) => Promise<unknown>, action: string, python: PythonBody]> = [
		[
			'predict_record',
			(client) => client.predictRecord('e', features),
			'predict',
			{ features, explanations: unexplained },
		],
		[
			'predict_record with every parameter',
			(client) =>
				client.predictRecord('e', features, {
					forcedGeneration: 'v1',
					dispatchKey: 'customer 7',
					context,
					withExplanations: true,
					explanationMethod: 'SHAPLEY',
					nExplanations: 3,
					nExplanationsMcSteps: 25,
				}),
			'predict',
			{
				features,
				explanations: { enabled: true, method: 'SHAPLEY', nExplanations: 3, nMonteCarloSteps: 25 },
				context,
				dispatch: { forcedGeneration: 'v1' },
			},
		],
		[
			'predict_record with explanations switched off',
			(client) => client.predictRecord('e', features, { withExplanations: false }),
			'predict',
			{ features, explanations: { ...unexplained, enabled: false } },
		],
		[
			'predict_record with an empty context',
			(client) => client.predictRecord('e', {}, { context: {} }),
			'predict',
			{ features: {}, explanations: unexplained, context: {} },
		],
		[
			'predict_records',
			(client) => client.predictRecords('e', records),
			'predict-multi',
			{ items: records, explanations: unexplained },
		],
		[
			'predict_records with every parameter',
			(client) =>
				client.predictRecords('e', [{ features, context }], {
					dispatchKey: 'customer 7',
					withExplanations: true,
					explanationMethod: 'ICE',
					nExplanations: 1,
					nExplanationsMcSteps: 1000,
				}),
			'predict-multi',
			{
				items: [{ features, context }],
				explanations: { enabled: true, method: 'ICE', nExplanations: 1, nMonteCarloSteps: 1000 },
				dispatch: { dispatchKey: 'customer 7' },
			},
		],
		['forecast', (client) => client.forecast('e', history), 'forecast', { items: history }],
		[
			'forecast with a dispatch key',
			(client) => client.forecast('e', history, { dispatchKey: 'k' }),
			'forecast',
			{ items: history, dispatch: { dispatchKey: 'k' } },
		],
		[
			'forecast with a forced generation, which goes before the key',
			(client) => client.forecast('e', history, { dispatchKey: 'k', forcedGeneration: 'v2' }),
			'forecast',
			{ items: history, dispatch: { forcedGeneration: 'v2' } },
		],
		['predict_effect', (client) => client.predictEffect('e', features), 'predict-effect', { features }],
		[
			'predict_effect with a forced generation, which goes before the key',
			(client) => client.predictEffect('e', features, { forcedGeneration: 'v1', dispatchKey: 'k' }),
			'predict-effect',
			{ features, dispatch: { forcedGeneration: 'v1' } },
		],
		[
			'predict_effects',
			(client) => client.predictEffects('e', [{ features, context }]),
			'predict-effect-multi',
			{ items: [{ features, context }] },
		],
		[
			'predict_effects with a dispatch key',
			(client) => client.predictEffects('e', records, { dispatchKey: 'k' }),
			'predict-effect-multi',
			{ items: records, dispatch: { dispatchKey: 'k' } },
		],
		[
			'sql_query',
			(client) => client.sqlQuery('e', { from: 'A', amount: 2, dispatch: null }),
			'query',
			{ from: 'A', amount: 2, dispatch: null },
		],
		['sql_query without parameters', (client) => client.sqlQuery('e'), 'query', {}],
		['lookup_record', (client) => client.lookupRecord('e', { id: 'C001' }), 'lookup', { data: { id: 'C001' } }],
		[
			'lookup_record with a context',
			(client) => client.lookupRecord('e', { id: null }, { context }),
			'lookup',
			{ data: { id: null }, context },
		],
		['lookup_records', (client) => client.lookupRecords('e', lookups), 'lookup-multi', { items: lookups }],
		[
			'run_function',
			(client) => client.runFunction('e', { values: [1, 2], features: { a: null }, timeout: 3 }),
			'run',
			{ values: [1, 2], features: { a: null }, timeout: 3 },
		],
		['run_function without arguments', (client) => client.runFunction('e'), 'run', {}],
	];

	test.each(cases)('%s', async (_name, call, action, python) => {
		const request = await sent(call);

		expect(request).toMatchObject({ method: 'POST', path: `/public/api/v1/svc/e/${action}` });
		expect(request.headers['content-type']).toBe('application/json');
		expect(JSON.parse(request.body)).toStrictEqual(withoutUnset(python));
	});

	test('any features arrive unchanged', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer });
		const anything = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue());

		await fc.assert(
			fc.asyncProperty(anything, async (given) => {
				await client.predictRecord('e', given);
				const { body } = chaos.requests.at(-1)!;
				// The texts, not what V8 reads in them: see json.test.ts.
				expect(body).toBe(JSON.stringify({ features: given }));
			}),
			{ numRuns: 100 },
		);
	});

	test('settled records are sent like those of the plain methods, in batches and one by one', async () => {
		const plain = await sent((client) => client.predictRecords('e', [{ features, context }], { dispatchKey: 'k' }));
		const record = { features, context };
		const settled = await sent((client) => client.settle('predict', 'e', [record], { dispatchKey: 'k' }));
		const alone = await sent((client) => client.settle('predict', 'e', [record], { batchSize: 1, nExplanations: 2 }));
		const plainAlone = await sent((client) => client.predictRecord('e', features, { context, nExplanations: 2 }));

		expect([settled.path, JSON.parse(settled.body)]).toEqual([plain.path, JSON.parse(plain.body)]);
		expect([alone.path, JSON.parse(alone.body)]).toEqual([plainAlone.path, JSON.parse(plainAlone.body)]);
	});
});

describe('authenticates', () => {
	const authorization = async (options: { apiKey?: string; bearerToken?: string }) => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer }, options);
		await client.predictRecord('e', {});
		return chaos.requests[0]!.headers.authorization;
	};

	test('with an API key as the user name of HTTP Basic and a blank password', async () => {
		expect(await authorization({ apiKey: 'k3y' })).toBe('Basic azN5Og==');
	});

	test('with an API key beyond ASCII, in UTF-8', async () => {
		const header = await authorization({ apiKey: 'clé' });
		expect(Buffer.from(header!.slice('Basic '.length), 'base64').toString('utf8')).toBe('clé:');
	});

	test('with a bearer token', async () => {
		expect(await authorization({ bearerToken: 'eyJ.abc-_.~+/=' })).toBe('Bearer eyJ.abc-_.~+/=');
	});

	test.each([
		'Bearer k7',
		'Bearer: k7',
		'Bearer Bearer\tk7',
		'bearer  k7',
		'Authorization: Bearer k7\n',
		'\u200bk7\ufeff',
		'\u00a0k7\u2060\u00ad\r\n',
	])('and a key or token without what was pasted around it: %j', async (pasted) => {
		expect(await authorization({ bearerToken: pasted })).toBe('Bearer k7');
		expect(await authorization({ apiKey: pasted })).toBe(`Basic ${Buffer.from('k7:').toString('base64')}`);
	});

	test('without any header when the service is open', async () => {
		expect(await authorization({})).toBeUndefined();
		expect(await authorization({ apiKey: '', bearerToken: '' })).toBeUndefined();
	});

	test('with the current token when a session has a token source', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => answer }, { apiKey: 'k3y' });
		const tokens = { get: async () => 'fresh', renew: async () => 'never' };

		await client.session({ tokens }).predictRecord('e', {});
		await client.predictRecord('e', {});

		expect(chaos.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer fresh', 'Basic azN5Og==']);
	});

	test('with a renewed token, once, after a token was refused', async () => {
		const { chaos, client } = await stage.chaosAndClient({ faults: { kind: 'answer', status: 401 } });
		const refused: string[] = [];
		const tokens = {
			get: async () => (refused.length === 0 ? 'old' : `another-than-${refused.length}`),
			renew: async (token: string) => refused.push(token),
		};

		await expect(client.session({ tokens }).predictRecord('e', {})).rejects.toMatchObject({ status: 401 });

		expect(refused).toEqual(['old']);
		expect(chaos.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer another-than-1']);
	});
});

describe('builds the URL', () => {
	const pathFor = async (urlPath: string, serviceId: string, endpointId: string) => {
		const chaos = await stage.chaos({ respond: () => answer });
		await stage.client({ url: chaos.url + urlPath, serviceId }).predictRecord(endpointId, {});
		return chaos.requests[0]!.path;
	};

	test.each([
		['a plain URL', '', '/public/api/v1/s/e/predict'],
		['a URL with a slash at its end', '/', '/public/api/v1/s/e/predict'],
		['the path prefix of a reverse proxy', '/dataiku/api', '/dataiku/api/public/api/v1/s/e/predict'],
		['a path prefix with slashes at its end', '/dataiku//', '/dataiku/public/api/v1/s/e/predict'],
	])('and keeps %s', async (_name, urlPath, path) => {
		expect(await pathFor(urlPath, 's', 'e')).toBe(path);
	});

	test.each([
		['a b', 'a%20b'],
		['50%', '50%25'],
		['%2e%2e', '%252e%252e'],
		['who?&#', 'who%3F%26%23'],
		['prévision', 'pr%C3%A9vision'],
		[' padded ', 'padded'],
		['...', '...'],
	])('and encodes the ID %j', async (id, segment) => {
		expect(await pathFor('', id, id)).toBe(`/public/api/v1/${segment}/${segment}/predict`);
	});

	test('for another service when a call names one', async () => {
		const request = await sent((client) => client.sqlQuery('e', {}, { serviceId: 'other' }));
		expect(request.path).toBe('/public/api/v1/other/e/query');
	});

	test.each([
		['a list', (urls: string[]) => urls],
		['one text with commas', (urls: string[]) => ` ${urls.join(' , ')}, `],
	])('for instances given as %s, each with its own prefix', async (_name, given) => {
		const instances = [
			await stage.chaos({ respond: () => answer }),
			await stage.chaos({ respond: () => answer }),
		] as const;
		const client = stage.client({ url: given([instances[0].url, `${instances[1].url}/behind`]) });

		for (let i = 0; i < 60; i++) await client.predictRecord('e', {});

		const paths = instances.map(({ requests }) => [...new Set(requests.map(({ path }) => path))]);
		expect(paths).toEqual([['/public/api/v1/open/e/predict'], ['/behind/public/api/v1/open/e/predict']]);
		expect(instances[0].requests.length + instances[1].requests.length).toBe(60);
	});

	test('for the OpenAPI document and isAlive below the prefix', async () => {
		const { chaos, client } = await stage.chaosAndClient({ respond: () => ({ body: { swagger: '2.0' } }) });
		expect(await client.openApi()).toEqual({ swagger: '2.0' });
		expect(await client.openApi({ serviceId: 'a b' })).toEqual({ swagger: '2.0' });
		await client.isAlive();

		expect(chaos.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
			'GET /public/api/v1/open/swagger',
			'GET /public/api/v1/a%20b/swagger',
			'GET /isAlive/',
		]);
	});
});
