import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import { type ApiNodeClient, hadNotFinite, RawResponse } from '../../../client/internal';
import type { Answer } from '../../support/chaosProxy';
import { failureOf, Stage } from '../harness';

const stage = new Stage();

const json = '{"result":{"city":"Orléans"},"results":[],"columns":[],"rows":[],"response":1}';
const parsed: unknown = JSON.parse(json);

async function responding(answer: Answer) {
	return await stage.chaosAndClient({ respond: () => answer });
}

const encodedAs = (encoding: string | string[], body: Buffer | string): Answer => ({
	body,
	headers: { 'content-encoding': encoding as string, 'content-type': 'application/json' },
});

const calls: Array<[string, (client: ApiNodeClient) => Promise<unknown>]> = [
	['predictRecord', async (client) => await client.predictRecord('e', {})],
	['predictEffects', async (client) => await client.predictEffects('e', [])],
	['forecast', async (client) => await client.forecast('e', [])],
	['lookupRecords', async (client) => await client.lookupRecords('e', [])],
	['sqlQuery', async (client) => await client.sqlQuery('e')],
	['runFunction', async (client) => await client.runFunction('e')],
	['openApi', async (client) => await client.openApi()],
];

describe('a response that is compressed unasked', () => {
	test.each<[string, string | string[], Buffer | string]>([
		['gzip', 'gzip', gzipSync(json)],
		['gzip in other letters', ' GZIP ', gzipSync(json)],
		['x-gzip', 'x-gzip', gzipSync(json)],
		['gzip in two members', 'gzip', Buffer.concat([gzipSync(json.slice(0, 9)), gzipSync(json.slice(9))])],
		['deflate', 'deflate', deflateSync(json)],
		['raw deflate', 'deflate', deflateRawSync(json)],
		['Brotli', 'br', brotliCompressSync(json)],
		['gzip and identity', 'gzip, identity', gzipSync(json)],
		['identity and gzip', 'identity,gzip', gzipSync(json)],
		['identity', 'identity', json],
		['an empty header', '', json],
		['Brotli inside of gzip', 'br, gzip', gzipSync(brotliCompressSync(json))],
		['two headers', ['deflate', 'gzip'], gzipSync(deflateSync(json))],
		['gzip that is named twice and was made once', ['gzip', 'gzip'], gzipSync(json)],
		['text that is called gzip', 'gzip', json],
		['text that is called deflate', 'deflate', json],
		['text with an encoding that does not exist', 'utf-8', json],
		['text that is called zstd', 'zstd', json],
	])('is decoded: %s', async (_name, encoding, body) => {
		const { chaos, client } = await responding(encodedAs(encoding, body));
		expect(await client.predictRecord('e', {})).toEqual(parsed);
		expect(chaos.requests).toHaveLength(1);
		expect(chaos.requests[0]!.headers['accept-encoding']).toBe('identity');
	});

	test.each(calls)('is decoded by %s without a header that says so', async (_name, call) => {
		const { client } = await responding({ body: gzipSync(json), headers: { 'content-type': 'application/json' } });
		await expect(call(client)).resolves.toBeDefined();
	});

	test.each<[string, string, Buffer, string]>([
		['no gzip', 'gzip', Buffer.from([1, 2, 3, 4]), 'does not match its content-encoding gzip'],
		['no deflate', 'deflate', Buffer.from([0xff, 0xff, 3, 4]), 'does not match its content-encoding deflate'],
		['no Brotli', 'br', Buffer.from([1, 2, 3, 255, 255, 255, 6, 7]), 'does not match its content-encoding br'],
		['an encoding that is not known', 'exi', Buffer.from([1, 2, 3]), 'has the content-encoding "exi", which Node.js'],
		['a name from the prototype', 'constructor', Buffer.from([1, 2, 3]), 'has the content-encoding "constructor"'],
	])('fails immediately when it is %s', async (_name, encoding, body, words) => {
		const { chaos, client } = await responding(encodedAs(encoding, body));
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'notJson', attempts: 1, status: 200 });
		expect(error.message).toContain(`The response from 127.0.0.1:${chaos.port} ${words}`);
		expect(chaos.requests).toHaveLength(1);
	});

	test('is decoded or reported immediately when it is zstd, which not every Node.js supports', async () => {
		const { zstdCompressSync } = zlib as { zstdCompressSync?: (text: string) => Buffer };
		const { chaos, client } = await responding(
			encodedAs('zstd', zstdCompressSync?.(json) ?? Buffer.from('28b52ffd04', 'hex')),
		);
		if (zstdCompressSync) expect(await client.predictRecord('e', {})).toEqual(parsed);
		else expect((await failureOf(client.predictRecord('e', {}))).message).toContain('"zstd", which Node.js 20');
		expect(chaos.requests).toHaveLength(1);
	});

	test.each<[string, string, Buffer]>([
		['gzip', 'gzip', gzipSync(json).subarray(0, 30)],
		['deflate', 'deflate', deflateSync(json).subarray(0, 20)],
		['Brotli', 'br', brotliCompressSync(json).subarray(0, 20)],
	])('is requested again when it was cut off: %s', async (_name, encoding, cut) => {
		stage.withoutPauses();
		const { chaos, client } = await stage.chaosAndClient({
			respond: ({ n }) => (n === 1 ? encodedAs(encoding, cut) : { body: json }),
		});
		expect(await client.predictRecord('e', {})).toEqual(parsed);
		expect(chaos.requests).toHaveLength(2);
		expect(await failureOf((await responding(encodedAs(encoding, cut))).client.sqlQuery('e'))).toMatchObject({
			reason: 'broken',
			attempts: 1,
		});
	});

	test('is limited by its decoded size', async () => {
		const bomb = gzipSync(Buffer.alloc(2 ** 21, ' '));
		for (const [encoding, body] of [
			['gzip', bomb],
			['gzip, gzip', gzipSync(bomb)],
			['deflate', deflateRawSync(Buffer.alloc(2 ** 21, ' '))],
		] as const) {
			const { chaos, client } = await responding(encodedAs(encoding, body));
			const error = await failureOf(client.predictRecord('e', {}, { maxResponseBytes: 2 ** 20 }));
			expect(error).toMatchObject({ reason: 'tooLarge' });
			expect(chaos.requests).toHaveLength(1);
		}
	});

	test.each<[string, Buffer, string | undefined]>([
		['that can be read', gzipSync('{"errorType":"Bad","message":"no such column"}'), 'no such column'],
		['that cannot be read', Buffer.from([1, 2, 3]), undefined],
	])('keeps the status of an error %s', async (_name, body, detail) => {
		const { client } = await responding({ ...encodedAs('gzip', body), status: 400 });
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'StatusError', status: 400 });
		expect(error.detail).toBe(detail);
	});

	test("is returned as a function's file when no header names an encoding", async () => {
		const body = gzipSync('a,b');
		const { client } = await responding({ body, headers: { 'content-type': 'application/gzip' } });
		expect(((await client.runFunction('e')) as RawResponse).data).toEqual(body);
	});
});

