import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { jsonOf, run } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(() => node.requests.clear());

const items: IDataObject[] = [
	{ amount: 1, country: 'FR', note: 'a' },
	{ amount: 2, country: 'ES', extra: null },
];

/** The records that arrived, whichever requests brought them. */
const arrived = () =>
	node.requests.recent
		.flatMap(({ body }) => (body as { items: Array<{ features: unknown }> }).items)
		.map(({ features }) => features);

/** The records that a run of Predict sends, and the errors of items that have none. */
async function sent(parameters: IDataObject, given = items) {
	const { output, error } = await run('dataikuPredict', {
		url: node.url,
		items: given,
		parameters,
		onError: 'continueRegularOutput',
	});
	expect(error).toBeUndefined();
	return { records: arrived(), errors: jsonOf(output).flatMap(({ error: said }) => (said ? [String(said)] : [])) };
}

const assigned = (...assignments: Array<[name: string, value: unknown, type: string]>) => ({
	recordSource: 'fields',
	fields: { assignments: assignments.map(([name, value, type], n) => ({ id: String(n), name, value, type })) },
});

describe('a record is made of', () => {
	it.each<[string, IDataObject, unknown[], IDataObject[]?]>([
		['the whole input item', {}, items],
		[
			'the selected fields that the item has',
			{ recordSource: 'inputItem', include: 'selected', includeFields: 'amount, extra ,' },
			[{ amount: 1 }, { amount: 2, extra: null }],
		],
		[
			'all fields except some',
			{ recordSource: 'inputItem', include: 'except', excludeFields: 'country,note, missing' },
			[{ amount: 1 }, { amount: 2, extra: null }],
		],
		['all fields when none is excluded', { recordSource: 'inputItem', include: 'except' }, items],
		[
			'nested fields under their own names, as dragged from a webhook',
			{
				recordSource: 'inputItem',
				include: 'selected',
				includeFields: 'body.amount, body["card country"], body.none, note',
			},
			[
				{ amount: 1, 'card country': 'FR' },
				{ amount: 2, note: null },
			],
			[{ body: { amount: 1, 'card country': 'FR' } }, { body: { amount: 2 }, note: null }],
		],
		[
			'a field whose name contains a dot',
			{ recordSource: 'inputItem', include: 'selected', includeFields: 'body.amount' },
			[{ 'body.amount': 3 }, { amount: 4 }],
			[{ 'body.amount': 3, body: { amount: 9 } }, { body: { amount: 4 } }],
		],
		[
			'all except a nested field',
			{ recordSource: 'inputItem', include: 'except', excludeFields: 'body.name, query.none' },
			[{ body: { amount: 1 } }, { body: 'none' }],
			[{ body: { amount: 1, name: 'Ann' } }, { body: 'none' }],
		],
		[
			'the fields that an expression selects for each item',
			{
				recordSource: 'inputItem',
				include: '={{ $json.note ? "selected" : "except" }}',
				includeFields: '={{ "note" }}',
				excludeFields: '={{ "country" }}',
			},
			[{ note: 'a' }, { amount: 2, extra: null }],
		],
		[
			'JSON text',
			{ recordSource: 'json', recordJson: ' {"amount": 7, "deep": {"list": [1, null]}} ' },
			[
				{ amount: 7, deep: { list: [1, null] } },
				{ amount: 7, deep: { list: [1, null] } },
			],
		],
		[
			'JSON text with expressions in it',
			{ recordSource: 'json', recordJson: '={"amount": {{ $json.amount * 10 }}, "n": {{ $itemIndex }}}' },
			[
				{ amount: 10, n: 0 },
				{ amount: 20, n: 1 },
			],
		],
		[
			'an expression that returns an object',
			{ recordSource: 'json', recordJson: '={{ ({ amount: $json.amount, country: null }) }}' },
			[
				{ amount: 1, country: null },
				{ amount: 2, country: null },
			],
		],
		[
			'an expression that returns text',
			{ recordSource: 'json', recordJson: '={{ JSON.stringify({ amount: $json.amount }) }}' },
			[{ amount: 1 }, { amount: 2 }],
		],
		[
			'another source for each item',
			{ recordSource: '={{ $itemIndex === 0 ? "inputItem" : "json" }}', recordJson: '{"amount": 9}' },
			[items[0], { amount: 9 }],
		],
		[
			'fields with plain values of every type',
			assigned(
				['amount', '12.5', 'number'],
				['text', 42, 'string'],
				['card_present', 'true', 'boolean'],
				['list', '[1,2]', 'array'],
				['object', '{"a":1}', 'object'],
			),
			[
				{ amount: 12.5, text: '42', card_present: true, list: [1, 2], object: { a: 1 } },
				{ amount: 12.5, text: '42', card_present: true, list: [1, 2], object: { a: 1 } },
			],
		],
		[
			'fields with expressions for name and value',
			assigned(
				['amount', '={{ $json.amount + 0.5 }}', 'number'],
				['={{ $json.country }}', '={{ $itemIndex }}', 'number'],
			),
			[
				{ amount: 1.5, FR: 0 },
				{ amount: 2.5, ES: 1 },
			],
		],
		[
			'fields where an empty value is a missing feature, but an empty text is a text',
			assigned(
				['amount', '', 'number'],
				['hour', '={{ $json.missing }}', 'number'],
				['country', '={{ null }}', 'string'],
				['note', '', 'string'],
			),
			[
				{ amount: null, hour: null, country: null, note: '' },
				{ amount: null, hour: null, country: null, note: '' },
			],
		],
		[
			'fields when one expression returns all of them',
			{
				recordSource: 'fields',
				fields: '={{ ({ assignments: [{ id: "1", name: "amount", value: $json.amount, type: "number" }] }) }}',
			},
			[{ amount: 1 }, { amount: 2 }],
		],
	])('%s', async (_name, parameters, expected, given = items) => {
		expect(await sent(parameters, given)).toEqual({ records: expected, errors: [] });
	});
});

