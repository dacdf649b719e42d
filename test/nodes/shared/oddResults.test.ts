import type { IDataObject } from 'n8n-workflow';
import { type ChaosProxy, chaosProxy } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

const opened: ChaosProxy[] = [];
afterEach(async () => {
	await Promise.all(opened.splice(0).map(async (proxy) => await proxy.close()));
});

/** What a node makes of these results, one for each item. */
async function outputOf(
	type: string,
	results: unknown[],
	{ items, ...parameters }: IDataObject & { items?: IDataObject[] } = {},
): Promise<IDataObject[]> {
	const proxy = await chaosProxy({ respond: () => ({ body: { results, timing: {} } }) });
	opened.push(proxy);
	const { output, error } = await run(type, {
		url: proxy.url,
		endpointId: 'odd',
		items: items ?? results.map((_, n) => ({ id: `R-${n}` })),
		parameters: { output: 'flat', ...parameters },
	});
	expect(error).toBeUndefined();
	return jsonOf(output);
}

const id = 'R-0';

describe.each(['dataikuPredict', 'dataikuPredictEffect'])('%s', (type) => {
	it.each<[string, IDataObject, IDataObject]>([
		[
			'clustering',
			{ ignored: false, cluster: 'cluster_2', clusterLabel: null, distances: { cluster_0: 2, cluster_2: 0.5 } },
			{ cluster: 'cluster_2', clusterLabel: null, distances: { cluster_0: 2, cluster_2: 0.5 } },
		],
		[
			'an MLflow model with its own structure',
			{ predictions: [[0.1, 0.9]], columns: ['no', 'yes'] },
			{ predictions: [[0.1, 0.9]], columns: ['no', 'yes'] },
		],
		[
			'probabilities that are a list',
			{ prediction: 'yes', probas: [0.1, 0.9], explanations: [['age', 0.2]] },
			{ prediction: 'yes', probas: [0.1, 0.9], explanations: [['age', 0.2]] },
		],
		[
			'a treatment with several values',
			{ ignored: false, predictedEffect: { coupon: 4.5, call: -1 }, treatments: ['coupon', 'call'], control: 'none' },
			{ predictedEffect: { coupon: 4.5, call: -1 }, treatments: ['coupon', 'call'], control: 'none' },
		],
		[
			'columns that were added after the prediction',
			{ prediction: 1, postEnrichment: { segment: { name: 'gold', since: [2019, 5] } } },
			{ prediction: 1, postEnrichment: { segment: { name: 'gold', since: [2019, 5] } } },
		],
		[
			'an interval around the prediction',
			{ prediction: 12.5, predictionInterval: { lower: 10, upper: 15 }, predictionIntervalLevel: 0.9 },
			{ prediction: 12.5, predictionInterval: { lower: 10, upper: 15 }, predictionIntervalLevel: 0.9 },
		],
		[
			'a prediction that is an object',
			{ prediction: { label: 'cat', box: [0, 0, 5, 5] } },
			{ prediction: { label: 'cat', box: [0, 0, 5, 5] } },
		],
		['its own value in "ignored"', { ignored: 'in part', prediction: 1 }, { ignored: 'in part', prediction: 1 }],
		[
			'keys with a meaning in JavaScript',
			JSON.parse('{"__proto__":1,"constructor":2}'),
			JSON.parse('{"__proto__":1,"constructor":2}'),
		],
		['no key at all', {}, {}],
	])('passes on everything in a result: %s', async (_name, result, columns) => {
		expect(await outputOf(type, [result])).toEqual([{ ...columns, id }]);
		expect(await outputOf(type, [result], { output: 'withInput' })).toEqual([{ id, result }]);
		expect(await outputOf(type, [result], { output: 'resultOnly' })).toEqual([result]);
		expect(await outputOf(type, [result], { output: 'fullResponse' })).toMatchObject([{ result }]);
	});

	it.each<[string, IDataObject, IDataObject]>([
		[
			'a probability and a key of the model',
			{ prediction: 'a', probas: { a: 0.7 }, proba_a: 'own' },
			{ prediction: 'a', proba_a: 0.7, result_proba_a: 'own' },
		],
		[
			'an explanation and keys of the model',
			{ explanations: { age: 1 }, explanation_age: 2, result_explanation_age: 3 },
			{ explanation_age: 1, result_explanation_age: 2, result_result_explanation_age: 3 },
		],
		[
			'an override and keys of the model',
			{
				model_prediction: 'own',
				override_rule: 'own',
				override: { ruleMatched: true, appliedRule: 'r', predictionChanged: true, rawResult: { prediction: 'x' } },
			},
			{
				model_prediction: 'own',
				override_rule: 'own',
				result_override_rule: 'r',
				override_changed: true,
				result_model_prediction: 'x',
			},
		],
	])('keeps both values that would have one name: %s', async (_name, result, columns) => {
		const [first] = await outputOf(type, [result]);
		expect(first).toEqual({ ...columns, id });
		const [prefixed] = await outputOf(type, [result], { options: { checkFeatures: 'off', columnPrefix: 'm_' } });
		expect(prefixed).toEqual({
			...Object.fromEntries(Object.entries(columns).map(([name, value]) => [`m_${name}`, value])),
			id,
		});
	});

	it('gives all items the same columns when their results have different keys', async () => {
		const results = [{ cluster: 'a' }, { prediction: 1, interval: [0, 2] }, { ignored: true, ignoreReason: 'WHY' }];
		const items = await outputOf(type, results);
		const names = new Set(items.map((item) => Object.keys(item).sort().join()));
		expect([...names]).toEqual(['cluster,id,ignoreReason,ignored,interval,prediction']);
		expect(items.map(({ ignored }) => ignored)).toEqual([false, false, true]);
	});
});

