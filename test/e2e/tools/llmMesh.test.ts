import type { IDataObject } from 'n8n-workflow';
import { itemsOf } from '../running';
import { AgentModel } from './AgentModel';
import { into, node, Workbench } from './Workbench';

let bench: Workbench;
let model: AgentModel;
beforeAll(async () => (bench = await Workbench.open()));
afterAll(async () => await bench.close());
afterEach(async () => await model.stop());

/** As docs/llm-mesh.md says it: Dataiku's URL for OpenAI's clients, and a model by its LLM ID. */
const path = '/public/api/projects/SUPPORT/llms/openai/v1';
const llmId = 'openai:company-openai:gpt-4o-mini';

async function converse(typeVersion: number, parameters: IDataObject) {
	const data = { apiKey: 'dss-key', url: new URL(path, model.url).href };
	const openAiApi = await bench.rest.call<{ id: string; name: string }>('POST', '/credentials', {
		...{ name: 'DSS', type: 'openAiApi', data },
	});
	const chatModel = node('Model', '@n8n/n8n-nodes-langchain.lmChatOpenAi', typeVersion, {
		...{ model: { __rl: true, mode: 'id', value: llmId }, options: {}, ...(parameters as object) },
	});
	const id = await bench.save(
		[
			node('Start', 'n8n-nodes-base.manualTrigger', 1, {}),
			node('Agent', '@n8n/n8n-nodes-langchain.agent', 3.1, { promptType: 'define', text: 'Add 2 and 3', options: {} }),
			{ ...chatModel, credentials: { openAiApi } },
			bench.tool('dataikuRunFunction', 'add'),
		],
		{ Start: into('Agent', 'main'), Model: into('Agent', 'ai_languageModel'), add: into('Agent', 'ai_tool') },
	);
	return await bench.rest.run(id, 'Start');
}

test.each([
	[1.2, {}],
	[1.3, { responsesApiEnabled: false }],
])(
	"n8n's OpenAI Chat Model %s reaches Dataiku's LLM Mesh and uses a Dataiku tool when set up as documented",
	async (version, parameters) => {
		model = await AgentModel.start(() => [['add', { function_arguments: { a: 2, b: 3 } }]]);
		const run = await converse(version, parameters);

		expect(model.requests).toEqual(
			Array(2).fill({ path: `${path}/chat/completions`, authorization: 'Bearer dss-key', model: llmId }),
		);
		expect(itemsOf(run, 'Agent')).toMatchObject([{ output: expect.stringContaining('5') as string }]);
	},
);
