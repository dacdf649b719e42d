import type { IDataObject } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { callOf, credentialFor, endpoint, jsonOf, nodeTypes, run, wire } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const messagesOf = (hints: Array<{ message: string }>) => hints.map(({ message }) => message).join(' ');
const respond = (body: object) => proxy.setFault({ kind: 'answer', body });
/** Responses for each record of a batch, by the record's `amount`. */
const score = (resultOf: (amount: unknown) => IDataObject) =>
	proxy.setFault(({ body }) => {
		const { items } = JSON.parse(body) as { items: Array<{ features?: IDataObject; data?: IDataObject }> };
		const results = items.map(({ features, data }) => resultOf((features ?? data)!.amount));
		return { kind: 'answer', body: { results } };
	});

it('items keep their own columns, and a hint says so, when each response has different keys', async () => {
	score((amount) => ({ prediction: 1, [`key_${String(amount)}`]: 1 }));
	const items = Array.from({ length: 3_300 }, (_, amount) => ({ amount }));
	const { output, hints } = await run('dataikuPredict', { url: proxy.url, items, parameters: { output: 'flat' } });
	expect(Object.keys(output[7]!.json)).toEqual(['prediction', 'key_7', 'amount']);
	expect(messagesOf(hints)).toContain(
		'Each item has only its own columns: adding all 3,301 columns to every item would take too much memory',
	);
});

it.each(nodeTypes)(
	'an error of %s stays short when an expression returns a whole text as the endpoint',
	async (type) => {
		const { unit } = callOf(type);
		const { error } = await run(type, { url: proxy.url, items: unit(0), endpointId: 'long '.repeat(20_000) });
		expect(error?.message).toContain('is too long');
		expect(error!.message.length).toBeLessThan(1_500);
		expect(proxy.requests).toEqual([]);
	},
);

