import type { IDataObject } from 'n8n-workflow';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

let proxy: ChaosProxy;
beforeEach(async () => {
	proxy = await chaosProxy({
		respond: ({ body }) => {
			const { items = [] } = JSON.parse(body) as { items?: unknown[] };
			return { body: { results: items.map(() => ({ ignored: false, prediction: 1 })), response: 1, timing: {} } };
		},
	});
});
afterEach(async () => await proxy.close());

const field = (name: string, value: unknown, type: string) => ({ id: name, name, value, type });
const fields = (...assignments: object[]) => ({ recordSource: 'fields', fields: { assignments } });
/** What a run of Run Function sends, as it stands in the requests. */
async function bodies(parameters: IDataObject, items: IDataObject[] = [{}]) {
	const { output } = await run('dataikuRunFunction', {
		url: proxy.url,
		endpointId: 'any',
		items,
		parameters,
		onError: 'continueRegularOutput',
	});
	const errors = jsonOf(output).flatMap(({ error }) => (error === undefined ? [] : [error]));
	return { sent: proxy.requests.map(({ body }) => body), errors };
}

describe('an integer that JavaScript would round is sent with its digits, and a decimal as a number', () => {
	const cases: Array<[literal: string, sent: string]> = [
		['9007199254740993.0', '"9007199254740993"'],
		['1234567890123456.78', '1234567890123456.8'],
		['-12345678901234.567', '-12345678901234.566'],
		['0.12345678901234567890123', '0.12345678901234568'],
		['9007199254740993e0', '"9007199254740993e0"'],
		['1e-400', '0'],
		['9007199254740993', '"9007199254740993"'],
		['0.1', '0.1'],
		['1234.5678', '1234.5678'],
		['0.30000000000000004', '0.30000000000000004'],
		['-1.50', '-1.5'],
		['100.0', '100'],
		['1.23456789E7', '12345678.9'],
		['4.9E-324', '5e-324'],
		['1e22', '1e+22'],
		['0.00000000000000000001', '1e-20'],
		['0.0000000000000000000', '0'],
	];
	it.each(cases)('%s as %s, from JSON, as Number, and in an array and an object', async (literal, sent) => {
		const json = `{"n":${literal},"deep":[{"n": ${literal} }],"text":"${literal} \\" ${literal}"}`;
		expect((await bodies({ recordSource: 'json', recordJson: json })).sent.at(-1)).toBe(
			`{"n":${sent},"deep":[{"n":${sent}}],"text":"${literal} \\" ${literal}"}`,
		);
		const parameters = fields(
			field('n', literal, 'number'),
			field('l', `[${literal}]`, 'array'),
			field('o', `{"n": ${literal}}`, 'object'),
		);
		expect((await bodies(parameters)).sent.at(-1)).toBe(`{"n":${sent},"l":[${sent}],"o":{"n":${sent}}}`);
	});

	it('also when it is hexadecimal, or has a sign or blanks around it', async () => {
		const parameters = fields(
			field('hex', '0x20000000000001', 'number'),
			field('small', '0x10', 'number'),
			field('plus', ' +9007199254740993.00 ', 'number'),
			field('big', '={{ 9007199254740993n }}', 'number'),
		);
		expect((await bodies(parameters)).sent).toEqual([
			'{"hex":"9007199254740993","small":16,"plus":"9007199254740993","big":"9007199254740993"}',
		]);
	});

	it('also after a byte order mark', async () => {
		const text = '\ufeff{"n": 9007199254740993}';
		await bodies({ recordSource: 'json', recordJson: text });
		await bodies(fields(field('n', text, 'object')));
		expect(proxy.requests.map(({ body }) => body)).toEqual([
			'{"n":"9007199254740993"}',
			'{"n":{"n":"9007199254740993"}}',
		]);
	});

	it('in the context and in the form, too', async () => {
		const form = {
			recordSource: 'mapping',
			mapping: {
				mappingMode: 'defineBelow',
				value: { n: '1234567890123456.78', o: '{x: 1234567890123456.78}' },
				schema: ['number', 'object'].map((type) => ({ id: type[0], type, display: true, required: false })),
			},
		};
		expect((await bodies(form)).errors).toEqual([expect.stringMatching(/^'o' expects an object/)]);
		const { url } = proxy;
		const options = { contextJson: '{"id": 9007199254740993.0}' };
		await run('dataikuPredict', { url, items: [{ a: 1 }], options });
		expect(proxy.requests.at(-1)!.body).toContain('"context":{"id":"9007199254740993"}');
	});
});

describe('a value that JavaScript refuses to convert', () => {
	it.each(['={{ Symbol("x") }}', '={{ Object.create(null) }}'])('is refused by name: %s', async (value) => {
		for (const type of ['number', 'boolean', 'array']) {
			const { errors } = await bodies(fields(field('f', value, type)));
			const mapping = {
				mappingMode: 'defineBelow',
				value: { f: value },
				schema: [{ id: 'f', type, display: true, required: false }],
			};
			errors.push(...(await bodies({ recordSource: 'mapping', mapping })).errors);
			expect(errors).toEqual(
				[1, 2].map((): unknown => expect.stringMatching(new RegExp(`^'f' expects an? ${type} but we got`))),
			);
		}
	});
});

