import type { IDataObject, INode } from 'n8n-workflow';
import { AgentModel, type Step } from './AgentModel';
import type { ToolCalls } from './openAi';
import { afterEmptyCall, expectRightAnswers, expectTold, firstCalls, parsed, secondCall, sixTools } from './sixTools';
import { into, node, Workbench } from './Workbench';

const agentVersions = [1.9, 2.3, 3, 3.1];

let bench: Workbench;
beforeAll(async () => (bench = await Workbench.open()));
afterAll(async () => await bench.close());
beforeEach(() => bench.forget());

/** Lets an agent talk with a scripted model until the script ends. */
async function converse(typeVersion: number, tools: INode[], ...script: Step[]): Promise<AgentModel> {
	const model = await AgentModel.start(...script);
	try {
		const openAiApi = await bench.modelCredential(model);
		const id = await bench.save(
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
					credentials: { openAiApi },
				},
				...tools,
			],
			{
				Start: into('Chat', 'main'),
				Chat: into('Agent', 'main'),
				Model: into('Agent', 'ai_languageModel'),
				...Object.fromEntries(
					tools.map(({ name }) => [name, into(name === 'gated' ? 'Approval' : 'Agent', 'ai_tool')]),
				),
			},
		);
		const run = await bench.rest.run(id, 'Start');
		if (run.data.resultData.error) throw run.data.resultData.error;
		expect(run.status).toBe('success');
		return model;
	} finally {
		await model.stop();
	}
}

/** What a tool said, by the tool's name. */
type Said = Record<string, IDataObject[]>;

