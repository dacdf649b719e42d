import fc from 'fast-check';
import { hadNotFinite, parseGiven, parseJson, parseResponse } from '../../client/json';

const safe = (value: bigint) => value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);

const holdsNoBigInteger = (json: string) => {
	let none = true;
	JSON.parse(json, (_key, value: unknown) => (none &&= !Number.isInteger(value) || Number.isSafeInteger(value)));
	return none;
};

/** A JSON value whose integers may be bigints, as text and as the client should show it. */
interface Written {
	text: string;
	shown: unknown;
}

const space = fc.constantFrom('', ' ', '\n', '\r\n\t ');
const integer = fc
	.oneof(
		fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
		fc.bigInt({ min: -(2n ** 53n) - 20n, max: -(2n ** 53n) + 20n }),
		fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
		fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }),
	)
	.map((value): Written => ({ text: String(value), shown: safe(value) ? Number(value) : String(value) }));
const fraction = fc
	.tuple(
		fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
		fc.bigInt({ min: 0n, max: 10n ** 20n }),
		fc.integer({ min: -30, max: 30 }),
	)
	.chain(([whole, decimals, exponent]) =>
		fc.constantFrom(
			`${whole}.${decimals}`,
			`${whole}e${exponent}`,
			`${whole}.${decimals}E${exponent < 0 ? '' : '+'}${exponent}`,
		),
	)
	.map((text): Written => ({ text, shown: Number(text) }));