it('leaves the input item unchanged', async () => {
	const given = [{ amount: 1, country: 'FR' }];
	await sent({ recordSource: 'inputItem', include: 'except', excludeFields: 'amount' }, given);
	expect(given).toEqual([{ amount: 1, country: 'FR' }]);
	expect(arrived()).toEqual([{ country: 'FR' }]);
});

describe('an item fails alone, saying why, for', () => {
	const given = [{ amount: 1 }, { amount: 'much' }, { amount: 3 }];
	it.each<[string, IDataObject, RegExp]>([
		[
			'a value of the wrong type, whose field is named',
			assigned(['amount', '={{ $json.amount }}', 'number']),
			/'amount' expects a number but we got 'much'/,
		],
		[
			'a field without a name',
			assigned(['={{ $itemIndex === 1 ? "" : "amount" }}', 1, 'number']),
			/A field in "Fields to Send" has no name/,
		],
		[
			'no field selected',
			{ recordSource: 'inputItem', include: 'selected', includeFields: '={{ $itemIndex === 1 ? " , " : "amount" }}' },
			/"Fields to Include" is empty/,
		],
		[
			'no field with a selected name',
			{
				recordSource: 'inputItem',
				include: 'selected',
				includeFields: '={{ $itemIndex === 1 ? "amout, body.amount, ." : "amount" }}',
			},
			/The item has none of the fields in "Fields to Include" \(amout, body\.amount, \.\)/,
		],
		[
			'an expression that fails',
			{ recordSource: 'json', recordJson: '={{ $itemIndex === 1 ? $json.amount.no.such : { amount: 1 } }}' },
			/Cannot read properties|must be a JSON object/,
		],
		[
			'a source that does not exist',
			{ recordSource: '={{ $itemIndex === 1 ? "elsewhere" : "inputItem" }}' },
			/"Source" must be one of mapping, inputItem, fields, json, not 'elsewhere'/,
		],
		['no field at all', { recordSource: '={{ $itemIndex === 1 ? "fields" : "inputItem" }}' }, /^The record is empty/],
		[
			'a choice of fields that does not exist',
			{ recordSource: 'inputItem', include: '={{ $itemIndex === 1 ? "some" : "all" }}' },
			/"Include" must be one of all, selected, except, not 'some'/,
		],
	])('%s', async (_name, parameters, message) => {
		const { records, errors } = await sent(parameters, given);
		expect(records).toHaveLength(2);
		expect(errors).toEqual([expect.stringMatching(message)]);
	});
});

