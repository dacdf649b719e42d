import type { IDataObject, INodeProperties, NodeApiError } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { nodeLog, nodePackage, PolledNode, runNode } from '../../support/engine';
import { credentialFor, demoKey, endpoint } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeEach(async () => {
	node = await startApiNode();
	proxy = await chaosProxy({ upstream: node.url });
});
afterEach(async () => {
	await proxy.close();
	await node.close();
});

const testRecords = '[{"amount": 412.5, "hour": 3, "country": "US"}, {"amount": 20, "country": "FR"}]';
const trigger = (events: string[], parameters: IDataObject = {}, credential: IDataObject = {}) =>
	new PolledNode({
		type: 'dataikuTrigger',
		parameters: { endpointId: endpoint('fraud_changed'), events, testRecords, failuresInARow: 2, ...parameters },
		credentials: credentialFor(proxy.url, credential),
	});
const eventsOf = (items: IDataObject[]) => items.map(({ event }) => event);
/** Answered by one generation alone. */
const live = (generation: string) => node.activate(generation);
const asked = () => proxy.requests.map(({ path }) => path.split('/').at(-1));
const failure = async (promise: Promise<unknown>) =>
	(await promise.then(
		(value) => Promise.reject(new Error(`no error, but ${JSON.stringify(value)}`)),
		(error: unknown) => error,
	)) as NodeApiError;

describe('its description', () => {
	it('has exactly the parameters of the contract, with their defaults', async () => {
		const nodes = await nodePackage();
		const { properties, inputs, outputs, polling } = nodes.types.getByNameAndVersion(
			nodes.fullName('dataikuTrigger'),
		).description;
		expect({ inputs, outputs, polling }).toEqual({ inputs: [], outputs: ['main'], polling: true });
		const defaults = (all: INodeProperties[]) =>
			Object.fromEntries(all.filter(({ name }) => name !== 'pollTimes').map((each) => [each.name, each.default]));
		expect(defaults(properties)).toEqual({
			authentication: 'apiKey',
			endpointId: { mode: 'list', value: '' },
			events: ['generation'],
			testRecords: '',
			driftMeasure: 'share',
			driftTolerance: 0.1,
			failuresInARow: 3,
			options: {},
		});
		const { options } = properties.find(({ name }) => name === 'options')!;
		expect(defaults(options as INodeProperties[])).toEqual({ headers: {}, serviceId: '', timeout: 30000 });
	});
});

