import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { jsonOf, run } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());

it('returns the effect of the treatment on each record, whatever keys the result has', async () => {
	const items = [
		{ age: 34, visits: 6, basket: 38.5, loyalty: 'silver' },
		{ age: 61, visits: 1, basket: 12, loyalty: 'none' },
	];
	const inBatch = await run('dataikuPredictEffect', { url: node.url, items });
	const oneByOne = await run('dataikuPredictEffect', { url: node.url, items, options: { batchSize: 1 } });

	const results = jsonOf(inBatch.output).map(({ result }) => result as IDataObject);
	expect(results.map((result) => Object.keys(result))).toEqual([
		['ignored', 'predictedEffect', 'treatment', 'control', 'outcomes', 'propensity'],
		['ignored', 'predictedEffect', 'treatment', 'control', 'outcomes', 'propensity'],
	]);
	expect(results[0]!.predictedEffect).not.toBe(results[1]!.predictedEffect);
	expect(jsonOf(oneByOne.output)).toEqual(jsonOf(inBatch.output));
});
