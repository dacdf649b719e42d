import { setImmediate } from 'node:timers';
import { hadNotFinite, NotJson, parseResponse } from '../../../client/json';
import { parseBody } from '../../../client/wire/parseBody';
import { randomly } from '../../support/randomly';
import { Stage, failureOf } from '../harness';

const stage = new Stage();

const parse = async (text: string | Buffer, most?: number, contentType = 'application/json') =>
	await parseBody({ status: 200, headers: { 'content-type': contentType }, body: Buffer.from(text) }, most);

const texts = ['', 'a', '"', '\\', '\\"', '[', ']},{', ',', 'ü€😀', '\u2028', '__proto__', 'constructor', '0', '17'];

// JSON.parse of Node.js 24 takes some keys with an escape for another key, one with a backslash, that it has read
// before (nodejs/node#63785).
const names = texts.filter((text) => !text.includes('\\'));

function randomValue(random: (n: number) => number, depth: number): unknown {
	const kind = random(depth > 0 ? 9 : 6);
	if (kind === 0) return null;
	if (kind === 1) return random(2) === 0;
	if (kind === 2) return random(1000) / 8;
	if (kind < 6) return texts[random(texts.length)]!.repeat(random(3));
	const size = random(40);
	const entries = Array.from({ length: size }, () => randomValue(random, depth - 1));
	if (kind === 6) return entries;
	return Object.fromEntries(entries.map((value, n) => [`${names[random(names.length)]}${random(3) ? n : ''}`, value]));
}

const filler = (bytes: number) => 'x'.repeat(bytes);

describe('a large JSON response', () => {
	test.each(Array.from({ length: 6 }, (_, seed) => seed + 1))('is read as JSON.parse reads it (%i)', async (seed) => {
		const random = randomly(seed * 7919);
		const value = Array.from({ length: 60 }, () => [filler(random(6000)), randomValue(random, 3)]);
		const whole = random(2) ? value : { first: value.slice(0, 9), '2': value.slice(9), '1': 'last' };
		for (const indent of [undefined, '\t']) {
			const text = ` \n${JSON.stringify(whole, null, indent)}\r\n`;
			const expected = JSON.parse(text) as unknown;
			const read = await parse(text);
			expect(read).toEqual(expected);
			expect(JSON.stringify(read)).toBe(JSON.stringify(expected));
		}
	});

	const long = JSON.stringify(Array.from({ length: 3 }, () => filler(40_000)));
	test.each([
		['keeps digits of long integers', `{"a":${long},"b":[12345678901234567890,{"c":-9007199254740993}]}`],
		['takes the last of equal keys', `{"a":${long},"b":1,"a":${long},"b":{"c":2},"a":3}`],
		['takes an object for the last of equal keys', `{"a":1,"a":{"b":${long}}}`],
		['has fields called __proto__', `{"__proto__":{"a":${long},"__proto__":[1]},"b":${long},"__proto__":2}`],
		['has an empty object and an empty list', `[${long},{},[],{"a":{}},[[]],${long},{}]`],
		['has escapes at the end of texts', `["\\\\",${long},"\\"",${long},"\\\\\\""]`],
		['is one long text', JSON.stringify(filler(100_000))],
		['holds one long text', JSON.stringify([filler(100_000)])],
	])('is parsed when it %s', async (_what, text) => {
		const read = await parse(text);
		expect(read).toEqual(parseResponse(text));
		expect(JSON.stringify(read)).toBe(JSON.stringify(parseResponse(text)));
	});

	test('has null for numbers that are not finite, and marks everything that contains them', async () => {
		const read = (await parse(`{"results":[{"a":${long}},{"a":${long},"b":NaN},{"a":1}]}`)) as {
			results: Array<{ b?: unknown }>;
		};
		expect(read.results[1]!.b).toBeNull();
		expect([read, read.results, ...read.results].map(hadNotFinite)).toEqual([true, true, false, true, false]);
	});

	test.each([
		['utf16le', 'application/json', ''],
		['utf16le', 'application/json', '\uFEFF'],
		['utf8', 'application/json', '\uFEFF'],
		['utf8', 'application/json; charset=UTF8', ''],
		['latin1', 'application/json; charset=iso-8859-1', ''],
		['utf8', 'application/json; charset=none-such', ''],
	] as const)('is parsed in %s as %s, with "%s" before it', async (encoding, contentType, mark) => {
		const text = `["é",${long},${long},${long},"ö"]`;
		expect(await parse(Buffer.from(mark + text, encoding), undefined, contentType)).toEqual(JSON.parse(text));
	});

	test.each([
		`[${long},]`,
		`[${long},,${long}]`,
		`[,${long},${long}]`,
		`[${long} ${long}]`,
		`[${long},5${long}]`,
		`[${long},${long},5${long}]`,
		`[${long}5,${long}]`,
		`[${long},${long}}`,
		`{"a":${long},"b":${long}]`,
		`{"a":${long},"b"${long}}`,
		`{"a":${long},${long}}`,
		`{"a":${long}"b":1,"c":${long}}`,
		`{"a":${long},"b":2 5,"c":${long}}`,
		`{"a":${long},}`,
		`[${long},"a":1]`,
		`[${long},undefined,${long}]`,
		`[${long},'a',${long}]`,
		`[${long}]\n[${long}]`,
		`[${long}]x`,
		`[${long}]"x"`,
		`[${long}]]`,
		`]${long}`,
		`,${long}`,
		`<html>${long}`,
		`${long}"`,
	])('is refused when JSON.parse refuses it (%#)', async (text) => {
		expect(() => JSON.parse(text) as unknown).toThrow();
		const error = await parse(text).catch((thrown: unknown) => thrown);
		expect(error).toBeInstanceOf(NotJson);
		expect(error).toHaveProperty('cutOff', false);
	});

	test('is reported as cut off wherever it was cut off', async () => {
		const text = `{"results":[{"a":${long},"b":"\\"x"},{"c":[1.5,true,${long}]}],"d":{}}`;
		for (let end = text.length - 1; end > 70_000; end -= 971) {
			await expect(parse(text.slice(0, end))).rejects.toMatchObject({ cutOff: true });
		}
	});

	test('is refused early when it contains more results than records', async () => {
		const text = `{"timing":{},"results":[${'{},'.repeat(400_000)}{}]}`;
		await expect(parse(text, 100)).rejects.toThrow('has more than 100 results');
		await expect(parse(`${text.slice(0, -2)} no JSON`, 100)).rejects.toThrow('has more than 100 results');
	});

	test('is parsed when it contains as many results as records, and longer lists in them', async () => {
		const result = { results: Array.from({ length: 5000 }, () => ({})), text: filler(70_000) };
		expect(await parse(JSON.stringify({ results: [result, result] }), 2)).toEqual({ results: [result, result] });
	});

	test.each(['{},', '{"a":[]},'])('is refused when it contains a million of %s', async (entry) => {
		await expect(parse(`[${entry.repeat(1_000_000)}{}]`)).rejects.toThrow('more than 1,000,000 objects and lists');
	});

	test('is refused when it is nested too deeply', async () => {
		await expect(parse('['.repeat(100_000))).rejects.toBeInstanceOf(NotJson);
		await expect(parse('{"a":'.repeat(100_000))).rejects.toBeInstanceOf(NotJson);
	});

	test.each([
		['one object after the other', `[${'{},'.repeat(300_000)}{}]`, 10],
		['lists in lists', `[${'[[1,2],[3,4]],'.repeat(60_000)}[]]`, 10],
		['many fields', `{${Array.from({ length: 60_000 }, (_, n) => `"field ${n}":${n}`).join()}}`, 10],
	])('leaves turns to other work when it is %s', async (_what, text, least) => {
		let turns = 0;
		let done = false;
		const other = () => {
			turns++;
			if (!done) setImmediate(other);
		};
		setImmediate(other);
		await Promise.all([parse(text), parse(text)]);
		done = true;
		expect(turns).toBeGreaterThanOrEqual(2 * least);
	});
});