describe('another generation', () => {
	it('starts the workflow once, with fields and a message, when it was activated', async () => {
		live('v1');
		const workflow = trigger(['generation']);
		expect(await workflow.activate()).toEqual([]);
		expect(await workflow.poll()).toEqual([]);
		live('v2');
		expect(await workflow.poll()).toEqual([
			{
				event: 'generation',
				message: "Endpoint 'fraud_changed' now responds with generation v2 (before: v1).",
				endpoint: 'fraud_changed',
				service: 'demo',
				instance: `127.0.0.1:${proxy.port}`,
				generation: 'v2',
				before: 'v1',
				after: 'v2',
				since: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
				beforeSince: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
				details: [],
				test: false,
			},
		]);
		expect(await workflow.poll()).toEqual([]);
		live('v1');
		expect(await workflow.poll()).toMatchObject([{ before: 'v2', after: 'v1' }]);
	});

	it('starts no workflow in many polls when two generations share the requests', async () => {
		const workflow = trigger(['generation', 'drift', 'down', 'up']);
		expect(await workflow.activate()).toEqual([]);
		for (let n = 0; n < 60; n++) expect(await workflow.poll()).toEqual([]);
		expect(await workflow.restart()).toEqual([]);
		for (let n = 0; n < 20; n++) expect(await workflow.poll()).toEqual([]);
	});

	it('starts the workflow once when n8n was restarted in between', async () => {
		live('v1');
		const workflow = trigger(['generation']);
		await workflow.activate();
		await workflow.poll();
		live('v2');
		expect(eventsOf(await workflow.restart())).toEqual(['generation']);
		expect(await workflow.poll()).toEqual([]);
		expect(await workflow.restart()).toEqual([]);
	});

	it('costs one request per poll, and more only when a generation is new', async () => {
		live('v1');
		const workflow = trigger(['generation', 'drift', 'down', 'up']);
		await workflow.activate();
		const before = proxy.requests.length;
		for (let n = 0; n < 5; n++) await workflow.poll();
		expect(asked().slice(before)).toEqual(Array.from({ length: 5 }, () => 'predict-multi'));
	});

	it('is not an event when most of the first responses failed and both generations of an A/B test appear later', async () => {
		let left = 1;
		let generation = 'v1';
		const busy = await chaosProxy({
			respond: () =>
				left-- > 0
					? { body: { results: [{ prediction: 1 }], apiContext: { serviceGeneration: generation } } }
					: { status: 500, body: { message: 'out of memory' } },
		});
		const { lines, end } = await nodeLog('warn');
		try {
			const parameters = { testRecords: '{"amount": 1}', options: { timeout: 1_000 } };
			const workflow = trigger(['generation'], parameters, { url: busy.url });
			expect(await workflow.activate()).toEqual([]);
			[left, generation] = [1, 'v2'];
			expect(await workflow.poll()).toEqual([]);
			left = 100;
			expect(await workflow.poll()).toEqual([]);
			expect(await workflow.poll()).toEqual([]);
			expect(lines).toEqual([expect.stringMatching(/^Not all live generations could be found.*500/)]);
		} finally {
			end();
			await busy.close();
		}
	});

	it('is tracked separately for each of several instances', async () => {
		const other = await startApiNode();
		live('v1');
		other.activate('v1');
		const workflow = trigger(['generation'], {}, { url: `${proxy.url}, ${other.url}/` });
		await workflow.activate();
		other.activate('v2');
		expect(await workflow.poll()).toMatchObject([
			{
				instance: `127.0.0.1:${other.port}`,
				message: expect.stringContaining(`on 127.0.0.1:${other.port}`),
			},
		]);
		live('v2');
		expect(await workflow.poll()).toMatchObject([{ instance: `127.0.0.1:${proxy.port}`, before: 'v1', after: 'v2' }]);
		await other.close();
	});

	it('starts the workflow once when the credential contains an instance twice', async () => {
		live('v1');
		const workflow = trigger(['generation'], {}, { url: `${proxy.url}, ${proxy.url}/` });
		await workflow.activate();
		live('v2');
		expect(eventsOf(await workflow.poll())).toEqual(['generation']);
	});
});

describe('drift', () => {
	it("starts the workflow when a model's scores change without a new generation", async () => {
		live('v1');
		const workflow = trigger(['drift'], { endpointId: endpoint('fraud'), driftTolerance: 0.02 });
		expect([...(await workflow.activate()), ...(await workflow.poll())]).toEqual([]);
		node.redeploy('fraud', { modelOf: 'fraud_changed' });
		const [item, ...others] = await workflow.poll();
		expect(others).toEqual([]);
		expect(item).toMatchObject({ event: 'drift', generation: 'v1' });
		const { before, after, details, message } = item as { before: number; after: number } & IDataObject;
		expect(Math.abs(after - before)).toBeGreaterThan(0.02 * before);
		expect(details).toContainEqual({ record: expect.any(Number), before, after });
		expect(message).toBe(
			"Endpoint 'fraud' scores 1 test record differently with generation v1. Largest change: from 0.636513 to 0.663109.",
		);
		expect(await workflow.poll()).toEqual([]);
	});

	it('is not an event when the change is within the tolerance', async () => {
		live('v1');
		const workflow = trigger(['drift'], {
			endpointId: endpoint('fraud'),
			driftMeasure: 'number',
			driftTolerance: 1,
		});
		await workflow.activate();
		node.redeploy('fraud', { modelOf: 'fraud_changed' });
		expect(await workflow.poll()).toEqual([]);
	});

	it('starts from a new baseline when the test records change', async () => {
		live('v1');
		const workflow = trigger(['drift']);
		await workflow.activate();
		workflow.parameters.testRecords = '{"amount": 5000}';
		expect([...(await workflow.poll()), ...(await workflow.poll())]).toEqual([]);
	});
});

