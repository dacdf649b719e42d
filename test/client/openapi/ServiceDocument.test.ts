import { InvalidCallError, type OperationName, ServiceDocument } from '../../../client/internal';
import { Stage } from '../harness';
import { features, named, schemaOf, typesIn, version2, version3 } from './documents';

const stage = new Stage();
const number = { type: 'number' };
const amount = { properties: { amount: number } };

describe("the embedded API node's document", () => {
	const read = async () => {
		const { url } = await stage.node();
		return new ServiceDocument(await stage.client({ url }).openApi());
	};

	it('has the fields of every endpoint, in order, with their descriptions', async () => {
		const document = await read();
		expect(document.endpoints.length).toBeGreaterThan(25);
		expect(document.schemaOf('fraud', 'predict')).toMatchObject({
			id: 'fraud',
			operation: 'predict',
			requiredKnown: false,
			complete: true,
			example: { amount: 412.5, country: 'US' },
		});
		expect(document.schemaOf('fraud', 'predict')!.fields.slice(0, 3)).toEqual([
			{
				name: 'amount',
				type: 'number',
				description: 'Amount in euros',
				example: 412.5,
				required: false,
				nullable: false,
			},
			expect.objectContaining({ name: 'hour', type: 'integer' }),
			expect.objectContaining({ name: 'country', type: 'string', enum: ['DE', 'ES', 'FR', 'GB', 'IT', 'US'] }),
		]);
	});

	it.each<[OperationName, string, string[], string[]]>([
		['predict', 'unusual_amount', ['amount', 'merchant_category'], []],
		['predictEffect', 'coupon_effect', ['age', 'visits'], []],
		['lookup', 'price', ['country', 'sku'], ['country', 'sku']],
		['forecast', 'store_sales', ['date', 'store', 'sales', 'promo'], ['date', 'store']],
		['sqlQuery', 'transfer', ['from', 'to', 'amount'], ['from', 'to', 'amount']],
		['runFunction', 'add', ['a', 'b'], []],
		['runFunction', 'echo', [], []],
	])('%s of %s', async (operation, id, names, required) => {
		const { fields, requiredKnown } = (await read()).schemaOf(id, operation)!;
		expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
		expect(fields.filter((field) => field.required).map(({ name }) => name)).toEqual(required);
		expect(requiredKnown).toBe(required.length > 0);
	});
});

describe('the list of endpoints', () => {
	it('has endpoints with an action of the API node, each operation once, sorted by ID', () => {
		const { endpoints } = new ServiceDocument(
			version2({
				'/b/predict': {},
				'/b/predict-multi': {},
				'/public/api/v1/s/a/lookup-multi': {},
				'/b/predict-effect': {},
				'/c/train': {},
				'/predict': {},
				predict: {},
				'': {},
			}),
		);
		expect(named(endpoints)).toEqual(['lookup a', 'predict b', 'predictEffect b']);
	});

	it('has decoded IDs', () => {
		const { endpoints } = new ServiceDocument(
			version2({ '/my%20model/predict': {}, '/100%/run': {}, '/a%2Fb/query': {} }),
		);
		expect(named(endpoints)).toEqual(['runFunction 100%', 'sqlQuery a/b', 'predict my model']);
	});

	it('has summary and description of the first action that has one, cut to a limit', () => {
		const paths = {
			'/a/predict': { post: { summary: '', description: 7 } },
			'/a/predict-multi': { post: { summary: 's'.repeat(500), description: '😀'.repeat(5_000) } },
		};
		const [{ summary, description } = {}] = new ServiceDocument({ swagger: '2.0', paths }).endpoints;
		expect(summary).toBe(`${'s'.repeat(199)}…`);
		expect(description).toBe(`${'😀'.repeat(499)}…`);
	});

	it('has one entry when a path occurs with and without a trailing slash', () => {
		const document = new ServiceDocument(
			version2({ '/fraud/predict/': features(amount), '/fraud/predict-multi': {}, '/rates/lookup/': {} }),
		);
		expect(named(document.endpoints)).toEqual(['predict fraud', 'lookup rates']);
		expect(typesIn(document.schemaOf('fraud', 'predict')!)).toEqual([['amount', 'number']]);
	});

	it('lacks paths with a template in place of the ID', () => {
		const { endpoints } = new ServiceDocument(
			version2({
				'/{endpoint}/predict': {},
				'/{endpoint}/predict/': {},
				'/public/api/v1/{service}/{endpoint}/run': {},
				'/model-{version}/lookup': {},
				'/{service}/fraud/predict': {},
			}),
		);
		expect(named(endpoints)).toEqual(['predict fraud']);
	});

	it('has no schema for an unknown ID or another operation', () => {
		const document = new ServiceDocument(version2({ '/a/predict': features(amount) }));
		expect(document.schemaOf('a', 'lookup')).toBeUndefined();
		expect(document.schemaOf('b', 'predict')).toBeUndefined();
		expect(document.schemaOf('__proto__', 'predict')).toBeUndefined();
	});
});

