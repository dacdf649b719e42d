import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { callOf, jsonOf, run, wire } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const context = { order: 'A-17' };
const withContext = { contextJson: JSON.stringify(context) };
const dispatch = { forcedGeneration: 'v2' };

describe.each([
	{ type: 'dataikuPredict', action: 'predict', key: 'features', contextAlone: { context }, own: dispatch },
	{ type: 'dataikuPredictEffect', action: 'predict-effect', key: 'features', contextAlone: {}, own: dispatch },
	{ type: 'dataikuLookup', action: 'lookup', key: 'data', contextAlone: { context }, own: {} },
])('$type', ({ type, action, key, contextAlone, own }) => {
	const { endpointId, unit } = callOf(type);
	const records = [0, 1, 2].flatMap(unit);
	const dispatched = Object.keys(own).length > 0;
	const shared = dispatched ? { dispatch: own } : {};
	const answeredBy = dispatched ? { serviceGeneration: 'v2' } : {};
	const scenario = (options: IDataObject, output?: string) => ({
		url: proxy.url,
		items: records,
		options: { ...options, ...own },
		parameters: output ? { output } : {},
	});

	it('requests each record alone when the batch size is 1', async () => {
		await run(type, scenario({ batchSize: 1 }));

		const requests = wire(proxy).sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
		expect(requests).toEqual(
			records.map((record) => ({ path: `demo/${endpointId}/${action}`, body: { [key]: record, ...shared } })),
		);
	});

	it('requests several records at once when the batch size is larger, also for the last one', async () => {
		await run(type, scenario({ batchSize: 2 }));

		const requests = wire(proxy).sort((a, b) => (b.body.items as []).length - (a.body.items as []).length);
		const items = records.map((record) => ({ [key]: record }));
		expect(requests).toEqual([
			{ path: `demo/${endpointId}/${action}-multi`, body: { items: items.slice(0, 2), ...shared } },
			{ path: `demo/${endpointId}/${action}-multi`, body: { items: items.slice(2), ...shared } },
		]);
	});

	it('puts the context beside each record when the action accepts one', async () => {
		await run(type, { ...scenario({ ...withContext, batchSize: 1 }), items: [records[0]!] });
		await run(type, { ...scenario(withContext), items: [records[0]!] });

		expect(wire(proxy).map(({ body }) => body)).toEqual([
			{ [key]: records[0], ...contextAlone, ...shared },
			{ items: [{ [key]: records[0], context }], ...shared },
		]);
	});

	it.each([1, 100])('outputs the result beside the input, alone or in full, at batch size %d', async (batchSize) => {
		const madeWith = async (output: string) => {
			const { output: made, error } = await run(type, scenario({ batchSize }, output));
			expect(error).toBeUndefined();
			return jsonOf(made);
		};
		const withInput = await madeWith('withInput');
		const resultOnly = await madeWith('resultOnly');
		const fullResponse = await madeWith('fullResponse');
		const results = fullResponse.map(({ result }) => result as IDataObject);

		expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(3);
		expect(withInput).toEqual(records.map((record, n) => ({ ...record, result: results[n] })));
		expect(resultOnly).toEqual(results);
		for (const json of fullResponse) {
			expect(Object.keys(json).sort()).toEqual(['apiContext', 'headers', 'result', 'timing']);
			expect(json.apiContext).toMatchObject({ serviceId: 'demo', endpointId, ...answeredBy });
		}
	});

	it('is a success when a result looks like an error', async () => {
		const result = { error: 'Nothing is wrong: the model calls its residual so', message: 'see error' };
		proxy.setFault({ kind: 'answer', body: { results: [result, { error: 0.5 }], timing: {} } });
		const { output, errorOutput } = await run(type, {
			...scenario({}, 'resultOnly'),
			items: records.slice(0, 2),
			onError: 'continueErrorOutput',
		});

		expect(errorOutput).toEqual([]);
		expect(jsonOf(output)).toEqual([{ result_error: result.error, message: result.message }, { result_error: 0.5 }]);
	});

	it('keeps integers beyond 2^53 exactly, as text, and fractions as numbers', async () => {
		const text =
			'{"id": 9007199254740993, "small": 9007199254740991, "share": 0.12345678901234567, "list": [-18446744073709551617]}';
		const body = `{"results": [${text}], "result": ${text}}`;
		proxy.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body });
		for (const batchSize of [1, 100]) {
			const { output } = await run(type, { ...scenario({ batchSize }, 'resultOnly'), items: [records[0]!] });
			expect(jsonOf(output)).toEqual([
				{
					id: '9007199254740993',
					small: 9007199254740991,
					share: Number('0.12345678901234567'),
					list: ['-18446744073709551617'],
				},
			]);
		}
	});

	describe('when the API node ignores a record', () => {
		const ignored = { ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' };
		beforeEach(() =>
			proxy.setFault(({ body }) => {
				const { items } = JSON.parse(body) as { items?: unknown[] };
				return { kind: 'answer', body: { results: items?.map((_item, n) => (n === 1 ? ignored : { n })) } };
			}),
		);
		const runWith = async (ignoredRecords: string) =>
			await run(type, {
				...scenario({}),
				parameters: { ignoredRecords, output: 'withInput' },
				onError: 'continueRegularOutput',
			});

		it('keeps the item with the reason', async () => {
			const { output, hints } = await runWith('keep');
			expect(jsonOf(output).map(({ result }) => result)).toEqual([{ n: 0 }, ignored, { n: 2 }]);
			expect(hints.map(({ message }) => message)).toEqual([
				expect.stringMatching(/^Ignored by the API node: multiple lookup matches \(item 1/),
			]);
		});

		it('removes the item', async () => {
			const { output } = await runWith('drop');
			expect(jsonOf(output).map(({ result }) => result)).toEqual([{ n: 0 }, { n: 2 }]);
			expect(output.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 2 }]);
		});

		it('fails the item', async () => {
			const { output } = await runWith('error');
			expect(output[1]).toEqual({
				json: {
					...jsonOf([output[1]!])[0],
					error: `The API node ignored the record. The response said: multiple lookup matches.`,
					details: {
						item: 1,
						endpoint: endpointId,
						detail: 'MULTIPLE_LOOKUP_MATCHES',
						source: 'n8n-nodes-dataiku',
					},
				},
				pairedItem: { item: 1 },
			});
			expect(jsonOf([output[0]!, output[2]!]).map(({ result }) => result)).toEqual([{ n: 0 }, { n: 2 }]);
		});
	});

	it('finds the bad records in a batch and scores all others', async () => {
		const { bad } = callOf(type);
		const good = Array.from({ length: 20 }, (_, n) => unit(n)[0]!);
		const items = good.map((item, n) => (n === 3 || n === 17 ? bad[0]! : item));
		const { output } = await run(type, { ...scenario({}), items, onError: 'continueRegularOutput' });

		expect(output.flatMap(({ json, pairedItem }) => ('error' in json ? [pairedItem] : []))).toEqual([
			{ item: 3 },
			{ item: 17 },
		]);
		const expected = jsonOf((await run(type, { ...scenario({}), items: good })).output);
		expect(jsonOf(output).filter((json) => !('error' in json))).toEqual(
			expected.filter((_json, n) => n !== 3 && n !== 17),
		);
	});
});
