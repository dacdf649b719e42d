import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { callOf, endpoint, jsonOf, nodeTypes, pairsOf, run, wire } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const predict = async (parameters: IDataObject, items: IDataObject[], options: IDataObject = {}) =>
	await run('dataikuPredict', {
		url: proxy.url,
		items,
		options,
		parameters: { recordSource: 'json', recordJson: '={{ ({ amount: $json.amount }) }}', ...parameters },
	});

/** What is sent: each request's path, what counts for all of its records, and their amounts. */
const sent = () =>
	wire(proxy)
		.map(({ path, body: { items, features, ...shared } }) => ({
			path,
			shared,
			amounts: ((items ?? [{ features }]) as Array<{ features: { amount: number } }>).map(
				(each) => each.features.amount,
			),
		}))
		.sort((a, b) => a.amounts[0]! - b.amounts[0]!);

const items = (key: string, ...values: unknown[]) =>
	values.map((value, n) => ({ amount: n, ...(value !== undefined && { [key]: value }) })) as IDataObject[];

const multi = 'demo/fraud/predict-multi';

describe('items that differ in', () => {
	it.each<
		[string, IDataObject, IDataObject, IDataObject[], Array<{ path: string; shared?: object; amounts: number[] }>]
	>([
		[
			'the endpoint',
			{ endpointId: { ...endpoint('={{ $json.endpoint }}') } },
			{},
			items('endpoint', 'fraud', 'house_price', 'fraud', 'unusual_amount'),
			[
				{ path: multi, amounts: [0, 2] },
				{ path: 'demo/house_price/predict-multi', amounts: [1] },
				{ path: 'demo/unusual_amount/predict-multi', amounts: [3] },
			],
		],
		[
			'the service',
			{},
			{ serviceId: '={{ $json.service }}' },
			items('service', 'demo', 'open', 'demo', 'open', 'demo'),
			[
				{ path: multi, amounts: [0, 2, 4] },
				{ path: 'open/fraud/predict-multi', amounts: [1, 3] },
			],
		],
		[
			'the generation',
			{},
			{ forcedGeneration: '={{ $json.generation }}' },
			items('generation', 'v1', 'v2', undefined, 'v1'),
			[
				{ path: multi, shared: { dispatch: { forcedGeneration: 'v1' } }, amounts: [0, 3] },
				{ path: multi, shared: { dispatch: { forcedGeneration: 'v2' } }, amounts: [1] },
				{ path: multi, amounts: [2] },
			],
		],
		[
			'the dispatch key',
			{},
			{ dispatchKey: '={{ $json.key }}' },
			items('key', 'a', 7, 'a', undefined),
			[
				{ path: multi, shared: { dispatch: { dispatchKey: 'a' } }, amounts: [0, 2] },
				{ path: multi, shared: { dispatch: { dispatchKey: '7' } }, amounts: [1] },
				{ path: multi, amounts: [3] },
			],
		],
		[
			'generation and dispatch key, of which the generation wins',
			{},
			{ dispatchKey: 'a', forcedGeneration: '={{ $json.generation }}' },
			items('generation', 'v1', undefined),
			[
				{ path: multi, shared: { dispatch: { forcedGeneration: 'v1' } }, amounts: [0] },
				{ path: multi, shared: { dispatch: { dispatchKey: 'a' } }, amounts: [1] },
			],
		],
		[
			'the batch size',
			{},
			{ batchSize: '={{ $json.size }}' },
			items('size', 1, 3, 3, '1', 3, 3),
			[
				{ path: 'demo/fraud/predict', amounts: [0] },
				{ path: multi, amounts: [1, 2, 4] },
				{ path: 'demo/fraud/predict', amounts: [3] },
				{ path: multi, amounts: [5] },
			],
		],
		[
			'the timeout',
			{},
			{ timeout: '={{ $json.ms }}' },
			items('ms', 5000, 6000, '5000'),
			[
				{ path: multi, amounts: [0, 2] },
				{ path: multi, amounts: [1] },
			],
		],
		[
			'explanations',
			{ explanations: '={{ $json.explain }}', explanationMethod: 'SHAPLEY', nExplanations: 2, nMonteCarloSteps: 50 },
			{},
			items('explain', 'on', 'off', 'endpointDefault', 'on'),
			[
				{
					path: multi,
					shared: { explanations: { enabled: true, method: 'SHAPLEY', nExplanations: 2, nMonteCarloSteps: 50 } },
					amounts: [0, 3],
				},
				{ path: multi, shared: { explanations: { enabled: false } }, amounts: [1] },
				{ path: multi, amounts: [2] },
			],
		],
		[
			'the explanation settings',
			{
				explanations: 'on',
				explanationMethod: '={{ $json.method }}',
				nExplanations: '={{ $json.n }}',
				nMonteCarloSteps: '={{ $json.steps }}',
			},
			{},
			[
				{ amount: 0, method: 'SHAPLEY', steps: 25 },
				{ amount: 1, method: '', n: 0, steps: 0 },
				{ amount: 2, method: 'ICE', n: '4', steps: 0 },
			],
			[
				{
					path: multi,
					shared: { explanations: { enabled: true, method: 'SHAPLEY', nMonteCarloSteps: 25 } },
					amounts: [0],
				},
				{ path: multi, shared: { explanations: { enabled: true } }, amounts: [1] },
				{ path: multi, shared: { explanations: { enabled: true, method: 'ICE', nExplanations: 4 } }, amounts: [2] },
			],
		],
	])('%s are sent in different requests and returned in order', async (_name, parameters, options, given, expected) => {
		const { output, error } = await predict(parameters, given, options);

		expect(error).toBeUndefined();
		expect(sent()).toEqual(expected.map((request) => ({ shared: {}, ...request })));
		expect(jsonOf(output).map(({ amount }) => amount)).toEqual(given.map(({ amount }) => amount));
		expect(pairsOf(output)).toEqual(given.map((_item, item) => ({ item })));
		// The answers are those of their own endpoint: only these three can be told apart.
		for (const [n, { result }] of jsonOf(output).entries()) {
			const expectedKey = { house_price: 'explanations', unusual_amount: 'comparedWith' }[String(given[n]!.endpoint)];
			expect(Object.keys(result as object)).toContain(expectedKey ?? 'prediction');
		}
	});

	it('their context share a request, in which each record has its own', async () => {
		const given = items('context', { order: 'A-17' }, '{"order": "B"}', '', null, undefined);
		const { error } = await predict({}, given, { contextJson: '={{ $json.context }}' });

		expect(error).toBeUndefined();
		expect(wire(proxy)).toEqual([
			{
				path: multi,
				body: {
					items: [
						{ features: { amount: 0 }, context: { order: 'A-17' } },
						{ features: { amount: 1 }, context: { order: 'B' } },
						{ features: { amount: 2 } },
						{ features: { amount: 3 } },
						{ features: { amount: 4 } },
					],
				},
			},
		]);
	});

	it('the setting of their output share a request', async () => {
		const { output } = await predict(
			{ output: '={{ $json.output }}' },
			items('output', 'withInput', 'resultOnly', 'fullResponse'),
		);

		expect(proxy.requests).toHaveLength(1);
		expect(jsonOf(output).map((json) => Object.keys(json).sort())).toEqual([
			['amount', 'output', 'result'],
			['ignored', 'prediction', 'probaPercentile', 'probas'],
			['apiContext', 'headers', 'result', 'timing'],
		]);
	});

	it('the setting for ignored records share a request', async () => {
		const given = ['keep', 'error', 'drop'].map((ignored) => ({ customer_id: 'C007', ignored }));
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			endpointId: 'fraud_known_customers',
			items: [...given, { customer_id: 'C001', ignored: 'drop' }],
			parameters: {
				ignoredRecords: '={{ $json.ignored }}',
				recordSource: 'inputItem',
				include: 'except',
				excludeFields: 'ignored',
			},
			onError: 'continueRegularOutput',
		});

		expect(proxy.requests).toHaveLength(1);
		expect(pairsOf(output)).toEqual([{ item: 0 }, { item: 1 }, { item: 3 }]);
		expect(output[0]!.json.result).toEqual({ ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' });
		expect(output[1]!.json.error).toBe('The API node ignored the record. The response said: multiple lookup matches.');
	});

	it('everything are sent one by one and returned in order, however many there are', async () => {
		const given = Array.from({ length: 60 }, (_, amount) => ({ amount, key: `k${amount}` }));
		proxy.setFault(({ n }) => ({ kind: 'delay', ms: n % 3 }));
		const { output } = await predict({}, given, { dispatchKey: '={{ $json.key }}' });

		expect(proxy.requests).toHaveLength(60);
		expect(jsonOf(output).map(({ amount }) => amount)).toEqual(given.map(({ amount }) => amount));
	});
});