describe('the headers of a response', () => {
	const withHeader = (bytes: number): Answer => ({ body: json, headers: { 'x-policy': 'p'.repeat(bytes) } });

	test('may have 20 KB and more', async () => {
		for (const bytes of [20_000, 200_000]) {
			const { chaos, client } = await responding(withHeader(bytes));
			expect(await client.predictRecord('e', {})).toEqual(parsed);
			expect(chaos.requests).toHaveLength(1);
		}
	});

	test('are reported immediately when they are far too large', async () => {
		const { chaos, client } = await responding(withHeader(300_000));
		const error = await failureOf(client.predictRecord('e', {}));
		expect(error).toMatchObject({ name: 'ResponseError', reason: 'tooLarge', attempts: 1 });
		expect(error.message).toBe(`The response headers from 127.0.0.1:${chaos.port} are larger than the allowed 256 KiB`);
		expect(chaos.requests).toHaveLength(1);
	});
});

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const latin1 = Buffer.from(json, 'latin1');

describe('the charset of a response', () => {
	test.each<[string, string, Buffer]>([
		['ISO-8859-1', 'application/json;charset=ISO-8859-1', latin1],
		['quoted', 'application/json; charset="iso-8859-1"', latin1],
		['in single quotes', "application/json; charset='latin1'; profile=x", latin1],
		['in other letters, with spaces', 'application/json ; Charset = Windows-1252', latin1],
		['as Java spells it', 'application/json; charset=ISO8859_1', latin1],
		['as Python spells it', 'application/json; charset=latin-1', latin1],
		['ISO-8859-1 that nobody names', 'application/json', latin1],
		['ISO-8859-1 that is called UTF-8', 'application/json; charset=utf-8', latin1],
		['ISO-8859-1 under a name that does not exist', 'application/json; charset=klingon', latin1],
		['UTF-16 without a mark', 'application/json; charset=utf-16', Buffer.from(json, 'utf16le')],
		['big-endian UTF-16 without a mark', 'application/json; charset=UTF-16', utf16be(json)],
		['UTF-16BE', 'application/json; charset=utf-16be', utf16be(json)],
		['UTF-16 that nobody names', 'application/json', Buffer.from(json, 'utf16le')],
		['UTF-8 with a mark', 'application/json', Buffer.from(`\ufeff${json}`)],
		['UTF-8 with a mark and a wrong name', 'application/json; charset=latin1', Buffer.from(`\ufeff${json}`)],
		['little-endian UTF-16 with a mark', 'application/json', Buffer.from(`\ufeff${json}`, 'utf16le')],
		['big-endian UTF-16 with a mark', 'application/json; charset=utf-8', utf16be(`\ufeff${json}`)],
		['none that exists', 'application/json; charset=klingon', Buffer.from(json)],
		['none', 'application/json; charset=', Buffer.from(json)],
	])('is used: %s', async (_name, type, body) => {
		const { client } = await responding({ body, headers: { 'content-type': type } });
		expect(await client.predictRecord('e', {})).toEqual(parsed);
		expect(await client.runFunction('e')).toEqual(parsed);
	});

	test('is used for the whole text when a response has several megabytes', async () => {
		const city = 'Orléans'.repeat(400_000);
		const body = Buffer.from(JSON.stringify({ result: { city } }), 'latin1');
		const type = 'application/json; charset=ISO-8859-1';
		const { client } = await responding({ body, headers: { 'content-type': type } });
		const { result } = await client.predictRecord('e', {});
		expect((result as { city?: string }).city === city).toBe(true);
	});

	test.each(calls)('is used by %s', async (_name, call) => {
		const type = 'application/json; charset=ISO-8859-1';
		const { client } = await responding({ body: latin1, headers: { 'content-type': type } });
		expect(await call(client)).toEqual(parsed);
		const marked = await responding({ body: `\ufeff${json}`, headers: { 'content-type': 'application/json' } });
		expect(await call(marked.client)).toEqual(parsed);
	});

	test('is found in a large response that names none', async () => {
		const long = JSON.stringify({ results: [], text: 'é'.repeat(200_000) });
		const { client } = await responding({ body: Buffer.from(long, 'latin1') });
		expect(await client.forecast('e', [])).toEqual(JSON.parse(long));
	});

	test('remains UTF-8 when a character is cut off at the end', async () => {
		const body = Buffer.from('Modèle refusé').subarray(0, -1);
		const { client } = await responding({ status: 400, body, headers: { 'content-type': 'text/plain' } });
		expect((await failureOf(client.predictRecord('e', {}))).detail).toBe('Modèle refus\ufffd');
	});

	test('has the characters of Windows-1252 in place of control characters', async () => {
		const type = 'application/json; charset=ISO-8859-1';
		const body = Buffer.from([...Buffer.from('{"result":{"price":"5 '), 0x80, 0x92, ...Buffer.from('"}}')]);
		const { client } = await responding({ body, headers: { 'content-type': type } });
		expect((await client.predictRecord('e', {})).result).toEqual({ price: '5 €’' });
		const text = await responding({
			body: Buffer.from([0x80]),
			headers: { 'content-type': 'text/plain; charset=cp1252' },
		});
		expect(((await text.client.runFunction('e')) as RawResponse).text()).toBe('€');
	});

	test.each<[string, string, Buffer]>([
		['in ISO-8859-1', 'application/json; charset=ISO-8859-1', Buffer.from('{"message":"Modèle refusé"}', 'latin1')],
		['with a mark', 'application/json', Buffer.from('\ufeff{"message":"Modèle refusé"}')],
		['as a page', 'text/html; charset=ISO-8859-1', Buffer.from('<title>Modèle refusé</title>', 'latin1')],
	])('is used for errors, too: %s', async (_name, type, body) => {
		const { client } = await responding({ status: 400, body, headers: { 'content-type': type } });
		expect((await failureOf(client.predictRecord('e', {}))).detail).toBe('Modèle refusé');
	});
});