describe('fields', () => {
	it('start the workflow when the documented fields change, with their previous values', async () => {
		const workflow = trigger(['fields'], { endpointId: endpoint('house_price') });
		expect([...(await workflow.activate()), ...(await workflow.poll())]).toEqual([]);
		expect(asked()).toEqual(['swagger', 'swagger']);
		node.redeploy('house_price', {
			fields: [
				{ name: 'surface', type: 'string', required: true },
				{ name: 'pool', type: 'boolean' },
			],
		});
		const [item] = await workflow.poll();
		expect(item).toMatchObject({ event: 'fields', after: 'surface: string, required, pool: boolean' });
		expect(item!.details).toEqual(
			expect.arrayContaining([{ field: 'pool', change: 'added', before: null, after: 'boolean' }]),
		);
		expect(item!.message).toContain('pool (added)');
		expect(await workflow.poll()).toEqual([]);
	});

	it('are not an event when the document cannot be read for a while', async () => {
		const workflow = trigger(['fields'], { endpointId: endpoint('house_price') });
		await workflow.activate();
		proxy.setFault({ kind: 'answer', status: 503 });
		expect(await workflow.poll()).toEqual([]);
		proxy.setFault(undefined);
		expect(await workflow.poll()).toEqual([]);
	});

	it('fail the activation of the workflow when the document does not list the endpoint', async () => {
		const error = await failure(trigger(['fields'], { endpointId: endpoint('nosuch') }).activate());
		expect(error.message).toContain("The OpenAPI document does not list the endpoint 'nosuch'");
	});
});

describe('down and up', () => {
	it.each([
		['by its records', testRecords, 'predict-multi'],
		['by isAlive', '', ''],
	])('start the workflow when an instance dies and comes back, %s', async (_by, records, path) => {
		live('v1');
		const workflow = trigger(['down', 'up'], { testRecords: records });
		await workflow.activate();
		expect(asked().at(-1)).toBe(path);
		await proxy.kill();
		expect(await workflow.poll()).toEqual([]);
		const [item] = await workflow.poll();
		expect(item).toMatchObject({ event: 'down', before: 'up', after: 'down' });
		expect(item!.message).toMatch(/has been down since .*: .*(connect|refused)/i);
		expect(await workflow.poll()).toEqual([]);
		await proxy.revive();
		expect(await workflow.poll()).toMatchObject([{ event: 'up', before: 'down', beforeSince: item!.since }]);
		expect(await workflow.poll()).toEqual([]);
	});

	it('continue after a restart of n8n while the instance is down', async () => {
		live('v1');
		const workflow = trigger(['down', 'up']);
		await workflow.activate();
		await proxy.kill();
		await workflow.poll();
		expect(eventsOf(await workflow.poll())).toEqual(['down']);
		expect([...(await workflow.restart()), ...(await workflow.poll()), ...(await workflow.poll())]).toEqual([]);
		await proxy.revive();
		expect(eventsOf(await workflow.restart())).toEqual(['up']);
	});

	it('do not fail the workflow when a request times out', async () => {
		live('v1');
		const workflow = trigger(['down'], { options: { timeout: 300 }, failuresInARow: 1 });
		await workflow.activate();
		proxy.setFault({ kind: 'silent' });
		const [item] = await workflow.poll();
		expect(item).toMatchObject({ event: 'down', details: [{ reason: expect.stringMatching(/300 ms/) }] });
	});

	it("treat a refusal as an event with the API node's message and without the key", async () => {
		live('v1');
		const workflow = trigger(['down'], { failuresInARow: 1 });
		await workflow.activate();
		proxy.setFault({ kind: 'answer', status: 403, body: { errorType: 'Odd', message: `No access with ${demoKey}` } });
		const items = await workflow.poll();
		expect(eventsOf(items)).toEqual(['down']);
		expect(JSON.stringify([items, workflow.saved])).not.toContain(demoKey);
	});

	it('start nothing for events that were not selected', async () => {
		live('v1');
		const workflow = trigger(['generation'], { failuresInARow: 1 });
		await workflow.activate();
		await proxy.kill();
		expect(await workflow.poll()).toEqual([]);
	});
});