it('keeps no more than 10,000 items waiting for their batch to fill, and the order of the output', async () => {
	const given = Array.from({ length: 10_050 }, (_, amount) => ({ amount }));
	const { output, error } = await predict({ recordSource: 'inputItem' }, given, {
		dispatchKey: '={{ $itemIndex % 200 }}',
	});

	expect(error).toBeUndefined();
	expect(jsonOf(output).map(({ amount }) => amount)).toEqual(given.map(({ amount }) => amount));
	// 200 batches of some 50 records; the oldest goes early, so that its late-comers need one more.
	expect(proxy.requests).toHaveLength(201);
	expect(sent()[0]!.amounts).toHaveLength(50);
});

it('applies a separate timeout to each item', async () => {
	proxy.setFault({ kind: 'delay', ms: 400 });
	const { output } = await run('dataikuPredict', {
		url: proxy.url,
		items: [{ ms: 100 }, { ms: 5000 }],
		options: { timeout: '={{ $json.ms }}', maxConcurrency: 2 },
		parameters: { recordSource: 'json', recordJson: '{"amount": 1}' },
		onError: 'continueRegularOutput',
	});

	expect(output[0]!.json.error).toMatch(/did not respond within \d+ ms/);
	expect(output[1]!.json.result).toMatchObject({ ignored: false });
});

