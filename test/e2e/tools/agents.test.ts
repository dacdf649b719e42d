import type { IDataObject, INode, ResourceMapperFields } from 'n8n-workflow';
import type { N8nRest } from '../../demo/n8n/rest';
import { storeHistory } from '../nodes/demo';
import { chaosProxy, type ChaosProxy } from '../support/chaosProxy';
import { AgentModel, type Step, type ToolCalls, type ToolSpec } from './agentModel';
import { running } from './running';

const { signIn, apiNodeUrl } = running();
const agentVersions = [1.9, 2.3, 3, 3.1];
const key = 'demo-key';

let rest: N8nRest;
/** Between n8n and the API node: it shows what was sent. */
let wire: ChaosProxy;
let credential: { id: string; name: string };
beforeAll(async () => {
	rest = await signIn();
	wire = await chaosProxy({ upstream: apiNodeUrl });
	const data = { url: wire.url, serviceId: 'demo', authentication: 'apiKey', apiKey: key };
	credential = await rest.call('POST', '/credentials', { name: 'Tools', type: 'dataikuApiNodeApi', data });
});
afterAll(async () => await wire.close());
beforeEach(() => void wire.requests.splice(0));

/** What was sent, but for the OpenAPI document: path below the service, and body. */
const sent = () =>
	wire.requests
		.filter(({ method }) => method === 'POST')
		.map(({ path, body }) => [path.replace('/public/api/v1/demo/', ''), JSON.parse(body) as IDataObject] as const);

const node = (name: string, type: string, typeVersion: number, parameters: INode['parameters']): INode => ({
	id: name,
	name,
	type,
	typeVersion,
	position: [0, 0],
	parameters,
});

/** A tool as it is when dropped: with its credential and its endpoint, unless told otherwise. */
const tool = (type: string, endpointId: string, parameters: IDataObject = {}): INode => ({
	...node(endpointId, `n8n-nodes-dataiku.${type}Tool`, 1, {
		endpointId: { __rl: true, mode: 'id', value: endpointId },
		...(parameters as INode['parameters']),
	}),
	credentials: { dataikuApiNodeApi: credential },
});

/** Where an agent's tools and model are connected. */
const into = (name: string, type: 'main' | 'ai_tool' | 'ai_languageModel') => ({
	[type]: [[{ node: name, type, index: 0 }]],
});

async function save(nodes: INode[], connections: object): Promise<string> {
	const workflow = { name: 'Tools', nodes, connections, settings: { executionOrder: 'v1' }, active: false };
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', workflow);
	return id;
}

/** Lets an agent talk with a scripted model until the script ends. */
async function converse(typeVersion: number, tools: INode[], ...script: Step[]): Promise<AgentModel> {
	const model = await AgentModel.start(...script);
	try {
		const data = { apiKey: 'none', url: model.url };
		const openAi = await rest.call<{ id: string; name: string }>('POST', '/credentials', {
			...{ name: 'Scripted model', type: 'openAiApi', data },
		});
		const id = await save(
			[
				node('Start', 'n8n-nodes-base.manualTrigger', 1, {}),
				node('Chat', 'n8n-nodes-base.set', 3.4, {
					mode: 'raw',
					jsonOutput: '{"chatInput": "said in the chat", "sessionId": "a session"}',
				}),
				node('Agent', '@n8n/n8n-nodes-langchain.agent', typeVersion, {
					promptType: 'define',
					text: 'Use your tools.',
					...(typeVersion < 2 && { agent: 'toolsAgent' }),
					options: { maxIterations: 20 },
				}),
				{
					...node('Model', '@n8n/n8n-nodes-langchain.lmChatOpenAi', 1.2, {
						model: { __rl: true, mode: 'id', value: 'scripted' },
						options: {},
					}),
					credentials: { openAiApi: openAi },
				},
				...tools,
			],
			{
				Start: into('Chat', 'main'),
				Chat: into('Agent', 'main'),
				Model: into('Agent', 'ai_languageModel'),
				...Object.fromEntries(tools.map(({ name }) => [name, into('Agent', 'ai_tool')])),
			},
		);
		const run = await rest.run(id, 'Start');
		if (run.data.resultData.error) throw run.data.resultData.error;
		expect(run.status).toBe('success');
		return model;
	} finally {
		await model.stop();
	}
}

