import { type Misfit, misfitCheck, misfitWords, type OperationName } from '../../../client/internal';
import { endpoint } from './documents';

const fields = {
	amount: { type: 'number' },
	country: { type: 'string', enum: ['FR', 'DE', 'US'] },
	hour: { type: 'integer' },
	present: { type: 'boolean' },
	tags: { type: 'array' },
	extra: { type: 'object' },
};
const said = (record: object, { required, operation }: { required?: string[]; operation?: OperationName } = {}) => {
	const schema = endpoint(fields, { required, operation });
	return misfitCheck(schema)({ ...record }).map((misfit) => misfitWords(misfit, schema));
};

it.each<[object, string]>([
	[{ amount: 'a lot' }, "`amount` must be a number, not the text 'a lot'"],
	[{ amount: [1] }, '`amount` must be a number, not a list'],
	[{ hour: 4.5 }, '`hour` must be a whole number, not 4.5'],
	[{ country: 7 }, '`country` is 7, which is not one of FR, DE, US'],
	[{ country: { code: 'FR' } }, '`country` must be text, not an object'],
	[{ present: 'yes' }, "`present` must be true or false, not the text 'yes'"],
	[{ tags: false }, '`tags` must be a list, not false'],
	[{ extra: 10n }, '`extra` must be an object, not 10'],
	[{ country: 'Narnia' }, "`country` is 'Narnia', which is not one of FR, DE, US"],
	[{ amount: 1, contry: 'FR' }, "'fraud' has no feature `contry`: did you mean `country`?"],
	[{ id: 1 }, "the record has none of the features of 'fraud' (expected: amount, country, hour, present, tags, extra)"],
])('%j', (record, words) => {
	expect(said(record)).toEqual([words]);
});

it('Several misfits have one sentence each', () => {
	expect(said({ hour: 'x', contry: 'FR' }, { required: ['amount', 'country'] })).toEqual([
		'`amount` is missing',
		"`hour` must be a whole number, not the text 'x'",
		"'fraud' has no feature `contry`: did you mean `country`?",
	]);
});

it.each<[OperationName, string]>([
	['predict', 'feature'],
	['predictEffect', 'feature'],
	['lookup', 'key'],
	['forecast', 'column'],
	['sqlQuery', 'parameter'],
	['runFunction', 'argument'],
])('%s calls a field a %s', (operation, noun) => {
	expect(said({ id: 1 }, { operation })[0]).toMatch(`none of the ${noun}s of 'fraud' (expected: `);
	expect(said({ amount: 1, contry: 1 }, { operation })[0]).toMatch(`'fraud' has no ${noun} `);
});

const words = (misfit: Misfit) => misfitWords(misfit, { id: 'fraud', operation: 'predict' });

it('Long lists and long values are shortened', () => {
	const values = Array.from({ length: 20 }, (_, n) => n);
	expect(words({ kind: 'enum', field: 'a', value: 'x'.repeat(1_000), enum: values })).toBe(
		`\`a\` is '${'x'.repeat(59)}…', which is not one of 0, 1, 2, 3, 4, 5 and 14 more`,
	);
	expect(words({ kind: 'none', fields: ['a', 'b'.repeat(1_000)] })).toBe(
		`the record has none of the features of 'fraud' (expected: a, ${'b'.repeat(59)}…)`,
	);
	expect(words({ kind: 'missing', field: 'c'.repeat(1_000) })).toHaveLength(60 + '`` is missing'.length);
});

it('A sentence stays on one line, whatever the value is', () => {
	expect(words({ kind: 'type', field: 'a\nb', value: 'c\r\n\td', type: 'number' })).toBe(
		"`a b` must be a number, not the text 'c d'",
	);
	const odd = [undefined, null, Symbol('s'), Object.create(null), { toString: 1 }, () => 'x'.repeat(100)];
	for (const value of odd) expect(words({ kind: 'enum', field: 'a', value, enum: odd }).length).toBeLessThan(300);
});

it.each([
	['living\u00a0area', 'living area'],
	['\ufeffsurface', 'surface'],
	['sur\u200bface', 'surface'],
	['e\u0301te\u0301', '\u00e9t\u00e9'],
])('says that two names look the same: %j and %j', (field, suggestion) => {
	const endpoint = { id: 'house_price', operation: 'predict' } as const;
	expect(misfitWords({ kind: 'unknown', field, suggestion }, endpoint)).toMatch(/The two names look the same/);
	expect(misfitWords({ kind: 'unknown', field: 'Surface', suggestion }, endpoint)).not.toMatch(/look the same/);
});