it.each<[string, 'array' | 'object', unknown]>([
	["{'a': True, 'b': None, 'c': [False]}", 'object', { a: true, b: null, c: [false] }],
	['[True, None, \'True\', "None"]', 'array', [true, null, 'True', 'None']],
	["['a', \"b's\", 'c\"d', 'e\\'f', '\\\\']", 'array', ['a', "b's", 'c"d', "e'f", '\\']],
	['{a: True, "b": "it\'s None"}', 'object', { a: true, b: "it's None" }],
	["{'id': 9007199254740993, 'Trueness': 1}", 'object', { id: '9007199254740993', Trueness: 1 }],
])('text as Python prints it keeps its values: %s', async (text, type, value) => {
	expect(await bodies(fields(field('a', text, type)))).toEqual({ sent: [JSON.stringify({ a: value })], errors: [] });
});

describe('an invalid date is a missing value', () => {
	it.each(['={{ DateTime.fromISO("abc") }}', '={{ new Date("abc") }}', '={{ DateTime.fromISO($json.d) }}'])(
		'as a field of every type: %s',
		async (value) => {
			const types = ['string', 'number', 'boolean', 'array', 'object'];
			const { sent } = await bodies(fields(...types.map((type) => field(type, value, type))), [{ d: 'abc' }]);
			expect(sent).toEqual([JSON.stringify(Object.fromEntries(types.map((type) => [type, null])))]);
			const mapping = {
				mappingMode: 'defineBelow',
				value: Object.fromEntries([...types.map((type) => [type, value]), ['kept', 'a']]),
				schema: [...types, 'kept'].map((id) => ({ id, type: id === 'kept' ? 'string' : id, display: true })),
			};
			await bodies({ recordSource: 'mapping', mapping }, [{ d: 'abc' }]);
			expect(proxy.requests.at(-1)!.body).toBe('{"kept":"a"}');
		},
	);
});

describe('a value that JSON would turn into null', () => {
	it.each([
		['a number that is too large in a list', field('a', '[1e400, 2]', 'array')],
		['in an object', field('a', '{"x": -1e400}', 'object')],
		['in an object as JavaScript writes it', field('a', '{x: 1e400}', 'object')],
		['as a number', field('a', '1e400', 'number')],
	])('is refused in a defined field: %s', async (_what, given) => {
		const { sent, errors } = await bodies(fields(given));
		expect({ sent, errors }).toEqual({ sent: [], errors: [expect.stringMatching(/^'a' expects a/)] });
	});

	const lost: IDataObject[] = [
		{ a: '={{ Infinity }}' },
		{ a: '={{ NaN }}' },
		{ a: '={{ [1, [-Infinity]] }}' },
		{ a: '={{ { b: NaN } }}' },
		{ a: '={{ new Date("abc") }}' },
	];
	it.each(lost)('is a mismatch without a document: %j', async ({ a }) => {
		const expression = String(a).slice(4, -3);
		const parameters = { recordSource: 'json', recordJson: `={{ { a: ${expression}, b: 1 } }}` };
		for (const type of ['dataikuPredict', 'dataikuRunFunction', 'dataikuSqlQuery']) {
			const scenario = { url: proxy.url, endpointId: 'any', items: [{}], parameters };
			const warned = await run(type, { ...scenario, options: { checkFeatures: 'warn' } });
			const said = /`a` is NaN, Infinity or an invalid date, which JSON cannot represent: null is sent instead/;
			expect(warned.hints.map(({ message }) => message).join(' ')).toMatch(said);
			const count = proxy.requests.filter(({ path }) => !path.endsWith('/swagger')).length;
			const refused = await run(type, { ...scenario, options: { checkFeatures: 'error' } });
			expect(refused.error?.message).toMatch(said);
			expect(proxy.requests.filter(({ path }) => !path.endsWith('/swagger'))).toHaveLength(count);
		}
	});

	it.each([
		['new Map([["x", 1]])', 'Map', '{}'],
		['[new Set([1])]', 'Set', '{}'],
		['{ deep: [new Error("lost")] }', 'Error', '{}'],
		['/x/', 'RegExp', '{}'],
		['new Float32Array([1.5])', 'Float32Array', '{"0":1.5}'],
	])('is a mismatch if it is an object that JSON cannot represent: %s', async (value, kind, sentAs) => {
		const said = `a value of the class ${kind}, which JSON cannot represent: ${sentAs} is sent instead`;
		const items = [{ list: [1], date: new Date(0) as never, file: Buffer.from('a') as never }];
		for (const parameters of [
			{ recordSource: 'json', recordJson: `={{ { ...$json, a: ${value} } }}` },
			fields(field('list', '={{ $json.list }}', 'array'), field('a', `={{ ({ in: ${value} }) }}`, 'object')),
			{ recordSource: 'mapping', mapping: { mappingMode: 'defineBelow', value: { a: `={{ ${value} }}`, b: 1 } } },
		]) {
			const scenario = { url: proxy.url, endpointId: 'any', items, parameters };
			const { hints } = await run('dataikuPredict', { ...scenario, options: { checkFeatures: 'warn' } });
			expect(hints.map(({ message }) => message)).toEqual([`\`a\` is ${said} (item 0).`]);
		}
		const { errors } = await bodies(fields(field('a', `={{ ${value} }}`, 'string')));
		if (!/^[[{]/.test(value)) expect(errors).toEqual([expect.stringContaining(`a value of the class ${kind}`)]);
	});

	it('is a mismatch of an input item', async () => {
		const { hints } = await run('dataikuPredict', {
			url: proxy.url,
			items: [
				{ a: 1, d: new Date(0) as never },
				{ a: Infinity, d: null },
				{ a: NaN, d: [] },
			],
			parameters: { recordSource: 'inputItem' },
			options: { checkFeatures: 'warn' },
		});
		expect(hints.map(({ message }) => message).join(' ')).toMatch(/`a` is NaN, .*\(2 items, first: 1, 2\)/);
	});
});