describe('NaN and Infinity in a response', () => {
	test('become null, and the record is marked', async () => {
		const body = '{"results":[{"prediction":1},{"prediction":NaN},{"probas":{"a":-Infinity}}]}';
		const { chaos, client } = await responding({ body });
		const records = [1, 2, 3].map(() => ({ features: {} }));
		const { results } = await client.predictRecords('e', records);
		expect(results).toEqual([{ prediction: 1 }, { prediction: null }, { probas: { a: null } }]);
		expect(results.map(hadNotFinite)).toEqual([false, true, true]);
		const outcomes = await client.settle('predict', 'e', records);
		expect(
			outcomes.map(({ error, ...outcome }) => [error, hadNotFinite('result' in outcome && outcome.result)]),
		).toEqual([
			[undefined, false],
			[undefined, true],
			[undefined, true],
		]);
		expect(chaos.requests).toHaveLength(2);
	});

	test('become null in the text of an error', async () => {
		const { client } = await responding({ status: 400, body: '{"message":"bad value","value":NaN}' });
		expect((await failureOf(client.predictRecord('e', {}))).detail).toBe('bad value');
	});
});

test.each([204, 205])('a response with status %d, which has no content, is not requested again', async (status) => {
	const { chaos, client } = await responding({ status, body: '' });
	expect(await failureOf(client.predictRecord('e', {}))).toMatchObject({ reason: 'notJson', attempts: 1 });
	expect(chaos.requests).toHaveLength(1);
});