describe('a success has no field `error`', () => {
	const outputs: Array<[type: string, output: string, options: IDataObject]> = [
		...['flat', 'withInput'].flatMap((output): typeof outputs => [
			['dataikuPredict', output, {}],
			['dataikuPredictEffect', output, {}],
		]),
		['dataikuLookup', 'enrich', {}],
		['dataikuLookup', 'withInput', {}],
		['dataikuSqlQuery', 'perRow', { keepInput: true }],
		['dataikuRunFunction', 'withInput', {}],
	];
	it.each(outputs)(
		'%s renames that of the input to `input_error` with the output %s, in every item',
		async (type, output, options) => {
			const { unit, endpointId } = callOf(type);
			const [record] = unit(0);
			const names = Object.keys(record!).join(',');
			const items = [
				{ ...record, note: 1 },
				{ ...record, error: 'of an earlier node', input_error: 2 },
			];
			const {
				output: made,
				hints,
				error,
			} = await run(type, {
				url: node.url,
				endpointId,
				items: items,
				options,
				parameters: { output, recordSource: 'inputItem', include: 'selected', includeFields: names },
			});

			expect(error).toBeUndefined();
			expect(made.some(({ json }) => 'error' in json)).toBe(false);
			expect(made.every(({ json }) => 'input_error_2' in json)).toBe(true);
			expect(new Set(jsonOf(made).map(({ input_error_2 }) => input_error_2))).toEqual(
				new Set([null, 'of an earlier node']),
			);
			expect(messagesOf(hints).match(/"input_error_2"/g)).toHaveLength(1);
		},
	);

	const results: Array<[string, string, object, IDataObject]> = [
		['dataikuPredict', 'flat', { results: [{ prediction: 1, error: 0.5 }] }, { result_error: 0.5 }],
		['dataikuPredict', 'resultOnly', { results: [{ prediction: 1, error: 0.5 }] }, { result_error: 0.5 }],
		['dataikuLookup', 'enrich', { results: [{ data: { error: 'E42' } }] }, { result_error: 'E42' }],
		['dataikuSqlQuery', 'perRow', { columns: ['id', 'error'], rows: [['1', 'E1']] }, { id: '1', result_error: 'E1' }],
		['dataikuRunFunction', 'resultOnly', { response: { error: false }, timing: {} }, { result_error: false }],
		['dataikuRunFunction', 'fullResponse', { error: 'mine', ok: 1 }, { result_error: 'mine', ok: 1 }],
	];
	it.each(results)(
		'%s renames that of the response to `result_error` with the output %s',
		async (type, output, body, expected) => {
			respond(body);
			const { output: made, hints } = await run(type, {
				url: proxy.url,
				items: callOf(type).unit(0),
				parameters: { output },
				onError: 'continueErrorOutput',
			});

			expect(jsonOf(made)).toMatchObject([expected]);
			expect(made[0]!.json).not.toHaveProperty('error');
			expect(messagesOf(hints)).toMatch(/The response has a field "error", which is output as "result_error"/);
		},
	);

	it.each(['dataikuPredict', 'dataikuPredictEffect', 'dataikuLookup', 'dataikuRunFunction'])(
		'%s renames it when "Result Field" is `error`',
		async (type) => {
			const { output } = await run(type, {
				url: node.url,
				items: callOf(type).unit(0),
				options: { resultField: 'error' },
				parameters: { output: 'withInput' },
			});

			expect(output[0]!.json).not.toHaveProperty('error');
			expect(output[0]!.json).toHaveProperty('result_error');
		},
	);

	it('keeps the name of a column behind the column prefix', async () => {
		respond({ results: [{ prediction: 1, error: 0.5 }] });
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1, error: 'old' }],
			options: { columnPrefix: 'score_' },
			parameters: { output: 'flat' },
		});

		expect(jsonOf(output)).toEqual([{ score_prediction: 1, score_error: 0.5, amount: 1, input_error: 'old' }]);
	});

	it.each(['flat', 'perStep', 'perSeries'])(
		'renames an identifier of a forecast with the output %s',
		async (output) => {
			const step = { forecast: 1, time: '2026-01-01', quantiles: [], quantilesValues: [], ignored: false };
			respond({ results: [{ ...step, timeseriesIdentifier: { error: 'E1' } }] });
			const { output: made } = await run('dataikuForecast', {
				url: proxy.url,
				items: [{ error: 'E1', date: '2025-01-01', sales: 1 }],
				parameters: { output, identifierColumns: 'error' },
			});

			expect(made[0]!.json).toMatchObject({ result_error: 'E1' });
			expect(made[0]!.json).not.toHaveProperty('error');
		},
	);

	it('renames it for a tool, because an error means that there is no result', async () => {
		respond({ response: { error: 'E1', text: 'x' }, timing: {} });
		const { output } = await run('dataikuRunFunctionTool', {
			url: proxy.url,
			endpointId: 'add',
			parameters: { output: 'resultOnly', recordJson: '{"a": 1, "b": 2}' },
		});

		expect(output[0]!.json).toEqual({ result_error: 'E1', text: 'x' });
	});

	it.each([
		['the input', 'withInput', {}],
		['the response', 'resultOnly', { error: 'mine' }],
	])(
		`lets n8n's "Retry On Fail" call a function only once when %s has a field "error"`,
		async (_whose, output, response) => {
			const from = proxy.requests.length;
			respond({ response, timing: {} });
			const { status } = await run('dataikuRunFunction', {
				url: proxy.url,
				endpointId: 'echo',
				items: [{ error: 'mine' }],
				parameters: { output },
				retryOnFail: { maxTries: 5, waitBetweenTries: 0 },
			});

			expect(status).toBe('success');
			expect(proxy.requests).toHaveLength(from + 1);
		},
	);
});

it.each(['dataikuSqlQuery', 'dataikuRunFunction'])(
	'%s warns when "Retry On Fail" may repeat its calls',
	async (type) => {
		const scenario = { url: node.url, items: callOf(type).unit(0), retryOnFail: { maxTries: 2, waitBetweenTries: 0 } };

		expect(messagesOf((await run(type, scenario)).hints)).toMatch(/"Retry On Fail" is on/);
		expect((await run(type, { ...scenario, options: { repeatable: true } })).hints).toEqual([]);
		expect((await run(type, { ...scenario, retryOnFail: undefined })).hints).toEqual([]);
	},
);

