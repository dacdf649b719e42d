import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { misfitCheck, ServiceDocument } from '../../../client/internal';
import { features, schemaOf, typesIn, version2 } from './documents';

const names = ({ fields }: ReturnType<typeof schemaOf>) => fields.map(({ name }) => name);
const parsed = (text: string) => JSON.parse(text) as Record<string, unknown>;

it('Circular references lose only their own field', () => {
	const definitions = {
		A: { $ref: '#/definitions/B' },
		B: {
			allOf: [{ $ref: '#/definitions/A' }, { $ref: '#/definitions/B' }],
			properties: { b: { $ref: '#/definitions/B' } },
		},
		Self: { $ref: '#/definitions/Self' },
	};
	const schema = schemaOf(
		{
			properties: { self: { $ref: '#/definitions/Self' }, a: { type: 'number' } },
			allOf: [{ $ref: '#/definitions/A' }],
		},
		{ definitions },
	);
	expect(typesIn(schema)).toEqual([
		['b', undefined],
		['self', undefined],
		['a', 'number'],
	]);
});

it('References that double at each step do not hang the parser', () => {
	const definitions = Object.fromEntries(
		Array.from({ length: 60 }, (_, n) => [
			`D${n}`,
			{
				allOf: [{ $ref: `#/definitions/D${n + 1}` }, { $ref: `#/definitions/D${n + 1}` }],
				properties: { [`f${n}`]: {} },
			},
		]),
	);
	expect(names(schemaOf({ $ref: '#/definitions/D0' }, { definitions })).length).toBeGreaterThan(0);
});

it('A chain of thousands of references does not hang the parser', () => {
	const definitions = Object.fromEntries(
		Array.from({ length: 20_000 }, (_, n) => [
			`D${n}`,
			{ $ref: `#/definitions/D${n + 1}`, properties: { [`f${n}`]: {} } },
		]),
	);
	const schema = schemaOf({ $ref: '#/definitions/D0' }, { definitions });
	expect([names(schema).length <= 100, schema.complete]).toEqual([true, false]);
});

it('A very long reference is not followed', () => {
	const deep = Array.from({ length: 600 }).reduce<object>((inner) => ({ a: inner }), { type: 'number' });
	const typeBehind = (steps: number) => {
		const $ref = `#/definitions${'/a'.repeat(steps)}`;
		const from = Array.from({ length: 600 - steps }).reduce<object>((outer) => (outer as { a: object }).a, deep);
		return schemaOf({ properties: { x: { $ref } } }, { definitions: from }).fields[0]!.type;
	};
	expect([typeBehind(400), typeBehind(600)]).toEqual(['number', undefined]);
});

it('Nothing is fetched when a reference leads to another document', async () => {
	let requests = 0;
	const server = createServer((_request, response) => {
		requests++;
		response.end('{"properties":{"b":{}}}');
	}).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const elsewhere = `http://127.0.0.1:${(server.address() as AddressInfo).port}/schema.json`;
	const references = [elsewhere, `${elsewhere}#/a`, 'file:///etc/passwd', 'other.json#/a', '/definitions/A', '', 'A'];
	try {
		for (const $ref of references) {
			const schema = schemaOf({ allOf: [{ $ref }], properties: { a: { $ref }, c: { type: 'number' } } });
			expect([$ref, typesIn(schema), schema.complete]).toEqual([
				$ref,
				[
					['a', undefined],
					['c', 'number'],
				],
				false,
			]);
		}
		await new Promise((resolve) => setImmediate(resolve));
		expect(requests).toBe(0);
	} finally {
		server.close();
	}
});

it.each([
	['is to a missing definition', '#/definitions/missing'],
	['is to __proto__', '#/definitions/__proto__'],
	['is to a constructor', '#/definitions/constructor'],
	['is to what every object inherits', '#/definitions/A/properties/toString'],
	['is badly escaped', '#/%E0%A4%A'],
	['is two million characters long', `#/${'a/'.repeat(1_000_000)}`],
	['is a number', 7],
	['is null', null],
	['is an object', { $ref: '#' }],
])('Only the field with the reference is lost when the reference %s', (_name, $ref) => {
	const schema = schemaOf(
		{ properties: { a: { $ref }, b: { type: 'number' } } },
		{ definitions: { A: { properties: {} } } },
	);
	expect(typesIn(schema)).toEqual([
		['a', undefined],
		['b', 'number'],
	]);
});

