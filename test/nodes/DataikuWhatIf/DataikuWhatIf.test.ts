import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import { credentialFor, jsonOf, run } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const payment = {
	...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
	...{ customer_age_days: 240, chargebacks: 0 },
};
const varied = (...feature: IDataObject[]) => ({ variedFeatures: { feature } });

const whatIf = async (
	parameters: IDataObject,
	items: IDataObject[] = [payment],
	more: Partial<Parameters<typeof run>[1]> = {},
) =>
	await run('dataikuWhatIf', {
		url: proxy.url,
		items,
		...more,
		parameters: { recordSource: 'inputItem', ...parameters },
	});

interface Sent {
	items: Array<{ features: IDataObject }>;
	dispatch?: IDataObject;
	explanations?: IDataObject;
}
const bodyOf = ({ body }: ChaosRequest) => JSON.parse(body) as Sent;
const batches = () => proxy.requests.filter(({ path }) => path.endsWith('/predict-multi')).map(bodyOf);
/** The records that were sent after the first request, which holds the items' own. */
const variants = () =>
	batches()
		.slice(1)
		.flatMap(({ items }) => items.map(({ features }) => features));

/** Lets our own model respond, which is given the features. */
function score(
	predict: (features: IDataObject, generation: string | undefined) => IDataObject,
	generation?: (request: Sent) => string,
): void {
	proxy.setFault((request) => {
		if (request.path.endsWith('/swagger')) return { kind: 'answer', status: 404, body: {} };
		const sent = bodyOf(request);
		const by = generation?.(sent);
		return {
			kind: 'answer',
			body: {
				results: sent.items.map(({ features }) => ({ ignored: false, ...predict(features, by) })),
				...(by && { apiContext: { serviceId: 'demo', endpointId: 'fraud', serviceGeneration: by } }),
			},
		};
	});
}
const byAmount = ({ amount }: IDataObject) => {
	const fraud = Math.min(1, Number(amount) / 1_000);
	return { prediction: fraud > 0.5 ? 'fraud' : 'legitimate', probas: { fraud, legitimate: 1 - fraud } };
};

const byAmountOf = ({ features }: { features: IDataObject }) => byAmount(features);

