import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy } from '../../support/chaosProxy';
import { loadOptions } from '../../support/engine';
import { callOf, credentialFor, endpoint, nodeTypes } from '../demo';
import { fieldsOf } from './served';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());

/** The fields of an endpoint whose features have this schema. */
const fieldsFor = async (features: object) => {
	const schema = { type: 'object', properties: { features } };
	const openApi = JSON.stringify({
		swagger: '2.0',
		paths: { '/e/predict': { post: { parameters: [{ in: 'body', name: 'body', schema }] } } },
	});
	return await fieldsOf('e', { url: node.url, openApiFrom: 'text', openApi });
};

it.each(nodeTypes)('%s has the documented fields of its example endpoint', async (type) => {
	const { endpointId, unit } = callOf(type);
	const { fields, emptyFieldsNotice } = await fieldsOf(endpointId, { type, url: node.url });

	expect(emptyFieldsNotice).toBeUndefined();
	expect(fields.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.keys(unit(0)[0]!)));
});

it('gives each field its type, choices and label', async () => {
	const { fields } = await fieldsOf('fraud', { url: node.url });
	const common = { defaultMatch: false, canBeUsedToMatch: false, required: false, display: true, removed: false };
	const countries = ['DE', 'ES', 'FR', 'GB', 'IT', 'US'];

	expect(fields.slice(0, 3)).toEqual([
		{ ...common, id: 'amount', displayName: 'amount: Amount in euros', type: 'number', options: undefined },
		{ ...common, id: 'hour', displayName: 'hour: Hour of the day, 0 to 23', type: 'number', options: undefined },
		{
			...common,
			id: 'country',
			displayName: "country: The merchant's country",
			type: 'options',
			options: countries.map((value) => ({ name: value, value })),
		},
	]);
});

it('says which fields are required', async () => {
	const { fields } = await fieldsOf('fraud_known_customers', { url: node.url });
	expect(fields.filter(({ required }) => required).map(({ id }) => id)).toEqual(['customer_id']);
});

it.each([
	['number', 'number'],
	['integer', 'number'],
	['string', 'string'],
	['array', 'array'],
	['object', 'object'],
	[undefined, undefined],
	['file', undefined],
])('has for the type %s the field type %s', async (type, expected) => {
	expect((await fieldsFor({ properties: { x: { type } } })).fields).toMatchObject([{ id: 'x', type: expected }]);
});

it('offers true, false and neither for a boolean, because the editor stores an untouched toggle as false', async () => {
	const { fields } = await fieldsFor({ properties: { x: { type: 'boolean' } } });
	expect(fields).toMatchObject([{ id: 'x', type: 'options' }]);
	expect(fields[0]!.options!.map(({ value }) => value)).toEqual([true, false, '']);
});

it('offers values of any plain type, and none when one cannot be chosen or there are too many', async () => {
	const { fields } = await fieldsFor({
		properties: {
			plain: { enum: ['a', 1, true] },
			odd: { type: 'string', enum: ['a', null, { b: 1 }] },
			many: { type: 'integer', enum: Array.from({ length: 501 }, (_, n) => n) },
		},
	});

	expect(fields.map(({ type, options }) => [type, options])).toEqual([
		[
			'options',
			[
				{ name: 'a', value: 'a' },
				{ name: '1', value: 1 },
				{ name: 'true', value: true },
			],
		],
		['string', undefined],
		['number', undefined],
	]);
});

it('offers the other schema when the document has a union with null', async () => {
	const ofNull = { type: 'null' };
	const { fields } = await fieldsFor({
		properties: {
			amount: { anyOf: [{ type: 'number' }, ofNull] },
			country: { oneOf: [{ type: 'string', enum: ['FR', 'DE'] }, ofNull] },
			listed: { enum: ['a', null] },
			present: { type: ['boolean', 'null'] },
			fixed: { const: 7 },
		},
	});
	expect(fields.map(({ type, options }) => [type, options?.map(({ value }) => value)])).toEqual([
		['number', undefined],
		['options', ['FR', 'DE']],
		['options', ['a']],
		['options', [true, false, '']],
		['options', [7]],
	]);
});

it('offers a model the other schema of a union with null, because n8n accepts no null for an argument', async () => {
	const properties = { amount: { anyOf: [{ type: 'number', description: 'in EUR' }, { type: 'null' }] } };
	const schema = { type: 'object', properties: { features: { properties } } };
	const openApi = JSON.stringify({
		openapi: '3.1.0',
		paths: { '/e/predict/': { post: { requestBody: { content: { 'application/json': { schema } } } } } },
	});
	const { fields } = await fieldsOf('e', { type: 'dataikuPredictTool', url: node.url, openApiFrom: 'text', openApi });
	expect(fields[0]!.defaultValue).toContain("$fromAI('amount', `amount (number; in EUR)`, 'number')");
});

it('shortens a long description', async () => {
	const { fields } = await fieldsFor({ properties: { x: { description: 'word '.repeat(100) } } });
	expect(fields[0]!.displayName).toMatch(/^x: word .*\.\.\.$/);
	expect(fields[0]!.displayName).toHaveLength(120);
});

