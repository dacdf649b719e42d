import type { IDataObject } from 'n8n-workflow';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

let proxy: ChaosProxy;
beforeEach(async () => (proxy = await chaosProxy()));
afterEach(async () => await proxy.close());

const hint = (items: string) =>
	`The response contains NaN or Infinity, which JSON does not support: the value is returned as null (${items}).`;
const step = (id: number, forecast: string) =>
	`{"forecast":${forecast},"ignored":false,"quantiles":[0.5],"quantilesValues":[${forecast}],"time":"2026-01-01","timeseriesIdentifier":{"id":${id}}}`;

describe('a number that is not finite becomes null, a hint names its item, and the other items are unchanged', () => {
	it.each<[string, string, IDataObject, IDataObject[], string]>([
		[
			'dataikuPredict',
			'{"results":[{"prediction":1},{"prediction":NaN},{"prediction":3}]}',
			{ output: 'flat' },
			[{ prediction: 1 }, { prediction: null }, { prediction: 3 }],
			'item 1',
		],
		[
			'dataikuPredictEffect',
			'{"results":[{"effect":1},{"effect":Infinity},{"effect":-Infinity}]}',
			{ output: 'flat' },
			[{ effect: 1 }, { effect: null }, { effect: null }],
			'2 items, first: 1, 2',
		],
		[
			'dataikuLookup',
			'{"results":[{"data":{"rate":1}},{"data":{"rate":2}},{"data":{"rate":NaN}}]}',
			{},
			[{ rate: 1 }, { rate: 2 }, { rate: null }],
			'item 2',
		],
		[
			'dataikuForecast',
			`{"results":[${step(1, '1')},${step(2, 'NaN')},${step(3, '3')}]}`,
			{ identifierColumns: 'id', output: 'perStep' },
			[{ forecast: 1 }, { forecast: null, quantilesValues: [null] }, { forecast: 3 }],
			'item 1: {"id":2}',
		],
		[
			'dataikuSqlQuery',
			'{"columns":["a","b"],"rows":[[NaN,"1"]]}',
			{},
			[
				{ a: null, b: '1' },
				{ a: null, b: '1' },
				{ a: null, b: '1' },
			],
			'3 items, first: 0, 1, 2',
		],
		[
			'dataikuPredict',
			'{"results":[{"prediction":1,"probas":{"a":-1E+400}},{"prediction":2},{"prediction":3}]}',
			{ output: 'withInput' },
			[{ result: { probas: { a: null } } }, {}, {}],
			'item 0',
		],
		[
			'dataikuSqlQuery',
			`{"columns":["a"],"rows":[[${'9'.repeat(310)}.5]]}`,
			{},
			[{ a: null }, { a: null }, { a: null }],
			'3 items, first: 0, 1, 2',
		],
		[
			'dataikuRunFunction',
			'{"response":{"list":[1,1e400]},"timing":{}}',
			{},
			[{ result: { list: [1, null] } }, { result: { list: [1, null] } }, { result: { list: [1, null] } }],
			'3 items, first: 0, 1, 2',
		],
		[
			'dataikuRunFunction',
			'{"response":{"list":[1,-Infinity]},"timing":{}}',
			{},
			[{ result: { list: [1, null] } }, { result: { list: [1, null] } }, { result: { list: [1, null] } }],
			'3 items, first: 0, 1, 2',
		],
	])('%s', async (type, body, parameters, shown, items) => {
		proxy.setFault({ kind: 'answer', body, headers: { 'content-type': 'application/json' } });
		const given = [{ id: 1 }, { id: 2 }, { id: 3 }];
		const all = { recordSource: 'inputItem', ...parameters };
		const { output, hints } = await run(type, { url: proxy.url, endpointId: 'e', items: given, parameters: all });
		expect(jsonOf(output)).toMatchObject(shown);
		expect(hints.map(({ message }) => message)).toContain(hint(items));
		expect(proxy.requests).toHaveLength(type === 'dataikuSqlQuery' || type === 'dataikuRunFunction' ? 3 : 1);
	});
});

it('is null in the columns of a forecast, also when no step has a value', async () => {
	const columns = { forecast: null, 'quantile_0.5': null };
	for (const value of ['NaN', 'null']) {
		proxy.setFault({ kind: 'answer', body: `{"results":[${step(1, value)}]}` });
		const parameters = { identifierColumns: 'id', output: 'flat' };
		const { output } = await run('dataikuForecast', {
			url: proxy.url,
			endpointId: 'e',
			items: [{ id: 1 }],
			parameters,
		});
		expect(jsonOf(output)).toEqual([{ id: 1, time: '2026-01-01', ...columns }]);
	}
});

it('JSON text contains no such number, either, and a single number that is too large stays text', async () => {
	const options = { parseJson: true };
	const values = async (body: string) => {
		proxy.setFault({ kind: 'answer', body, headers: { 'content-type': 'application/json' } });
		const scenario = { url: proxy.url, endpointId: 'e', items: [{}], options };
		const { output, hints } = await run('dataikuRunFunction', scenario);
		return [output[0]!.json.result, hints.map(({ message }) => message)];
	};
	expect(await values('{"response":"{\\"a\\": 1e400}","timing":{}}')).toEqual([{ a: null }, [hint('item 0')]]);
	expect(await values('{"response":"1e400","timing":{}}')).toEqual(['1e400', []]);
	expect(await values('1e400')).toEqual(['1e400', []]);
});