/** What a tool said, by the tool's name. */
type Said = Record<string, IDataObject[]>;

const parsed = (text: string | undefined) => JSON.parse(text ?? '') as IDataObject[];

/** Calls one tool after the other, so that what was said is known by its tool. */
function oneByOne(calls: ToolCalls): { script: Step[]; said: (model: AgentModel) => Said } {
	return {
		script: calls.map((call) => () => [call]),
		said: (model) => Object.fromEntries(calls.map(([name], n) => [name, parsed(model.said[n]?.[0])])),
	};
}

/** Arguments that a model sends which knows no more than their names. */
const guess = ({ name, parameters }: ToolSpec): ToolCalls[number] => [
	name,
	Object.fromEntries(Object.keys(parameters.properties ?? {}).map((argument) => [argument, { value: 'a guess' }])),
];

/** The record that an error gives as an example. */
function example(said: string): IDataObject {
	const { error } = parsed(said)[0] as { error: string };
	return JSON.parse(/For example: (\{.*\})\./.exec(error)![1]!) as IDataObject;
}

/** A history of such records. */
function historyLike(record: IDataObject): IDataObject[] {
	const history = storeHistory(String(record.store));
	expect(Object.keys(record)).toEqual(expect.arrayContaining(Object.keys(history[0]!)));
	return history;
}

const argumentOf = ({ parameters }: ToolSpec) => Object.keys(parameters.properties ?? {})[0]!;

