import { setTimeout as sleep } from 'node:timers/promises';
import { Container } from '@n8n/di';
import type { IBinaryData, IDataObject, INodeExecutionData } from 'n8n-workflow';
import { PNG } from 'pngjs';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { type ChaosProxy, type ChaosRequest, chaosProxy, inOrder } from '../../support/chaosProxy';
import { nodePackage } from '../../support/engine';
import { core } from '../../support/engine/core';
import { jsonOf, nodeTypes, run, wire } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(() => node.close());

const opened: ChaosProxy[] = [];
afterEach(async () => {
	await Promise.all(opened.splice(0).map(async (proxy) => await proxy.close()));
});
async function proxyWith(...options: Parameters<typeof chaosProxy>): Promise<ChaosProxy> {
	const proxy = await chaosProxy(...options);
	opened.push(proxy);
	return proxy;
}

/** A file as n8n's memory mode has it, in the item itself. */
const inMemory = (bytes: Buffer, mimeType = 'image/png'): IBinaryData => ({ data: bytes.toString('base64'), mimeType });
const picture = (width: number, height: number) => PNG.sync.write(new PNG({ width, height }));

const file = (feature: unknown, binaryProperty: unknown = 'data') => ({ feature, binaryProperty }) as IDataObject;
const files = (...rows: IDataObject[]) => ({ files: { file: rows } });

/** A response that fits any operation. */
function respond({ path, body }: ChaosRequest) {
	const { items = [] } = JSON.parse(body) as { items?: unknown[] };
	if (path.endsWith('/query')) return { body: { columns: ['n'], rows: [['1']] } };
	if (path.endsWith('/run')) return { body: { response: 1, timing: {} } };
	if (path.endsWith('/forecast')) return { body: { results: [{ forecast: 1, timeseriesIdentifier: {} }] } };
	return { body: { results: items.map(() => ({ prediction: 1, data: { n: 1 } })) } };
}

/** The record in the body of a request, whatever the operation. */
function recordIn(body: IDataObject): IDataObject {
	const [item] = (body.items ?? [body]) as IDataObject[];
	return (item!.features ?? item!.data ?? item) as IDataObject;
}

const sources: Record<string, IDataObject> = {
	'the form by name': { recordSource: 'mapping', mapping: { mappingMode: 'autoMapInputData', value: null } },
	'the form field by field': {
		recordSource: 'mapping',
		mapping: { mappingMode: 'defineBelow', value: { a: '={{ $json.a }}' } },
	},
	'the input item': { recordSource: 'inputItem' },
	'defined fields': {
		recordSource: 'fields',
		fields: { assignments: [{ id: '1', name: 'a', value: '={{ $json.a }}', type: 'number' }] },
	},
	JSON: { recordSource: 'json', recordJson: '={{ $json }}' },
};

describe.each(nodeTypes)('%s', (type) => {
	it.each(Object.keys(sources))('adds the files of the item to a record from %s', async (source) => {
		const proxy = await proxyWith({ respond });
		const bytes = Buffer.from([0, 255, 128, 10]);
		const items: INodeExecutionData[] = [{ json: { a: 1 }, binary: { photo: inMemory(bytes) } }];
		const { error } = await run(type, {
			url: proxy.url,
			items,
			options: files(file('input', 'photo'), file('again', 'photo')),
			// What-If is content with the response, and sends no variant.
			parameters: { ...sources[source], goal: 'above', goalValue: 0 },
		});
		expect(error).toBeUndefined();
		const base64 = bytes.toString('base64');
		expect(wire(proxy).map(({ body }) => recordIn(body))).toEqual([{ a: 1, input: base64, again: base64 }]);
	});
});

it("reads the picture that an expression returns when a tool's item, the chat, has no file", async () => {
	const items: INodeExecutionData[] = [{ json: { a: 1 }, binary: { upload: inMemory(picture(3, 2)) } }];
	const { output } = await run('dataikuPredictTool', {
		url: node.url,
		endpointId: 'picture_shape',
		items,
		options: files(file('input', "={{ $('Start').first().binary.upload }}")),
		parameters: { recordJson: '{}', output: 'flat' },
	});
	expect(jsonOf(output)).toMatchObject([{ prediction: 'landscape', format: 'PNG', width: 3, height: 2 }]);
});

