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
			{ include: 'selected', includeFields: 'amount, extra ,' },
			[{ amount: 1 }, { amount: 2, extra: null }],
		],
		[
			'all fields but some',
			{ include: 'except', excludeFields: 'country,note, missing' },
			[{ amount: 1 }, { amount: 2, extra: null }],
		],
		['all fields where none is excepted', { include: 'except' }, items],
		[
			'nested fields under their own names, as dragged from a webhook',
			{ include: 'selected', includeFields: 'body.amount, body["card country"], body.none, note' },
			[
				{ amount: 1, 'card country': 'FR' },
				{ amount: 2, note: null },
			],
			[{ body: { amount: 1, 'card country': 'FR' } }, { body: { amount: 2 }, note: null }],
		],
		[
			'a field whose name holds a dot',
			{ include: 'selected', includeFields: 'body.amount' },
			[{ 'body.amount': 3 }, { amount: 4 }],
			[{ 'body.amount': 3, body: { amount: 9 } }, { body: { amount: 4 } }],
		],
		[
			'all but a nested field',
			{ include: 'except', excludeFields: 'body.name, query.none' },
			[{ body: { amount: 1 } }, { body: 'none' }],
			[{ body: { amount: 1, name: 'Ann' } }, { body: 'none' }],
		],
		[
			'what an expression selects for each item',
			{
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
		['no field at all', assigned(), [{}, {}]],
	])('%s', async (_name, parameters, expected, given = items) => {
		expect(await sent(parameters, given)).toEqual({ records: expected, errors: [] });
	});
});

it('leaves the input item as it was', async () => {
	const given = [{ amount: 1, country: 'FR' }];
	await sent({ include: 'except', excludeFields: 'amount' }, given);
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
			{ include: 'selected', includeFields: '={{ $itemIndex === 1 ? " , " : "amount" }}' },
			/No field is named in "Fields to Include"/,
		],
		[
			'none of the fields selected, as where a name is mistyped',
			{ include: 'selected', includeFields: '={{ $itemIndex === 1 ? "amout, body.amount, ." : "amount" }}' },
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
			/"Take ... From" must be one of inputItem, fields, json, not 'elsewhere'/,
		],
		[
			'a choice of fields that does not exist',
			{ include: '={{ $itemIndex === 1 ? "some" : "all" }}' },
			/"Include" must be one of all, selected, except, not 'some'/,
		],
	])('%s', async (_name, parameters, message) => {
		const { records, errors } = await sent(parameters, given);
		expect(records).toHaveLength(2);
		expect(errors).toEqual([expect.stringMatching(message)]);
		expect(errors[0]).toMatch(/^Item 1, endpoint 'fraud': /);
	});
});

it('fails an item of which two fields would be sent under the same name, and no other', async () => {
	const { records, errors } = await sent({ include: 'selected', includeFields: 'amount, amount, old.amount' }, [
		{ amount: 1, old: { amount: 2 } },
		{ amount: 3 },
	]);
	expect(records).toEqual([{ amount: 3 }]);
	expect(errors).toEqual([
		expect.stringMatching(
			/^Item 0, endpoint 'fraud': Two of the fields in "Fields to Include" would be sent as 'amount'/,
		),
	]);
});

it('sends what a date is as the text that a model can read', async () => {
	const { records } = await sent(assigned(['when', '2024-05-01T10:00:00Z', 'dateTime']), [{}]);
	expect(Date.parse((records as [{ when: string }])[0].when)).toBe(Date.parse('2024-05-01T10:00:00Z'));
});
