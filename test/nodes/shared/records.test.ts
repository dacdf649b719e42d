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
			'all fields but some',
			{ recordSource: 'inputItem', include: 'except', excludeFields: 'country,note, missing' },
			[{ amount: 1 }, { amount: 2, extra: null }],
		],
		['all fields where none is excepted', { recordSource: 'inputItem', include: 'except' }, items],
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
			'a field whose name holds a dot',
			{ recordSource: 'inputItem', include: 'selected', includeFields: 'body.amount' },
			[{ 'body.amount': 3 }, { amount: 4 }],
			[{ 'body.amount': 3, body: { amount: 9 } }, { body: { amount: 4 } }],
		],
		[
			'all but a nested field',
			{ recordSource: 'inputItem', include: 'except', excludeFields: 'body.name, query.none' },
			[{ body: { amount: 1 } }, { body: 'none' }],
			[{ body: { amount: 1, name: 'Ann' } }, { body: 'none' }],
		],
		[
			'what an expression selects for each item',
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
			'an expression that gives an object',
			{ recordSource: 'json', recordJson: '={{ ({ amount: $json.amount, country: null }) }}' },
			[
				{ amount: 1, country: null },
				{ amount: 2, country: null },
			],
		],
		[
			'an expression that gives text',
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
			'fields that an expression gives as a whole',
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

it('leaves the input item as it was', async () => {
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
			/No field is named in "Fields to Include"/,
		],
		[
			'none of the fields selected, as where a name is mistyped',
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
			/"Take ... From" must be one of mapping, inputItem, fields, json, not 'elsewhere'/,
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
		expect(errors[0]).toMatch(/ \(item 1, endpoint 'fraud'\)/);
	});
});

it('fails an item of which two fields would be sent under the same name, and no other', async () => {
	const { records, errors } = await sent(
		{ recordSource: 'inputItem', include: 'selected', includeFields: 'amount, amount, old.amount' },
		[{ amount: 1, old: { amount: 2 } }, { amount: 3 }],
	);
	expect(records).toEqual([{ amount: 3 }]);
	expect(errors).toEqual([
		expect.stringMatching(
			/^Two of the fields in "Fields to Include" would be sent as 'amount' \(item 0, endpoint 'fraud'\)/,
		),
	]);
});

it('sends what a date is as the text that a model can read', async () => {
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
		['all fields of the item where no document is known', { mappingMode: 'autoMapInputData', value: null }, items],
		[
			'the fields that the form knows',
			{ mappingMode: 'autoMapInputData', value: null, schema },
			[
				{ amount: 1, country: 'FR' },
				{ amount: 2, country: 'ES' },
			],
		],
		[
			'those that were not taken out of it',
			{ mappingMode: 'autoMapInputData', value: null, schema: [schema[0], { ...schema[1], removed: true }] },
			[{ amount: 1 }, { amount: 2 }],
		],
		[
			'what was filled in one by one, and no field left empty',
			{ mappingMode: 'defineBelow', value: { amount: '={{ $json.amount * 2 }}', country: null }, schema },
			[{ amount: 2 }, { amount: 4 }],
		],
	])('sends %s', async (_name, fields, expected) => {
		expect(await sent(mapping(fields))).toEqual({ records: expected, errors: [] });
	});

	it('fails an item of which it would send nothing', async () => {
		const { records, errors } = await sent(mapping({ mappingMode: 'autoMapInputData', value: null, schema }), [
			{ amuont: 1 },
			{ amount: 2 },
		]);
		expect(records).toEqual([{ amount: 2 }]);
		expect(errors).toEqual([expect.stringMatching(/^The record is empty \(item 0, endpoint 'fraud'\)/)]);
	});

	it.each([null, undefined, '', {}])('takes %j for the form as the editor leaves it', async (given) => {
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
		expect(hints).toMatchObject([{ message: 'No item has a field of the name cuontry.', type: 'info' }]);
	});
});

it('says what to switch where an expression was typed as plain text', async () => {
	const { errors } = await sent({ recordSource: 'json', recordJson: '{"amount": {{ $json.amount }} }' });
	expect(errors[0]).toMatch(/not valid JSON.*To use \{\{ \}\}, switch the field from "Fixed" to "Expression"/);
});