describe('A result of an MLflow model that is not an object', () => {
	it.each([[[0.1, 0.9]], [12.5], ['yes'], [true], [0], ['']])('is the prediction: %j', async (value) => {
		expect(await outputOf('dataikuPredict', [value])).toEqual([{ prediction: value, id }]);
		expect(await outputOf('dataikuPredict', [value], { output: 'withInput' })).toEqual([{ id, result: value }]);
		expect(await outputOf('dataikuPredict', [value], { output: 'resultOnly' })).toEqual([{ prediction: value }]);
	});

	it('remains an error when it is null, because there is no result', async () => {
		const proxy = await chaosProxy({ respond: () => ({ body: { results: [null] } }) });
		opened.push(proxy);
		const { error } = await run('dataikuPredict', { url: proxy.url, items: [{ id }] });
		expect(error?.message).toContain('The API node returned no list of results');
	});
});

describe('dataikuForecast', () => {
	const step = { time: '2024-05-01', forecast: 5, quantiles: [0.1, 0.9], quantilesValues: [3, 8] };
	const items = [{ date: '2024-04-30', sales: 4 }];

	it.each<[string, IDataObject, IDataObject]>([
		[
			'the bounds of an interval',
			{ ...step, forecastLower: 2, forecastUpper: 9, interval: { level: 0.95 } },
			{
				...{ time: '2024-05-01', forecast: 5, 'quantile_0.1': 3, 'quantile_0.9': 8 },
				...{ forecastLower: 2, forecastUpper: 9, interval: { level: 0.95 } },
			},
		],
		[
			'quantiles by name',
			{ ...step, quantiles: { low: 3 }, quantilesValues: undefined },
			{ time: '2024-05-01', forecast: 5, quantiles: { low: 3 } },
		],
		[
			'more values than quantiles',
			{ ...step, quantilesValues: [3, 5, 8] },
			{ time: '2024-05-01', forecast: 5, quantiles: [0.1, 0.9], quantilesValues: [3, 5, 8] },
		],
		[
			'a quantile twice',
			{ ...step, quantiles: [0.5, 0.5] },
			{ time: '2024-05-01', forecast: 5, quantiles: [0.5, 0.5], quantilesValues: [3, 8] },
		],
		[
			'a key with the name of a quantile',
			{ ...step, 'quantile_0.1': 'own' },
			{ time: '2024-05-01', forecast: 5, 'quantile_0.1': 3, 'quantile_0.9': 8, 'result_quantile_0.1': 'own' },
		],
	])('passes on everything in a step: %s', async (_name, result, columns) => {
		const odd = { ...result, timeseriesIdentifier: {}, ignored: false };
		expect(await outputOf('dataikuForecast', [odd], { items })).toEqual([columns]);
		const [series] = await outputOf('dataikuForecast', [odd, odd], { items, output: 'perSeries' });
		for (const name of Object.keys(columns).filter((each) => Object.hasOwn(result, each))) {
			if (!['time', 'forecast', 'quantiles'].includes(name))
				expect(series![name]).toEqual([result[name], result[name]]);
		}
	});
});

describe('A status that a custom model may have chosen', () => {
	const failedWith = async (type: string, status: number, body: IDataObject | string) => {
		const proxy = await chaosProxy({ respond: () => ({ status, body }) });
		opened.push(proxy);
		return (await run(type, { url: proxy.url, endpointId: 'odd', items: [{ id }] })).error!;
	};
	const ownChoice = 'A custom model can set this status. Check its code.';

	it.each([404, 409, 418, 451, 501])(
		'%i with a message of the model begins the error with the message and names the model',
		async (status) => {
			for (const type of ['dataikuPredict', 'dataikuPredictEffect']) {
				const { message, description } = await failedWith(type, status, { detail: 'No such customer' });
				expect(message).toBe("No such customer (item 0, endpoint 'odd')");
				expect(description).toContain(ownChoice);
			}
		},
	);

	it.each<[string, number, IDataObject | string]>([
		['from the API node itself', 404, { errorType: 'NotFoundException', message: 'Unknown endpoint' }],
		['without a message', 404, ''],
		['with a web page', 404, '<html><title>Not Found</title></html>'],
		['of the record', 400, { detail: 'amount must be a number' }],
		['of the key', 401, { message: 'Unauthorized' }],
	])('is not attributed to a model when it came %s', async (_name, status, body) => {
		expect((await failedWith('dataikuPredict', status, body)).description ?? '').not.toContain(ownChoice);
	});
});

it('keeps the looked-up data of a record in one column if they are not an object', async () => {
	const results = [{ data: 'text' }, { data: [1, 2] }, { data: null }, { data: { rate: 1 } }];
	const output = await outputOf('dataikuLookup', results, { output: 'enrich' });
	expect(output).toEqual([
		{ id: 'R-0', data: 'text', rate: null },
		{ id: 'R-1', data: [1, 2], rate: null },
		{ id: 'R-2', data: null, rate: null },
		{ id: 'R-3', data: null, rate: 1 },
	]);
});