describe.each(agentVersions)('an agent of version %s', (version) => {
	test('knows each tool by its endpoint and one argument when the tool was only dropped on the canvas', async () => {
		const { tools } = await converse(version, sixTools(bench));
		expectTold(tools, { $schema: 'http://json-schema.org/draft-07/schema#', additionalProperties: false });
	});

	test.each(firstCalls)(
		'gets the right response when the error tells it what is wrong after %s',
		async (_what, first) => {
			const answers: Said = {};
			for (const dropped of sixTools(bench)) {
				const { said } = await converse(
					version,
					[dropped],
					([spec]) => [first(spec!)],
					([spec], [text]) => [secondCall(spec!, text!)],
				);
				answers[dropped.name] = parsed(said[1]![0]);
			}
			expectRightAnswers(answers, bench);
		},
	);

	test('receives an error with the expected fields when a type is wrong, a value is missing or the endpoint is unknown', async () => {
		const calls: ToolCalls = [
			['fraud', { features: { amount: 'a lot', country: 'Narnia' } }],
			['customer_transactions', { parameters: { customer_id: 'C001' } }],
			['frad', { features: { amount: 1 } }],
			['fraud', {}],
		];
		const tools = [...sixTools(bench), bench.tool('dataikuPredict', 'frad')];
		const { said } = await converse(version, tools, ...calls.map((call) => () => [call]));
		const [wrong, missing, unknown, empty] = said.map(([text]) => String(parsed(text)[0]!.error));
		expect(wrong).toMatch(/^`amount` must be a number, not the text 'a lot'; `country` is 'Narnia'.*expects amount/);
		expect(missing).toMatch(/^`min_amount` is missing\b.*expects customer_id .*For example: \{/);
		expect(unknown).toMatch(/has no endpoint "frad".*Did you mean 'fraud'\? Endpoints for this node: fraud, /);
		expect(empty).toBe(afterEmptyCall);
		expect(bench.sent.map(([path]) => path)).toEqual([expect.stringMatching(/^frad\//)]);
	});

	test('is told what does not match when it uses the form, or nothing when its schema before version 3 refuses it', async () => {
		const form = bench.tool('dataikuPredict', 'fraud', await bench.form('dataikuPredict', 'fraud'));
		const features = {
			...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
			...{ customer_age_days: 240, chargebacks: 0, customer_id: 'C001' },
		};
		const { tools, said } = await converse(
			version,
			[form],
			() => [['fraud', { ...features, country: 'Narnia' }]],
			() => [['fraud', { ...features, amount: 'a lot' }]],
			() => [['fraud', features]],
		);
		expect(tools[0]!.parameters.required).toEqual(Object.keys(features));
		const [country, amount, right] = said.map(([text]) => text!);
		expect(parsed(country)[0]!.error).toMatch(/^'country' expects one of .* 'Narnia'.*expects amount \(number/);
		if (version < 3) expect(amount).toBe('');
		else expect(parsed(amount)[0]!.error).toMatch(/^'amount' expects a number but we got 'a lot'.*For example: \{/);
		expect(parsed(right)).toMatchObject([{ prediction: 'fraud' }]);
		expect(bench.sent).toEqual([['fraud/predict-multi', { items: [{ features }] }]]);
	});
});

// n8n hands the calls of a gated tool to a human from version 3 of the agent on.
test.each([1.9, 2.3])('an agent of version %s cannot use a tool that needs an approval', async (version) => {
	const gated = bench.tool('dataikuSqlQuery', 'add_payment');
	const approval = node('Approval', '@n8n/n8n-nodes-langchain.chatHitlTool', 1.3, { responseType: 'approval' });
	const parameters = { customer_id: 'C001', amount: 1 };
	const { said } = await converse(version, [approval, { ...gated, name: 'gated' }], ([spec]) => [
		[spec!.name, { toolParameters: { parameters }, hitlParameters: {} }],
	]);
	expect(said).toEqual([['']]);
	expect(bench.sent).toEqual([]);
});

describe('a tool', () => {
	/** What the tools say to an agent of the newest version when they are called one after the other. */
	async function ask(tools: INode[], ...calls: ToolCalls): Promise<IDataObject[][]> {
		const model = await converse(agentVersions.at(-1)!, tools, ...calls.map((call) => () => [call]));
		return model.said.map(([text]) => parsed(text));
	}

	test('has an argument for each feature, with name, type and description, when it uses the form', async () => {
		const form = await bench.form('dataikuPredict', 'fraud');
		const model = await converse(3.1, [bench.tool('dataikuPredict', 'fraud', form)], ([spec]) => [
			[spec!.name, { amount: 412.5, hour: 3, country: 'US', card_present: false }],
		]);
		const { properties } = model.tools[0]!.parameters;
		expect(properties).toMatchObject({
			amount: { type: 'number', description: 'amount (number; Amount in euros)' },
			country: {
				type: 'string',
				description: "country (one of DE | ES | FR | GB | IT | US; The merchant's country)",
			},
			card_present: { type: 'boolean' },
		});
		expect(Object.keys(properties!)).toEqual([
			...['amount', 'hour', 'country', 'merchant_category', 'card_present'],
			...['customer_age_days', 'chargebacks', 'customer_id'],
		]);
		expect(parsed(model.said[0]![0])).toMatchObject([{ prediction: 'fraud' }]);
		const features = { amount: 412.5, hour: 3, country: 'US', card_present: false };
		expect(bench.sent).toEqual([['fraud/predict-multi', { items: [{ features }] }]]);
	});

	test('tells the model nothing of the host when its endpoint is given by its URL', async () => {
		const value = `${bench.wire.url}/public/api/v1/demo/house_price/predict`;
		const { tools } = await converse(3.1, [
			bench.tool('dataikuPredict', 'homes', { endpointId: { __rl: true, mode: 'url', value } }),
		]);
		expect(tools[0]!.description).toContain('Endpoint: demo/house_price/predict.');
		expect(tools[0]!.description).not.toContain(String(bench.wire.port));
	});

	test('says in words what a response leaves out', async () => {
		const tools = [
			bench.tool('dataikuLookup', 'customer'),
			bench.tool('dataikuLookup', 'known_customer'),
			bench.tool('dataikuPredict', 'fraud_known_customers'),
			bench.tool('dataikuSqlQuery', 'customer_transactions'),
			bench.tool('dataikuSqlQuery', 'all_transactions'),
			bench.tool('dataikuRunFunction', 'chart'),
			bench.tool('dataikuRunFunction', 'nothing'),
			bench.tool('dataikuRunFunction', 'sequence'),
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
		expect(answers[0]).toEqual([{ note: 'No match was found.' }]);
		for (const answer of answers.slice(1, 3)) {
			expect(answer).toEqual([
				{ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' },
				{ note: 'Ignored by the API node: no lookup match.' },
			]);
		}
		expect(answers[3]).toEqual([{ note: 'No rows found.' }]);
		expect(answers[4]).toHaveLength(51);
		expect(answers[4]!.at(-1)!.note).toMatch(/^Only 50 of 10,000 rows are shown/);
		expect(answers[5]!.at(-1)!.note).toMatch(/^A file was returned \(image\/png, \d+ B\)/);
		expect(answers[6]).toEqual([{ result: null }]);
		expect(answers[7]).toEqual([
			{ beginning: expect.stringMatching(/^\{"result":\[\{"n":1,/) },
			{ note: expect.stringMatching(/^Only the first [\d,]+ of 139,286 characters are shown/) },
		]);
		for (const answer of answers) expect(JSON.stringify(answer).length).toBeLessThan(20_000);
	});

	test('sends neither the chat nor fields with the names of the chat', async () => {
		const autoMap = { mappingMode: 'autoMapInputData', value: null };
		const [item, mapped] = await ask(
			[
				bench.tool('dataikuPredict', 'fraud', { recordSource: 'inputItem' }),
				{
					...bench.tool('dataikuPredict', 'fraud', { recordSource: 'mapping', mapping: autoMap }),
					name: 'mapped',
					id: 'm',
				},
			],
			['fraud', {}],
			['mapped', {}],
		);
		for (const answer of [item, mapped]) expect(answer![0]!.error).toMatch(/^Tools cannot use the input item\b/);
		expect(bench.sent).toEqual([]);
	});

	test('shows neither key nor host when the API node refuses the key or is gone', async () => {
		const wrong = [{ apiKey: 'a-wrong-key' }, { url: 'http://127.0.0.1:9' }];
		const tools = wrong.map(async (data, n) => ({
			...bench.tool('dataikuPredict', 'fraud'),
			...{ id: `wrong_${n}`, name: `wrong_${n}` },
			credentials: { dataikuApiNodeApi: await bench.apiNodeCredential(data) },
		}));
		const features = { features: { amount: 1 } };
		const [refused, gone] = await ask(await Promise.all(tools), ['wrong_0', features], ['wrong_1', features]);
		expect(refused![0]!.error).toMatch(/401|key/i);
		expect(gone![0]!.error).toMatch(/reach|connect/i);
		expect(JSON.stringify([refused, gone])).not.toMatch(/a-wrong-key|demo-key|127\.0\.0\.1/);
	});
});