describe('the output', () => {
	const amounts = varied({ name: 'amount', min: 0, max: 1_000, step: 100 });

	it('has the prediction of the record, then the changes and their result, and the input', async () => {
		score(byAmount);
		const { output, error, hints } = await whatIf({ vary: 'defined', ...amounts }, [{ amount: 800, ref: 'A-1' }]);

		expect({ error, hints }).toEqual({ error: undefined, hints: [] });
		expect(output).toEqual([
			{
				json: {
					...{ prediction: 'fraud', proba_fraud: 0.8, proba_legitimate: 1 - 0.8 },
					...{ what_if: 'suggestion', suggestion: 1, suggested_change: 'amount: 800 → 500' },
					suggested_changes: [{ feature: 'amount', from: 800, to: 500 }],
					...{ suggested_prediction: 'legitimate', suggested_probability: 0.5 },
					...{ suggested_features: 1, suggested_distance: 0.3, suggested_rule: null, variants_tried: 10 },
					what_if_note: 'All changes to one, two or three features were considered.',
					...{ amount: 800, ref: 'A-1' },
				},
				pairedItem: { item: 0 },
			},
		]);
	});

	it('is an item for each suggestion, the fewest features and the smallest distance first', async () => {
		score(({ a, b, c }) => ({ prediction: Number(a) + Number(b) + 2 * Number(c) >= 4 ? 'yes' : 'no' }));
		const range = { min: 0, max: 10, step: 1 };
		const { output } = await whatIf(
			{
				vary: 'defined',
				...varied({ name: 'a', ...range }, { name: 'b', ...range, max: 3 }, { name: 'c', ...range, max: 1 }),
			},
			[
				{ a: 0, b: 0, c: 0 },
				{ a: 5, b: 0, c: 0 },
			],
			{ options: { maxSuggestions: 4 } },
		);
		expect(output.map(({ json, pairedItem }) => [pairedItem, json.suggestion, json.suggested_change])).toEqual([
			[{ item: 0 }, 1, 'a: 0 → 4'],
			[{ item: 0 }, 2, 'a: 0 → 3, b: 0 → 1'],
			[{ item: 0 }, 3, 'a: 0 → 2, b: 0 → 2'],
			[{ item: 0 }, 4, 'a: 0 → 1, b: 0 → 3'],
			[{ item: 1 }, 1, 'a: 5 → 3'],
		]);
	});

	it('is one item per record with a list when that is selected', async () => {
		score(byAmount);
		const { output } = await whatIf({ vary: 'defined', ...amounts, output: 'perRecord' }, [
			{ amount: 800 },
			{ amount: 100 },
		]);
		expect(jsonOf(output)).toMatchObject([
			{
				...{ prediction: 'fraud', what_if: 'suggestion', variants_tried: 10 },
				suggestions: [
					{ change: 'amount: 800 → 500', prediction: 'legitimate', probability: 0.5, features: 1, distance: 0.3 },
				],
			},
			{ prediction: 'legitimate', what_if: 'suggestion', suggestions: [{ change: 'amount: 100 → 600' }] },
		]);
	});

	it('says that nothing within the limits reaches the goal, with a hint on the number of items', async () => {
		score(byAmount);
		const limits = { vary: 'defined', ...varied({ name: 'amount', min: 600, max: 1_000, step: 100 }) };
		const { output, hints } = await whatIf(limits, [{ amount: 800 }, { amount: 900 }]);
		const note =
			'No change within these limits reaches the goal. All changes to one, two or three features were considered.';
		expect(jsonOf(output)).toMatchObject([
			{ prediction: 'fraud', what_if: 'nothing', suggestion: null, suggested_change: null, what_if_note: note },
			{ what_if: 'nothing', amount: 900 },
		]);
		expect(hints.map(({ message }) => message)).toEqual([
			'No change within these limits reaches the goal (2 items, first: 0, 1).',
		]);
	});

	it('says that a suggestion is the best of those tried when not all were tried', async () => {
		score(byAmount);
		const { output, hints } = await whatIf({ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000 }) }, [
			{ amount: 800 },
		]);
		const { suggested_change, variants_tried, what_if_note } = jsonOf(output)[0]!;
		expect(suggested_change).toBe('amount: 800 → 500');
		expect(what_if_note).toBe(`The best of ${variants_tried as number} variants tried.`);
		expect(hints).toHaveLength(1);
	});

	it('reports a locked name that locks nothing, as an expression for a value returns it', async () => {
		score(byAmount);
		const limits = { vary: 'defined', ...amounts, lockedFeatures: '={{ $json.age }}, ref' };
		const { output, hints } = await whatIf(limits, [{ amount: 800, age: 30, ref: 'A-1' }]);
		expect(jsonOf(output)[0]).toMatchObject({ what_if: 'suggestion' });
		expect(hints.map(({ message }) => message)).toEqual([
			"No feature is named '30', so this name locks nothing (item 0).",
		]);
	});

	it('locks and varies a field by its path when it was dragged from the input', async () => {
		score(byAmount);
		const [feature] = amounts.variedFeatures.feature;
		const parameters = {
			...{ include: 'selected', includeFields: 'body.amount, body.hour', vary: 'defined' },
			...varied({ ...feature, name: 'body.amount' }, { name: 'body.hour', min: 0, max: 23 }),
			lockedFeatures: 'body.hour',
		};
		const { output, hints } = await whatIf(parameters, [{ body: { amount: 800, hour: 3 } }]);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: 'amount: 800 → 500' });
		expect(hints).toEqual([]);
		expect(variants().every(({ hour }) => hour === 3)).toBe(true);
	});

	it('sends the digits of a listed integer that a number would round', async () => {
		const long = '9007199254740993';
		score(({ id }) => ({ prediction: id === long ? 'legitimate' : 'fraud' }));
		const row = varied({ name: 'id', values: `5, ${long}` });
		const { output } = await whatIf({ vary: 'defined', ...row }, [{ id: 7 }]);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_changes: [{ feature: 'id', from: 7, to: long }] });
	});

	it('tries each object of a list of objects', async () => {
		score(({ plan }) => ({ prediction: (plan as IDataObject).name === 'long' ? 'legitimate' : 'fraud' }));
		const row = varied({ name: 'plan', values: '={{ [{ name: "short" }, { name: "long" }] }}' });
		const { output } = await whatIf({ vary: 'defined', ...row }, [{ plan: { name: 'short' } }]);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_changes: [{ feature: 'plan', to: { name: 'long' } }] });
	});

	it('is found when the raw response of a model is a number', async () => {
		proxy.setFault((request) => ({
			kind: 'answer',
			body: { results: bodyOf(request).items.map(({ features }) => features.amount) },
		}));
		const goal = { goal: 'below', goalValue: 500 };
		const { output } = await whatIf({ vary: 'defined', ...amounts, ...goal }, [{ amount: 800 }]);
		expect(jsonOf(output)[0]).toMatchObject({ prediction: 800, suggested_change: 'amount: 800 → 400' });
	});

	it('names the rule that decided every variant', async () => {
		const override = { ruleMatched: true, appliedRule: 'blocked', predictionChanged: true };
		score((features) => ({ ...byAmount(features), prediction: 'fraud', override }));
		const { output, hints } = await whatIf({ vary: 'defined', ...amounts }, [{ amount: 800 }]);
		expect(jsonOf(output)[0]).toMatchObject({
			...{ what_if: 'nothing', override_rule: 'blocked' },
			what_if_note: expect.stringContaining(
				'For every variant that was tried, a business rule decided the prediction (blocked).',
			) as string,
		});
		expect(hints[0]!.message).toContain(
			'For every variant that was tried, a business rule decided the prediction (blocked) (item 0)',
		);
	});

	it('names the rule that decides a suggestion', async () => {
		const override = { ruleMatched: true, appliedRule: 'small', predictionChanged: true };
		score((features) => (features.amount === 300 ? { prediction: 'legitimate', override } : { prediction: 'fraud' }));
		const { output } = await whatIf({ vary: 'defined', ...amounts }, [{ amount: 800 }]);
		expect(jsonOf(output)[0]).toMatchObject({
			...{ suggested_change: 'amount: 800 → 300', suggested_rule: 'small' },
			what_if_note: expect.stringContaining('A business rule decides the new prediction (small).') as string,
		});
	});

	it.each(['perSuggestion', 'perRecord'])('removes each column of an earlier run when it is %s', async (output) => {
		score(byAmount);
		const limits = { vary: 'defined', ...amounts };
		const earlier = { suggestion: 1, suggestions: [{ change: 'old' }], suggested_change: 'old', suggested_rule: 'old' };
		const columnsOf = async (item: IDataObject) => jsonOf((await whatIf({ ...limits, output }, [item])).output);
		expect(await columnsOf({ amount: 800, ref: 'A-1', ...earlier })).toEqual(
			await columnsOf({ amount: 800, ref: 'A-1' }),
		);
	});

	it('says that a record reaches the goal, and sends no variant', async () => {
		score(byAmount);
		const { output } = await whatIf({ goal: 'class', goalClass: 'legitimate', ...amounts }, [{ amount: 200 }]);
		expect(jsonOf(output)).toMatchObject([
			{ what_if: 'reached', what_if_note: 'The record already reaches the goal.' },
		]);
		expect(variants()).toEqual([]);
	});

	it('keeps a record that the API node ignored, without a search', async () => {
		score(() => ({ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' }));
		const { output, hints } = await whatIf({ ...amounts }, [{ amount: 200 }]);
		expect(jsonOf(output)).toMatchObject([{ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH', what_if: 'ignored' }]);
		expect(hints[0]!.message).toContain('Ignored by the API node: no lookup match');
		expect(batches()).toHaveLength(1);
	});
});

describe('the goal', () => {
	const classes = ({ amount }: IDataObject) => {
		const n = Number(amount);
		return { prediction: n < 4 ? 'a' : n < 7 ? 'b' : 'c', probas: { a: (9 - n) / 18, b: 0.5, c: n / 18 } };
	};
	const steps = { vary: 'defined', ...varied({ name: 'amount', min: 0, max: 9, step: 1 }) };

	it.each<[string, IDataObject, string]>([
		['another class', {}, 'amount: 2 → 4'],
		['a given class', { goal: 'class', goalClass: 'c' }, 'amount: 2 → 7'],
		['a probability above a value', { goal: 'above', goalClass: 'c', goalValue: '0.27' }, 'amount: 2 → 5'],
		['a probability below a value', { goal: 'below', goalClass: 'c', goalValue: 0.1 }, 'amount: 2 → 1'],
		['the highest probability', { goal: 'highest', goalClass: 'c' }, 'amount: 2 → 9'],
		['the lowest probability', { goal: 'lowest', goalClass: 'c' }, 'amount: 2 → 0'],
	])('is reached by the smallest change for %s', async (_name, goal, change) => {
		score(classes);
		const { output, error } = await whatIf({ ...steps, ...goal }, [{ amount: 2 }]);
		expect(error).toBeUndefined();
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: change });
	});

	it.each<[string, IDataObject, string]>([
		['a number above a value', { goal: 'above', goalValue: 500 }, 'amount: 2 → 6'],
		['a number below a value', { goal: 'below', goalValue: 100 }, 'amount: 2 → 0'],
		['the highest number', { goal: 'highest' }, 'amount: 2 → 9'],
		['the lowest number', { goal: 'lowest' }, 'amount: 2 → 0'],
	])('is reached by the smallest change for %s of a regression', async (_name, goal, change) => {
		score(({ amount }) => ({ prediction: 100 * Number(amount) }));
		const { output, error } = await whatIf({ ...steps, ...goal }, [{ amount: 2 }]);
		expect(error).toBeUndefined();
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: change, suggested_probability: null });
	});

	it('is not reached by a value equal to it', async () => {
		score(({ amount }) => ({ prediction: 100 * Number(amount) }));
		const { output } = await whatIf({ ...steps, goal: 'above', goalValue: 600 }, [{ amount: 2 }]);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: 'amount: 2 → 7' });
	});

	it('can differ from item to item by expression', async () => {
		score(classes);
		const { output } = await whatIf(
			{
				...steps,
				recordSource: 'json',
				recordJson: '={{ { amount: $json.amount } }}',
				goal: 'class',
				goalClass: '={{ $json.to }}',
			},
			[
				{ amount: 2, to: 'b' },
				{ amount: 2, to: 'c' },
			],
		);
		expect(jsonOf(output).map((json) => json.suggested_change)).toEqual(['amount: 2 → 4', 'amount: 2 → 7']);
	});

	it.each<[string, IDataObject, (features: IDataObject) => IDataObject, RegExp]>([
		[
			'a class that the model does not have',
			{ goal: 'class', goalClass: 'B' },
			classes,
			/^The model has no class 'B'.*/,
		],
		[
			'a number without a class where the classes are numbers',
			{ goal: 'above', goalValue: 0.7 },
			({ amount }) => ({ prediction: Number(Number(amount) > 4), probas: { 0: 0.5, 1: 0.5 } }),
			/^The prediction is a class, not a number/,
		],
		[
			'the lowest of classes that are numbers',
			{ goal: 'lowest' },
			() => ({ prediction: 1, probas: { 0: 0.4, 1: 0.6 } }),
			/^The prediction is a class, not a number/,
		],
		[
			'a value where nothing is predicted',
			{ goal: 'highest' },
			() => ({ prediction: null }),
			/^The record has no predict/,
		],
		['no class', { goal: 'class' }, classes, /^The goal needs a class, but none was given/],
		['no number', { goal: 'above', goalClass: 'a' }, classes, /^The goal 'above' needs a number, not ''/],
		[
			'a percentage',
			{ goal: 'above', goalClass: 'a', goalValue: 80 },
			classes,
			/^The goal must be a probability between 0 and 1, not 80/,
		],
		['a number where classes are predicted', { goal: 'highest' }, classes, /^The prediction is a class, not a number/],
		[
			'another class where a number is predicted',
			{},
			() => ({ prediction: 7 }),
			/^The endpoint predicts a number, not a class/,
		],
		[
			'a class where a number is predicted',
			{ goal: 'class', goalClass: 'approved' },
			() => ({ prediction: 7 }),
			/^The endpoint predicts a number, not a class/,
		],
		[
			'a probability where there is none',
			{ goal: 'lowest', goalClass: 'a' },
			() => ({ prediction: 'a' }),
			/^The endpoint returns no class probabilities/,
		],
		['a word that is no goal', { goal: '={{ "smaller" }}' }, classes, /^"Goal" must be one of otherClass, /],
	])('fails the item when it is %s, and sends no variant', async (_name, goal, model, message) => {
		score(model);
		const { output } = await whatIf({ ...steps, ...goal }, [{ amount: 2 }], { onError: 'continueRegularOutput' });
		expect(jsonOf(output)).toEqual([
			{ amount: 2, error: expect.stringMatching(message) as string, details: expect.any(Object) as object },
		]);
		expect(variants()).toEqual([]);
	});
});