describe('columns that a failure added to an item are not sent again', () => {
	const sources: Array<[string, IDataObject]> = [
		['the form', { recordSource: 'mapping' }],
		['the input item', { recordSource: 'inputItem' }],
		['the input item without a field', { recordSource: 'inputItem', include: 'except', excludeFields: 'none' }],
		['JSON', { recordSource: 'json', recordJson: '={{ $json }}' }],
		['JSON text', { recordSource: 'json', recordJson: '={{ JSON.stringify($json) }}' }],
	];
	const sentBy = async (type: string, items: IDataObject[], parameters: IDataObject) => {
		const from = proxy.requests.length;
		await run(type, {
			url: proxy.url,
			items,
			parameters: { ...callOf(type).parameters, ...parameters },
			onError: 'continueRegularOutput',
		});
		return wire(proxy)
			.slice(from)
			.map(({ body }) => body);
	};

	describe.each(nodeTypes)('%s', (type) => {
		it.each(sources)('from %s, whether it failed before or succeeded since', async (_source, parameters) => {
			const { unit } = callOf(type);
			proxy.setFault({ kind: 'answer', status: 400, body: { errorType: 'Odd', message: 'no' } });
			const failed = await run(type, {
				url: proxy.url,
				items: unit(0).slice(-1),
				parameters: callOf(type).parameters,
				onError: 'continueRegularOutput',
			});
			const [item] = jsonOf(failed.output);
			expect(item).toMatchObject({ error: expect.any(String) as string, details: { status: 400 } });
			const { error, ...rest } = item!;

			const sent = await sentBy(type, [item!], parameters);
			const sentSince = await sentBy(type, [{ ...rest, input_error: error }], parameters);
			const expected = await sentBy(type, unit(0).slice(-1), parameters);
			expect(sent).toEqual(expected);
			expect(sentSince).toEqual(expected);
		});
	});

	it.each<[string, Partial<Parameters<typeof run>[1]>]>([
		['the credential has no key', { credentials: credentialFor('http://127.0.0.1:9', { apiKey: '' }) }],
		['the expression of the endpoint returns nothing', { endpointId: '={{ $json.none }}' }],
		['the expression of the endpoint fails', { endpointId: '={{ $json.x.y.z }}' }],
		['an option cannot be read', { options: { timeout: 'soon' } }],
		['the record cannot be read', { parameters: { recordSource: 'json', recordJson: 'x' } }],
	])('where %s', async (_what, scenario) => {
		const items = [{ a: 1, b: 2 }];
		const onError = 'continueRegularOutput';
		const failed = await run('dataikuRunFunction', { url: proxy.url, items, onError, ...scenario });
		expect(jsonOf(failed.output)).toEqual([{ ...items[0], error: expect.any(String), details: expect.any(Object) }]);
		expect(await sentBy('dataikuRunFunction', jsonOf(failed.output), { recordSource: 'inputItem' })).toEqual(items);
	});

	it('except for columns that only look alike or were chosen', async () => {
		const own = { error: 'E42', details: { item: 0, source: 'n8n-nodes-dataiku' }, amount: 1 };
		const others = [
			{ error: 'E42: overheating', details: { item: 5, code: 'A1' }, amount: 1 },
			{ error: 'E42', details: { item: 0, endpoint: 'orders', status: 400 }, amount: 1 },
			{ error: 'E42', details: { source: 'pump 7', item: 0 }, amount: 1 },
			{ error: 'E42', details: { item: 0, colour: 'red' }, amount: 1 },
			{ error: 0.03, error_2: 0.1, details: { item: 12 }, amount: 1 },
			{ error: 0.03, error_2: 0.1, details: { item: 12, status: 400 }, amount: 1 },
			{ details: { item: 12, status: 400 }, amount: 1 },
			{ error: 0.3, details: 'much', amount: 1 },
			{ error: 'E42', details: { code: 'X' }, amount: 1 },
		];
		for (const item of others)
			expect(await sentBy('dataikuRunFunction', [item], { recordSource: 'inputItem' })).toEqual([item]);
		expect(await sentBy('dataikuRunFunction', [own], { recordSource: 'inputItem' })).toEqual([{ amount: 1 }]);
		const chosen = { recordSource: 'inputItem', include: 'selected', includeFields: 'error' };
		expect(await sentBy('dataikuRunFunction', [own], chosen)).toEqual([{ error: own.error }]);
		const named = { recordSource: 'json', recordJson: '={{ { error: $json.error } }}' };
		expect(await sentBy('dataikuRunFunction', [own], named)).toEqual([{ error: own.error }]);
	});
});