describe("a function's response that is not a single JSON document", () => {
	test.each<[string, string, string]>([
		['lines of JSON', 'application/x-ndjson', '{"a":1}\n{"a":2}\n'],
		['one line of JSON', 'application/x-ndjson; charset=utf-8', '{"a":1}'],
		['JSON lines', 'application/jsonl', '{"a":1}\n{"a":2}'],
		['a sequence', 'application/json-seq', '\u001e{"a":1}\n'],
		['lines that are called JSON', 'application/json', '{"a":1}\n{"a":2}'],
		['text that is called JSON', 'application/json', 'done'],
		['what Python prints', 'text/json', "{'a': None}"],
		['a page that is called JSON', 'application/json', '<p>done</p>'],
		['NaN alone', 'application/problem+json', 'NaN'],
	])('is returned as text with its type: %s', async (_name, type, body) => {
		const { chaos, client } = await responding({ body, headers: { 'content-type': type } });
		const answer = (await client.runFunction('e', {}, { repeatable: true })) as RawResponse;
		expect(answer).toBeInstanceOf(RawResponse);
		expect([answer.contentType, answer.text()]).toEqual([type.split(';')[0], body]);
		expect(chaos.requests).toHaveLength(1);
	});

	test.each(['', ' \r\n'])('is null when it is blank: %j', async (body) => {
		const { chaos, client } = await responding({ body, headers: { 'content-type': 'application/json' } });
		expect(await client.runFunction('e', {}, { repeatable: true })).toBeNull();
		expect(chaos.requests).toHaveLength(1);
	});

	test('is requested again when it was cut off and may be repeated', async () => {
		stage.withoutPauses();
		const cut = { body: '{"response":', headers: { 'content-type': 'application/json' } };
		const { chaos, client } = await stage.chaosAndClient({
			respond: ({ n }) => (n === 1 ? cut : { ...cut, body: json }),
		});
		expect(await client.runFunction('e', {}, { repeatable: true })).toEqual(parsed);
		expect(chaos.requests).toHaveLength(2);
	});
});