describe('what may change', () => {
	const documented = {
		amount: { type: 'number', minimum: 0, maximum: 1_000, multipleOf: 250 },
		hour: { type: 'integer', minimum: 0, maximum: 3 },
		country: { type: 'string', enum: ['FR', 'US'] },
		card: { type: 'boolean' },
		age: { type: 'integer' },
	};
	const credentials = (properties: object = documented) => {
		const schema = { type: 'object', properties: { features: { type: 'object', properties } } };
		const post = { parameters: [{ in: 'body', name: 'body', schema }] };
		const openApi = JSON.stringify({ swagger: '2.0', paths: { '/fraud/predict': { post } } });
		return credentialFor(proxy.url, { openApiFrom: 'text', openApi });
	};
	const record = { amount: 500, hour: 1, country: 'FR', card: false, age: 30 };
	/** Each value that a feature had in a variant, from a model that nothing satisfies. */
	const tried = async (parameters: IDataObject, given: IDataObject = record, properties?: object) => {
		score(() => ({ prediction: 'no' }));
		const { error, output } = await whatIf(parameters, [given], {
			credentials: credentials(properties),
			options: { checkFeatures: 'warn', maxVariants: 2_000 },
		});
		expect(error).toBeUndefined();
		const values: Record<string, unknown[]> = Object.create(null) as Record<string, unknown[]>;
		for (const variant of variants()) {
			for (const [name, value] of Object.entries(variant)) {
				if (value !== given[name]) values[name] = [...new Set([...(values[name] ?? []), value])];
			}
		}
		return { values: { ...values }, sent: variants(), output };
	};

	it('includes each documented feature with values, a range or two states, and nothing else', async () => {
		const { values } = await tried({});
		expect(values).toEqual({ amount: [750, 1000, 250, 0], hour: [2, 3, 0], country: ['US'], card: [true] });
	});

	it('is tried in up to three features at a time, each variant once', async () => {
		const { sent } = await tried({});
		const sizes = sent.map(
			(variant) => Object.keys(record).filter((name) => variant[name] !== record[name as 'age']).length,
		);
		// 4, 3, 1 and 1 values: 9 single changes, 12+4+4+3+3+1 pairs, 12+12+4+3 triples.
		expect([1, 2, 3, 4].map((size) => sizes.filter((each) => each === size).length)).toEqual([9, 27, 31, 0]);
		expect(new Set(sent.map((variant) => JSON.stringify(variant))).size).toBe(sent.length);
	});

	it.each<[string, IDataObject, IDataObject]>([
		['locked features left out', { lockedFeatures: 'amount, hour, card' }, { country: ['US'] }],
		['only those that are named', { vary: 'defined', ...varied({ name: 'hour' }) }, { hour: [2, 3, 0] }],
		[
			'a range in place of the documented one',
			{ vary: 'defined', ...varied({ name: 'age', min: 28, max: '32', step: 2 }) },
			{ age: [32, 28] },
		],
		['only upwards', { vary: 'defined', ...varied({ name: 'amount', direction: 'up' }) }, { amount: [750, 1000] }],
		['only downwards', { vary: 'defined', ...varied({ name: 'amount', direction: 'down' }) }, { amount: [250, 0] }],
		[
			'values of a text upwards in their order',
			{ vary: 'defined', ...varied({ name: 'country', direction: 'up' }) },
			{ country: ['US'] },
		],
		[
			'values from a text, of the type of the feature',
			{ vary: 'defined', ...varied({ name: 'age', values: '20, 30, 40' }) },
			{ age: [40, 20] },
		],
		[
			'values from a list',
			{ vary: 'defined', ...varied({ name: 'age', values: '={{ [29, 31] }}' }) },
			{ age: [31, 29] },
		],
		[
			'no value that does not fit the document',
			{ vary: 'defined', ...varied({ name: 'country', values: 'US, XX' }, { name: 'hour', values: '2, late' }) },
			{ country: ['US'], hour: [2] },
		],
		[
			'the whole numbers of a feature without a document',
			{ vary: 'defined', ...varied({ name: 'age', min: 29, max: 31 }) },
			{ age: [31, 29] },
		],
	])('has %s', async (_name, parameters, expected) => {
		expect((await tried(parameters)).values).toEqual(expected);
	});

	it('accepts numbers that are texts, and leaves unchanged texts as they are', async () => {
		const { values, sent } = await tried(
			{ vary: 'defined', ...varied({ name: 'hour' }) },
			{ ...record, amount: '500', hour: '1' },
		);
		expect(values).toEqual({ hour: [2, 3, 0] });
		for (const { amount } of sent) expect(amount).toBe('500');
	});

	it('excludes exclusive bounds, and accepts names that JavaScript uses itself', async () => {
		const properties = {
			constructor: { type: 'string', enum: ['a', 'b'] },
			low: { type: 'integer', minimum: 0, exclusiveMinimum: true, maximum: 2 },
			high: { type: 'integer', minimum: 1, exclusiveMaximum: 4 },
		};
		const { values } = await tried({}, { constructor: 'a', low: 2, high: 1 }, properties);
		expect(values).toEqual({ constructor: ['b'], low: [1], high: [2, 3] });
	});

	it.each<[string, object]>([
		['a flag', { minimum: 0, exclusiveMinimum: true }],
		['a number', { exclusiveMinimum: 0 }],
	])('excludes an exclusive bound by %s when the other end is given in the node', async (_name, bound) => {
		const rows = { vary: 'defined', ...varied({ name: 'amount', max: 500, step: 100 }) };
		const { values } = await tried(rows, { amount: 400 }, { amount: { type: 'number', ...bound } });
		expect(values).toEqual({ amount: [500, 300, 200, 100] });
	});

	it('excludes an exclusive upper bound when the lower one is given in the node', async () => {
		const rows = { vary: 'defined', ...varied({ name: 'amount', min: 0, step: 100 }) };
		const properties = { amount: { type: 'number', exclusiveMaximum: 300 } };
		expect((await tried(rows, { amount: 100 }, properties)).values).toEqual({ amount: [200, 0] });
	});

	it.each<[string, IDataObject, IDataObject, IDataObject]>([
		['a documented boolean', {}, { card: 'False' }, { card: [true] }],
		['a boolean upwards', varied({ name: 'card', direction: 'up' }), { card: ' FALSE ' }, { card: [true] }],
		['a boolean downwards', varied({ name: 'card', direction: 'down' }), { card: 'true' }, { card: [false] }],
		['a number', varied({ name: 'hour', values: '1, 2, 3' }), { hour: '2.0' }, { hour: [3, 1] }],
		[
			'a number in a list of texts',
			varied({ name: 'hour', values: '={{ ["1", "2"] }}' }),
			{ hour: '2.0' },
			{ hour: [1] },
		],
		[
			'a number without a document',
			varied({ name: 'tax', values: '20, 50', direction: 'up' }),
			{ tax: '34' },
			{ tax: ['50'] },
		],
		['a range without a document', varied({ name: 'tax', min: 33, max: 36 }), { tax: '34' }, { tax: [35, 36, 33] }],
		[
			'a boolean without a document',
			varied({ name: 'vip', values: 'true, false' }),
			{ vip: 'False' },
			{ vip: ['true'] },
		],
		['a word', varied({ name: 'country', values: 'US, FR' }), { country: 'FR' }, { country: ['US'] }],
	])("reads the record's value of %s when it is a text", async (_name, rows, given, expected) => {
		const parameters =
			Object.keys(rows).length > 0 ? { vary: 'defined', ...rows } : { lockedFeatures: 'amount, hour, country' };
		expect((await tried(parameters, { ...record, ...given })).values).toEqual(expected);
	});

	it.each<[string, IDataObject]>([
		['its value is not in the list that has a direction', { name: 'country', values: 'US, FR', direction: 'up' }],
		['none of its values fits the document', { name: 'hour', values: 'late, early' }],
		['its value is at the end of its range', { name: 'amount', direction: 'down' }],
	])('has a hint that a named feature cannot change when %s', async (_name, row) => {
		score(() => ({ prediction: 'no' }));
		const { output, hints } = await whatIf(
			{ vary: 'defined', ...varied(row) },
			[{ ...record, amount: 0, country: 'DE' }],
			{
				credentials: credentials(),
				options: { checkFeatures: 'warn' },
			},
		);
		expect(jsonOf(output)).toMatchObject([{ what_if: 'nothing', variants_tried: 0 }]);
		const said = hints.map(({ message }) => message).join(' ');
		expect(said).toContain(`'${row.name as string}' has no other value within its limits (item 0)`);
	});

	it('is the same for every record source', async () => {
		const sources: IDataObject[] = [
			{ recordSource: 'inputItem' },
			{ recordSource: 'json' },
			{ recordSource: 'mapping' },
			{
				recordSource: 'fields',
				fields: { assignments: [{ id: '1', name: 'hour', value: '={{ $json.hour }}', type: 'number' }] },
			},
		];
		for (const source of sources) {
			await proxy.close();
			proxy = await chaosProxy({ upstream: node.url });
			const { values } = await tried({ vary: 'defined', ...varied({ name: 'hour' }), ...source }, { hour: 1 });
			expect([source.recordSource, values]).toEqual([source.recordSource, { hour: [2, 3, 0] }]);
		}
	});

	it.each<[string, IDataObject, RegExp]>([
		['no feature is left', { lockedFeatures: 'amount, hour, country, card' }, /^No feature is allowed to change/],
		[
			'a locked name is close to a feature that would change',
			{ lockedFeatures: 'Hours' },
			/^'Hours' in "Locked Features" is not a feature of the record.*Did you mean 'hour'\?/,
		],
		[
			'a name is not a feature',
			varied({ name: 'colour', values: 'red' }),
			/^'colour' in "Features to Vary" is not a feature of the record/,
		],
		[
			'a feature has no range',
			varied({ name: 'age', direction: 'up' }),
			/^"Features to Vary" has neither values nor a range for 'age'/,
		],
		['a range has one end', { vary: 'defined', ...varied({ name: 'age', min: 1 }) }, /./],
		['a range is upside down', varied({ name: 'age', min: 9, max: 1 }), /^"Min" of 'age' is above its "Max"/],
		[
			'an end is no number',
			varied({ name: 'age', min: 'young', max: 1 }),
			/^"Min" of 'age' must be a number, not 'young'/,
		],
		['a step of zero', varied({ name: 'age', min: 1, max: 9, step: 0 }), /^"Step" of 'age' must be positive/],
		[
			'a step is a fraction of a whole number',
			varied({ name: 'age', min: 1, max: 9, step: 0.5 }),
			/^"Min" and "Step" of 'age' must be whole numbers/,
		],
		[
			'the way is no way',
			varied({ name: 'age', min: 1, max: 9, direction: '={{ "sideways" }}' }),
			/^"Which Way" of 'age' must be one of any, up, down, not 'sideways'/,
		],
		['a row has no name', varied({ name: ' ', min: 1, max: 2 }), /^A row of "Features to Vary" has no feature name/],
		[
			'the rows are one expression',
			{ variedFeatures: { feature: '={{ [] }}' } },
			/^A row of "Features to Vary" has no/,
		],
	])('fails the item when %s', async (_name, parameters, message) => {
		score(() => ({ prediction: 'no' }));
		const { output } = await whatIf(parameters, [record], {
			credentials: credentials(),
			onError: 'continueRegularOutput',
		});
		expect(jsonOf(output)[0]!.error).toMatch(message);
		expect(variants()).toEqual([]);
	});

	it('needs no document when the features are given', async () => {
		score(byAmount);
		const { output, hints } = await whatIf(
			{ ...varied({ name: 'amount', min: 0, max: 1_000, step: 500 }) },
			[{ amount: 800 }],
			{
				options: { checkFeatures: 'warn' },
			},
		);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: 'amount: 800 → 500' });
		expect(hints).toEqual([]);
	});
});