describe("an earlier node's columns", () => {
	const earlier = {
		...{ prediction: 'fraud', proba_fraud: 0.9, proba_legitimate: 0.1, proba_manual: 0.5 },
		...{ explanation_amount: 1, explanation_text: 'mine', proba_percentile: 90, ignored: true, ignoreReason: 'OLD' },
	};
	const ignored = { ignored: true, ignoreReason: 'NO_MATCH' };
	const answered = { ignored: false, prediction: 'legitimate', probas: { fraud: 0.2, legitimate: 0.8 } };
	const scored = async (items: IDataObject[], options: IDataObject = {}) =>
		jsonOf((await run('dataikuPredict', { url: proxy.url, items, options, parameters: { output: 'flat' } })).output);

	it('are removed when an item has no result, and all items have the same columns', async () => {
		score((amount) => (amount === 1 ? ignored : answered));
		const [first, second] = await scored([1, 2].map((amount) => ({ ...earlier, amount })));

		expect(first).toEqual({
			...{ ...ignored, prediction: null, proba_fraud: null, proba_legitimate: null },
			...{ proba_manual: 0.5, explanation_text: 'mine', amount: 1 },
		});
		expect(second).toEqual({
			...{ ignored: false, ignoreReason: null, prediction: 'legitimate', proba_fraud: 0.2, proba_legitimate: 0.8 },
			...{ proba_manual: 0.5, explanation_text: 'mine', amount: 2 },
		});
		expect(Object.keys(second!).slice(0, 2)).not.toContain('amount');
	});

	it('are removed when an item has no result and the model received other fields', async () => {
		score((amount) => (amount === 1 ? ignored : answered));
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			items: [1, 2].map((amount) => ({ id: 'P-7', ...earlier, amount })),
			parameters: { output: 'flat', recordSource: 'inputItem', include: 'selected', includeFields: 'amount' },
		});
		const [first, second] = jsonOf(output);
		expect(first).toMatchObject({ ...ignored, id: 'P-7', prediction: null, proba_fraud: null, proba_legitimate: null });
		expect(second).toMatchObject({ id: 'P-7', prediction: 'legitimate', proba_fraud: 0.2, proba_legitimate: 0.8 });
	});

	it('are removed when every record was ignored and they look like those of a model', async () => {
		score(() => ignored);
		expect(await scored([{ ...earlier, amount: 1 }])).toEqual([
			{ ...ignored, proba_manual: 0.5, explanation_text: 'mine', amount: 1 },
		]);
	});

	it.each<[string, IDataObject, IDataObject]>([
		[
			"a user's column stands before them",
			{ proba_manual: 0.5, prediction: 'a', proba_a: 0.7, proba_b: 0.3 },
			{ proba_manual: 0.5 },
		],
		['some are 0', { prediction: 'a', proba_b: 0, proba_a: 1, proba_c: 0, proba_manual: 0.5 }, { proba_manual: 0.5 }],
		['classes are numbers', { prediction: 1, proba_0: 0.25, proba_1: 0.75 }, {}],
		[
			'they do not include the prediction',
			{ prediction: 'a', proba_mine: 0.5, proba_yours: 0.5 },
			{ proba_mine: 0.5, proba_yours: 0.5 },
		],
		['they do not add up', { prediction: 'a', proba_a: 0.7, proba_b: 0.2 }, { proba_a: 0.7, proba_b: 0.2 }],
	])("are distinguished from a user's columns when every record was ignored and %s", async (_name, given, kept) => {
		score(() => ignored);
		expect(await scored([{ ...given, amount: 1 }])).toEqual([{ ...ignored, ...kept, amount: 1 }]);
	});

	it('stay when no record was ignored and the endpoint has no such columns', async () => {
		score(() => ({ ignored: false, prediction: 3 }));
		expect(await scored([{ ...earlier, amount: 1 }])).toEqual([
			{
				...{ prediction: 3, proba_fraud: 0.9, proba_legitimate: 0.1, proba_manual: 0.5 },
				...{ explanation_text: 'mine', amount: 1 },
			},
		]);
	});

	it('are only those behind the column prefix when there is one', async () => {
		score(() => ignored);
		expect(
			await scored([{ prediction: 1, b_prediction: 2, b_ignored: false, amount: 1 }], { columnPrefix: 'b_' }),
		).toEqual([{ b_ignored: true, b_ignoreReason: 'NO_MATCH', prediction: 1, amount: 1 }]);
	});

	it('leave the input of a lookup without a match, and have the same names in all items', async () => {
		score((amount) => (amount === 1 ? ignored : { data: { city: 'Paris', tier: 2 } }));
		const items = [1, 2].map((amount) => ({ amount, city: 'Lille', ignored: true, ignoreReason: 'OLD' }));
		const { output } = await run('dataikuLookup', { url: proxy.url, items, parameters: { output: 'enrich' } });

		expect(jsonOf(output)).toEqual([
			{ amount: 1, city: 'Lille', tier: null, ...ignored },
			{ amount: 2, city: 'Paris', tier: 2, ignored: false, ignoreReason: null },
		]);
	});

	it('are null in the rows of another query, with and without the input', async () => {
		proxy.setFault(({ path }) => ({
			kind: 'answer',
			body: path.includes('/one/') ? { columns: ['a'], rows: [['1']] } : { columns: ['b'], rows: [['2']] },
		}));
		const rows = async (keepInput: boolean) => {
			const parameters = { endpointId: { ...endpoint('={{ $json.to }}') }, recordSource: 'inputItem' };
			const items = [
				{ to: 'one', b: 'old' },
				{ to: 'two', b: 'old' },
			];
			return jsonOf(
				(await run('dataikuSqlQuery', { url: proxy.url, items, parameters, options: { keepInput } })).output,
			);
		};

		expect(await rows(false)).toEqual([
			{ a: '1', b: null },
			{ a: null, b: '2' },
		]);
		expect(await rows(true)).toEqual([
			{ a: '1', b: null, to: 'one' },
			{ a: null, b: '2', to: 'two' },
		]);
	});
});