it('replaces a field of the same name and takes names and fields by expression', async () => {
	const proxy = await proxyWith({ respond });
	const items: INodeExecutionData[] = ['left', 'right'].map((side) => ({
		json: { input: 'text', side },
		binary: { [side]: inMemory(Buffer.from(side)) },
	}));
	const options = files(file('={{ "in" + "put" }}', '={{ $json.side }}'));
	await run('dataikuPredict', { url: proxy.url, items, options });
	const sent = (wire(proxy)[0]!.body.items as IDataObject[]).map((item) => recordIn(item).input);
	expect(sent).toEqual(['left', 'right'].map((side) => Buffer.from(side).toString('base64')));
});

it.each([
	['nothing', undefined, "The item has no file in 'data'", 'none'],
	['other files', { photo: inMemory(picture(1, 1)), thumb: inMemory(picture(1, 1)) }, undefined, 'photo, thumb'],
] as const)('fails only the item that has %s where its file is expected', async (_name, binary, _message, found) => {
	const good: INodeExecutionData = { json: { n: 0 }, binary: { data: inMemory(picture(2, 2)) } };
	const bad: INodeExecutionData = { json: { n: 1 }, ...(binary && { binary }) };
	const { output } = await run('dataikuPredict', {
		url: node.url,
		endpointId: 'picture_shape',
		items: [good, bad, good],
		options: files(file('input')),
		onError: 'continueRegularOutput',
	});
	const [first, failed, last] = jsonOf(output);
	expect([first!.result, last!.result]).toMatchObject([{ prediction: 'square' }, { prediction: 'square' }]);
	expect(failed!.error).toBe(`The item has no file in 'data'. Binary fields of the item: ${found}.`);
});

it.each([
	[files(file('')), '"Files" contains no file'],
	[files(file('input'), file('')), 'A row of "Files" has no "Send As" name'],
	[files(file('input'), file('input')), "Two files would be sent as 'input'"],
	[files(file('input', '={{ 42 }}')), "The item has no file in '42'"],
	[files(file('input', '={{ undefined }}')), "The item has no file in ''"],
	[{ files: { file: '={{ [{ feature: "input" }] }}' } }, '"Files" contains no file'],
])('reports the problem with %j', async (options, message) => {
	const items: INodeExecutionData[] = [{ json: {}, binary: { data: inMemory(picture(1, 1)) } }];
	const { error } = await run('dataikuRunFunction', { url: node.url, endpointId: 'picture', items, options });
	expect(error?.message).toContain(message);
});

it('sends a function only the file when no other field is defined', async () => {
	const { output, error } = await run('dataikuRunFunction', {
		url: node.url,
		endpointId: 'picture',
		items: [{ json: { fileName: 'a.png' }, binary: { data: inMemory(picture(4, 5)) } }],
		options: files(file('file')),
		parameters: { recordSource: 'fields', output: 'resultOnly' },
	});
	expect(error).toBeUndefined();
	expect(jsonOf(output)).toMatchObject([{ format: 'PNG', width: 4, height: 5 }]);
});

describe('The check of features', () => {
	const form = [
		{ id: 'input', displayName: 'input', type: 'string', required: true, display: true, defaultMatch: false },
	];

	it('accepts the file as its required feature, without a hint on the form', async () => {
		const { output, hints } = await run('dataikuPredict', {
			url: node.url,
			endpointId: 'picture_shape',
			items: [{ json: { name: 'a' }, binary: { data: inMemory(picture(2, 3)) } }],
			options: { checkFeatures: 'error', ...files(file('input')) },
			parameters: { mapping: { mappingMode: 'autoMapInputData', value: null, schema: form } },
		});
		expect(jsonOf(output)).toMatchObject([{ result: { prediction: 'portrait' } }]);
		expect(hints).toEqual([]);
	});

	it('names the feature that a file was meant for, and shows nothing of the file', async () => {
		const { error } = await run('dataikuPredict', {
			url: node.url,
			endpointId: 'picture_shape',
			items: [{ json: { name: 'a' }, binary: { data: inMemory(picture(2, 3)) } }],
			options: { checkFeatures: 'error', ...files(file('inputs')) },
		});
		expect(error?.message).toContain('did you mean `input`?');
		expect(error?.message).not.toContain(picture(2, 3).toString('base64').slice(0, 10));
	});
});