it('fails only the items of which two fields would be sent under the same name', async () => {
	const { records, errors } = await sent(
		{ recordSource: 'inputItem', include: 'selected', includeFields: 'amount, amount, old.amount' },
		[{ amount: 1, old: { amount: 2 } }, { amount: 3 }],
	);
	expect(records).toEqual([{ amount: 3 }]);
	expect(errors).toEqual([expect.stringMatching(/^Two fields in "Fields to Include" would be sent as 'amount'/)]);
});

it('sends a date as text that a model can read', async () => {
	const { records } = await sent(assigned(['when', '2024-05-01T10:00:00Z', 'dateTime']), [{}]);
	expect(Date.parse((records as [{ when: string }])[0].when)).toBe(Date.parse('2024-05-01T10:00:00Z'));
});

describe('the form below', () => {
	const schema = ['amount', 'country'].map((id) => ({
		id,
		displayName: id,
		required: false,
		defaultMatch: false,
		display: true,
	}));
	const mapping = (fields: IDataObject) => ({ recordSource: 'mapping', mapping: fields });

	it.each<[string, IDataObject, unknown[]]>([
		['all fields of the item when no document is known', { mappingMode: 'autoMapInputData', value: null }, items],
		[
			'the fields that the form knows',
			{ mappingMode: 'autoMapInputData', value: null, schema },
			[
				{ amount: 1, country: 'FR' },
				{ amount: 2, country: 'ES' },
			],
		],
		[
			'the fields that were not removed from the form',
			{ mappingMode: 'autoMapInputData', value: null, schema: [schema[0], { ...schema[1], removed: true }] },
			[{ amount: 1 }, { amount: 2 }],
		],
		[
			'the fields that were filled in one by one, and no empty ones',
			{ mappingMode: 'defineBelow', value: { amount: '={{ $json.amount * 2 }}', country: null }, schema },
			[{ amount: 2 }, { amount: 4 }],
		],
	])('sends %s', async (_name, fields, expected) => {
		expect(await sent(mapping(fields))).toEqual({ records: expected, errors: [] });
	});

	it('fails an item when none of its fields would be sent', async () => {
		const { records, errors } = await sent(mapping({ mappingMode: 'autoMapInputData', value: null, schema }), [
			{ amuont: 1 },
			{ amount: 2 },
		]);
		expect(records).toEqual([{ amount: 2 }]);
		expect(errors).toEqual([
			expect.stringMatching(
				/^None of the item's fields match the features of 'fraud'\. Input: amuont\. Expected: amount, country\./,
			),
		]);
	});

	it.each([null, undefined, '', {}])('accepts %j for the form as the editor leaves it', async (given) => {
		const { records } = await sent({ recordSource: 'mapping', mapping: given });
		expect(records).toEqual(items);
	});
});

describe('a name that no item has is mentioned, in', () => {
	it.each<[string, IDataObject]>([
		['Fields to Include', { include: 'selected', includeFields: 'amount, extra, cuontry' }],
		['Fields to Exclude', { include: 'except', excludeFields: 'extra, cuontry' }],
	])('%s', async (_name, parameters) => {
		const { hints } = await run('dataikuPredict', {
			url: node.url,
			items,
			parameters: { recordSource: 'inputItem', ...parameters },
		});
		expect(hints).toMatchObject([{ message: 'Fields not found in any item: cuontry.', type: 'info' }]);
	});
});

it('suggests switching to an expression when an expression was typed as plain text', async () => {
	const { errors } = await sent({ recordSource: 'json', recordJson: '{"amount": {{ $json.amount }} }' });
	expect(errors[0]).toMatch(/not valid JSON.*To use \{\{ \}\}, switch the field from "Fixed" to "Expression"/);
});

/** A field of the form as the editor saves it. */
const formField = (id: string, type?: string, values?: unknown[]) => ({
	...{ id, displayName: id, required: false, defaultMatch: false, display: true, type },
	options: values?.map((value) => ({ name: String(value), value })),
});
const typedForm = [
	formField('amount', 'number'),
	formField('present', 'boolean'),
	formField('tags', 'array'),
	formField('extra', 'object'),
	formField('level', 'options', [1, 2, 3]),
	formField('old', 'options', [true, false, '']),
	formField('note', 'string'),
];
const form = (mappingMode: string, value: IDataObject | null, schema: object[] = typedForm) => ({
	recordSource: 'mapping',
	mapping: { mappingMode, value, schema },
});
const exact = '9007199254740993';

