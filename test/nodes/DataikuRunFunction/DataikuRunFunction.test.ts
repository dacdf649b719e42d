import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { jsonOf, pairsOf, run, wire } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

/** What the full response has beside a response of the function's own. */
const headers = expect.objectContaining({ 'dss-version': '14.3.3' }) as IDataObject;

const call = async (
	endpointId: string,
	items: IDataObject[],
	output = 'withInput',
	options: IDataObject = {},
	onError?: 'continueRegularOutput',
) => await run('dataikuRunFunction', { url: proxy.url, endpointId, items, parameters: { output }, options, onError });

it.each<[string, string, IDataObject, IDataObject, IDataObject]>([
	['a number', 'add', { a: 2, b: 3 }, { a: 2, b: 3, result: 5 }, { result: 5 }],
	['nothing', 'nothing', { n: 1 }, { n: 1, result: null }, { result: null }],
	['an object', 'echo', { a: { b: [1] } }, { a: { b: [1] }, result: { a: { b: [1] } } }, { a: { b: [1] } }],
	['an empty object', 'echo', {}, { result: {} }, {}],
	[
		'a list',
		'sequence',
		{ count: 2 },
		{
			count: 2,
			result: [
				{ n: 1, square: 1 },
				{ n: 2, square: 4 },
			],
		},
		{
			result: [
				{ n: 1, square: 1 },
				{ n: 2, square: 4 },
			],
		},
	],
	[
		'integers beyond 2^53, as text',
		'big_integers',
		{},
		{ result: { id: '9007199254740993', list: ['-18446744073709551617', 12], exact: 1234 } },
		{ id: '9007199254740993', list: ['-18446744073709551617', 12], exact: 1234 },
	],
])('unwraps %s', async (_name, endpointId, item, withInput, resultOnly) => {
	expect(jsonOf((await call(endpointId, [item])).output)).toEqual([withInput]);
	expect(jsonOf((await call(endpointId, [item], 'resultOnly')).output)).toEqual([resultOnly]);

	const [full] = jsonOf((await call(endpointId, [item], 'fullResponse')).output);
	expect(full).toMatchObject({ response: withInput.result, apiContext: { endpointId } });
	expect(wire(proxy)[0]).toEqual({ path: `demo/${endpointId}/run`, body: item });
});

it.each<[string, unknown, IDataObject]>([
	['with a key "response" of its own', { response: 7, other: 1 }, { response: 7, other: 1 }],
	['that is a list', [1, 2], { result: [1, 2] }],
	['that is a text', 'done', { result: 'done' }],
	['that is false', false, { result: false }],
])('uses a response without an envelope as the value: one %s', async (_name, value, expected) => {
	proxy.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) });
	expect(jsonOf((await call('any', [{}], 'resultOnly')).output)).toEqual([expected]);
});

describe('a list', () => {
	it('becomes an item for each element when asked for', async () => {
		const items = [{ count: 2 }, { count: 0 }, { count: 1 }];
		const { output, hints } = await call('sequence', items, 'resultOnly', { splitArray: true });

		expect(output).toEqual([
			{ json: { n: 1, square: 1 }, pairedItem: { item: 0 } },
			{ json: { n: 2, square: 4 }, pairedItem: { item: 0 } },
			{ json: { n: 1, square: 1 }, pairedItem: { item: 2 } },
		]);
		expect(hints).toEqual([
			{ message: 'The function returned an empty list (item 1).', type: 'info', location: 'outputPane' },
		]);
	});

	it('becomes an item for each element beside its input, and stays whole in the full response', async () => {
		const withInput = await call('sequence', [{ count: 2 }], 'withInput', { splitArray: true });
		expect(jsonOf(withInput.output).map(({ count, result }) => [count, (result as IDataObject).n])).toEqual([
			[2, 1],
			[2, 2],
		]);
		const full = await call('sequence', [{ count: 2 }], 'fullResponse', { splitArray: true });
		expect(full.output).toHaveLength(1);
	});

	it('is split only for the items whose option says so, and other values stay unchanged', async () => {
		const items = [
			{ value: [1, 2], split: true },
			{ value: [1, 2], split: false },
			{ value: 5, split: true },
		];
		proxy.setFault(({ body }) => {
			const { value } = JSON.parse(body) as IDataObject;
			return { kind: 'answer', body: { response: value, apiContext: {} } };
		});
		const { output } = await call('any', items, 'resultOnly', { splitArray: '={{ $json.split }}' });
		expect(jsonOf(output)).toEqual([{ result: 1 }, { result: 2 }, { result: [1, 2] }, { result: 5 }]);
	});
});