describe("n8n's log", () => {
	it("has one message for what no event reports, without the API node's message about a record", async () => {
		live('v1');
		const { lines, end } = await nodeLog('warn');
		try {
			const workflow = trigger(['generation', 'fields'], { endpointId: endpoint('fraud') });
			await workflow.activate();
			expect(lines).toEqual([]);
			proxy.setFault({ kind: 'answer', status: 400, body: { errorType: 'Odd', message: 'amount 412.5 is odd' } });
			for (let polls = 0; polls < 5; polls++) expect(await workflow.poll()).toEqual([]);
			expect(lines).toEqual([
				expect.stringMatching(/refused the request \(400\)/),
				expect.stringMatching(/^Endpoint 'fraud' has been down since .*refused the request \(400\)/),
			]);
			expect(JSON.stringify(lines)).not.toContain('412.5');
		} finally {
			end();
		}
	});
});

describe('the first poll', () => {
	const refusals: Array<[string, () => PolledNode, RegExp]> = [
		['the key is wrong', () => trigger(['generation'], {}, { apiKey: 'wrong' }), /401.*endpoint 'fraud_changed'/],
		['the endpoint does not exist', () => trigger(['generation'], { endpointId: endpoint('nosuch') }), /no endpoint/],
		['no record is given', () => trigger(['drift'], { testRecords: '' }), /"Test Records" is empty/],
		['the records are no JSON', () => trigger(['drift'], { testRecords: '{' }), /not valid JSON/],
		['a record is refused', () => trigger(['drift'], { testRecords: '{"amount": "much"}' }), /amount/],
		[
			'there are too many records',
			() => trigger(['drift'], { testRecords: JSON.stringify(Array(101).fill({})) }),
			/101/,
		],
		['no event is chosen', () => trigger([]), /"Events"/],
		['an event is unknown', () => trigger(['other']), /"Events"/],
		['the tolerance is negative', () => trigger(['drift'], { driftTolerance: -1 }), /"Tolerance"/],
		['the tolerance is empty', () => trigger(['drift'], { driftTolerance: '={{ null }}' }), /"Tolerance"/],
		[
			'the credential takes its URL from an item',
			() => trigger(['down'], {}, { url: '={{ $json.url }}' }),
			/input item/,
		],
	];
	it.each(refusals)('fails the activation of the workflow when %s', async (_when, workflow, words) => {
		const error = await failure(workflow().activate());
		expect(error.message).toMatch(words);
		expect(JSON.stringify(error)).not.toContain(demoKey);
	});

	it('fails an activation by a user when nothing responds', async () => {
		await proxy.kill();
		const error = await failure(trigger(['generation', 'down']).activate());
		expect(error.message).toMatch(/connect/i);
	});

	it('lets the workflow be activated when n8n starts and nothing responds, and takes the baseline later', async () => {
		live('v1');
		const workflow = trigger(['generation', 'down']);
		await proxy.kill();
		expect(await workflow.restart()).toEqual([]);
		expect(eventsOf(await workflow.poll())).toEqual(['down']);
		await proxy.revive();
		expect(await workflow.poll()).toEqual([]);
		live('v2');
		expect(await workflow.poll()).toMatchObject([{ event: 'generation', before: 'v1' }]);
	});

	it('lets the workflow be activated when one of several instances responds', async () => {
		live('v1');
		const workflow = trigger(['down'], {}, { url: `${node.url},${proxy.url}` });
		await proxy.kill();
		expect(await workflow.activate()).toEqual([]);
		expect(await workflow.poll()).toMatchObject([{ event: 'down', instance: `127.0.0.1:${proxy.port}`, before: null }]);
	});
});

describe('a test in the editor', () => {
	it('shows a sample of each chosen event, marked as a test, and stores nothing', async () => {
		live('v2');
		const events = ['generation', 'fields', 'drift', 'down', 'up'];
		const workflow = trigger(events, { endpointId: endpoint('fraud') });
		const items = await workflow.test();
		expect(eventsOf(items).sort()).toEqual([...events].sort());
		expect(new Set(items.flatMap((item) => Object.keys(item)))).toEqual(new Set(Object.keys(items[0]!)));
		expect(items.every(({ test }) => test === true)).toBe(true);
		expect(items).toContainEqual(expect.objectContaining({ event: 'generation', after: 'v2' }));
		expect(workflow.saved).toEqual({});
		expect(asked().sort()).toEqual(['predict-multi', 'swagger']);
	});

	it('fails when nothing responds, or shows this as an event when "down" is selected', async () => {
		await proxy.kill();
		expect((await failure(trigger(['generation']).test())).message).toMatch(/connect/i);
		expect(await trigger(['down']).test()).toMatchObject([{ event: 'down', test: true }]);
	});
});