describe('a blank is a missing value', () => {
	const typed = ['amount', 'present', 'tags', 'extra', 'level', 'old'];
	const blanks = ['', ' ', '\t', '\u00a0', ' \r\n '];
	const given = blanks.map((blank) => ({ ...Object.fromEntries(typed.map((name) => [name, blank])), note: 'a' }));

	it('in a form that is mapped one by one', async () => {
		const value = Object.fromEntries([...typed, 'note'].map((name) => [name, `={{ $json.${name} }}`]));
		expect(await sent(form('defineBelow', value), given)).toEqual({
			records: blanks.map(() => ({ note: 'a' })),
			errors: [],
		});
	});

	it('in a form that is mapped by name', async () => {
		const missing = Object.fromEntries(typed.map((name) => [name, null]));
		const { records } = await sent(form('autoMapInputData', null), given);
		expect(records).toEqual(blanks.map(() => ({ ...missing, note: 'a' })));
	});

	it('in "Define Fields", except for texts', async () => {
		const types = ['number', 'boolean', 'array', 'object', 'string'];
		const { records } = await sent(
			assigned(...types.map((type): [string, string, string] => [type, '={{ $json.amount }}', type])),
			given,
		);
		const missing = { number: null, boolean: null, array: null, object: null };
		expect(records).toEqual(blanks.map((blank) => ({ ...missing, string: blank })));
	});

	it('in "Define Fields" when it is an empty list and a number or a boolean is expected', async () => {
		const lists = assigned(['n', '={{ [] }}', 'number'], ['b', '={{ [] }}', 'boolean'], ['l', '={{ [] }}', 'array']);
		expect((await sent(lists, [{}])).records).toEqual([{ n: null, b: null, l: [] }]);
	});
});

describe('a value that JSON cannot hold, or would make 0, is an error', () => {
	it.each(['728e790', '-1e999', 'Infinity', 'NaN', '1,5', 'much', [5], {}])('as a number: %j', async (value) => {
		const given = [{ value }, { value: 1 }];
		for (const parameters of [
			assigned(['amount', '={{ $json.value }}', 'number']),
			form('defineBelow', { amount: '={{ $json.value }}' }),
		]) {
			node.requests.clear();
			const { records, errors } = await sent(parameters, given);
			expect(records).toEqual([{ amount: 1 }]);
			expect(errors).toEqual([expect.stringMatching(/^'amount' expects a number but we got /)]);
		}
	});
});

it('fails an item when its JSON holds a number that would be sent as null', async () => {
	const recordJson = '={"amount": 1, "code": [{{ $json.code }}]}';
	const { records, errors } = await sent({ recordSource: 'json', recordJson }, [
		{ code: '728e790' },
		{ code: '-1E+999' },
		{ code: '"728e790"' },
		{ code: '1e100' },
	]);
	expect(records).toEqual([
		{ amount: 1, code: ['728e790'] },
		{ amount: 1, code: [1e100] },
	]);
	const said = /^The record contains a number that is too large: put the number in quotation marks/;
	expect(errors).toEqual([expect.stringMatching(said), expect.stringMatching(said)]);
});

describe('the form takes', () => {
	it.each<[string, string, unknown, unknown]>([
		['the text of a number', 'amount', ' 42.5 ', 42.5],
		['the text of an allowed value', 'level', '2', 2],
		['an allowed value as a spreadsheet writes it', 'level', '2.0', 2],
		['an allowed value', 'level', 3, 3],
		['a boolean as text', 'old', 'true', true],
		['a boolean as pandas writes it', 'old', 'False', false],
		['a boolean as a number', 'old', 1, true],
		['a boolean of a toggle as text', 'present', 'TRUE', true],
		['a list as Python prints it', 'tags', "['a', 'b']", ['a', 'b']],
		['an object as text', 'extra', '{"a": {"b": 1}}', { a: { b: 1 } }],
		['a number as a text', 'note', 5, 5],
	])('%s', async (_what, name, given, expected) => {
		const parameters = form('defineBelow', { [name]: '={{ $json.value }}' });
		expect(await sent(parameters, [{ value: given } as IDataObject])).toEqual({
			records: [{ [name]: expected }],
			errors: [],
		});
	});

	it('a number when the allowed values are texts', async () => {
		const parameters = form('defineBelow', { code: '={{ $json.code }}' }, [formField('code', 'options', ['10', '20'])]);
		expect((await sent(parameters, [{ code: 20 }])).records).toEqual([{ code: '20' }]);
	});

	it('no value that is not allowed', async () => {
		const { records, errors } = await sent(form('defineBelow', { level: '={{ $json.level }}' }), [{ level: '7' }]);
		expect(records).toEqual([]);
		expect(errors).toEqual([
			expect.stringMatching(/^'level' expects one of the following values: \[1, 2, 3\] but we got '7'/),
		]);
	});

	it('no values at all for an empty record, which fails with a reason', async () => {
		const { records, errors } = await sent(form('defineBelow', null), [{ amount: 1 }]);
		expect(records).toEqual([]);
		expect(errors).toEqual([expect.stringMatching(/^The record is empty\./)]);
	});
});

