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
		['those of an endpoint that gives none by itself', 'fraud', payment, { explanations: 'on' }, 3],
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

	it.each([1, 100])('are asked for in the words of the API, at batch size %d', async (batchSize) => {
		const parameters = { explanations: 'on', explanationMethod: 'SHAPLEY', nExplanations: 4, nMonteCarloSteps: 1000 };
		const [result] = await predict('fraud', [payment], parameters, { batchSize });

		expect(node.requests.last?.body).toMatchObject({
			explanations: { enabled: true, method: 'SHAPLEY', nExplanations: 4, nMonteCarloSteps: 1000 },
		});
		expect(Object.values(result!.explanations as Record<string, number>)).toHaveLength(4);
	});
});

it('leaves the result of each kind of model as it is', async () => {
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
	const custom = await predict('unusual_amount', [{ amount: 9000, merchant_category: 'grocery' }, {}]);
	expect(custom).toMatchObject([
		{ prediction: 'unusual', comparedWith: 'grocery' },
		{ prediction: null, comparedWith: 'all' },
	]);
});

it('meets the same generation for the same dispatch key, and the forced one whatever the key', async () => {
	const keys = Array.from({ length: 20 }, (_, n) => ({ ...payment, key: `customer ${n % 10}` }));
	const generationsFor = async (options: IDataObject) => {
		const { output } = await run('dataikuPredict', {
			url: node.url,
			endpointId: 'fraud_changed',
			items: keys,
			options,
			parameters: { output: 'fullResponse', include: 'except', excludeFields: 'key' },
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

it('says what the API node says about a generation that it does not have', async () => {
	const { error } = await run('dataikuPredict', {
		url: node.url,
		items: [payment],
		options: { forcedGeneration: 'v9' },
	});
	expect(error?.description).toContain('Service demo has no generation "v9"');
});

it('brings a list of 5,000 items back whole and in order', async () => {
	const items = Array.from({ length: 5000 }, (_, amount) => ({ amount }));
	const { output } = await run('dataikuPredict', { url: node.url, items });

	expect(jsonOf(output).map(({ amount }) => amount)).toEqual(items.map(({ amount }) => amount));
	expect(node.requests.count({ action: 'predict-multi', status: 200 })).toBe(50);
});
