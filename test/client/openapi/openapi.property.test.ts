import fc from 'fast-check';
import {
	InvalidCallError,
	misfitCheck,
	misfitWords,
	type OperationName,
	ServiceDocument,
} from '../../../client/internal';
import { operations } from '../../../client/internal';
import { endpoint, features, version2, version3 } from './documents';

const operation = fc.constantFrom(...(Object.keys(operations) as OperationName[]));
const references = ['#', '#/definitions/A', '#/definitions/B', '#/paths', '#/definitions/A/properties', 'http://a/b'];
const keys = [
	...['type', 'properties', 'required', 'enum', 'allOf', 'oneOf', 'items', '$ref', 'example', 'default', 'nullable'],
	...['features', 'data', 'post', 'parameters', 'in', 'schema', 'content', 'application/json', 'requestBody'],
	...['a', 'b', '__proto__', 'constructor'],
];

/** JSON that uses the words of OpenAPI in any order. */
const { odd } = fc.letrec<{ odd: unknown }>((tie) => ({
	odd: fc.oneof(
		{ maxDepth: 6, withCrossShrink: true },
		fc.oneof(fc.constantFrom('number', 'object', 'body', 'null', ...references), fc.jsonValue({ maxDepth: 1 })),
		fc.array(tie('odd'), { maxLength: 3 }),
		fc
			.array(fc.tuple(fc.constantFrom(...keys), tie('odd')), { maxLength: 6 })
			.map((entries) => Object.fromEntries(entries)),
	),
}));
const paths = fc.dictionary(
	fc.constantFrom('/a/predict', '/a/predict-multi', '/b/run', '/c/forecast', '/d/lookup', '/%/query', 'x', ''),
	odd,
);
const documents = fc.oneof(
	odd,
	fc.record({ swagger: fc.constant('2.0'), paths, definitions: fc.dictionary(fc.constantFrom('A', 'B'), odd) }),
	fc
		.tuple(odd, odd, fc.constantFrom(version2, version3))
		.map(([schema, A, version]) => version({ '/a/predict': features(schema) }, { definitions: { A, B: schema } })),
);
const records = fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), fc.anything());

it('Random documents and records never throw anything except "not an OpenAPI document"', () => {
	fc.assert(
		fc.property(documents, records, (json, record) => {
			let document: ServiceDocument;
			try {
				document = new ServiceDocument(json);
			} catch (error) {
				expect(error).toBeInstanceOf(InvalidCallError);
				return;
			}
			for (const { id, operation } of document.endpoints) {
				const schema = document.schemaOf(id, operation)!;
				for (const misfit of misfitCheck(schema)(record)) {
					expect(misfitWords(misfit, schema)).toMatch(/\S/);
				}
			}
		}),
		{ numRuns: 2_000 },
	);
});

interface Value {
	schema: object;
	value: unknown;
}
const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const valued = <T>(type: string | undefined, values: fc.Arbitrary<T>): fc.Arbitrary<Value> =>
	fc.tuple(values, fc.array(values, { maxLength: 5 }), fc.boolean()).map(([value, others, isListed]) => ({
		schema: { ...(type && { type }), ...(isListed && { enum: [...others, value] }) },
		value,
	}));
const fitting = fc.oneof(
	valued('number', finite),
	valued('integer', fc.integer()),
	valued('string', fc.string()),
	valued('boolean', fc.boolean()),
	valued(undefined, fc.oneof(finite, fc.string(), fc.boolean())),
	fc.array(fc.anything()).map((value): Value => ({ schema: { type: 'array' }, value })),
	fc.dictionary(fc.string(), fc.jsonValue()).map((value): Value => ({ schema: { type: 'object' }, value })),
	fc
		.anything()
		.filter((value) => value !== null && value !== undefined)
		.map((value): Value => ({ schema: {}, value })),
	fc.constant<Value>({ schema: { type: ['string', 'null'] }, value: null }),
);
const fields = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom(...keys)), fitting, { minKeys: 1, maxKeys: 12 });
const mapped = <T>(of: Record<string, Value>, map: (value: Value) => T) =>
	Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));

it('A record that was generated from its schema has no misfits', () => {
	fc.assert(
		fc.property(fields, operation, (own, of) => {
			const schema = endpoint(
				mapped(own, (each) => each.schema),
				{ required: Object.keys(own), operation: of },
			);
			const record = mapped(own, ({ value }) => value);
			expect(misfitCheck(schema)(record)).toEqual([]);
		}),
		{ numRuns: 1_000 },
	);
});

it('A required field that is removed is reported as missing, or as misspelled', () => {
	fc.assert(
		fc.property(fields, operation, fc.nat(), (own, of, at) => {
			const names = Object.keys(own);
			const name = names[at % names.length]!;
			const schema = endpoint(
				mapped(own, (each) => each.schema),
				{ required: names, operation: of },
			);
			const { [name]: _, ...record } = mapped(own, ({ value }) => value);
			const isEmpty = names.length === 1 && of !== 'sqlQuery' && of !== 'runFunction';
			const missing = isEmpty ? { kind: 'none', fields: names } : { kind: 'missing', field: name };
			expect(misfitCheck(schema)(record)).toEqual([missing]);
		}),
		{ numRuns: 1_000 },
	);
});