describe('variants', () => {
	const steps = (step: number) => ({ vary: 'defined', ...varied({ name: 'amount', min: 1, max: 100, step }) });

	it('of many items share batches, so that the number of requests depends only on the number of variants', async () => {
		score(() => ({ prediction: 'no' }));
		const items = Array.from({ length: 250 }, (_, n) => ({ amount: 0, n }));
		const { output } = await whatIf(steps(10), items);
		expect(output).toHaveLength(250);
		expect(batches().map(({ items: { length } }) => length)).toEqual([100, 100, 50, ...Array<number>(25).fill(100)]);
	});

	it('of one item are one request when they fit into one batch, whatever they change', async () => {
		score(() => ({ prediction: 'no' }));
		const range = { min: 0, max: 2, step: 1 };
		await whatIf(
			{ vary: 'defined', ...varied({ name: 'a', ...range }, { name: 'b', ...range }, { name: 'c', ...range }) },
			[{ a: 0, b: 0, c: 0 }],
		);
		expect(batches().map(({ items: { length } }) => length)).toEqual([1, 26]);
	});

	it('are never more than Max Variants, and each is sent once', async () => {
		score(({ amount, hour }) => ({
			prediction: 'no',
			probas: { yes: (Number(amount) + Number(hour)) / 1e4, no: 0.5 },
		}));
		const range = { min: 0, max: 1_000 };
		const { output } = await whatIf(
			{
				vary: 'defined',
				goal: 'class',
				goalClass: 'yes',
				...varied({ name: 'amount', ...range }, { name: 'hour', ...range }),
			},
			[{ amount: 5.5, hour: 6.5 }],
			{ options: { maxVariants: 40 } },
		);
		const sent = variants().map((variant) => JSON.stringify(variant));
		expect(sent.length).toBeLessThanOrEqual(40);
		expect(new Set([...sent, JSON.stringify({ amount: 5.5, hour: 6.5 })]).size).toBe(sent.length + 1);
		expect(jsonOf(output)[0]).toMatchObject({
			variants_tried: sent.length,
			what_if_note: `No change that reaches the goal was found within these limits, but not all possible changes were tried. ${sent.length} variants tried.`,
		});
	});

	it('are scored by the generation that scored their record, without explanations', async () => {
		// As an A/B test would: the items' own record goes to v2.
		score(byAmount, ({ dispatch }) => String(dispatch?.forcedGeneration ?? 'v2'));
		const { output, error } = await whatIf(
			{ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 900, step: 300 }) },
			[{ amount: 800 }],
			{
				options: { dispatchKey: 'ana' },
			},
		);
		expect(error).toBeUndefined();
		expect(jsonOf(output)[0]).toMatchObject({ what_if: 'suggestion' });
		const [own, ...others] = batches();
		expect(own!.dispatch).toEqual({ dispatchKey: 'ana' });
		expect(others.length).toBeGreaterThan(0);
		for (const { dispatch, explanations } of others) {
			expect(dispatch).toEqual({ forcedGeneration: 'v2' });
			expect(explanations).toEqual({ enabled: false });
		}
	});

	it('of another generation fail their item, whose error names both generations', async () => {
		let calls = 0;
		score(byAmount, () => `v${++calls}`);
		const { output } = await whatIf(steps(10), [{ amount: 800 }], { onError: 'continueRegularOutput' });
		expect(jsonOf(output)[0]!.error).toMatch(
			/^A variant was scored by a different generation than its record\. Generation of the record: v1\. Generation of the variant: v2\./,
		);
	});

	it('that the endpoint refuses are skipped, and others are not', async () => {
		proxy.setFault((request) => {
			const { items } = bodyOf(request);
			const isBad = items.some(({ features }) => features.amount === 21);
			if (isBad) return { kind: 'answer', status: 400, body: { errorType: 'Odd', message: 'No 21' } };
			return {
				kind: 'answer',
				body: { results: items.map(({ features }) => ({ prediction: Number(features.amount) > 50 ? 'yes' : 'no' })) },
			};
		});
		const { output, error } = await whatIf(steps(10), [{ amount: 1 }]);
		expect(error).toBeUndefined();
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: 'amount: 1 → 51', variants_tried: 8 });
	});

	it('fail their item and no other when their request fails for another reason', async () => {
		proxy.setFault((request) => {
			const { items } = bodyOf(request);
			if (items.some(({ features }) => features.bad && features.amount !== 1))
				return { kind: 'answer', status: 403, body: { message: 'no' } };
			return {
				kind: 'answer',
				body: { results: items.map(({ features }) => ({ prediction: Number(features.amount) > 50 ? 'yes' : 'no' })) },
			};
		});
		const headers = { header: [{ name: 'x-item', value: '={{ $json.bad ? "bad" : "good" }}' }] };
		const { output } = await whatIf(steps(10), [{ amount: 1 }, { amount: 1, bad: true }, { amount: 1 }], {
			onError: 'continueRegularOutput',
			options: { headers },
		});
		expect(jsonOf(output).map(({ suggested_change, error }) => suggested_change ?? typeof error)).toEqual([
			'amount: 1 → 51',
			'string',
			'amount: 1 → 51',
		]);
	});

	it('fail the item when the endpoint refuses all of them', async () => {
		proxy.setFault((request) => {
			const { items } = bodyOf(request);
			if (items.some(({ features }) => features.amount !== 0))
				return { kind: 'answer', status: 422, body: { errorType: 'Odd', message: 'Not so' } };
			return { kind: 'answer', body: { results: items.map(() => ({ prediction: 'no' })) } };
		});
		const { error } = await whatIf(steps(25), [{ amount: 0 }]);
		expect(error?.message).toBe("Not so (item 0, endpoint 'fraud')");
	});

	/** A model that says yes above 50, unless it does something else with a variant. */
	const yesAbove50 = (otherwise: (features: IDataObject) => IDataObject | undefined, refusal?: number) =>
		proxy.setFault((request) => {
			const results = bodyOf(request).items.map(
				({ features }) => otherwise(features) ?? { prediction: Number(features.amount) > 50 ? 'yes' : 'no' },
			);
			if (refusal && results.some(({ prediction }) => prediction === 'refused'))
				return { kind: 'answer', status: refusal, body: { message: 'Beyond 50' } };
			return { kind: 'answer', body: { results } };
		});

	it.each<[string, IDataObject, number | undefined, string]>([
		['answered with a server error', { prediction: 'refused' }, 500, 'Beyond 50'],
		['refused', { prediction: 'refused' }, 400, 'Beyond 50'],
		[
			'ignored',
			{ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' },
			undefined,
			'Ignored by the API node: no lookup match',
		],
		[
			'without a prediction',
			{ prediction: null },
			undefined,
			'The response has no prediction that can be compared with the goal',
		],
	])('are counted and reported when they are %s', async (_name, result, status, reason) => {
		yesAbove50(({ amount }) => (Number(amount) > 50 ? result : undefined), status);
		const { output, hints } = await whatIf(steps(10), [{ amount: 1 }]);
		expect(jsonOf(output)).toMatchObject([
			{
				...{ what_if: 'nothing', variants_tried: 4 },
				what_if_note: `No change that reaches the goal was found within these limits, but not all possible changes were tried. 4 variants tried. 5 variants were not scored. Reason for the first: ${reason}.`,
			},
		]);
		expect(hints.map(({ message }) => message).join(' ')).toContain(
			'5 variants were not scored. Reason for the first: ',
		);
	});

	it('are the best of those scored when others are refused', async () => {
		yesAbove50(({ amount }) => (amount === 51 ? { prediction: 'refused' } : undefined), 400);
		const { output, hints } = await whatIf(steps(10), [{ amount: 1 }]);
		expect(jsonOf(output)).toMatchObject([
			{
				suggested_change: 'amount: 1 → 61',
				what_if_note: 'The best of 8 variants tried. 1 variant was not scored. Reason: Beyond 50.',
			},
		]);
		expect(hints).toHaveLength(1);
	});

	it('are reported as ignored in the note when all of them were ignored', async () => {
		yesAbove50(({ amount }) => (amount === 1 ? undefined : { ignored: true }));
		const { output } = await whatIf(steps(10), [{ amount: 1 }]);
		expect(jsonOf(output)[0]!.what_if_note).toBe(
			'No change that reaches the goal was found within these limits, but not all possible changes were tried. 0 variants tried. 9 variants were not scored. Reason for the first: Ignored by the API node: no reason given.',
		);
	});

	it('fail their item after a few requests when the generation of its record is gone', async () => {
		proxy.setFault((request) => {
			const { items, dispatch } = bodyOf(request);
			if (dispatch) return { kind: 'answer', status: 400, body: { message: 'No generation v1' } };
			const results = items.map(byAmountOf);
			return { kind: 'answer', body: { results, apiContext: { serviceGeneration: 'v1' } } };
		});
		const limits = { vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000, step: 6 }) };
		const { output } = await whatIf(limits, [{ amount: 800 }, { amount: 900 }], { onError: 'continueRegularOutput' });
		expect(jsonOf(output).map(({ error }) => error)).toEqual(Array(2).fill(expect.stringMatching(/^No generation v1/)));
		// The records; four batches of variants, and the record of each again to tell whether its variants are to blame.
		expect(proxy.requests.filter(({ path }) => path.endsWith('/predict-multi'))).toHaveLength(9);
	});

	it('of one item have their own time, however long those of others take', async () => {
		let skipped = 0;
		const original = performance.now.bind(performance);
		const now = jest.spyOn(performance, 'now').mockImplementation(() => original() + skipped);
		const predict = ({ a, b }: IDataObject) => ({ prediction: Number(a) + Number(b) > 5 ? 'yes' : 'no' });
		proxy.setFault((request) => {
			skipped += 10_000;
			return { kind: 'answer', body: { results: bodyOf(request).items.map(({ features }) => predict(features)) } };
		});
		const range = { min: 0, max: 3, step: 1 };
		const { output } = await whatIf(
			{ vary: 'defined', ...varied({ name: 'a', ...range }, { name: 'b', ...range }) },
			Array.from({ length: 40 }, () => ({ a: 0, b: 0 })),
			{ options: { deadline: 60_000, batchSize: 10, maxConcurrency: 1 } },
		);
		now.mockRestore();
		expect(new Set(jsonOf(output).map((json) => json.suggested_change))).toEqual(new Set(['a: 0 → 3, b: 0 → 3']));
	});

	it.each<[string, number, IDataObject]>([
		['keep what was found', 2, { what_if: 'suggestion', suggested_prediction: 'legitimate' }],
		['leave the search unfinished when nothing was found', 1, { what_if: 'unfinished', suggestion: null }],
	])('that fail until the deadline %s', async (_name, served, expected) => {
		let skipped = 0;
		const original = performance.now.bind(performance);
		const now = jest.spyOn(performance, 'now').mockImplementation(() => original() + skipped);
		proxy.setFault((request) => {
			if (request.path.endsWith('/swagger')) return { kind: 'answer', status: 404, body: {} };
			if (batches().length > served) {
				skipped += 20_000;
				return { kind: 'answer', status: 503, body: { message: 'Down' } };
			}
			return { kind: 'answer', body: { results: bodyOf(request).items.map(byAmountOf) } };
		});
		const limits = { vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000 }) };
		const { output, error, hints } = await whatIf(limits, [{ amount: 900 }], { options: { deadline: 35_000 } });
		now.mockRestore();
		expect(error).toBeUndefined();
		expect(jsonOf(output)).toMatchObject([expected]);
		const said =
			/The search stopped at the deadline\. The last variants that were sent before the deadline could not be scored: .*503/;
		expect(jsonOf(output)[0]!.what_if_note).toMatch(said);
		expect(hints.map(({ message }) => message).join(' ')).toContain(
			'The last variants that were sent before the deadline could not be scored: ',
		);
	});

	it('are not waited for beyond the deadline, and earlier suggestions are kept', async () => {
		proxy.setFault((request) => {
			if (request.path.endsWith('/swagger')) return { kind: 'answer', status: 404, body: {} };
			if (batches().length > 2) return { kind: 'answer', status: 503, headers: { 'retry-after': '300' }, body: {} };
			return { kind: 'answer', body: { results: bodyOf(request).items.map(byAmountOf) } };
		});
		const limits = { vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000 }) };
		const { output, error } = await whatIf(limits, [{ amount: 900 }]);
		expect(error).toBeUndefined();
		expect(jsonOf(output)).toMatchObject([{ what_if: 'suggestion', suggested_prediction: 'legitimate' }]);
	});

	it('are no longer sent when the deadline is over, and earlier suggestions are returned', async () => {
		let skipped = 0;
		const original = performance.now.bind(performance);
		const now = jest.spyOn(performance, 'now').mockImplementation(() => original() + skipped);
		score((features) => {
			if (features.amount !== 900) skipped = 50_000;
			return byAmount(features);
		});
		const { output, hints } = await whatIf(
			{ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000 }) },
			[{ amount: 900 }],
			{
				options: { deadline: 40_000 },
			},
		);
		now.mockRestore();
		expect(batches()).toHaveLength(2);
		expect(jsonOf(output)[0]).toMatchObject({
			what_if: 'suggestion',
			what_if_note: expect.stringMatching(
				/^The best of \d+ variants tried\. The search stopped at the deadline\.$/,
			) as string,
		});
		expect(hints[0]!.message).toContain('The search stopped at the deadline (item 0)');
	});
});