describe('a record without any value is an error', () => {
	it.each<[string, IDataObject, IDataObject?]>([
		['of JSON whose names are misspelled', { recordSource: 'json', recordJson: '={{ ({ amount: $json.amuont }) }}' }],
		['of empty JSON', { recordSource: 'json', recordJson: '{}' }],
		['of an empty form', form('defineBelow', { amount: null, note: null })],
		['of a form with an untouched toggle', form('defineBelow', { amount: null, present: false })],
		['of a form whose expressions return nothing', form('defineBelow', { amount: '={{ $json.amuont }}' })],
		['of an item without fields', { recordSource: 'inputItem' }, {}],
	])('%s', async (_what, parameters, given = { amount: 1 }) => {
		const { records, errors } = await sent(parameters, [given]);
		expect(records).toEqual([]);
		expect(errors).toEqual([expect.stringMatching(/^The record is empty\./)]);
	});

	it('except for a toggle that an expression set, or that was set beside another value', async () => {
		expect((await sent(form('defineBelow', { present: '={{ false }}' }), [{}])).records).toEqual([{ present: false }]);
		node.requests.clear();
		const { records } = await sent(form('defineBelow', { present: false, amount: 1 }), [{}]);
		expect(records).toEqual([{ present: false, amount: 1 }]);
	});
});

describe('an integer that no number holds keeps its digits', () => {
	it.each<[string, IDataObject, unknown]>([
		['in JSON with an expression', { recordSource: 'json', recordJson: '={"id": {{ $json.id }} }' }, { id: exact }],
		['in plain JSON', { recordSource: 'json', recordJson: `{"id": [-${exact}]}` }, { id: [`-${exact}`] }],
		['in the form', form('defineBelow', { amount: '={{ $json.id }}' }), { amount: exact }],
		['in a list of the form', form('defineBelow', { tags: '=[{{ $json.id }}]' }), { tags: [exact] }],
		['in a Python list of the form', form('defineBelow', { tags: "=['a', {{ $json.id }}]" }), { tags: ['a', exact] }],
		['in an object of the form', form('defineBelow', { extra: '={"a": {{ $json.id }} }' }), { extra: { a: exact } }],
		['in "Define Fields" as a number', assigned(['id', '={{ $json.id }}', 'number']), { id: exact }],
		['in "Define Fields" as a list', assigned(['id', '=[{{ $json.id }}]', 'array']), { id: [exact] }],
		['in "Define Fields" as an object', assigned(['id', '={"a": {{ $json.id }} }', 'object']), { id: { a: exact } }],
		['in "Define Fields" as a text', assigned(['id', '={{ $json.id }}', 'string']), { id: exact }],
		['as a BigInt', assigned(['id', '={{ BigInt($json.id) }}', 'number']), { id: exact }],
		['with a sign', assigned(['id', '=+{{ $json.id }}', 'number']), { id: exact }],
	])('%s', async (_where, parameters, record) => {
		expect(await sent(parameters, [{ id: exact }])).toEqual({ records: [record], errors: [] });
	});

	it('in the context', async () => {
		await run('dataikuPredict', {
			url: node.url,
			items: [{ id: exact }],
			parameters: { recordSource: 'json', recordJson: '{"amount": 1}' },
			options: { contextJson: '={"id": {{ $json.id }} }' },
		});
		expect(node.requests.recent[0]!.body).toMatchObject({ items: [{ context: { id: exact } }] });
	});

	it('in a list of history', async () => {
		const history = `=[{"date": "2024-05-01", "store": {{ $json.id }}, "sales": 1, "promo": 0}]`;
		await run('dataikuForecast', {
			url: node.url,
			items: [{ id: exact }],
			parameters: { recordSource: 'json', recordJson: history },
			onError: 'continueRegularOutput',
		});
		expect(node.requests.recent[0]!.body).toMatchObject({ items: [{ store: exact }] });
	});
});

