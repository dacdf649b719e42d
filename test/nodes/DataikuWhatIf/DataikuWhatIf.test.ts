import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

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

/** Lets a model of our own respond, which is given the features. */
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

describe('the output', () => {
	const amounts = varied({ name: 'amount', min: 0, max: 1_000, step: 100 });

	it('has the prediction of the record, then what changes and what comes of it, and the input', async () => {
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
					...{ suggested_features: 1, suggested_distance: 0.3, variants_tried: 10 },
					what_if_note: 'All changes of up to three features were considered.',
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

	it('is one item per record with a list when that is chosen', async () => {
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

	it('says so when nothing within the limits reaches the goal, with a hint of how many items', async () => {
		score(byAmount);
		const limits = { vary: 'defined', ...varied({ name: 'amount', min: 600, max: 1_000, step: 100 }) };
		const { output, hints } = await whatIf(limits, [{ amount: 800 }, { amount: 900 }]);
		const note = 'Nothing within these limits reaches the goal. All changes of up to three features were considered.';
		expect(jsonOf(output)).toMatchObject([
			{ prediction: 'fraud', what_if: 'nothing', suggestion: null, suggested_change: null, what_if_note: note },
			{ what_if: 'nothing', amount: 900 },
		]);
		expect(hints.map(({ message }) => message)).toEqual([
			'Nothing within these limits reaches the goal (2 items, first: 0, 1).',
		]);
	});

	it('tells that a suggestion is the best of those tried when not all were', async () => {
		score(byAmount);
		const { output, hints } = await whatIf({ vary: 'defined', ...varied({ name: 'amount', min: 0, max: 1_000 }) }, [
			{ amount: 800 },
		]);
		const { suggested_change, variants_tried, what_if_note } = jsonOf(output)[0]!;
		expect(suggested_change).toBe('amount: 800 → 500');
		expect(what_if_note).toBe(`The best of ${variants_tried as number} variants tried.`);
		expect(hints).toHaveLength(1);
	});

	it('tells of the rule that decided every variant', async () => {
		const override = { ruleMatched: true, appliedRule: 'blocked', predictionChanged: true };
		score((features) => ({ ...byAmount(features), prediction: 'fraud', override }));
		const { output, hints } = await whatIf({ vary: 'defined', ...amounts }, [{ amount: 800 }]);
		expect(jsonOf(output)[0]).toMatchObject({
			...{ what_if: 'nothing', override_rule: 'blocked' },
			what_if_note: expect.stringContaining('A rule decided every variant that was tried (blocked).') as string,
		});
		expect(hints[0]!.message).toContain('A rule decided every variant that was tried (blocked) (item 0)');
	});

	it('names the rule that decides a suggestion', async () => {
		const override = { ruleMatched: true, appliedRule: 'small', predictionChanged: true };
		score((features) => (features.amount === 300 ? { prediction: 'legitimate', override } : { prediction: 'fraud' }));
		const { output } = await whatIf({ vary: 'defined', ...amounts }, [{ amount: 800 }]);
		expect(jsonOf(output)[0]).toMatchObject({
			...{ suggested_change: 'amount: 800 → 300', suggested_rule: 'small' },
			what_if_note: expect.stringContaining('A rule decides the new prediction (small).') as string,
		});
	});

	it('says that a record reaches the goal, and sends no variant', async () => {
		score(byAmount);
		const { output } = await whatIf({ goal: 'class', goalClass: 'legitimate', ...amounts }, [{ amount: 200 }]);
		expect(jsonOf(output)).toMatchObject([
			{ what_if: 'reached', what_if_note: 'The record already reaches the goal.' },
		]);
		expect(variants()).toEqual([]);
	});

	it('keeps a record that the API node ignored, and searches nothing', async () => {
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

	it('is not exceeded by what equals it', async () => {
		score(({ amount }) => ({ prediction: 100 * Number(amount) }));
		const { output } = await whatIf({ ...steps, goal: 'above', goalValue: 600 }, [{ amount: 2 }]);
		expect(jsonOf(output)[0]).toMatchObject({ suggested_change: 'amount: 2 → 7' });
	});

	it('differs from item to item by expression', async () => {
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
		['no class', { goal: 'class' }, classes, /^The goal names no class/],
		['no number', { goal: 'above', goalClass: 'a' }, classes, /^The goal needs a number to be above, not ''/],
		[
			'a percentage',
			{ goal: 'above', goalClass: 'a', goalValue: 80 },
			classes,
			/^The goal is a probability between 0 and 1, not 80/,
		],
		['a number where classes are predicted', { goal: 'highest' }, classes, /^The prediction is not a number/],
		[
			'another class where a number is predicted',
			{},
			() => ({ prediction: 7 }),
			/^The endpoint predicts a number, which has no other class/,
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