it('ends soon when the workflow is stopped while variants are scored, and blames no item', async () => {
	let requests = 0;
	proxy.setFault((request) => {
		if (++requests > 1) return { kind: 'silent' };
		return { kind: 'answer', body: { results: bodyOf(request).items.map(byAmountOf) } };
	});
	const { cancelled, error, output } = await whatIf(
		{ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 900 }) },
		[{ amount: 800 }, { amount: 700 }],
		{ cancelAfter: () => requests > 1, onError: 'continueRegularOutput' },
	);
	expect({ cancelled, message: error?.message }).toEqual({ cancelled: true, message: 'The call was canceled' });
	expect(output.filter(({ json }) => 'error' in json)).toEqual([]);
});

it("returns the record's own prediction when no variant is scored before the deadline", async () => {
	let requests = 0;
	proxy.setFault((request) => {
		if (++requests > 1) return { kind: 'silent' };
		return { kind: 'answer', body: { results: bodyOf(request).items.map(byAmountOf) } };
	});
	const { output, error } = await whatIf(
		{ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 900 }) },
		[{ amount: 800 }],
		{ options: { deadline: 500 } },
	);
	expect(error).toBeUndefined();
	expect(jsonOf(output)).toMatchObject([
		{
			...{ prediction: 'fraud', what_if: 'unfinished', variants_tried: 0 },
			what_if_note:
				'No change that reaches the goal was found within these limits, but not all possible changes were tried. 0 variants tried. The search stopped at the deadline.',
		},
	]);
});

