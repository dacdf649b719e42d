import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { jsonOf, run } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(() => node.requests.clear());

const payment = { amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false };
const house = { surface: 92, rooms: 4, built: 1987, city: 'Lyon', garden: true };

const predict = async (
	endpointId: string,
	items: IDataObject[],
	parameters: IDataObject = {},
	options: IDataObject = {},
) => {
	const { output, error } = await run('dataikuPredict', { url: node.url, endpointId, items, options, parameters });
	expect(error).toBeUndefined();
	return jsonOf(output).map(({ result }) => result as IDataObject);
};

describe('explanations', () => {
	it.each<[string, string, IDataObject, IDataObject, number]>([
		['the setting of an endpoint that gives none', 'fraud', payment, {}, 0],
		['the setting of an endpoint that gives three', 'house_price', house, {}, 3],
		['none from an endpoint that gives three', 'house_price', house, { explanations: 'off' }, 0],
		['those of an endpoint that gives none by default', 'fraud', payment, { explanations: 'on' }, 3],
		['as many as asked for', 'fraud', payment, { explanations: 'on', nExplanations: 2 }, 2],
		['none where the number is set, but not that they are on', 'fraud', payment, { nExplanations: 2 }, 0],
	])('are %s', async (_name, endpointId, item, parameters, count) => {
		for (const batchSize of [1, 100]) {
			const [result] = await predict(endpointId, [item], parameters, { batchSize });
			const { explanations } = result!;
			expect(Object.keys(explanations ?? {})).toHaveLength(count);
			expect(explanations === undefined).toBe(count === 0);
		}
	});

	it.each([1, 100])("are requested with the API's own parameters, at batch size %d", async (batchSize) => {
		const parameters = { explanations: 'on', explanationMethod: 'SHAPLEY', nExplanations: 4, nMonteCarloSteps: 1000 };
		const [result] = await predict('fraud', [payment], parameters, { batchSize });

		expect(node.requests.last?.body).toMatchObject({
			explanations: { enabled: true, method: 'SHAPLEY', nExplanations: 4, nMonteCarloSteps: 1000 },
		});
		expect(Object.values(result!.explanations as Record<string, number>)).toHaveLength(4);
	});
});

it('returns the result of each kind of model unchanged', async () => {
	const [binary] = await predict('fraud', [payment]);
	expect(binary).toEqual({
		ignored: false,
		prediction: 'fraud',
		probas: { fraud: expect.any(Number) as number, legitimate: expect.any(Number) as number },
		probaPercentile: expect.any(Number) as number,
	});
	const [multiclass] = await predict('ticket_team', [{ channel: 'email', product: 'router', words: 80 }]);
	expect(Object.keys(multiclass!)).toEqual(['ignored', 'prediction', 'probas']);
	expect(Object.keys(multiclass!.probas as object)).toHaveLength(3);
	const [regression] = await predict('house_price', [house], { explanations: 'off' });
	expect(regression).toEqual({ ignored: false, prediction: expect.any(Number) as number });
	const custom = await predict('unusual_amount', [{ amount: 9000, merchant_category: 'grocery' }, { amount: null }]);
	expect(custom).toMatchObject([
		{ prediction: 'unusual', comparedWith: 'grocery' },
		{ prediction: null, comparedWith: 'all' },
	]);
});

it('gets the same generation for the same dispatch key, and a forced one for any key', async () => {
	const keys = Array.from({ length: 20 }, (_, n) => ({ ...payment, key: `customer ${n % 10}` }));
	const generationsFor = async (options: IDataObject) => {
		const { output } = await run('dataikuPredict', {
			url: node.url,
			endpointId: 'fraud_changed',
			items: keys,
			options,
			parameters: { output: 'fullResponse', recordSource: 'inputItem', include: 'except', excludeFields: 'key' },
		});
		return jsonOf(output).map(({ apiContext }) => (apiContext as IDataObject).serviceGeneration);
	};

	const dispatched = await generationsFor({ dispatchKey: '={{ $json.key }}' });
	expect(dispatched.slice(10)).toEqual(dispatched.slice(0, 10));
	expect(new Set(dispatched)).toEqual(new Set(['v1', 'v2']));
	expect(new Set(await generationsFor({ dispatchKey: '={{ $json.key }}', forcedGeneration: 'v1' }))).toEqual(
		new Set(['v1']),
	);
});