describe('a response that is too large for its request', () => {
	const entries = `[${'{},'.repeat(2 ** 21)}{}]`;
	const calls = [
		['predictRecord', '{"result":{"x":', '}}', 4],
		['predictEffect', '{"result":{"x":', '}}', 4],
		['lookupRecord', '{"results":[{"data":{"x":', '}}]}', 4],
	] as const;
	test.each(calls)('is not read completely when the call is %s', async (name, before, after, mebibytes) => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ status: 200, body: before + entries + after }),
		});
		const error = await failureOf(client[name]('e', {}));
		expect(error).toMatchObject({ reason: 'tooLarge', message: expect.stringContaining(`${mebibytes} MiB`) as string });
	});

	test.each(['predict', 'predictEffect', 'lookup'] as const)(
		'gives no record a result, and is asked for three times at most, when it is of a batch of %s',
		async (operation) => {
			const { chaos, client } = await stage.chaosAndClient({
				respond: () => ({ status: 200, body: `{"results":[${'{},'.repeat(60_000)}{}]}` }),
			});
			const records = Array.from({ length: 20 }, () => ({ features: { a: 1 }, data: { a: 1 } }));
			const outcomes = await client.settle(operation, 'e', records);
			for (const { error } of outcomes) {
				expect(error?.message).toMatch(/^The response from \S+ has more than \d+ results$/);
			}
			expect(chaos.requests.length).toBeLessThanOrEqual(3);
		},
	);

	test('is read when the call allows it', async () => {
		const { client } = await stage.chaosAndClient({
			respond: () => ({ status: 200, body: JSON.stringify({ result: { prediction: filler(6 * 2 ** 20) } }) }),
		});
		const { result } = await client.predictRecord('e', {}, { maxResponseBytes: 8 * 2 ** 20 });
		expect(String(result.prediction)).toHaveLength(6 * 2 ** 20);
	});
});