describe('the state that n8n stores', () => {
	it('is small and contains no record and no secret', async () => {
		const workflow = trigger(['generation', 'fields', 'drift', 'down', 'up'], { endpointId: endpoint('fraud') });
		await workflow.activate();
		const text = JSON.stringify(workflow.saved);
		expect(text.length).toBeLessThan(3_000);
		for (const kept of [demoKey, '412.5', 'US']) expect(text).not.toContain(kept);
	});

	it.each([{ watch: { version: 0 } }, { watch: 'broken' }, { watch: { version: 1, of: 'another' } }, { other: 1 }])(
		'starts anew when it is %j',
		async (saved) => {
			live('v1');
			const workflow = trigger(['generation']);
			workflow.saved = saved;
			expect([...(await workflow.restart()), ...(await workflow.poll())]).toEqual([]);
		},
	);
});

describe('its requests', () => {
	it('do not wait for those of a run', async () => {
		live('v1');
		const workflow = trigger(['down'], { options: { timeout: 10_000 } });
		await workflow.activate();
		let release = () => {};
		const held = new Promise<void>((resolve) => (release = resolve));
		const busy = await chaosProxy({
			respond: async ({ body }) => {
				if (!body.includes('412.5')) await held;
				return { body: { results: [{ prediction: 1 }, { prediction: 1 }] } };
			},
		});
		const credentials = credentialFor(busy.url);
		const run = runNode({
			type: 'dataikuPredict',
			parameters: {
				endpointId: endpoint('fraud_changed'),
				options: { maxConcurrency: 8, batchSize: 2, checkFeatures: 'off' },
			},
			items: Array.from({ length: 40 }, (_, n) => ({ amount: n })),
			credentials,
		});
		await busy.requestsArrived(1);
		const other = new PolledNode({
			type: 'dataikuTrigger',
			parameters: { endpointId: endpoint('fraud_changed'), events: ['down'], testRecords },
			credentials,
		});
		expect(await other.activate()).toEqual([]);
		release();
		await run;
		await busy.close();
	});

	it('are sent to the endpoint of a URL, with the headers and the service of the options', async () => {
		live('v1');
		const url = `${proxy.url}/public/api/v1/demo/fraud_changed/predict`;
		await trigger(['down'], {
			endpointId: { __rl: true, mode: 'url', value: url },
			options: { serviceId: 'other', headers: { header: [{ name: 'x-tenant', value: 'a' }] } },
		}).activate();
		expect(proxy.requests[0]).toMatchObject({
			path: '/public/api/v1/demo/fraud_changed/predict-multi',
			headers: { 'x-tenant': 'a' },
		});
	});

	it('carry a token that n8n fetches with OAuth2', async () => {
		const grant = { body: { access_token: 'token-1', token_type: 'bearer' } };
		const tokens = await chaosProxy({ respond: () => grant });
		const secure = async () => await startApiNode({ acceptsToken: (token) => token === 'token-1' });
		const instances = [await secure(), await secure()];
		const workflow = new PolledNode({
			type: 'dataikuTrigger',
			parameters: { authentication: 'oAuth2', endpointId: endpoint('fraud_changed'), events: ['down'], testRecords },
			credentials: {
				dataikuApiNodeOAuth2Api: {
					url: instances.map(({ url }) => url).join(),
					serviceId: 'secured',
					grantType: 'clientCredentials',
					accessTokenUrl: `${tokens.url}/token`,
					clientId: 'client',
					clientSecret: 'secret',
				},
			},
		});
		expect(await workflow.activate()).toEqual([]);
		expect(tokens.requests).toHaveLength(1);
		for (const each of instances) await each.close();
		await tokens.close();
	});
});