it.each([
	[1, 1],
	[3, 3],
])('has at most %d requests in flight when that is the limit', async (maxConcurrency, most) => {
	proxy.setFault({ kind: 'delay', ms: 10 });
	const given = Array.from({ length: 30 }, (_, amount) => ({ amount }));
	await predict({}, given, { maxConcurrency, batchSize: 1 });

	expect(proxy.requests).toHaveLength(30);
	expect(Math.max(...proxy.requests.map(({ outstanding }) => outstanding))).toBe(most);
});

describe('an invalid value is named', () => {
	const on = { explanations: 'on' };
	it.each<[string, IDataObject, IDataObject, RegExp]>([
		['Timeout', {}, { timeout: 'soon' }, /"Timeout" must be a positive integer, not 'soon'/],
		['Timeout of 0', {}, { timeout: 0 }, /"Timeout" must be a positive integer, not '0'/],
		['Batch Size', {}, { batchSize: 1.5 }, /"Batch Size" must be a positive integer, not '1.5'/],
		['Batch Size of 0', {}, { batchSize: 0 }, /"Batch Size" must be a positive integer, not '0'/],
		['Max Concurrency', {}, { maxConcurrency: -1 }, /"Max Concurrency" must be a positive integer, not '-1'/],
		['Output', { output: 'xml' }, {}, /"Output" must be one of flat, withInput, resultOnly, fullResponse, not 'xml'/],
		['Output of an object', { output: 'toString' }, {}, /"Output" must be one of/],
		[
			'Explanations',
			{ explanations: 'maybe' },
			{},
			/"Explanations" must be one of endpointDefault, on, off, not 'maybe'/,
		],
		[
			'Explanation Method',
			{ ...on, explanationMethod: 'LIME' },
			{},
			/explanation method must be ICE or SHAPLEY, not 'LIME'/,
		],
		['Number of Explanations', { ...on, nExplanations: 1.5 }, {}, /number of explanations must be a positive integer/],
		[
			'Number of Explanations in words',
			{ ...on, nExplanations: 'three' },
			{},
			/number of explanations must be a positive integer/,
		],
		[
			'Monte Carlo Steps',
			{ ...on, explanationMethod: 'SHAPLEY', nMonteCarloSteps: 24 },
			{},
			/Monte Carlo steps must be an integer from 25 to 1000/,
		],
		['Context', {}, { contextJson: '[1]' }, /The context is a list: it must be a JSON object/],
		['Endpoint', { endpointId: endpoint('..') }, {}, /endpoint ID '..' is not a valid ID/],
		['Service ID', {}, { serviceId: '..' }, /service ID '..' is not a valid ID/],
	])('%s', async (_name, parameters, options, message) => {
		const asExpressions = (values: IDataObject) =>
			Object.fromEntries(
				Object.entries(values).map(([name, value]) => {
					if (typeof value === 'object')
						return [name, { ...value, value: `={{ ${JSON.stringify((value as { value: string }).value)} }}` }];
					return [name, `={{ ${JSON.stringify(value)} }}`];
				}),
			) as IDataObject;
		const plain = await predict(parameters, [{ amount: 1 }], options);
		const evaluated = await predict(asExpressions(parameters), [{ amount: 1 }], asExpressions(options));

		expect(plain.error?.message).toMatch(message);
		expect(evaluated.error?.message).toMatch(message);
		expect(evaluated.error?.message).toMatch(/\(item 0\b/);
	});

	it.each(nodeTypes)('by %s, and only for the item that has it', async (type) => {
		const { unit, parameters } = callOf(type);
		const units = [unit(0), unit(1).map((item) => ({ ...item, bad: true })), unit(2)];
		const lasts = [units[0]!.length - 1, units.flat().length - 1];
		const { output } = await run(type, {
			url: proxy.url,
			items: units.flat(),
			options: { timeout: '={{ $json.bad ? "never" : 30000 }}' },
			parameters: { ...parameters, recordSource: 'inputItem', include: 'except', excludeFields: 'bad' },
			onError: 'continueRegularOutput',
		});

		const failed = output.filter(({ json }) => 'error' in json);
		expect(failed).toHaveLength(unit(1).length);
		for (const { json } of failed) expect(json.error).toMatch(/^"Timeout" must be a positive integer/);
		const pairs = pairsOf(output.filter((item) => !failed.includes(item)));
		expect([...new Set(pairs.map((pair) => (pair as { item: number }).item))]).toEqual(lasts);
	});
});

describe('an endpoint given by its URL', () => {
	const byUrl = async (value: string, given: Partial<Parameters<typeof run>[1]> = {}) =>
		await run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1 }],
			parameters: { endpointId: { __rl: true, mode: 'url', value } },
			...given,
		});

	it.each(['/predict', '/predict-multi', '', '/'])(
		'is called, whatever action its URL ends with: "%s"',
		async (end) => {
			const { output, error } = await byUrl(`${proxy.url}/public/api/v1/demo/fraud${end}`, {
				options: { serviceId: 'another' },
			});
			expect(error).toBeUndefined();
			expect(output).toHaveLength(1);
			expect(proxy.requests.map(({ path }) => path)).toEqual(['/public/api/v1/demo/fraud/predict-multi']);
		},
	);

	it('may differ per item, and fails only the item whose URL is on another server', async () => {
		const here = `${proxy.url}/public/api/v1/demo/fraud/predict`;
		const items = [
			here,
			'https://elsewhere.example/public/api/v1/demo/fraud/predict',
			`${proxy.url}/prefix/public/api/v1/demo/fraud/predict`,
			`${proxy.url}/public/api/v1/demo`,
			here,
		];
		const { output } = await byUrl('={{ $json.at }}', {
			items: items.map((at, amount) => ({ at, amount })),
			onError: 'continueRegularOutput',
		});
		expect(jsonOf(output).map(({ error }) => error)).toEqual([
			undefined,
			"The URL points to elsewhere.example:443, which is not one of the API node's instances. The key is sent only to these instances.",
			expect.stringMatching(/^The URL points to 127\.0\.0\.1:\d+\/prefix, which is not one of/),
			expect.stringMatching(/^The URL contains no endpoint: it must look like/),
			undefined,
		]);
		expect(proxy.requests).toHaveLength(1);
	});
});

