import { inflateSync } from 'node:zlib';
import { request } from 'undici';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

const run = <T = { response: unknown }>(id: string, args: object | string = {}) => ask<T>(node, `open/${id}/run`, args);

test.each([
	['echo', { a: 1, dispatch: { forcedGeneration: 'v9' }, features: [null] }, undefined],
	['add', { a: 2, b: 0.5 }, 2.5],
	[
		'sequence',
		{ count: 2 },
		[
			{ n: 1, square: 1 },
			{ n: 2, square: 4 },
		],
	],
	['nothing', {}, null],
	['wait', { ms: 1 }, 1],
])('%s returns its value in response, beside timing and context', async (id, args, response) => {
	const { status, body } = await run(id, args);
	expect(status).toBe(200);
	expect(body).toMatchObject({ timing: {}, apiContext: { endpointId: id } });
	expect(body.response).toEqual(response === undefined ? args : response);
});

test('an empty body means no argument', async () => {
	expect((await run('echo', '')).body.response).toEqual({});
});

test('integers beyond 2^53 stay exact in both directions', async () => {
	expect((await run('big_integers')).text).toContain('{"id":9007199254740993,"list":[-18446744073709551617,12]');
	expect((await run('echo', '{"id":9007199254740993}')).text).toContain('"response":{"id":9007199254740993}');
});

test('text and XML have their content type', async () => {
	const report = { title: 'A <b> & "c"', lines: ['Lyon 120', 'Ümläut'] };
	const text = await run('report_text', report);
	expect([text.headers['content-type'], text.text]).toEqual([
		'text/plain;charset=utf-8',
		'A <b> & "c"\nLyon 120\nÜmläut',
	]);
	const xml = await run('report_xml', report);
	expect(xml.headers['content-type']).toBe('application/xml');
	expect(xml.text).toContain('<report title="A &lt;b&gt; &amp; &quot;c&quot;"><line>Lyon 120</line>');
});

test('the chart is a PNG whose bars are as high as their values', async () => {
	const answer = await request(`${node.url}/public/api/v1/open/chart/run`, {
		method: 'POST',
		body: '{"values":[30,60]}',
	});
	const png = Buffer.from(await answer.body.arrayBuffer());
	expect(answer.headers['content-type']).toBe('image/png');
	expect(png.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n');
	const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
	const data = png.indexOf('IDAT');
	const pixels = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)));
	expect(pixels).toHaveLength(height * (width + 1));
	const barHeight = (x: number) =>
		Array.from({ length: height }, (_, line) => pixels[line * (width + 1) + 1 + x]!).filter((pixel) => pixel < 0xff)
			.length;
	expect([barHeight(0), barHeight(width / 2)]).toEqual([height / 2, height]);
});

test('a function may choose its status, headers and body', async () => {
	const busy = await run<object>('status', { status: 503, headers: { 'Retry-After': 2 }, body: { reason: 'mine' } });
	expect(busy).toMatchObject({ status: 503, body: { reason: 'mine' }, headers: { 'retry-after': '2' } });
	expect(busy.headers['dss-version']).toBeDefined();
	expect(await run('status', { status: 418, body: 'short and stout' })).toMatchObject({
		status: 418,
		text: 'short and stout',
	});
	expect(await run('status', { status: 204 })).toMatchObject({ status: 204, text: '' });
});

test('a function may read the headers of its request', async () => {
	const asked = async (name: string) =>
		(await ask<{ response: unknown }>(node, 'open/request_header/run', { name }, { 'X-Tenant': 'acme' })).body.response;
	expect([await asked('x-TENANT'), await asked('x-other')]).toEqual(['acme', null]);
});

test.each([
	['failing', { message: 'no stock' }, 'ValueError: no stock'],
	['add', { a: 1 }, "missing 1 required argument: 'b'"],
	['add', { a: 1, b: 'x' }, 'TypeError'],
])('%s raises an error: the response is a 500 with its message', async (id, args, message) => {
	const answer = await run<ErrorBody>(id, args);
	expect(answer.status).toBe(500);
	expect(answer.body.detailedMessage).toContain(message);
});