describe('explains missing fields', () => {
	it('when no endpoint is chosen', async () => {
		expect(await fieldsOf('', { url: node.url })).toEqual({
			fields: [],
		});
	});

	const instead = /: all fields of the input item are sent under their own names\. .*"Define Fields"\.$/;

	it.each([
		['of a service without one', { serviceId: 'unknown' }, /^This service has no OpenAPI document:/],
		['that the key may not read', { apiKey: 'wrong' }, /^The OpenAPI document could not be read \(.* refused the key/],
		[
			'of a server that does not respond',
			{ url: 'http://127.0.0.1:9' },
			/could not be read \(.* refused the connection: nothing is listening/,
		],
		[
			'that was pasted and is invalid',
			{ openApiFrom: 'text', openApi: 'my notes' },
			/could not be read \(.*not valid JSON\)/,
		],
	])('when there is no document: %s', async (_name, fields, why) => {
		const { fields: none, emptyFieldsNotice } = await fieldsOf('fraud', { url: node.url, ...fields });

		expect(none).toEqual([]);
		expect(emptyFieldsNotice).toMatch(why);
		expect(emptyFieldsNotice).toMatch(instead);
	});

	it.each([
		['dataikuRunFunction', 'fraud'],
		['dataikuSqlQuery', 'fraud'],
	])('for %s: all fields are sent, including refused ones, and what to choose instead', async (type, endpointId) => {
		for (const service of [{ serviceId: 'unknown' }, { url: 'http://127.0.0.1:9' }, {}]) {
			const { fields, emptyFieldsNotice } = await fieldsOf(endpointId, { type, url: node.url, ...service });
			expect(fields).toEqual([]);
			expect(emptyFieldsNotice).toMatch(
				/: all fields of the input item are sent, including fields that the endpoint rejects\. To choose fields, use "Define Fields"\.$/,
			);
		}
	});

	it.each([
		['a page is served', '<html><title>Hello</title></html>', 'responded with a web page, not with JSON'],
		['a part of it is served', '{"swagger": "2.0", "paths"', 'is not complete JSON'],
	])('when %s in place of the document, without showing the page', async (_what, body, why) => {
		const proxy = await chaosProxy({ respond: () => ({ body }) });
		const { emptyFieldsNotice } = await fieldsOf('fraud', { url: proxy.url });
		await proxy.close();
		expect(emptyFieldsNotice).toMatch(/^The OpenAPI document could not be read \(/);
		expect(emptyFieldsNotice).toContain(`${why}):`);
	});

	it.each([
		['an endpoint that it does not have', 'fraud_changed'],
		['an endpoint of another kind', 'customer'],
	])('when the document does not list those of %s', async (_name, endpointId) => {
		const { fields, emptyFieldsNotice } = await fieldsOf(endpointId, { url: node.url });

		expect(fields).toEqual([]);
		expect(emptyFieldsNotice).toMatch(/^The OpenAPI document does not list the fields of this endpoint/);
		expect(emptyFieldsNotice).toMatch(instead);
	});

	it.each([
		['dataikuLookup', 'columns'],
		['dataikuForecast', 'columns'],
		['dataikuSqlQuery', 'parameters'],
		['dataikuRunFunction', 'arguments'],
	])('with the terms of %s, whose fields are called %s', async (type, fields) => {
		const { emptyFieldsNotice } = await fieldsOf('none', { type, url: node.url });
		expect(emptyFieldsNotice).toMatch(new RegExp(`^The OpenAPI document does not list the ${fields} of this endpoint`));
	});

	it('when the document has no schema for the endpoint', async () => {
		expect((await fieldsFor({})).emptyFieldsNotice).toMatch(/^The OpenAPI document does not list the fields/);
	});
});

it.each<[string, IDataObject]>([
	['an option', { endpointId: endpoint('store_sales'), options: { serviceId: 'retail' } }],
	[
		'the URL of the endpoint',
		{ endpointId: { __rl: true, mode: 'url', value: 'URL/public/api/v1/retail/store_sales/forecast' } },
	],
])('come from the service that %s names', async (_name, parameters) => {
	const given = JSON.parse(JSON.stringify(parameters).replace('URL', node.url)) as IDataObject;
	const { fields } = await loadOptions({
		type: 'dataikuForecast',
		kind: 'resourceMapping',
		method: 'getFields',
		parameters: given,
		credentials: credentialFor(node.url, { apiKey: 'retail-key' }),
	});
	expect(fields.map(({ id }) => id)).toContain('store');
});

it("keeps text of a document as text in the arguments of a tool's form, whatever it contains", async () => {
	const hostile = 'x`, "json") }} {{ $env.SECRET }} ${process} \\` }}';
	const features = { type: 'object', properties: { [hostile]: { type: 'number', description: hostile } } };
	const openApi = JSON.stringify({
		swagger: '2.0',
		paths: {
			'/e/predict': {
				post: { parameters: [{ in: 'body', name: 'body', schema: { type: 'object', properties: { features } } }] },
			},
		},
	});
	const { fields } = await fieldsOf('e', { type: 'dataikuPredictTool', url: node.url, openApiFrom: 'text', openApi });
	expect(fields[0]!.defaultValue).toMatch(/^=\{\{ \/\*[\w-]+\*\/ \$fromAI\('[\w-]+', `[^`\\{}]*`, 'number'\) \}\}$/);
});

it('gives each argument of a tool the documentation of its endpoint', async () => {
	const { fields } = await fieldsOf('fraud', { type: 'dataikuPredictTool', url: node.url });
	const about = fields.map((field) => (field as { endpointSummary?: string }).endpointSummary);
	expect(new Set(about)).toEqual(new Set(['Is a card payment fraudulent?']));
});