describe('With files in the storage of n8n', () => {
	/** Registers a storage that counts what it is asked for. */
	async function storage(getAsBuffer: (id: string) => Promise<Buffer>) {
		const { BinaryDataService } = await core();
		Container.get(BinaryDataService).setManager('database', { getAsBuffer } as never);
	}
	const stored = (id: unknown): IBinaryData => ({
		data: 'database',
		id: `database:${String(id)}`,
		mimeType: 'image/png',
	});

	/** Runs a node over so many items with a file each, and says how many files were read before their records were served. */
	async function runMany(type: string, count: number, bytes: number, more: IDataObject = {}) {
		const photo = Buffer.alloc(bytes, 7);
		let [read, served, ahead] = [0, 0, 0];
		await storage(async () => {
			ahead = Math.max(ahead, ++read - served);
			return await Promise.resolve(photo);
		});
		const proxy = await proxyWith({
			respond: async (request) => {
				// As long as a slow model takes, for all that is read ahead to be read.
				await sleep(200);
				served += (JSON.parse(request.body) as { items?: unknown[] }).items?.length ?? 1;
				return respond(request);
			},
		});
		const items = Array.from({ length: count }, (_, n) => ({ json: { n }, binary: { data: stored(n) } }));
		const options = { ...files(file('input')), ...more };
		const { output, error, hints } = await run(type, { url: proxy.url, items, options });
		expect([error, output.length, read]).toEqual([undefined, count, count]);
		return { ahead, proxy, hints };
	}

	it.each([
		['dataikuPredict', 'predict'],
		['dataikuRunFunction', 'run'],
	])('%s reads each photo only shortly before it is sent', async (type, action) => {
		const { ahead, proxy, hints } = await runMany(type, 40, 600_000);
		expect(ahead).toBeLessThanOrEqual(2 * 8);
		expect(hints).toEqual([]);
		// None shares a request: each is larger than what a batch holds.
		expect(proxy.requests.map(({ path }) => path.split('/').at(-1)!.replace('-multi', ''))).toEqual(
			Array<string>(40).fill(action),
		);
	});

	it.each([
		['each record goes another way', 'dispatchKey', '={{ $json.n }}'],
		['batches are large', 'batchSize', 100_000],
	])('holds a bounded number of small files when %s', async (_name, option, value) => {
		const { ahead } = await runMany('dataikuPredict', 200, 270_000, { [option]: value });
		expect(ahead * 360_000).toBeLessThan(40 * 1024 * 1024);
	});

	it('sends the whole photo again when a request is repeated, and reads it once', async () => {
		let read = 0;
		await storage(async () => {
			read++;
			return await Promise.resolve(picture(9, 8));
		});
		const faults = inOrder({ kind: 'reset', when: 'during' });
		const proxy = await proxyWith({ upstream: node.url, faults });
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			endpointId: 'picture_shape',
			items: [{ json: {}, binary: { data: stored(1) } }],
			options: files(file('input')),
		});
		expect(jsonOf(output)).toMatchObject([{ result: { width: 9, height: 8 } }]);
		expect([read, proxy.requests.length]).toEqual([1, 2]);
	});

	it('fails the item without a path when its file is gone', async () => {
		await storage(() => {
			throw Object.assign(new Error("ENOENT: no such file, open '/home/node/.n8n/secret'"), { code: 'ENOENT' });
		});
		const { error } = await run('dataikuPredict', {
			url: node.url,
			endpointId: 'picture_shape',
			items: [{ json: {}, binary: { data: stored(1) } }],
			options: files(file('input')),
		});
		expect(error?.message).toContain("The file in 'data' could not be read");
		expect(error?.description).toContain("n8n's storage responded: ENOENT.");
		expect(JSON.stringify(error)).not.toContain('/home/node');
	});
});

it('shows nothing of a file when an expression returns it in place of the name of its field', async () => {
	const photo = picture(300, 200).toString('base64');
	const { error } = await run('dataikuPredict', {
		url: node.url,
		endpointId: 'picture_shape',
		items: [{ json: { photo } }],
		options: files(file('input', '={{ $json.photo }}')),
	});
	expect(error?.message).toContain('The item has no file in');
	expect(error?.message).not.toContain(photo.slice(0, 100));
});

it('gives no hint on the batch size when files are sent', async () => {
	const nodes = await nodePackage();
	for (const type of nodeTypes) {
		const { hints = [] } = nodes.types.getByNameAndVersion(nodes.fullName(type)).description;
		for (const { message, displayCondition } of hints) {
			if (message.startsWith('Batch Size 1')) expect(displayCondition).toContain('!$parameter["options"]["files"]');
		}
	}
});