it.each(nodeTypes)('%s puts only the error and its details on the error output', async (type) => {
	const { bad, parameters } = callOf(type);
	const items = bad.map((item) => ({ ...item, extra: 1 }));
	const { errorOutput, output } = await run(type, { url: node.url, items, parameters, onError: 'continueErrorOutput' });

	expect(output).toEqual([]);
	// n8n adds the input's fields.
	expect(errorOutput.map(({ json }) => Object.keys(json).filter((name) => !(name in items[0]!)))).toEqual([
		['error', 'details'],
	]);
});

describe('an identifier column of a forecast', () => {
	const step = { forecast: 7, time: '2026-01-01', quantiles: [0.5], quantilesValues: [6], ignored: false };
	const forecast = async (name: string, options: IDataObject = {}) => {
		respond({ results: [{ ...step, timeseriesIdentifier: { [name]: 'mine' } }] });
		return await run('dataikuForecast', {
			url: proxy.url,
			items: [{ [name]: 'mine', date: '2025-01-01', sales: 1 }],
			options,
			parameters: { output: 'flat', identifierColumns: name },
		});
	};

	it.each(['time', 'forecast'])('keeps its place when its name is %s', async (name) => {
		const { output, hints } = await forecast(name);
		const columns: IDataObject = { time: '2026-01-01', forecast: 7, 'quantile_0.5': 6 };
		expect(jsonOf(output)).toEqual([{ ...columns, [name]: 'mine', [`result_${name}`]: columns[name] }]);
		expect(messagesOf(hints)).toContain('An identifier column has the same name as a forecast column');
	});

	it('is named once for each series in the hint, however many steps there are', async () => {
		const identified = { ...step, timeseriesIdentifier: { time: 'mine' } };
		respond({ results: [identified, { ...identified, time: '2026-01-02' }] });
		const { hints } = await run('dataikuForecast', {
			url: proxy.url,
			items: [{ time: 'mine', date: '2025-01-01', sales: 1 }],
			parameters: { output: 'flat', identifierColumns: 'time' },
		});
		expect(messagesOf(hints)).toContain('(item 0: time)');
	});

	it('keeps its place without a hint when the columns have a prefix', async () => {
		const { output, hints } = await forecast('time', { columnPrefix: 'f_' });
		expect(jsonOf(output)).toEqual([{ time: 'mine', f_time: '2026-01-01', f_forecast: 7, 'f_quantile_0.5': 6 }]);
		expect(hints).toEqual([]);
	});
});