describe.each(agentVersions)('an agent of version %s', (version) => {
	const dropped = () => [
		tool('dataikuPredict', 'fraud'),
		tool('dataikuPredictEffect', 'coupon_effect'),
		tool('dataikuForecast', 'store_sales'),
		tool('dataikuLookup', 'known_customer'),
		tool('dataikuSqlQuery', 'customer_transactions'),
		tool('dataikuRunFunction', 'add'),
	];

	test('knows each dropped tool by its endpoint, and one argument of it', async () => {
		const { tools } = await converse(version, dropped());
		const byName = Object.fromEntries(tools.map((spec) => [spec.name, spec]));
		for (const { name } of dropped()) expect(byName[name]!.description).toContain(`Endpoint: ${name}.`);
		expect(Object.fromEntries(tools.map((spec) => [spec.name, Object.keys(spec.parameters.properties!)]))).toEqual({
			fraud: ['features'],
			coupon_effect: ['features'],
			store_sales: ['records'],
			known_customer: ['keys'],
			customer_transactions: ['parameters'],
			add: ['function_arguments'],
		});
		expect(byName.fraud!.parameters.properties!.features!.description).toBe(
			'The features of one record by name, as a JSON object',
		);
	});

	test.each([
		['a guess', guess],
		['an empty call', ({ name }: ToolSpec): ToolCalls[number] => [name, {}]],
	])('is taught by the error after %s, and then gets the right answer', async (_what, first) => {
		const answers: Said = {};
		for (const dropping of dropped()) {
			const model = await converse(
				version,
				[dropping],
				([spec]) => [first(spec!)],
				([spec], [said]) => {
					const record = example(said!);
					const given = spec!.name === 'store_sales' ? historyLike(record) : record;
					return [[spec!.name, { [argumentOf(spec!)]: given }]];
				},
			);
			expect(Object.keys(parsed(model.said[0]![0])[0]!)).toEqual(['error']);
			answers[dropping.name] = parsed(model.said[1]![0]);
		}
		expect(answers.fraud).toEqual([
			{
				prediction: 'fraud',
				proba_legitimate: expect.any(Number),
				proba_fraud: expect.any(Number),
				probaPercentile: expect.any(Number),
			},
		]);
		expect(answers.coupon_effect).toMatchObject([{ predictedEffect: expect.any(Number) }]);
		expect(answers.store_sales).toHaveLength(7);
		expect(answers.known_customer).toMatchObject([{ name: 'Ana Costa' }]);
		expect(answers.customer_transactions!.length).toBeGreaterThan(1);
		expect(answers.add).toEqual([{ result: 5 }]);
		// One request for each tool, which held the example and nothing else: nothing of the chat.
		const requests = sent().filter(([, body]) => Object.keys(body).length > 0);
		expect(requests.map(([path]) => path.split('/')[0])).toEqual(dropped().map(({ name }) => name));
		const features = {
			...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
			...{ customer_age_days: 240, chargebacks: 0, customer_id: 'C001' },
		};
		expect(requests[0]![1]).toEqual({ items: [{ features }] });
		expect(requests.at(-1)).toEqual(['add/run', { a: 2, b: 3 }]);
		expect(JSON.stringify(sent())).not.toMatch(/chat|session|toolCallId|guess/i);
	});

	test('is told of a wrong type, a missing value and an unknown endpoint, with what is expected', async () => {
		const calls: ToolCalls = [
			['fraud', { features: { amount: 'a lot', country: 'Narnia' } }],
			['customer_transactions', { parameters: { customer_id: 'C001' } }],
			['frad', { features: { amount: 1 } }],
		];
		const { script, said } = oneByOne(calls);
		const tools = [...dropped(), tool('dataikuPredict', 'frad')];
		const answers = said(await converse(version, tools, ...script));
		const [wrong, missing, unknown] = calls.map(([name]) => String(answers[name]![0]!.error));
		expect(wrong).toMatch(/^`amount` must be a number, not the text 'a lot'; `country` is 'Narnia'.*expects amount/);
		expect(missing).toMatch(/^`min_amount` is missing .*expects customer_id .*For example: \{/);
		expect(unknown).toMatch(/has no endpoint "frad".*Endpoints for this node: fraud, /);
		expect(sent().map(([path]) => path)).toEqual([expect.stringMatching(/^frad\//)]);
	});
});

describe('a tool', () => {
	/** What the tools say to an agent of the newest version when they are called one after the other. */
	async function ask(tools: INode[], ...calls: ToolCalls): Promise<IDataObject[][]> {
		const model = await converse(agentVersions.at(-1)!, tools, ...calls.map((call) => () => [call]));
		return model.said.map(([text]) => parsed(text));
	}

	test('with the form has an argument for each feature, by name, type and description', async () => {
		const endpointId = { __rl: true, mode: 'id', value: 'fraud' };
		const { fields } = await rest.call<ResourceMapperFields>(
			'POST',
			'/dynamic-node-parameters/resource-mapper-fields',
			{
				path: 'parameters.mapping',
				methodName: 'getFields',
				nodeTypeAndVersion: { name: 'n8n-nodes-dataiku.dataikuPredictTool', version: 1 },
				currentNodeParameters: { authentication: 'apiKey', endpointId },
				credentials: { dataikuApiNodeApi: credential },
			},
		);
		// What the editor makes of it.
		const value = Object.fromEntries(fields.map(({ id, defaultValue }) => [id, defaultValue]));
		const mapping = { mappingMode: 'defineBelow', value, schema: fields, matchingColumns: [] };
		const model = await converse(
			3.1,
			[tool('dataikuPredict', 'fraud', { recordSource: 'mapping', mapping })],
			([spec]) => [[spec!.name, { amount: 412.5, hour: 3, country: 'US', card_present: false }]],
		);
		const { properties } = model.tools[0]!.parameters;
		expect(properties).toMatchObject({
			amount: { type: 'number', description: 'amount (number; Amount in euros)' },
			country: {
				type: 'string',
				description: "country (one of DE | ES | FR | GB | IT | US; The merchant's country)",
			},
			card_present: { type: 'boolean' },
		});
		expect(Object.keys(properties!)).toEqual(fields.map(({ id }) => id));
		expect(parsed(model.said[0]![0])).toMatchObject([{ prediction: 'fraud' }]);
		const features = { amount: 412.5, hour: 3, country: 'US', card_present: false };
		expect(sent()).toEqual([['fraud/predict-multi', { items: [{ features }] }]]);
	});

	test('whose endpoint is given by its URL tells the model nothing of the host', async () => {
		const value = `${wire.url}/public/api/v1/demo/house_price/predict`;
		const { tools } = await converse(3.1, [
			tool('dataikuPredict', 'homes', { endpointId: { __rl: true, mode: 'url', value } }),
		]);
		expect(tools[0]!.description).toContain('Endpoint: demo/house_price/predict.');
		expect(tools[0]!.description).not.toContain(String(wire.port));
	});

	test('says in words what an answer does not hold', async () => {
		const tools = [
			tool('dataikuLookup', 'customer'),
			tool('dataikuLookup', 'known_customer'),
			tool('dataikuPredict', 'fraud_known_customers'),
			tool('dataikuSqlQuery', 'customer_transactions'),
			tool('dataikuSqlQuery', 'all_transactions'),
			tool('dataikuRunFunction', 'chart'),
			tool('dataikuRunFunction', 'nothing'),
			tool('dataikuRunFunction', 'sequence'),
		];
		const answers = await ask(
			tools,
			['customer', { keys: { customer_id: 'C999' } }],
			['known_customer', { keys: { customer_id: 'C999' } }],
			['fraud_known_customers', { features: { customer_id: 'C999', amount: 12 } }],
			['customer_transactions', { parameters: { customer_id: 'C999', min_amount: 5 } }],
			['all_transactions', {}],
			['chart', { function_arguments: { values: [1, 2, 3] } }],
			['nothing', {}],
			['sequence', { function_arguments: { count: 5000 } }],
		);
		expect(answers[0]).toEqual([{ note: 'No match was found (customer_id C999).' }]);
		for (const [answer, record] of [
			[answers[1], 'customer_id C999'],
			[answers[2], 'customer_id C999, amount 12'],
		] as const) {
			expect(answer).toEqual([
				{ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' },
				{ note: `Ignored by the API node: NO_LOOKUP_MATCH (${record}).` },
			]);
		}
		expect(answers[3]).toEqual([{ note: 'The query found no row.' }]);
		expect(answers[4]).toHaveLength(51);
		expect(answers[4]!.at(-1)!.note).toMatch(/^50 of 10,000 rows shown/);
		expect(answers[5]!.at(-1)!.note).toMatch(/^A file was returned \(image\/png, \d+ B\)/);
		expect(answers[6]).toEqual([{ result: null }]);
		expect(answers[7]).toEqual([
			{ beginning: expect.stringMatching(/^\{"result":\[\{"n":1,/) },
			{ note: expect.stringMatching(/^The first [\d,]+ of 139,286 characters are shown/) },
		]);
		for (const answer of answers) expect(JSON.stringify(answer).length).toBeLessThan(20_000);
	});

	test('is refused its chat: neither the input item nor fields by the same name are sent', async () => {
		const autoMap = { mappingMode: 'autoMapInputData', value: null };
		const [item, mapped] = await ask(
			[
				tool('dataikuPredict', 'fraud', { recordSource: 'inputItem' }),
				{ ...tool('dataikuPredict', 'fraud', { recordSource: 'mapping', mapping: autoMap }), name: 'mapped', id: 'm' },
			],
			['fraud', {}],
			['mapped', {}],
		);
		for (const answer of [item, mapped]) expect(answer![0]!.error).toMatch(/^A tool has no input item /);
		expect(sent()).toEqual([]);
	});

	test('hands on neither key nor host when the API node refuses the key or is gone', async () => {
		const wrongKey = await rest.call<{ id: string; name: string }>('POST', '/credentials', {
			name: 'Wrong key',
			type: 'dataikuApiNodeApi',
			data: { url: wire.url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'a-wrong-key' },
		});
		const refused = { ...tool('dataikuPredict', 'fraud'), credentials: { dataikuApiNodeApi: wrongKey } };
		const [answer] = await ask([refused], ['fraud', { features: { amount: 1 } }]);
		expect(answer![0]!.error).toMatch(/401|key/i);
		expect(JSON.stringify(answer)).not.toContain('a-wrong-key');
	});
});