describe('a response that is not JSON', () => {
	it.each<[string, string, IDataObject, IDataObject]>([
		[
			'text',
			'report_text',
			{ title: 'Été', lines: ['Lyon 120'] },
			{ result: 'Été\nLyon 120', contentType: 'text/plain' },
		],
		[
			'XML',
			'report_xml',
			{ title: 'A & B' },
			{ result: '<?xml version="1.0"?><report title="A &amp; B"></report>', contentType: 'application/xml' },
		],
	])('goes to the result with its type when it is %s', async (_name, endpointId, item, added) => {
		expect(jsonOf((await call(endpointId, [item])).output)).toEqual([{ ...item, ...added }]);
		expect(jsonOf((await call(endpointId, [item], 'resultOnly')).output)).toEqual([added]);
		expect(jsonOf((await call(endpointId, [item], 'fullResponse')).output)).toEqual([{ ...added, headers }]);
	});

	it.each([
		['application/x-ndjson', '{"a":1}\n{"a":2}\n'],
		['application/x-ndjson', '{"a":1}'],
		['application/jsonl', '{"a":1}\n'],
		['application/json', 'done'],
		['application/json', '{"a":1}\n{"a":2}'],
	])('goes to the result with its type when it is %s: %j', async (type, body) => {
		proxy.setFault({ kind: 'answer', body, headers: { 'content-type': type } });
		const { output } = await call('any', [{}], 'withInput', { repeatable: true });
		expect(jsonOf(output)).toEqual([{ result: body, contentType: type }]);
		expect(proxy.requests).toHaveLength(1);
	});

	it.each(['withInput', 'resultOnly', 'fullResponse'])(
		'goes to the binary data "data" when it is an image, with "%s"',
		async (output) => {
			const item = { values: [3, 1, 4] };
			const { output: items, error } = await call('chart', [item], output);

			expect(error).toBeUndefined();
			const beside = { withInput: item, fullResponse: { headers } }[output];
			expect(jsonOf(items)).toEqual([{ ...beside, contentType: 'image/png' }]);
			const { data } = items[0]!.binary ?? {};
			expect(data).toMatchObject({ mimeType: 'image/png', fileExtension: 'png' });
			expect(Buffer.from(data?.data ?? '', 'base64').subarray(0, 4)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47]));
			expect(pairsOf(items)).toEqual([{ item: 0 }]);
		},
	);

	it('stays next to the item\'s binary data, unless that is called "data", too', async () => {
		const file = (text: string) => ({ data: Buffer.from(text).toString('base64'), mimeType: 'text/plain' });
		const { output } = await run('dataikuRunFunction', {
			url: proxy.url,
			endpointId: 'chart',
			items: [{ json: { values: [1] }, binary: { photo: file('mine'), data: file('old') } }],
		});
		expect(output[0]!.binary).toMatchObject({ photo: file('mine'), data: { mimeType: 'image/png' } });
	});

	it('is null when it is empty', async () => {
		proxy.setFault({ kind: 'answer', status: 204 });
		expect(jsonOf((await call('any', [{ a: 1 }])).output)).toEqual([{ a: 1, result: null }]);
	});

	it('is decoded with the charset that it names', async () => {
		const headers = { 'content-type': 'text/plain; charset=ISO-8859-1' };
		proxy.setFault({ kind: 'answer', headers, body: Buffer.from('caf\u00e9', 'latin1') });
		expect(jsonOf((await call('any', [{}], 'resultOnly')).output)).toMatchObject([{ result: 'café' }]);
	});

	it('becomes binary data when its charset is unknown', async () => {
		proxy.setFault({ kind: 'answer', headers: { 'content-type': 'text/plain; charset=klingon' }, body: 'x' });
		const { output } = await call('any', [{}], 'withInput');
		expect(output[0]!.json).toEqual({ contentType: 'text/plain' });
		expect(Buffer.from(output[0]!.binary!.data!.data, 'base64').toString()).toBe('x');
	});

	it('is null when it is empty but has a JSON type', async () => {
		proxy.setFault({ kind: 'answer', headers: { 'content-type': 'application/json' }, body: '' });
		const { output } = await call('any', [{ a: 1 }], 'withInput');
		expect(output[0]!.json).toEqual({ a: 1, result: null });
	});
});

