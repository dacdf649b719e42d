import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../demo/api-node';
import { chaosProxy, type ChaosProxy, type Fault } from '../support/chaosProxy';
import { expectNothingSent } from '../support/expectNothingSent';
import { callOf, credentialFor, demoKey, endpoint, jsonOf, nodeTypes, pairsOf, run } from './demo';
import { executeDirectly } from './executeDirectly';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

/** Units of a node's example call, and the last input item of each. */
function unitsOf(units: IDataObject[][]) {
	const items = units.flat();
	let end = -1;
	return { items, last: units.map((unit) => (end += unit.length)) };
}

const secrets = [demoKey, Buffer.from(`${demoKey}:`).toString('base64')];
function expectNoSecret(value: unknown): void {
	for (const secret of secrets) expect(JSON.stringify(value)).not.toContain(secret);
}

/** Each input item that something came of, in the order of the output. */
const sourcesOf = (items: INodeExecutionData[]) => [
	...new Set(
		pairsOf(items).map((pair) => {
			expect(pair).toEqual({ item: expect.any(Number) as number });
			return (pair as { item: number }).item;
		}),
	),
];

const failedOf = (items: INodeExecutionData[]) => items.filter(({ json }) => 'error' in json);

describe.each(nodeTypes)('%s', (type) => {
	const { endpointId, parameters = {}, unit, bad, short, single, anyAnswer } = callOf(type);

	it('pairs each output item with its input item, in the order of the input', async () => {
		const { items, last } = unitsOf([unit(0), unit(1), unit(2), unit(3)]);
		const { output, error, hints } = await run(type, { url: proxy.url, items, parameters });

		expect({ error, hints }).toEqual({ error: undefined, hints: [] });
		expect(sourcesOf(output)).toEqual(last);
		expect(failedOf(output)).toEqual([]);
	});

	it('returns no item and sends nothing when there is no input item', async () => {
		expect(await executeDirectly(type, { items: [], credentials: credentialFor(proxy.url) })).toEqual([[]]);
		expect(proxy.requests).toEqual([]);
	});

	it('puts an error in the place of a failed item, and keeps the others, when it continues', async () => {
		const { items, last } = unitsOf([unit(0), bad, unit(1), unit(2)]);
		const good = await run(type, { url: proxy.url, items: [unit(0), unit(1), unit(2)].flat(), parameters });
		const { output, error, status, hints } = await run(type, {
			url: proxy.url,
			items,
			parameters,
			onError: 'continueRegularOutput',
		});

		expect({ error, status }).toEqual({ error: undefined, status: 'success' });
		expect(sourcesOf(output)).toEqual(last);
		const failed = failedOf(output);
		expect(failed).toEqual([
			{
				json: {
					...items[last[1]!],
					error: expect.any(String) as string,
					details: expect.any(Object) as object,
				},
				pairedItem: { item: last[1] },
			},
		]);
		expect(failed[0]!.json).toMatchObject({
			error: expect.not.stringMatching(/\(item|127\.0\.0\.1/) as string,
			details: {
				item: last[1],
				endpoint: endpointId,
				instance: expect.any(String) as string,
				status: expect.any(Number) as number,
				errorType: expect.any(String) as string,
			},
		});
		expect(jsonOf(output.filter((item) => !failed.includes(item)))).toEqual(jsonOf(good.output));
		expect(hints[0]!.message).toMatch(new RegExp(`^Item ${last[1]} failed: `));
	});

	it('moves a failed item with its input to the error output, and leaves the others', async () => {
		const { items, last } = unitsOf([unit(0), bad, unit(1)]);
		const { output, errorOutput } = await run(type, {
			url: proxy.url,
			items,
			parameters,
			onError: 'continueErrorOutput',
		});

		expect(sourcesOf(output)).toEqual([last[0], last[2]]);
		expect(errorOutput).toEqual([
			{
				json: {
					...items[last[1]!],
					error: expect.not.stringContaining('(item') as string,
					details: expect.any(Object) as object,
				},
				pairedItem: { item: last[1] },
			},
		]);
	});

	it("stops with one error that names the item, the endpoint and the response's message, and no secret", async () => {
		proxy.setFault(({ headers }) => ({
			kind: 'answer',
			status: 422,
			body: { errorType: 'Odd', message: `Refused with ${headers.authorization} of ${demoKey}` },
		}));
		const { items, last } = unitsOf([unit(0)]);
		const { output, error, status } = await run(type, { url: proxy.url, items, parameters });

		expect({ output, status }).toEqual({ output: [], status: 'error' });
		expect(error).toMatchObject({
			name: 'NodeApiError',
			message: expect.stringMatching(
				new RegExp(`^Refused with Basic \\*{3} of \\*{3} \\(.*items? .*\\b${last[0]}, endpoint '${endpointId}'\\)$`),
			) as string,
			description: `The API node refused the request (422). API node: 127.0.0.1:${proxy.port}.`,
			context: { itemIndex: last[0] },
			httpCode: '422',
		});
		expect(error?.message.length).toBeLessThan(200);
		expectNoSecret({ ...error, node: undefined });
	});

	it('stops at the failed item, whichever item it is', async () => {
		const { items, last } = unitsOf([unit(0), unit(1), bad]);
		const { output, error } = await run(type, { url: proxy.url, items, parameters });

		expect(output).toEqual([]);
		expect(error?.message).toMatch(new RegExp(`\\(item ${last[2]}, endpoint '${endpointId}'\\)$`));
		expect(error?.description).toMatch(
			/^The (API node refused the request|API node failed to process the request|function raised an error) \(\d+\)\..* API node: 127\.0\.0\.1:\d+\.$/,
		);
		expect(`${error?.message} ${error?.description}`).not.toMatch(/Exception/);
	});

	it('keeps its message when n8n finds the name of a system error in it', async () => {
		const { error } = await run(type, { url: proxy.url, items: unit(0), parameters, endpointId: 'deeperModel' });
		expect(error?.message).toMatch(/\(item \d+, endpoint 'deeperModel'\)$/);
	});

	describe.each<[string, { key?: string; endpoint?: string; fault?: Fault }, RegExp, RegExp]>([
		['a wrong key', { key: 'a wrong key' }, /refused the key or token \(401\)/, /Check the key in the credential/],
		[
			'an unknown endpoint',
			{ endpoint: 'nowhere' },
			/no endpoint "nowhere"/,
			/does not know this service or endpoint \(404\)/,
		],
		...(anyAnswer
			? []
			: ([
					[
						'an answer that is HTML',
						{
							fault: { kind: 'answer', headers: { 'content-type': 'text/html' }, body: '<html><title>Log in</title>' },
						},
						/responded with a web page, not with JSON/,
						/The response said: Log in\. Something other than the API node may respond at this URL/,
					],
				] as Array<[string, { fault: Fault }, RegExp, RegExp]>)),
		...(short
			? ([
					[
						'an answer with a result too few',
						{ fault: { kind: 'answer', body: short } },
						/does not match the request|returned no list of results|returned \d+ results|has no forecast for/,
						/./,
					],
				] as Array<[string, { fault: Fault }, RegExp, RegExp]>)
			: []),
	])('meets %s', (_name, { key = demoKey, endpoint = endpointId, fault }, message, description) => {
		const scenario = () => {
			const { items, last } = unitsOf([unit(0), unit(1)]);
			const credentials = credentialFor(proxy.url, { apiKey: key });
			return { last, run: { url: proxy.url, endpointId: endpoint, parameters, items, credentials } };
		};
		beforeEach(() => proxy.setFault(fault));

		it('stops with an error that names the item and the endpoint', async () => {
			const { last, run: asked } = scenario();
			const { error } = await run(type, asked);

			expect(error?.message).toMatch(message);
			expect(error?.message).toMatch(new RegExp(`\\(item (${last.join('|')}), endpoint '${endpoint}'\\)$`));
			expect(error?.description).toMatch(description);
			expectNoSecret({ ...error, node: undefined });
		});

		it('fails each item when it continues', async () => {
			const { last, run: asked } = scenario();
			const { output, status } = await run(type, { ...asked, onError: 'continueRegularOutput' });

			expect(status).toBe('success');
			expect(pairsOf(output)).toEqual(last.map((item) => ({ item })));
			for (const [n, { json }] of output.entries()) {
				expect(Object.keys(json)).toEqual([...Object.keys(asked.items[last[n]!]!), 'error', 'details']);
				expect(json.error).toMatch(message);
				expect(json.error).toMatch(description);
				expectNoSecret(json);
			}
		});
	});

	it.each([
		['an invalid address', { url: 'apinode' }, /The API node's URL must look like/],
		['an invalid certificate', { ca: 'secret' }, /CA certificate could not be read/],
		['a token that cannot be sent', { authentication: 'bearerToken', bearerToken: 'tok\nen' }, /paste it again/],
	])('fails each item when the credential has %s', async (_name, fields, message) => {
		const asked = { url: proxy.url, items: [...unit(0), ...unit(1)], credentials: credentialFor(proxy.url, fields) };
		const stopped = await run(type, asked);
		expect(stopped.error?.message).toMatch(message);

		const { output, errorOutput } = await run(type, { ...asked, onError: 'continueErrorOutput' });
		expect(output).toEqual([]);
		expect(errorOutput).toHaveLength(asked.items.length);
		for (const { json } of errorOutput) expect(json.error).toMatch(message);
	});

	it('fails only the items whose record is not an object when it continues', async () => {
		const records = [['[1]', '"text"', '', '{"a":', null, undefined], unit(0), [7], unit(1)].flat();
		const { output } = await run(type, {
			url: proxy.url,
			parameters: { ...parameters, recordSource: 'json', recordJson: '={{ $json.record }}' },
			items: records.map((record) => ({ record })),
			onError: 'continueRegularOutput',
		});

		const size = unit(0).length;
		const failed = failedOf(output);
		expect(failed.map(({ pairedItem, json }) => [pairedItem, json.error])).toEqual([
			[
				{ item: 0 },
				type === 'dataikuForecast'
					? 'The record 0 of the list is a number: it must be a JSON object'
					: 'The record is a list: it must be a JSON object',
			],
			[{ item: 1 }, 'The record is a string: it must be a JSON object'],
			[{ item: 2 }, 'The record is empty: it must be a JSON object'],
			[
				{ item: 3 },
				expect.stringMatching(/^The record is not valid JSON \(.*\): it must be a JSON object such as /) as string,
			],
			[{ item: 4 }, expect.stringMatching(/^The record is (nothing|empty): it must be a JSON object/) as string],
			[{ item: 5 }, expect.stringMatching(/^The record is (nothing|empty): it must be a JSON object/) as string],
			[{ item: 6 + size }, 'The record is a number: it must be a JSON object'],
		]);
		expect(sourcesOf(output.filter((item) => !failed.includes(item)))).toEqual([5 + size, 6 + 2 * size]);
	});

	it('ends soon, blames no item and sends nothing more when the workflow is stopped', async () => {
		proxy.setFault({ kind: 'silent' });
		const units = Array.from({ length: 20 }, (_, n) => unit(n));
		const { cancelled, error, output, timing } = await run(type, {
			url: proxy.url,
			items: units.flat(),
			parameters,
			options: { ...(!single && type !== 'dataikuForecast' && { batchSize: 2 }), seriesPerRequest: 2 },
			cancelAfter: () => proxy.requests.length > 0,
			onError: 'continueRegularOutput',
		});

		expect(cancelled).toBe(true);
		expect(error?.message).toBe('The call was canceled');
		expect(failedOf(output)).toEqual([]);
		expect(timing.afterCancel).toBeLessThan(1000);
		expect(proxy.requests.length).toBeGreaterThan(0);
		proxy.setFault(undefined);
		await expectNothingSent(proxy.url);
	});
});

// All nodes at once, as the pauses between attempts take their time.
it.each(['stopWorkflow', 'continueRegularOutput'] as const)('reports a refused connection as "%s"', async (onError) => {
	await proxy.kill();
	const runs = nodeTypes.map(async (type) => {
		const { items, last } = unitsOf([callOf(type).unit(0)]);
		// A call waits for an endpoint that refuses, as long as four time-outs allow.
		const { parameters } = callOf(type);
		const options = { timeout: 200 };
		const { output, error } = await run(type, { url: proxy.url, items, parameters, options, onError });
		const said = error ? [error.message, error.description].join('. ') : output.map(({ json }) => json.error).join();
		return [type, said, error ? ` (item ${last[0]}, endpoint '${callOf(type).endpointId}')` : ''];
	});

	for (const [type, said, place] of await Promise.all(runs)) {
		const what = `The API node refused the connection: nothing is listening on this port${place}. Check the URL`;
		expect([type, said]).toEqual([type, expect.stringContaining(what)]);
	}
});

it('passes on a web page as the result when a function returns it', async () => {
	proxy.setFault({ kind: 'answer', headers: { 'content-type': 'text/html' }, body: '<p>Hello</p>' });
	const { output } = await run('dataikuRunFunction', { url: proxy.url, items: [{ a: 1 }] });
	expect(jsonOf(output)).toEqual([{ a: 1, result: '<p>Hello</p>', contentType: 'text/html' }]);
});

it.each([
	['dataikuPredict', 'withInput', true],
	['dataikuPredict', 'resultOnly', false],
	['dataikuPredictEffect', 'withInput', true],
	['dataikuPredictEffect', 'fullResponse', false],
	['dataikuLookup', 'enrich', true],
	['dataikuLookup', 'withInput', true],
	['dataikuLookup', 'resultOnly', false],
	['dataikuRunFunction', 'withInput', true],
	['dataikuRunFunction', 'fullResponse', false],
])('the binary data of an item stays when %s has the output "%s": %s', async (type, output, kept) => {
	const binary = (name: string) => ({ file: { data: Buffer.from(name).toString('base64'), mimeType: 'text/plain' } });
	const { unit } = callOf(type);
	const items = [
		{ json: unit(0)[0], binary: binary('first') },
		{ json: unit(1)[0] },
		{ json: unit(2)[0], binary: binary('third') },
	];
	const { output: made } = await run(type, { url: proxy.url, items, parameters: { output } });

	expect(made.map((item) => item.binary)).toEqual(
		kept ? items.map((item) => item.binary) : [undefined, undefined, undefined],
	);
	expect(made.every((item) => kept || !('binary' in item))).toBe(true);
});

it.each(nodeTypes)('%s fails an item without JSON data before anything is sent', async (type) => {
	const { endpointId, parameters } = callOf(type);
	const running = executeDirectly(type, {
		items: [undefined as unknown as IDataObject],
		credentials: credentialFor(proxy.url),
		parameters: { endpointId: endpoint(endpointId), ...parameters, recordSource: 'json', recordJson: '{"a": 1}' },
	});
	await expect(running).rejects.toThrow(/^The item has no JSON data \(item 0, endpoint /);
	expect(proxy.requests).toEqual([]);
});