describe('the option "Service ID"', () => {
	it.each(['={{ $json.none }}', '={{ null }}', '={{ "" }}', '={{ " " }}'])(
		'is an error of the item when its expression returns nothing: %s',
		async (serviceId) => {
			const { error } = await predict({}, [{ amount: 1 }], { serviceId });
			expect(error?.message).toMatch(
				/(The expression in "Service ID" returned nothing|service ID is missing) \(item 0/,
			);
			expect(proxy.requests).toEqual([]);
		},
	);

	it("uses the credential's service when it is empty", async () => {
		expect((await predict({}, [{ amount: 1 }], { serviceId: '' })).error).toBeUndefined();
	});

	it('accepts an ID with white space around it', async () => {
		expect((await predict({}, [{ amount: 1 }], { serviceId: '\u200bdemo\u00a0\n' })).error).toBeUndefined();
	});
});

describe('an option whose expression returns nothing is an error of the item', () => {
	const nothing = ['={{ $json.none }}', '={{ null }}', '={{ DateTime.fromISO("abc") }}', '={{ new Date("abc") }}'];
	const refused = async (label: string, type: string, scenario: Partial<Parameters<typeof run>[1]>) => {
		const from = proxy.requests.length;
		const { error } = await run(type, { url: proxy.url, items: [{ amount: 1 }], ...scenario });
		expect([label, error?.message]).toEqual([
			label,
			expect.stringContaining(`The expression in ${label} returned nothing`),
		]);
		expect(proxy.requests).toHaveLength(from);
	};

	it.each([...nothing, '={{ "" }}', '={{ " " }}', '={{ Number("x") }}'])('such as %s', async (value) => {
		await refused('"Result Field"', 'dataikuRunFunction', { options: { resultField: value } });
	});

	it.each(nothing)('such as %s, although an empty text would be valid', async (value) => {
		for (const type of [
			'dataikuPredict',
			'dataikuPredictEffect',
			'dataikuLookup',
			'dataikuForecast',
			'dataikuWhatIf',
		]) {
			await refused('"Column Prefix"', type, { options: { columnPrefix: value } });
		}
		await refused('"Identifier Columns"', 'dataikuForecast', { parameters: { identifierColumns: value } });
		const except = { recordSource: 'inputItem', include: 'except', excludeFields: value };
		await refused('"Fields to Exclude"', 'dataikuPredict', { parameters: except });
		const nameless = { headers: { header: [{ name: value, value: 'a' }] } };
		await refused('a name in "Headers"', 'dataikuSqlQuery', { options: nameless });
		const { error } = await predict({ endpointId: { __rl: true, mode: 'id', value } }, [{ amount: 1 }], {});
		expect(error?.message).toMatch(/endpoint ID is missing/i);
		expect(proxy.requests).toEqual([]);
	});

	it('without failing other items', async () => {
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1, service: 'demo' }, { amount: 2 }],
			options: { serviceId: '={{ $json.service }}' },
			onError: 'continueRegularOutput',
		});
		expect(jsonOf(output).map(({ error }) => error)).toEqual([undefined, expect.stringMatching(/returned nothing/)]);
		expect(proxy.requests).toHaveLength(1);
	});

	it('except for an empty prefix, a header without a value, or an empty list of names', async () => {
		const { error } = await run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1 }],
			parameters: { recordSource: 'inputItem', include: 'except', excludeFields: '={{ [].join() }}' },
			options: { columnPrefix: '={{ "" }}', headers: { header: [{ name: 'X-Trace', value: '={{ $json.none }}' }] } },
		});
		expect(error).toBeUndefined();
		expect(proxy.requests[0]!.headers['x-trace']).toBe('');
	});
});

