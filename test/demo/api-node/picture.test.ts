import { PNG } from 'pngjs';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

const png = (width: number, height: number) => PNG.sync.write(new PNG({ width, height }));
const gif = Buffer.from('R0lGODlhBwADAIAAAAAAAP///yH5BAEAAAAALAAAAAAHAAMAAAIFhI+pywUAOw==', 'base64');

/** A segment of a JPEG: its marker, and its length before its data. */
const segment = (marker: number, ...data: number[]) => [0xff, marker, 0, data.length + 2, ...data];
const frame = (marker: number) => segment(marker, 8, 0, 200, 1, 44, 1, 1, 0x11, 0);
const jpeg = (...segments: number[][]) => Buffer.from([0xff, 0xd8, ...segments.flat(), 0xff, 0xd9]);
const jfif = segment(0xe0, ...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0);
/** Huffman tables stand among the frames, and are none. */
const tables = segment(0xc4, 0, 9, 9, 9, 9, 9, 9, 9);

test.each([
	['a PNG', png(3, 2), { format: 'PNG', width: 3, height: 2, prediction: 'landscape' }],
	['a GIF', gif, { format: 'GIF', width: 7, height: 3, prediction: 'landscape' }],
	['a JPEG', jpeg(jfif, frame(0xc0)), { format: 'JPEG', width: 300, height: 200, prediction: 'landscape' }],
	['a progressive JPEG', jpeg(jfif, tables, frame(0xc2)), { format: 'JPEG', width: 300, height: 200 }],
	['a JPEG with fill bytes', jpeg([0xff], jfif, frame(0xc1)), { format: 'JPEG', width: 300, height: 200 }],
	['a square picture', png(4, 4), { prediction: 'square' }],
])('format and size of %s are read from its bytes', async (_name, bytes, expected) => {
	const input = bytes.toString('base64');
	const one = await ask<{ result: object }>(node, 'open/picture_shape/predict', { features: { input } });
	expect(one.body.result).toMatchObject({ ...expected, bytes: bytes.length });
	const { prediction: _prediction, ...read } = expected as Record<string, unknown>;
	const called = await ask<{ response: object }>(node, 'open/picture/run', { file: input });
	expect(called.body.response).toMatchObject(read);
});

test.each([
	['text', 'hello'],
	['a data URL', `data:image/png;base64,${png(1, 1).toString('base64')}`],
	['half a PNG', png(1, 1).subarray(0, 20).toString('base64')],
	['a JPEG without a frame', jpeg(jfif, tables).toString('base64')],
	['nothing', ''],
	['a number', 5],
])('%s is refused because it is not a picture', async (_name, input) => {
	const { status, body } = await ask<ErrorBody>(node, 'open/picture_shape/predict', { features: { input } });
	expect([status, body.message]).toEqual([400, "Feature 'input' must be a PNG, JPEG or GIF picture in base64"]);
	const called = await ask<ErrorBody>(node, 'open/picture/run', { file: input });
	expect([called.status, called.body.detailedMessage]).toEqual([
		500,
		'UnidentifiedImageError: cannot identify image file',
	]);
});

test('the function accepts no argument that it does not name', async () => {
	const { body } = await ask<ErrorBody>(node, 'open/picture/run', { file: '', name: 'a.png' });
	expect(body.detailedMessage).toBe("TypeError: picture() got an unexpected keyword argument 'name'");
});