it('finds the suggestions that its page shows for the example', async () => {
	const root = path.join(__dirname, '../../..');
	const { nodes } = JSON.parse(readFileSync(path.join(root, 'examples/what-if.json'), 'utf8')) as {
		nodes: Array<{ type: string; parameters: IDataObject }>;
	};
	const { parameters } = nodes.find(({ type }) => type.endsWith('.dataikuWhatIf'))!;
	const { output } = await whatIf({ ...parameters, options: { checkFeatures: 'warn' } }, [
		{ ...payment, customer_age_days: undefined, chargebacks: undefined, customer_id: 'C001' },
	]);
	const { suggestions, variants_tried } = jsonOf(output)[0] as {
		suggestions: Array<{ change: string; probability: number; features: number; distance: number }>;
		variants_tried: number;
	};
	const page = readFileSync(path.join(root, 'docs/what-if.md'), 'utf8').replaceAll(/ +/g, ' ');
	expect(suggestions).toHaveLength(3);
	for (const { change, probability, features, distance } of suggestions) {
		expect(page).toContain(`| ${change} | ${Math.round(100 * probability)}% | ${features} | ${distance.toFixed(2)} |`);
	}
	expect(page).toContain(`tried ${variants_tried} variants`);
});

describe('as a tool', () => {
	const ask = async (features: unknown, goal: unknown, more: IDataObject = {}) => {
		const { output, error } = await run('dataikuWhatIfTool', {
			url: node.url,
			endpointId: 'fraud',
			items: [{ chatInput: 'said', sessionId: '1' }],
			options: { checkFeatures: 'error' },
			parameters: { recordJson: JSON.stringify(features), goalJson: JSON.stringify(goal), ...more },
		});
		expect(error).toBeUndefined();
		return jsonOf(output);
	};

	it('responds with the prediction, the suggestions and a note on what they do not prove', async () => {
		const [answer, note, ...others] = await ask(payment, { goal: 'class', class: 'legitimate' });
		expect(answer).toMatchObject({
			...{ prediction: 'fraud', what_if: 'suggestion' },
			suggestions: expect.arrayContaining([expect.objectContaining({ prediction: 'legitimate' })]) as unknown[],
		});
		expect(answer!.what_if_goal).toEqual({ goal: 'class', class: 'legitimate' });
		expect(Object.keys(answer!)).not.toContain('chatInput');
		expect(note).toEqual({
			note: expect.stringContaining('It does not prove that the change would cause this outcome') as string,
		});
		expect(others).toEqual([]);
	});

	it.each<[string, unknown, IDataObject]>([
		['a class alone', { class: 'legitimate' }, { what_if: 'suggestion' }],
		['nothing', {}, { what_if: 'suggestion' }],
		['a list of one goal', [{ goal: 'otherClass' }], { what_if: 'suggestion' }],
		['a probability', { goal: 'below', class: 'fraud', value: 0.5 }, { what_if: 'suggestion' }],
		[
			'parts that are empty',
			{ goal: 'otherClass', class: '', value: null },
			{ what_if: 'suggestion', what_if_goal: { goal: 'otherClass' } },
		],
	])('accepts %s as a goal', async (_name, goal, expected) => {
		expect((await ask(payment, goal))[0]).toMatchObject(expected);
	});

	it.each<[string, unknown, unknown, RegExp]>([
		[
			'a goal that there is not',
			payment,
			{ goal: 'approve' },
			/^The goal must be one of otherClass, .*For example|^The goal must be one of otherClass/,
		],
		[
			'a class that there is not',
			payment,
			{ class: 'honest' },
			/^The model has no class 'honest'\. Its classes: (fraud, legitimate|legitimate, fraud)\.$/,
		],
		[
			'a class that does not count',
			payment,
			{ goal: 'otherClass', class: 'legitimate' },
			/^The goal "otherClass" does not use "class"\. The goal for a given class is "class"/,
		],
		[
			'a value beside a class',
			payment,
			{ class: 'legitimate', value: 0.1 },
			/^The goal "class" does not use "value"\. The goals with a value are "above" and "below"/,
		],
		[
			'a value that does not count',
			payment,
			{ goal: 'highest', class: 'fraud', value: 1 },
			/^The goal "highest" does not use "value"/,
		],
		[
			'a part that there is not',
			payment,
			{ goal: 'class', class: 'legitimate', constructor: 0.9 },
			/^The goal "class" does not use "constructor"\. A goal consists of "goal", "class" and "value"/,
		],
		['text for a goal', payment, 'legitimate', /^The goal is not valid JSON|^The goal is a string/],
		['a value that does not fit', { ...payment, country: 'Narnia' }, {}, /^`country` is 'Narnia'/],
	])('explains what is wrong with %s', async (_name, features, goal, message) => {
		const [answer, ...others] = await ask(features, goal);
		expect(others).toEqual([]);
		expect(Object.keys(answer!)).toEqual(['error']);
		expect(answer!.error).toMatch(message);
	});
});