it.each([
	['a Luxon value', '={{ DateTime.fromISO("2024-05-01T10:00:00.000Z", { zone: "utc" }) }}'],
	['a Date', '={{ new Date("2024-05-01T10:00:00.000Z") }}'],
])('sends %s as ISO text in the dispatch key, in a header and in the context', async (_what, value) => {
	const { error } = await predict({}, [{ amount: 1 }], {
		dispatchKey: value,
		headers: { header: [{ name: 'X-When', value }] },
		contextJson: `={{ { when: ${value.slice(4, -3)} } }}`,
	});
	expect(error).toBeUndefined();
	const [request] = proxy.requests;
	expect(request!.headers['x-when']).toBe('2024-05-01T10:00:00.000Z');
	expect(JSON.parse(request!.body)).toMatchObject({
		dispatch: { dispatchKey: '2024-05-01T10:00:00.000Z' },
		items: [{ context: { when: '2024-05-01T10:00:00.000Z' } }],
	});
});

it.each(['dispatchKey', 'forcedGeneration'])('sends the digits of a long integer in %s', async (option) => {
	await predict({}, [{ amount: 1, id: '9007199254740993' }], { [option]: '={{ BigInt($json.id) }}' });
	expect(proxy.requests[0]!.body).toContain(`"${option}":"9007199254740993"`);
});
