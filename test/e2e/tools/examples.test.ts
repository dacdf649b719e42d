import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { IDataObject } from 'n8n-workflow';
import { examples } from '../../../demo/demo';
import { running } from '../running';
import { AgentModel, type Step } from './AgentModel';
import { parsed } from './sixTools';
import { Workbench } from './Workbench';

const { url } = running();

let bench: Workbench;
beforeAll(async () => (bench = await Workbench.open()));
afterAll(async () => await bench.close());
beforeEach(() => bench.forget());

const payment = {
	...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
	customer_id: 'C003',
};

interface Conversation {
	model: AgentModel;
	executionId: string;
}

/** Says something in the chat of an example, once its chat model is the scripted one. */
async function chat(id: string, script: Step[], use: (conversation: Conversation) => Promise<void>): Promise<void> {
	const model = await AgentModel.start(...script);
	const openAiApi = await bench.modelCredential(model);
	const { nodes, ...example } = (await examples()).find((each) => each.id === id)!;
	const copied = nodes.map((node) => {
		if (node.name === 'OpenAI Chat Model') return { ...node, credentials: { openAiApi } };
		return node.credentials ? bench.withCredential(node) : node;
	});
	const workflow = { ...example, id: undefined, nodes: copied, active: false };
	const { id: copy } = await bench.rest.call<{ id: string }>('POST', '/workflows', workflow);
	const said = { sessionId: copy, action: 'sendMessage', chatInput: 'said in the chat' };
	const executionId = await bench.rest.start(copy, 'Chat', said);
	try {
		await use({ model, executionId });
	} finally {
		await model.stop();
	}
}

test('the agent looks the customer up, scores the payment and explains the score', async () => {
	const script: Step[] = [
		() => [['Look_up_customer', { customer_id: 'C003' }]],
		() => [['Score_payment', payment]],
		() => [['Explain_score', payment]],
	];
	await chat('dataiku-agent', script, async ({ model, executionId }) => {
		const { status } = await bench.rest.finished(executionId);
		expect(status).toBe('success');
		const specs = model.tools.map(({ name, parameters }) => [name, Object.keys(parameters.properties!)]);
		expect(Object.fromEntries(specs)).toEqual({
			Look_up_customer: ['customer_id'],
			Score_payment: Object.keys(payment),
			Explain_score: Object.keys(payment),
		});
		const [customer, score, explained] = model.said.map(([text]) => parsed(text));
		expect(customer).toMatchObject([{ name: expect.any(String), chargebacks: expect.any(Number) }]);
		expect(score).toMatchObject([{ prediction: 'fraud', proba_fraud: expect.any(Number) }]);
		expect(Object.keys(score![0]!).filter((name) => name.startsWith('explanation_'))).toEqual([]);
		expect(Object.keys(explained![0]!).filter((name) => name.startsWith('explanation_'))).toHaveLength(3);
		expect(explained![0]!.proba_fraud).toBe(score![0]!.proba_fraud);
		expect(JSON.stringify(bench.sent)).not.toMatch(/chat|session|toolCallId/i);
	});
});

test('the agent that explains is told what would change the decision, and that this does not prove that the change would cause it', async () => {
	const script: Step[] = [
		() => [['Score_payment', { features: payment }]],
		() => [['What_would_help', { features: payment, goal: { goal: 'class', class: 'legitimate' } }]],
		() => [['What_would_help', { features: payment, goal: { goal: 'class', class: 'honest' } }]],
	];
	await chat('dataiku-what-if-agent', script, async ({ model, executionId }) => {
		expect((await bench.rest.finished(executionId)).status).toBe('success');
		const specs = model.tools.map(({ name, parameters }) => [name, Object.keys(parameters.properties!)]);
		expect(Object.fromEntries(specs)).toEqual({ Score_payment: ['features'], What_would_help: ['features', 'goal'] });
		const [score, suggested, refused] = model.said.map(([text]) => parsed(text));
		expect(score).toMatchObject([{ prediction: 'fraud' }]);
		expect(suggested).toMatchObject([
			{ prediction: 'fraud', what_if: 'suggestion', suggestions: expect.any(Array) },
			{ note: expect.stringContaining('does not prove that the change would cause this outcome') },
		]);
		expect(refused).toMatchObject([{ error: expect.stringContaining("The model has no class 'honest'") }]);
		expect(JSON.stringify(bench.sent)).not.toMatch(/chat|session|toolCallId/i);
	});
});

test('a client of the Model Context Protocol has the same tools when n8n has started', async () => {
	const client = new Client({ name: 'test', version: '1.0.0' });
	await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp/dataiku`)));
	try {
		const { tools } = await client.listTools();
		expect(tools.map(({ name }) => name).sort()).toEqual(['Explain_score', 'Look_up_customer', 'Score_payment']);
		expect(client.getInstructions()).toMatch(/look up its customer, then score the payment/);
		const call = async (name: string, args: IDataObject) => {
			const { content } = await client.callTool({ name, arguments: args });
			return parsed((content as Array<{ text: string }>)[0]!.text);
		};
		expect(await call('Look_up_customer', { customer_id: 'C003' })).toMatchObject([{ name: expect.any(String) }]);
		expect(await call('Score_payment', payment)).toMatchObject([{ prediction: 'fraud' }]);
		const [explained] = await call('Explain_score', payment);
		expect(Object.keys(explained!).filter((name) => name.startsWith('explanation_'))).toHaveLength(3);
	} finally {
		await client.close();
	}
});

interface Asked {
	text: string;
	buttons: Array<{ text: string; link: string }>;
}

/** What the human is asked, once the execution waits for the answer. */
async function asked(executionId: string): Promise<Asked> {
	const { status, data } = await bench.rest.finished(executionId, ['new', 'running']);
	expect(status).toBe('waiting');
	const [item] = data.resultData.runData.Approval![0]!.data!.ai_tool![0]!;
	return item!.sendMessage as unknown as Asked;
}

describe('the agent that writes', () => {
	const script: Step[] = [
		() => [['Payments_so_far', {}]],
		() => [['Add_payment', { toolParameters: { customer_id: 'C001', amount: 25 }, hitlParameters: {} }]],
	];
	const writes = () => bench.sent.filter(([path]) => path.startsWith('add_payment'));

	/** What the model receives for its second call when the human presses a button. */
	async function pressing(button: string): Promise<string> {
		let told = '';
		await chat('dataiku-approval', script, async ({ model, executionId }) => {
			const { text, buttons } = await asked(executionId);
			expect(text).toBe('May I run Add_payment?\n\n{"customer_id":"C001","amount":25}');
			expect(writes()).toEqual([]);
			const { link } = buttons.find((each) => each.text === button)!;
			// n8n takes what does not look like a browser for a preview of the link.
			const answer = await fetch(link, { headers: { 'user-agent': 'Mozilla/5.0 (X11) Firefox/128.0' } });
			expect(await answer.text()).toContain('Action recorded');
			while (model.said.length < 2) await sleep(50);
			told = model.said[1]![0]!;
			// It waits to be shown the answer in a chat that is not open.
			await bench.rest.call('POST', `/executions/${executionId}/stop`, {});
		});
		return told;
	}

	test('writes what the human saw when the human approves', async () => {
		expect(parsed(await pressing('Approve'))).toEqual([{ updatedRows: 1 }]);
		expect(writes()).toEqual([['add_payment/query', { customer_id: 'C001', amount: 25 }]]);
	});

	test('writes nothing and tells the agent when the human declines', async () => {
		expect(await pressing('Decline')).toContain('User rejected the tool call to Add payment');
		expect(writes()).toEqual([]);
	});
});