describe('a status that the function chose', () => {
	it.each<[string, IDataObject, RegExp, RegExp]>([
		['a text', { status: 422, body: 'Unknown order' }, /^Unknown order/, /The function responded with status 422/],
		[
			'a message',
			{ status: 404, body: { message: 'No such order' } },
			/^No such order/,
			/The function responded with status 404/,
		],
		[
			'any JSON',
			{ status: 503, body: { reason: 'night' } },
			/The function responded with status 503/,
			/The response said: \{"reason":"night"\}/,
		],
	])('is shown with its message, and the call is not repeated: %s', async (_name, item, message, description) => {
		const { error } = await call('status', [item]);
		expect(error?.message).toMatch(message);
		expect(error?.message).toMatch(/ \(item 0, endpoint 'status'\)$/);
		expect(error?.description).toMatch(description);
		expect(proxy.requests).toHaveLength(1);
	});

	it('of 2xx is a success', async () => {
		const { output } = await call('status', [{ status: 201, body: { id: 1 } }], 'resultOnly');
		expect(jsonOf(output)).toEqual([{ id: 1 }]);
	});
});

it('shows an error of a function as the API node reports it', async () => {
	const { error } = await call('failing', [{ message: 'no such customer' }]);
	expect(error?.message).toBe("no such customer (item 0, endpoint 'failing')");
	expect(error?.description).toMatch(/^The function raised an error \(500\)\. API node: \S+\.$/);
	expect(proxy.requests).toHaveLength(1);
});

it('returns a value that looks like an error unchanged', async () => {
	const { output } = await call('echo', [{ error: 'mine' }], 'resultOnly', {}, 'continueRegularOutput');
	expect(jsonOf(output)).toEqual([{ result_error: 'mine' }]);
});

it('repeats a broken call only when that is safe', async () => {
	proxy.setFault({ kind: 'reset', when: 'before' });
	expect((await call('add', [{ a: 1, b: 1 }])).error?.message).toMatch(/closed the connection/);
	expect(proxy.requests).toHaveLength(1);
	proxy.setFault(({ n }) => (n === 2 ? { kind: 'reset', when: 'before' } : undefined));
	expect(jsonOf((await call('add', [{ a: 1, b: 1 }], 'resultOnly', { repeatable: true })).output)).toEqual([
		{ result: 2 },
	]);
});

describe('"Parse JSON Text"', () => {
	const parsing = { parseJson: true };
	const returning = (response: unknown) =>
		proxy.setFault({ kind: 'answer', body: { response, timing: {}, apiContext: {} } as IDataObject });

	it.each<[string, unknown, unknown]>([
		['an object', '{"a": {"b": [1]}}', { a: { b: [1] } }],
		['a list', ' [1, 2]\n', [1, 2]],
		['a number', '12.5', 12.5],
		['a boolean', 'true', true],
		['a null', 'null', null],
		['a long integer', '{"id": 9007199254740993}', { id: '9007199254740993' }],
		['a text in JSON', '"word"', 'word'],
		['NaN in JSON', '{"a": NaN}', { a: null }],
		['a text that is no JSON', 'word', 'word'],
		['digits after zeros', '007', '007'],
		['a text that is NaN', 'NaN', 'NaN'],
		['a number with its unit', '42 Items', '42 Items'],
		['a list with a word behind it', '[1, 2]\nInfo', '[1, 2]\nInfo'],
		['an empty text', '', ''],
		['no text', { a: '[1]' }, { a: '[1]' }],
	])('parses %s', async (_name, given, value) => {
		returning(given);
		expect(jsonOf((await call('any', [{ n: 1 }], 'withInput', parsing)).output)).toEqual([{ n: 1, result: value }]);
		expect(jsonOf((await call('any', [{ n: 1 }])).output)).toEqual([{ n: 1, result: given }]);
		const [full] = jsonOf((await call('any', [{ n: 1 }], 'fullResponse', parsing)).output);
		expect(full).toMatchObject({ response: given });
	});

	it('turns the object into fields, and splits the list', async () => {
		returning('{"a": 1}');
		expect(jsonOf((await call('any', [{}], 'resultOnly', parsing)).output)).toEqual([{ a: 1 }]);
		returning('[{"a": 1}, {"a": 2}]');
		const options = { ...parsing, splitArray: true };
		expect(jsonOf((await call('any', [{}], 'resultOnly', options)).output)).toEqual([{ a: 1 }, { a: 2 }]);
	});

	it('parses JSON in a response with a text type', async () => {
		const headers = { 'content-type': 'text/plain' };
		proxy.setFault({ kind: 'answer', headers, body: '{"a": 1}' });
		expect(jsonOf((await call('any', [{}], 'withInput', parsing)).output)).toEqual([{ result: { a: 1 } }]);
		proxy.setFault({ kind: 'answer', headers, body: 'word' });
		expect(jsonOf((await call('any', [{}], 'withInput', parsing)).output)).toEqual([
			{ result: 'word', contentType: 'text/plain' },
		]);
	});
});