it.each([
	['a Luxon value', '={{ DateTime.fromISO("2024-05-01T10:00:00.000Z", { zone: "utc" }) }}'],
	['a Date', '={{ new Date("2024-05-01T10:00:00.000Z") }}'],
])('sends %s as ISO text from "Define Fields"', async (_what, expression) => {
	const { records } = await sent(assigned(['when', expression, 'string']), [{}]);
	expect(records).toEqual([{ when: '2024-05-01T10:00:00.000Z' }]);
});

describe('a path as the editor writes it leads to its field,', () => {
	const given = {
		items: [{ price: 1.5 }, { price: 2, name: 'b' }],
		body: { store: 'x', 'a b': 2, "it's": 3, 'a.b': { c: 4 } },
		plain: 5,
		'with, comma': 6,
	};
	const picked = (includeFields: unknown) =>
		({ recordSource: 'inputItem', include: 'selected', includeFields }) as IDataObject;
	const left = (excludeFields: unknown) =>
		({ recordSource: 'inputItem', include: 'except', excludeFields }) as IDataObject;

	it.each<[string, unknown]>([
		['items[0].price, body.store', { price: 1.5, store: 'x' }],
		["body['a b'], ['plain']", { 'a b': 2, plain: 5 }],
		['body["it\'s"]', { "it's": 3 }],
		["body['it\\'s']", { "it's": 3 }],
		['body["a.b"].c', { c: 4 }],
		['items[1]["name"]', { name: 'b' }],
		['items[0]', { items: { price: 1.5 } }],
		['["with, comma"], plain', { 'with, comma': 6, plain: 5 }],
		["={{ ['with, comma', 'plain', 'items[1].price'] }}", { 'with, comma': 6, plain: 5, price: 2 }],
		['={{ "plain, body.store".split(",") }}', { plain: 5, store: 'x' }],
	])('to include: %s', async (paths, record) => {
		expect(await sent(picked(paths), [given])).toEqual({ records: [record], errors: [] });
	});

	it.each<[string, object]>([
		['items[0].price', { ...given, items: [{}, { price: 2, name: 'b' }] }],
		['items[0], items[1]', { ...given, items: [] }],
		['items[1].name, body', { items: [{ price: 1.5 }, { price: 2 }], plain: 5, 'with, comma': 6 }],
		['items[0], items[0]', { ...given, items: [{ price: 2, name: 'b' }] }],
		['items[0], items["0"], items.0', { ...given, items: [{ price: 2, name: 'b' }] }],
		['items["0"], items[1]', { ...given, items: [] }],
		["={{ ['with, comma', 'body', 'items'] }}", { plain: 5 }],
		["['with, comma'], items, body['a.b'].c", { plain: 5, body: { ...given.body, 'a.b': {} } }],
	])('to exclude: %s', async (paths, record) => {
		expect(await sent(left(paths), [given])).toEqual({ records: [record], errors: [] });
	});

	it('also when the field has the name of a property of every object', async () => {
		const odd = JSON.parse('{"__proto__": 7, "constructor": 8, "a": {"__proto__": 9}}') as IDataObject;
		await sent(picked('__proto__, constructor'), [odd]);
		expect(JSON.stringify(arrived())).toBe('[{"__proto__":7,"constructor":8}]');
		node.requests.clear();
		await sent(picked('a.__proto__'), [odd]);
		expect(JSON.stringify(arrived())).toBe('[{"__proto__":9}]');
	});
});

describe('an error names the place where JSON is invalid,', () => {
	it.each([
		['{"amount": 1,\n "hour" 2}', /line 2, column 9.*"hour" /],
		['{"amount": abc}', /abc/],
		['{"amount": 1', /line 1, column 13/],
		['{"amount": 1}}', /line 1, column 14/],
	])('%j', async (recordJson, place) => {
		const { errors } = await sent({ recordSource: 'json', recordJson }, [{ n: 1 }]);
		expect(errors[0]).toMatch(/^The record is not valid JSON \(/);
		expect(errors[0]).toMatch(place);
	});
});