const trickyText = fc.oneof(
	fc.string({ unit: 'binary' }),
	fc.stringMatching(/^[0-9"\\\-:,.{}[\] ]{0,60}$/),
	fc.bigInt({ min: 10n ** 15n, max: 10n ** 30n }).map((value) => `id: ${value}, "${value}\\`),
);
/**
 * Keys with something to escape begin as no other does: V8 of Node.js 24 takes a quote for a backslash after it has read a key
 * that goes on with a backslash there (https://github.com/nodejs/node/issues/63785).
 */
const trickyKey = fc
	.tuple(trickyText, fc.noBias(fc.uuid()))
	.map(([key, unique]) => (JSON.stringify(key).includes('\\') ? unique + key : key));
const text = trickyText.map((value): Written => ({ text: JSON.stringify(value), shown: value }));
const word = fc
	.constantFrom<boolean | null>(true, false, null)
	.map((value): Written => ({ text: String(value), shown: value }));

const { any: document } = fc.letrec<{ any: Written }>((tie) => ({
	any: fc.oneof(
		{ maxDepth: 4, withCrossShrink: true },
		fc.oneof(integer, fraction, text, word),
		fc.tuple(fc.array(tie('any'), { maxLength: 5 }), space).map(([items, gap]): Written => ({
			text: `[${gap}${items.map((item) => item.text).join(`${gap},${gap}`)}${gap}]`,
			shown: items.map((item) => item.shown),
		})),
		fc
			.tuple(fc.uniqueArray(fc.tuple(trickyKey, tie('any')), { selector: ([key]) => key, maxLength: 5 }), space)
			.map(([entries, gap]): Written => ({
				text: `{${gap}${entries.map(([key, value]) => `${JSON.stringify(key)}${gap}:${gap}${value.text}`).join(`,${gap}`)}${gap}}`,
				shown: Object.fromEntries(entries.map(([key, value]) => [key, value.shown])),
			})),
	),
}));

describe('parseJson', () => {
	test('parses like JSON.parse when the JSON has no big integer', () => {
		fc.assert(
			fc.property(fc.json().filter(holdsNoBigInteger), (ordinary) => {
				expect(parseJson(ordinary)).toEqual(JSON.parse(ordinary));
			}),
			{ numRuns: 400 },
		);
	});

	test('returns big integers as exact strings, whatever surrounds them', () => {
		fc.assert(
			fc.property(document, space, (given, gap) => {
				expect(parseJson(gap + given.text + gap)).toEqual(given.shown);
			}),
			{ numRuns: 1_000 },
		);
	});

	test.each<[string, string, unknown]>([
		['the largest integer that a number holds', '9007199254740991', 9007199254740991],
		['the first that it does not', '9007199254740992', '9007199254740992'],
		['a negative one', '{"id":-9007199254740993}', { id: '-9007199254740993' }],
		['one of 64 bits', '[18446744073709551615]', ['18446744073709551615']],
		['several, nested', '{"a":[{"b":12345678901234567890},1]}', { a: [{ b: '12345678901234567890' }, 1] }],
		['one at the end of a line', '[\n12345678901234567890\n]', ['12345678901234567890']],
		['digits in a string', '{"a":"12345678901234567890"}', { a: '12345678901234567890' }],
		['digits behind an escaped quote', '{"a":"\\"12345678901234567890"}', { a: '"12345678901234567890' }],
		['digits behind an escaped backslash', '["\\\\",12345678901234567890]', ['\\', '12345678901234567890']],
		['digits as a key', '{"12345678901234567890":1}', { '12345678901234567890': 1 }],
		['a probability', '[0.12345678901234567890]', [0.1234567890123456789]],
		['a fraction with a long whole part', '[12345678901234567890.5]', [12345678901234567890.5]],
		['an exponent', '[12345678901234567890e2]', [1.234567890123456789e21]],
		['leading zeros of a fraction', '[0.00000000000000000001]', [1e-20]],
	])('%s: %s', (_name, json, value) => {
		expect(parseJson(json)).toEqual(value);
	});

	test.each([
		'',
		'{"id":12345678901234567890',
		'{"id":12345678901234567890,}',
		'[012345678901234567890]',
		'[-012345678901234567890]',
		'[.12345678901234567890]',
		'[12345678901234567890.]',
		'[+12345678901234567890]',
		'{12345678901234567890:1}',
		'["12345678901234567890]',
		'[12345678901234567890"a"]',
		'12345678901234567890 12345678901234567890',
	])('throws for %j, which is not JSON', (broken) => {
		expect((): unknown => JSON.parse(broken)).toThrow(SyntaxError);
		expect(() => parseJson(broken)).toThrow(SyntaxError);
	});

	test.each<[string, string]>([
		['quotes and backslashes', '\\\\\\"1234567890123456\\\\'],
		['line breaks, millions of them', '\\n'.repeat(50)],
		['long numbers', '12345678901234567890,'],
	])('parses a string of megabytes full of %s next to a big integer', (_name, escaped) => {
		const string = `"${escaped.repeat(Math.ceil(8_000_000 / escaped.length))}"`;
		expect(parseJson(`{"page":${string},"id":12345678901234567890}`)).toEqual({
			page: JSON.parse(string) as unknown,
			id: '12345678901234567890',
		});
	});

	test('parses a hundred thousand big integers without any string', () => {
		const digits = Array.from({ length: 100_000 }, (_, i) => `1234567890123456789${i}`);
		expect(parseJson(`[${digits.join()}]`)).toEqual(digits);
	});
});

describe('parseResponse', () => {
	test.each<[string, unknown]>([
		['[NaN,Infinity,-Infinity]', [null, null, null]],
		['{"a":NaN}', { a: null }],
		['{"a": NaN , "b" :\n-Infinity\t}', { a: null, b: null }],
		['[[{"a":[NaN]}],1]', [[{ a: [null] }], 1]],
		['{"NaN":NaN,"Infinity":"Infinity"}', { NaN: null, Infinity: 'Infinity' }],
		['{"text":"[NaN, -Infinity]","a":NaN}', { text: '[NaN, -Infinity]', a: null }],
		['{"text":"\\",NaN,\\"","a":NaN}', { text: '",NaN,"', a: null }],
		['{"id":12345678901234567890,"a":NaN}', { id: '12345678901234567890', a: null }],
		['{"a":1e400}', { a: null }],
		['[-1.5E+400]', [null]],
		['{"__proto__":NaN,"a":1}', JSON.parse('{"__proto__":null,"a":1}') as unknown],
	])('returns null for a number that is not finite: %s', (json, value) => {
		const parsed = parseResponse(json);
		expect(parsed).toEqual(value);
		expect(hadNotFinite(parsed)).toBe(true);
	});

	test('marks the parts that contained a number that is not finite', () => {
		const { results } = parseResponse('{"results":[{"a":1},{"a":{"b":[NaN]}},{"a":null}]}') as { results: unknown[] };
		expect(results.map(hadNotFinite)).toEqual([false, true, false]);
		expect([null, undefined, 'NaN', NaN, [NaN], parseResponse('[null]')].map(hadNotFinite)).not.toContain(true);
	});

	test('returns null for a long integer that JavaScript takes for infinite', () => {
		expect(parseResponse(`[${'9'.repeat(310)}.5]`)).toEqual([null]);
		expect(parseResponse(`[1${'0'.repeat(250)}e90]`)).toEqual([null]);
	});

	test('keeps text that looks like a number too large for JavaScript', () => {
		const parsed = parseResponse('{"code":"1e400","a":1e300}');
		expect(parsed).toEqual({ code: '1e400', a: 1e300 });
		expect(hadNotFinite(parsed)).toBe(false);
	});

	test('returns null for a number that is not finite below a million levels', () => {
		const json = `${'['.repeat(1_000_000)}NaN${']'.repeat(1_000_000)}`;
		expect(hadNotFinite(parseResponse(json))).toBe(true);
	});

	test.each([
		'NaN',
		'Infinity',
		'-Infinity',
		'{NaN:1}',
		'[+Infinity]',
		'[-NaN1]',
		'[nan]',
		'[Inf]',
		'[NaN NaN]',
		'NaN,',
	])('throws for %j, which Python does not write inside a list or an object', (text) => {
		expect(() => parseResponse(text)).toThrow(SyntaxError);
	});

	const cutOffError = expect.objectContaining({ cutOff: true }) as Error;
	const whole =
		'{"results": [{"a\\"\\u00e9": -1.5e-3, "b": NaN, "c": [true, false, null, -Infinity, "\\\\"]}, 12345678901234567890]}';

	test.each(Array.from(whole, (_, end) => whole.slice(0, end)))('reports %j as cut off', (beginning) => {
		expect(() => parseResponse(beginning)).toThrow(cutOffError);
	});

	test('reports any incomplete list as cut off', () => {
		fc.assert(
			fc.property(document, fc.nat(), (given, at) => {
				const json = `[${given.text}]`;
				expect(() => parseResponse(json.slice(0, at % json.length))).toThrow(cutOffError);
			}),
			{ numRuns: 1_000 },
		);
	});

	test.each([
		'hello',
		"{'a': 1}",
		'{"a": 1,}',
		'[1, 2,]',
		'{"a":1}\n{"a":2}\n',
		'{"a":1}\n{"a":',
		'{"a": undefined}',
		'{a: 1}',
		'{"a": True}',
		'[1] // note',
		'"a\nb"',
		'<html>',
		')]}\',\n{"a":1}',
		'I am N',
		'[1,2]]',
	])('does not report %j as cut off', (text) => {
		expect(() => parseResponse(text)).toThrow(expect.objectContaining({ cutOff: false }) as Error);
	});
});

it.each(Object.entries({ parseGiven, parseJson, parseResponse }))(
	'%s accepts a byte order mark before the JSON',
	(_name, parse) => {
		expect(parse('\ufeff{"a":1}')).toEqual({ a: 1 });
		expect(parse('\ufeff\n[9007199254740993]')).toEqual(['9007199254740993']);
	},
);