describe("Fields with the names of Object's own properties", () => {
	const fields = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '$ref', 'allOf', 'oneOf', 'length'];
	const properties = parsed(`{${fields.map((name) => `"${name}":{"type":"number","example":1}`).join()}}`);
	const schema = schemaOf({ properties, required: fields });

	it('are documented fields', () => {
		expect(typesIn(schema)).toEqual(fields.map((name) => [name, 'number']));
		expect(Object.keys(schema.example!)).toEqual(fields);
		expect(Object.getPrototypeOf(schema.example)).toBe(Object.prototype);
		expect(({} as { type?: unknown }).type).toBeUndefined();
	});

	it('are missing from a record that only inherits them', () => {
		const missing = misfitCheck(schema)(parsed('{"length":1}')).map((misfit) => 'field' in misfit && misfit.field);
		expect(missing).toEqual(fields.filter((name) => name !== 'length'));
		expect(misfitCheck(schema)(schema.example!)).toEqual([]);
	});
});

it('are valid as IDs, but not as actions of endpoints', () => {
	const paths = parsed('{"__proto__":{},"constructor":{},"/__proto__/run":{"post":{}},"/constructor/run":null}');
	const document = new ServiceDocument({ swagger: '2.0', paths });
	expect(document.endpoints.map(({ id }) => id)).toEqual(['__proto__', 'constructor']);
	expect(document.schemaOf('constructor', 'runFunction')).toMatchObject({ fields: [] });
});

it('Only the first thousands of endpoints and fields are kept when there are more', () => {
	const paths = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`/e${n}/predict`, features({})]));
	expect(new ServiceDocument(version2(paths)).endpoints).toHaveLength(2_000);
	const properties = Object.fromEntries(Array.from({ length: 6_000 }, (_, n) => [`f${n}`, { type: 'number' }]));
	const schema = schemaOf({ properties, required: ['f5999'] });
	expect([schema.fields.length, schema.complete]).toEqual([5_000, false]);
	expect(misfitCheck(schema)({ f1: 1, f5998: 'not known to be wrong' })).toEqual([]);
});

describe('Thousands of fields that share a schema of many parts', () => {
	const parts = Array.from({ length: 45 }, (_, n) => [`P${n}`, { [`x-${n}`]: n }] as const);
	const Shared = { type: 'number', allOf: parts.map(([name]) => ({ $ref: `#/definitions/${name}` })) };
	const definitions = { ...Object.fromEntries(parts), Shared };
	const names = Array.from({ length: 5_000 }, (_, n) => [`f${n}`, { $ref: '#/definitions/Shared' }]);
	const properties = Object.fromEntries(names) as object;

	it('are read up to a limit, after which fields are unknown', () => {
		const schema = schemaOf({ properties }, { definitions });
		expect(schema.fields).toHaveLength(5_000);
		const known = schema.fields.filter(({ type }) => type === 'number').length;
		expect(known).toBeGreaterThan(500);
		expect(known).toBeLessThan(2_500);
		expect(schema.complete).toBe(false);
	});

	it('do not use up the limit of other endpoints', () => {
		const json = version2(
			{ '/a/predict': features({ properties }), '/b/predict': features({ properties: { x: { type: 'string' } } }) },
			{ definitions },
		);
		const document = new ServiceDocument(json);
		document.schemaOf('a', 'predict');
		expect(typesIn(document.schemaOf('b', 'predict')!)).toEqual([['x', 'string']]);
	});
});

it('Only the requested parts of a document are read', () => {
	const read: string[] = [];
	const spied = (id: string) => ({
		get properties() {
			read.push(id);
			return { features: { properties: { a: {} } } };
		},
	});
	const document = new ServiceDocument(version2({ '/a/predict': spied('a'), '/b/predict': spied('b') }));
	expect(read).toEqual([]);
	document.schemaOf('b', 'predict');
	document.schemaOf('b', 'predict');
	expect(read).toEqual(['b']);
});

it.each<[string, unknown]>([
	['parameters', { post: { parameters: { in: 'body' } } }],
	['a parameter', { post: { parameters: [null, 7, [], { in: 'body' }] } }],
	['a request body', { post: { requestBody: [], parameters: 'x' } }],
	['content', { post: { requestBody: { content: { 'application/json': null, 'text/xml': { schema: {} } } } } }],
	['a method', { post: [] }],
	['no method', { get: {} }],
	['a path item', 7],
])('A malformed part costs only its own endpoint the fields: %s', (_name, item) => {
	const { paths } = version2({ '/b/predict': features({ properties: { x: {} } }) }) as { paths: object };
	const document = new ServiceDocument({ swagger: '2.0', paths: { '/a/predict': item, ...paths } });
	expect(document.schemaOf('a', 'predict')).toMatchObject({ fields: [], requiredKnown: false });
	expect(names(document.schemaOf('b', 'predict')!)).toEqual(['x']);
});