describe.each([
	['OpenAPI 2', version2],
	['OpenAPI 3', version3],
])('%s: the record schema is found', (_name, document) => {
	const list = (items: unknown) => ({ properties: { items: { type: 'array', items } } });
	it.each<[OperationName, string, unknown]>([
		['predict', 'predict', features(amount)],
		['predict', 'predict-multi', list(features(amount))],
		['predictEffect', 'predict-effect', features(amount)],
		['predictEffect', 'predict-effect-multi', list(features(amount))],
		['lookup', 'lookup', { properties: { data: amount } }],
		['lookup', 'lookup-multi', list({ properties: { data: amount } })],
		['forecast', 'forecast', list(amount)],
		['sqlQuery', 'query', amount],
		['runFunction', 'run', amount],
	])('for %s by %s', (operation, action, body) => {
		const schema = new ServiceDocument(document({ [`/e/${action}`]: body })).schemaOf('e', operation)!;
		expect(typesIn(schema)).toEqual([['amount', 'number']]);
	});
});

describe('the schema of an endpoint', () => {
	it('is that of the first action with fields', () => {
		const bodies = {
			'/e/predict': features({}),
			'/e/predict-multi': { properties: { items: { items: features(amount) } } },
		};
		expect(typesIn(new ServiceDocument(version2(bodies)).schemaOf('e', 'predict')!)).toEqual([['amount', 'number']]);
	});

	it('is the same object each time', () => {
		const document = new ServiceDocument(version2({ '/e/predict': features(amount) }));
		expect(document.schemaOf('e', 'predict')).toBe(document.schemaOf('e', 'predict'));
	});

	it('is found behind references of the path, the parameter, the request body and the schemas', () => {
		const parameter = { in: 'body', schema: { $ref: '#/definitions/Body' } };
		const more = {
			definitions: { Body: features({ $ref: '#/definitions/a~1b~0c%20d' }), 'a/b~c d': amount },
			parameters: { Body: parameter },
			components: {
				requestBodies: {
					Body: {
						content: {
							'text/xml': { schema: features({ properties: { no: {} } }) },
							'application/json; charset=utf-8': { schema: parameter.schema },
						},
					},
				},
			},
		};
		const post = {
			parameters: [{ in: 'header', schema: features({ properties: { no: {} } }) }, { $ref: '#/parameters/Body' }],
		};
		const paths = {
			'/two/predict': { post },
			'/of-path/predict': { post: {}, parameters: [parameter] },
			'/alias/predict': { $ref: '#/paths/~1two~1predict' },
			'/three/predict': { post: { requestBody: { $ref: '#/components/requestBodies/Body' } } },
		};
		const document = new ServiceDocument({ swagger: '2.0', paths, ...more });
		for (const id of ['two', 'of-path', 'alias', 'three']) {
			expect([id, typesIn(document.schemaOf(id, 'predict')!)]).toEqual([id, [['amount', 'number']]]);
		}
	});

	it('merges allOf, in which later and own properties take precedence', () => {
		const { fields, requiredKnown } = schemaOf(
			{
				allOf: [{ $ref: '#/definitions/Base' }, { required: ['b'] }],
				properties: { b: { $ref: '#/definitions/Text', description: 'own' }, c: {}, a: { description: 'of a' } },
			},
			{
				definitions: {
					Base: { properties: { a: { type: 'integer' }, b: { description: 'base' } }, required: ['a'] },
					Text: { type: 'string', description: 'any text', example: 'x' },
				},
			},
		);
		expect(fields).toMatchObject([
			{ name: 'a', type: 'integer', description: 'of a', required: true },
			{ name: 'b', type: 'string', description: 'own', example: 'x', required: true },
			{ name: 'c', required: false },
		]);
		expect(requiredKnown).toBe(true);
	});

	it.each<[string, object, string | undefined, boolean]>([
		['a list with null', { type: ['number', 'null'] }, 'number', true],
		['nullable', { type: 'string', nullable: true }, 'string', true],
		['x-nullable', { type: 'boolean', 'x-nullable': true }, 'boolean', true],
		['an enum with null', { enum: ['a', null] }, undefined, true],
		['several types', { type: ['number', 'string'] }, undefined, false],
		['a type that JSON does not have', { type: 'date' }, undefined, false],
		['an odd type', { type: { toString: 1 } }, undefined, false],
		['oneOf', { type: 'number', oneOf: [{}] }, undefined, false],
		['anyOf', { type: 'number', anyOf: [{}] }, undefined, false],
		['a reference to elsewhere', { type: 'number', $ref: 'http://elsewhere/a.json' }, undefined, false],
	])('has the correct type, or none, for %s', (_name, property, type, nullable) => {
		expect(schemaOf({ properties: { a: property } }).fields).toMatchObject([{ name: 'a', type, nullable }]);
	});

	const ofNull = { type: 'null' };
	const definitions = {
		Amount: { type: 'number', description: 'in EUR' },
		Country: { type: 'string', enum: ['FR', 'DE'] },
		Maybe: { anyOf: [{ $ref: '#/definitions/Country' }, ofNull] },
		Null: { enum: [null] },
		None: { $ref: '#/definitions/Null' },
		De: { const: 'DE' },
		Germany: { $ref: '#/definitions/De' },
		Either: { oneOf: [{ const: 'FR' }, { $ref: '#/definitions/De' }] },
	};
	const country = { type: 'string', enum: ['FR', 'DE'], nullable: true };
	const ofTwo = { enum: ['FR', 'DE'] };
	it.each<[string, object, object]>([
		['anyOf', { anyOf: [number, ofNull] }, { type: 'number', nullable: true }],
		['oneOf', { oneOf: [ofNull, number] }, { type: 'number', nullable: true }],
		['anyOf with a title', { title: 'A', anyOf: [number, { type: 'null', title: 'None' }] }, { type: 'number' }],
		['a list of null as the type', { anyOf: [number, { type: ['null'] }] }, { type: 'number', nullable: true }],
		['null as a constant', { anyOf: [number, { const: null }] }, { type: 'number', nullable: true }],
		['null as the only value', { oneOf: [number, { enum: [null] }] }, { type: 'number', nullable: true }],
		[
			'a reference inside',
			{ anyOf: [{ $ref: '#/definitions/Amount' }, ofNull] },
			{ type: 'number', description: 'in EUR', nullable: true },
		],
		['a reference to null', { anyOf: [number, { $ref: '#/definitions/Null' }] }, { type: 'number', nullable: true }],
		['an enum inside', { oneOf: [{ enum: ['FR', 'DE'], type: 'string' }, ofNull] }, country],
		['an enum behind a reference', { oneOf: [{ $ref: '#/definitions/Country' }, ofNull] }, country],
		['a union behind a reference', { $ref: '#/definitions/Maybe' }, country],
		['a union in a union', { oneOf: [{ $ref: '#/definitions/Maybe' }, ofNull] }, country],
		['a union as the member of allOf', { allOf: [{ $ref: '#/definitions/Maybe' }], title: 'Country' }, country],
		[
			'nullable beside the one member of allOf',
			{ allOf: [{ $ref: '#/definitions/Country' }], nullable: true },
			country,
		],
		['null among types and values', { type: ['string', 'null'], enum: ['FR', null, 'DE'] }, country],
		['a constant', { anyOf: [{ const: 'FR' }, ofNull] }, { enum: ['FR'], nullable: true }],
		['a constant without null', { type: 'string', const: 'FR' }, { type: 'string', enum: ['FR'], nullable: false }],
		['null alone', { enum: [null] }, { type: undefined, enum: undefined, nullable: true }],
		['two schemas and null', { anyOf: [number, { type: 'string' }, ofNull] }, { type: undefined, nullable: true }],
		[
			'two schemas of which one takes null',
			{ anyOf: [number, { type: ['string', 'null'] }] },
			{ type: undefined, nullable: true },
		],
		[
			'null behind two references',
			{ anyOf: [number, { $ref: '#/definitions/None' }] },
			{ type: 'number', nullable: true },
		],
		['constants', { oneOf: [{ const: 'FR', title: 'France' }, { const: 'DE' }], type: 'string' }, ofTwo],
		['constants and null', { anyOf: [{ const: 'FR' }, { const: 'DE' }, ofNull] }, { ...ofTwo, nullable: true }],
		['numbers', { anyOf: [{ const: 1 }, { const: 2, type: 'integer' }] }, { enum: [1, 2], nullable: false }],
		['booleans', { oneOf: [{ const: true }, { const: false }] }, { type: 'boolean', enum: [true, false] }],
		['enums and constants', { anyOf: [{ enum: ['FR'] }, { $ref: '#/definitions/Germany' }] }, ofTwo],
		[
			'constants in a union',
			{ anyOf: [{ oneOf: [{ const: 'FR' }, { const: 'DE' }] }, ofNull] },
			{ ...ofTwo, nullable: true },
		],
		['constants behind a reference', { $ref: '#/definitions/Either' }, ofTwo],
		['a constant and any text', { anyOf: [{ const: 'FR' }, { type: 'string' }] }, { enum: undefined }],
	])('uses what a union stands for: %s', (_name, property, expected) => {
		const schema = schemaOf({ properties: { a: property } }, { definitions });
		expect(schema.fields).toMatchObject([{ name: 'a', ...expected }]);
	});

	it('uses the record of a union with null', () => {
		const schema = schemaOf({ anyOf: [{ ...amount, required: ['amount'] }, ofNull] });
		expect(schema).toMatchObject({ complete: true, requiredKnown: true, fields: [{ name: 'amount', required: true }] });
	});

	it('is found when a union refers to itself', () => {
		const circle = { anyOf: [{ $ref: '#/definitions/Circle' }, ofNull] };
		const { fields } = schemaOf(
			{ properties: { a: { $ref: '#/definitions/Circle' } } },
			{ definitions: { Circle: circle } },
		);
		expect(fields).toMatchObject([{ type: undefined, nullable: true }]);
	});

	it('has no values when there is a choice of schemas', () => {
		const { fields } = schemaOf({ properties: { a: { enum: [1], oneOf: [{}] }, b: { enum: [1] } } });
		expect(fields.map((field) => field.enum)).toEqual([undefined, [1]]);
	});

	it('has fields of which only the name is known when they are required', () => {
		const { fields } = schemaOf({ properties: { a: number }, required: ['b', 7, 'a'] });
		expect(fields.map(({ name, required }) => [name, required])).toEqual([
			['a', true],
			['b', true],
		]);
	});

	it('accepts an empty list of required fields, and ignores a malformed one', () => {
		expect(schemaOf({ ...amount, required: [] }).requiredKnown).toBe(true);
		expect(schemaOf({ ...amount, required: 'amount' }).requiredKnown).toBe(false);
	});

	it.each<[string, object, unknown]>([
		['the record', { ...amount, example: { amount: 1, more: 2 } }, { amount: 1, more: 2 }],
		['the fields', { properties: { a: { example: 0 }, b: { examples: ['x', 'y'] }, c: {} } }, { a: 0, b: 'x' }],
		['the fields, if that of the record is odd', { properties: { a: { example: 0 } }, example: 'a=0' }, { a: 0 }],
		['nothing', amount, undefined],
	])('has an example from %s', (_name, schema, example) => {
		expect(schemaOf(schema).example).toEqual(example);
	});

	it('keeps a default, and shortens a long description', () => {
		const { fields } = schemaOf({ properties: { a: { default: 0, description: 'd'.repeat(2_000) } } });
		expect(fields).toMatchObject([{ default: 0, description: `${'d'.repeat(999)}…` }]);
	});
});

describe('a value that is not an OpenAPI document', () => {
	it.each<[string, unknown, RegExp]>([
		['nothing', undefined, /Not an OpenAPI document: .*"swagger": "2\.0" or "openapi": "3/],
		['a list', [{ swagger: '2.0' }], /Not an OpenAPI document/],
		['a text', 'swagger: 2.0', /Not an OpenAPI document/],
		['another object', { paths: {} }, /Not an OpenAPI document/],
		['another version', { swagger: '1.2', paths: {} }, /Not an OpenAPI document/],
		['an odd version', { openapi: { toString: 1 }, paths: {} }, /Not an OpenAPI document/],
		['one without paths', { openapi: '3.0.3' }, /has no "paths" object/],
		['one with odd paths', { openapi: '3.0.3', paths: [] }, /has no "paths" object/],
	])('%s: is refused with an explanation', (_name, json, words) => {
		expect(() => new ServiceDocument(json)).toThrow(InvalidCallError);
		expect(() => new ServiceDocument(json)).toThrow(words);
	});
});