it("a user's own columns stay when they have names of an override's columns", async () => {
	const own = { model_prediction: 0.4, model_proba_yes: 0.4, model_proba_no: 0.6 };
	respond({ results: [{ prediction: 'yes', probas: { yes: 0.9, no: 0.1 } }] });
	const scored = async (item: IDataObject) =>
		(
			await run('dataikuPredict', {
				url: proxy.url,
				items: [item],
				parameters: { output: 'flat', recordSource: 'json', recordJson: '{"a":1}' },
			})
		).output[0]!.json;
	expect(await scored({ id: 1, ...own })).toMatchObject({ id: 1, ...own });
	expect(await scored({ id: 1, override_rule: 'manual' })).toMatchObject({ override_rule: 'manual' });
	expect(Object.keys(await scored({ id: 1, ...own, override_rule: 'r', override_changed: true }))).toEqual([
		...['prediction', 'id', 'proba_yes', 'proba_no'],
	]);
});

it.each<[string, unknown, IDataObject]>([
	['has another shape', { by: 'me' }, { override: { by: 'me' } }],
	['is a text', 'none', { override: 'none' }],
	['did not match', { ruleMatched: false, appliedRule: null }, {}],
	['has no model result', { ruleMatched: true, appliedRule: 'r' }, { override_rule: 'r' }],
	[
		'belongs to a regression and has additional keys',
		{ ruleMatched: true, appliedRule: 'r', predictionChanged: true, rank: 2, rawResult: { prediction: 7, low: 5 } },
		{ override_rule: 'r', override_changed: true, override_rank: 2, model_prediction: 7, model_low: 5 },
	],
	[
		'does not name a rule',
		{ ruleMatched: true, rawResult: { prediction: 'a', probabilities: { a: 0.5, ['__proto__']: 0.5 } } },
		JSON.parse(
			'{"override_rule":null,"model_prediction":"a","model_proba_a":0.5,"model_proba___proto__":0.5}',
		) as IDataObject,
	],
])('an override keeps its known parts when it %s', async (_name, override, expected) => {
	respond({ results: [{ prediction: 1, override }] });
	const { output } = await run('dataikuPredict', {
		url: proxy.url,
		items: [{}],
		parameters: { output: 'flat', recordSource: 'json', recordJson: '{"a":1}' },
	});
	expect(output[0]!.json).toEqual({ prediction: 1, ...expected });
});
