import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { IDataObject, INode } from 'n8n-workflow';
import { running } from '../running';
import type { ToolCalls, ToolSpec } from './openAi';
import {
	afterEmptyCall,
	expectRightAnswers,
	expectTold,
	firstCalls,
	parsed,
	secondCall,
	sixTools,
	theirArguments,
} from './sixTools';
import { into, key, node, Workbench } from './Workbench';

const { url } = running();

let bench: Workbench;
beforeAll(async () => (bench = await Workbench.open()));
afterAll(async () => await bench.close());
beforeEach(() => bench.forget());

/** n8n has registered the webhooks of a workflow a moment after it said that the workflow is published. */
async function connected(transport: () => Transport): Promise<Client> {
	for (;;) {
		const client = new Client({ name: 'test', version: '1.0.0' });
		try {
			await client.connect(transport());
			return client;
		} catch (error) {
			if (!/404|not registered/.test(String(error))) throw error;
			await sleep(100);
		}
	}
}

interface Answer {
	text: string;
	isError: boolean;
}

/** A client of the tools behind an MCP Server Trigger, which goes out of service at the end. */
async function served(
	typeVersion: number,
	path: string,
	transportTo: (address: URL) => Transport,
	tools: INode[],
	use: (call: (...call: ToolCalls[number]) => Promise<Answer>, specs: ToolSpec[]) => Promise<void>,
): Promise<void> {
	const name = randomUUID();
	const id = await bench.save(
		[
			{
				...node('Dataiku', '@n8n/n8n-nodes-langchain.mcpTrigger', typeVersion, { path: name }),
				webhookId: name,
			},
			...tools,
		],
		Object.fromEntries(tools.map((tool) => [tool.name, into('Dataiku', 'ai_tool')])),
	);
	await bench.rest.publish(id);
	let client: Client | undefined;
	try {
		client = await connected(() => transportTo(new URL(`${url}/mcp/${name}${path}`)));
		const { tools: listed } = await client.listTools();
		const specs = listed.map(({ name, description, inputSchema }) => ({
			...{ name, description: description!, parameters: inputSchema as ToolSpec['parameters'] },
		}));
		await use(async (name, args) => {
			const { content, isError } = await client!.callTool({ name, arguments: args as IDataObject });
			const [piece, ...others] = content as Array<{ type: string; text: string }>;
			expect([piece?.type, others]).toEqual(['text', []]);
			return { text: piece!.text, isError: isError === true };
		}, specs);
	} finally {
		await client?.close();
		await bench.rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
}

const streamable = (address: URL) => new StreamableHTTPClientTransport(address);
const serverSentEvents = (address: URL) => new SSEClientTransport(address);

describe.each([
	['1.1, by server-sent events', 1.1, '/sse', serverSentEvents],
	['1.1, by streamable HTTP', 1.1, '/messages', streamable],
	['2.1, by streamable HTTP', 2.1, '', streamable],
])('a client of the MCP Server Trigger %s', (_how, version, path, transport) => {
	test('knows each tool by its endpoint and one argument when the tool was only dropped on the canvas', async () => {
		await served(version, path, transport, sixTools(bench), async (_call, specs) => {
			expectTold(specs, { $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: true });
		});
	});

	test.each(firstCalls)(
		'gets the right response when the error tells it what is wrong after %s',
		async (_what, first) => {
			await served(version, path, transport, sixTools(bench), async (call, specs) => {
				const answers: Record<string, IDataObject[]> = {};
				for (const name of Object.keys(theirArguments)) {
					const spec = specs.find((each) => each.name === name)!;
					const { text, isError } = await call(...first(spec));
					expect(isError).toBe(false);
					const second = await call(...secondCall(spec, text));
					answers[name] = parsed(second.text);
				}
				expectRightAnswers(answers, bench);
			});
		},
	);

	test('receives the same errors as an agent, and never the key', async () => {
		const tools = [bench.tool('dataikuPredict', 'fraud'), bench.tool('dataikuPredict', 'frad')];
		await served(version, path, transport, tools, async (call) => {
			const errors = [
				await call('fraud', {}),
				await call('fraud', { features: { amount: 'a lot' } }),
				await call('frad', { features: { amount: 1 } }),
			].map(({ text }) => String(parsed(text)[0]!.error));
			expect(errors[0]).toBe(afterEmptyCall);
			expect(errors[1]).toMatch(/^`amount` must be a number, not the text 'a lot'.*For example: \{/);
			expect(errors[2]).toMatch(/has no endpoint "frad".*Did you mean 'fraud'\? Endpoints for this node: fraud, /);
			for (const error of errors) expect(error).not.toMatch(new RegExp(`${key}|127\\.0\\.0\\.1`));
		});
	});

	test("receives n8n's error when an argument does not match the schema", async () => {
		const form = bench.tool('dataikuPredict', 'fraud', await bench.form('dataikuPredict', 'fraud'));
		await served(version, path, transport, [form], async (call, [spec]) => {
			expect(spec!.parameters.properties!.amount).toEqual({
				...{ type: 'number', description: 'amount (number; Amount in euros)' },
			});
			const { text, isError } = await call('fraud', { amount: 'a lot' });
			expect(isError).toBe(true);
			expect(text).toMatch(/did not match expected schema[\s\S]*Expected number[\s\S]*at amount/);
			expect(bench.sent).toEqual([]);
		});
	});
});