it("shows the API node's message when a forced generation does not exist", async () => {
	const { error } = await run('dataikuPredict', {
		url: node.url,
		items: [payment],
		options: { forcedGeneration: 'v9' },
	});
	expect(error?.message).toMatch(/^Service demo has no generation "v9" \(/);
});

it('returns a list of 5,000 items completely and in order', async () => {
	const items = Array.from({ length: 5000 }, (_, amount) => ({ amount }));
	const { output } = await run('dataikuPredict', { url: node.url, items });

	expect(jsonOf(output).map(({ amount }) => amount)).toEqual(items.map(({ amount }) => amount));
	expect(node.requests.count({ action: 'predict-multi', status: 200 })).toBe(50);
});

describe('as columns, which is the default', () => {
	const columns = async (endpointId: string, item: IDataObject, parameters: IDataObject = {}, options = {}) => {
		const { output } = await run('dataikuPredict', {
			url: node.url,
			endpointId,
			items: [item],
			options,
			parameters: { output: undefined, ...parameters },
		});
		return output[0]!.json;
	};

	it('has the prediction first, then probabilities, explanations, other keys, and the input', async () => {
		const json = await columns('fraud', payment, { explanations: 'on', nExplanations: 2 });
		const [prediction, ...names] = Object.keys(json);
		expect(prediction).toBe('prediction');
		expect(names.slice(0, 2)).toEqual(['proba_legitimate', 'proba_fraud']);
		expect(names.slice(2, 4)).toEqual([
			expect.stringMatching(/^explanation_(amount|hour|country|merchant_category|card_present)$/),
			expect.stringMatching(/^explanation_/),
		]);
		expect(names.slice(4)).toEqual(['proba_percentile', ...Object.keys(payment)]);
		expect(json).toMatchObject({ ...payment, prediction: 'fraud' });
	});

	it('has identifying fields after the prediction when the model did not receive them', async () => {
		const items = [
			{ note: null, card: { number: 1 }, payment_id: 'P-1', amount: 12, country: 'FR', clerk: 7, comment: 'x' },
			{ payment_id: 'P-2', amount: 14, country: 'DE', clerk: '', comment: 'y' },
		];
		const flat = async (parameters: IDataObject, options: IDataObject = {}) =>
			(await run('dataikuPredict', { url: node.url, endpointId: 'fraud', items, options, parameters })).output.map(
				({ json }) => Object.keys(json),
			);
		const columns = ['proba_legitimate', 'proba_fraud', 'proba_percentile'];
		const chosen = { output: 'flat', recordSource: 'inputItem', include: 'selected', includeFields: 'amount, country' };
		const [first, second] = await flat(chosen);
		expect(first).toEqual([
			...['prediction', 'payment_id', 'clerk', ...columns, 'note', 'card', 'amount', 'country', 'comment'],
		]);
		expect(second).toEqual(['prediction', 'payment_id', 'clerk', ...columns, 'amount', 'country', 'comment']);
		const [prefixed] = await flat(chosen, { columnPrefix: 'fraud_' });
		expect(prefixed!.slice(0, 4)).toEqual(['fraud_prediction', 'payment_id', 'clerk', 'fraud_proba_legitimate']);
		const [whole] = await flat({ output: 'flat', recordSource: 'inputItem' });
		expect(whole!.slice(0, 4)).toEqual(['prediction', ...columns]);
	});

	it('prefers the response when the input has a field of the same name, or adds a prefix', async () => {
		const item = { ...payment, prediction: 'mine', ignored: 'mine' };
		expect(await columns('fraud', item)).toMatchObject({ prediction: 'fraud', ignored: 'mine' });
		expect(await columns('fraud', item, {}, { columnPrefix: 'fraud_' })).toMatchObject({
			...item,
			fraud_prediction: 'fraud',
			fraud_proba_fraud: expect.any(Number) as number,
		});
	});

	it.each(['', 'b_'])(
		"names the rule that overrode the model, and the model's own result, with the prefix %j",
		async (prefix) => {
			const of = async (amount: number) => {
				const old = { override_rule: 'old', override_changed: true, model_prediction: 'fraud', model_proba_fraud: 0.5 };
				const earlier = Object.entries(old).map(([name, value]) => [prefix + name, value] as const);
				const item = { ...payment, amount, ...Object.fromEntries(earlier) };
				return await columns('fraud_with_rules', item, {}, { columnPrefix: prefix });
			};
			const [json, usual] = [await of(6_000), await of(20)];
			expect(json).toMatchObject({
				[`${prefix}prediction`]: 'fraud',
				[`${prefix}proba_fraud`]: 1,
				[`${prefix}override_rule`]: 'large_amount',
				[`${prefix}override_changed`]: expect.any(Boolean) as boolean,
				[`${prefix}model_prediction`]: expect.any(String) as string,
				[`${prefix}model_proba_fraud`]: expect.any(Number) as number,
				[`${prefix}model_proba_legitimate`]: expect.any(Number) as number,
			});
			expect(json[`${prefix}model_proba_fraud`]).not.toBe(0.5);
			expect(Object.keys({ ...json, ...usual })).not.toContain(`${prefix}override`);
			expect(Object.keys(usual).filter((name) => /override|model_/.test(name))).toEqual([]);
		},
	);

	it('counts the items that a rule decided, and all items have the same columns', async () => {
		const items = [
			...[20, 6_000, 30, 7_000].map((amount) => ({ ...payment, amount, customer_age_days: 9 })),
			{ ...payment, amount: 20, customer_age_days: 0 },
		];
		const scored = async (output: string) =>
			await run('dataikuPredict', { url: node.url, endpointId: 'fraud_with_rules', items, parameters: { output } });
		const { output, hints } = await scored('flat');
		const said = 'In 3 of 5 items a rule decided: large_amount (2), new_customer (1).';

		expect(hints.map(({ message }) => message)).toEqual([said]);
		expect(new Set(output.map(({ json }) => Object.keys(json).sort().join())).size).toBe(1);
		expect(output.map(({ json }) => json.override_rule)).toEqual([
			...[null, 'large_amount', null, 'large_amount', 'new_customer'],
		]);
		for (const other of ['withInput', 'resultOnly', 'fullResponse']) {
			expect((await scored(other)).hints.map(({ message }) => message)).toEqual([said]);
		}
		const none = await run('dataikuPredict', { url: node.url, endpointId: 'fraud_with_rules', items: [items[0]!] });
		expect(none.hints).toEqual([]);
	});

	it('keeps the keys of a custom model, and a null prediction', async () => {
		expect(await columns('unusual_amount', { amount: null })).toMatchObject({ prediction: null, comparedWith: 'all' });
	});

	it('has the reason only for records that were ignored', async () => {
		const ignored = await columns('fraud_known_customers', { ...payment, customer_id: 'C007' });
		expect(Object.entries(ignored).slice(0, 2)).toEqual([
			['ignored', true],
			['ignoreReason', 'MULTIPLE_LOOKUP_MATCHES'],
		]);
		expect(await columns('fraud', payment)).not.toHaveProperty('ignored');
	});
});

it('uses the name of the option for the result field', async () => {
	const { output } = await run('dataikuPredict', {
		url: node.url,
		items: [payment],
		options: { resultField: 'score' },
	});
	expect(jsonOf(output)).toEqual([{ ...payment, score: expect.objectContaining({ prediction: 'fraud' }) as object }]);
});
