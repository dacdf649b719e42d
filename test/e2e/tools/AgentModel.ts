import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A tool as the model sees it. */
export interface ToolSpec {
	name: string;
	description: string;
	parameters: { properties?: Record<string, Record<string, unknown>>; required?: string[] };
}

interface Message {
	role: string;
	content: unknown;
	tool_call_id?: string;
}

/** Calls of tools: name and arguments. */
export type ToolCalls = Array<[name: string, args: unknown]>;

/** What the model does next, having seen the tools and what they said last; no call ends the conversation. */
export type Step = (tools: ToolSpec[], said: string[]) => ToolCalls;

type Json = Record<string, unknown>;
interface Completion extends Json {
	choices: Array<{ index: number; message: Json & { tool_calls?: Json[] }; finish_reason: string }>;
}

const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content));

/** The same as a stream of one piece. */
function eventsOf(body: Completion): string {
	const { message, finish_reason } = body.choices[0]!;
	const tool_calls = message.tool_calls?.map((call, index) => Object.assign(call, { index }));
	const piece = (delta: object, reason: string | null) => {
		const choices = [{ index: 0, delta, finish_reason: reason }];
		return `data: ${JSON.stringify({ ...body, object: 'chat.completion.chunk', choices })}\n\n`;
	};
	return `${piece({ ...message, tool_calls }, null)}${piece({}, finish_reason)}data: [DONE]\n\n`;
}

/** A language model behind OpenAI's chat API that goes through the steps of a script. */
export class AgentModel {
	/** The tools in the last request. */
	tools: ToolSpec[] = [];
	/** What the tools said, one list for each step. */
	readonly said: string[][] = [];
	/** What it was asked for, and as whom. */
	readonly requests: Array<{ path?: string; authorization?: string; model: unknown }> = [];
	private step = 0;

	private constructor(
		private readonly script: Step[],
		private readonly server: ReturnType<typeof createServer>,
	) {}

	static async start(...script: Step[]): Promise<AgentModel> {
		const server = createServer();
		const model = new AgentModel(script, server);
		server.on('request', (request, response) => {
			void model.respond(request).then(({ stream, ...body }) => {
				response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
				response.end(stream ? eventsOf(body) : JSON.stringify(body));
			});
		});
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		return model;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
	}

	async stop(): Promise<void> {
		this.server.closeAllConnections();
		this.server.close();
		await once(this.server, 'close');
	}

	private async respond(request: IncomingMessage): Promise<Completion & { stream?: boolean }> {
		const chunks: Buffer[] = [];
		for await (const chunk of request) chunks.push(chunk as Buffer);
		const {
			messages,
			model,
			tools = [],
			stream,
		} = JSON.parse(Buffer.concat(chunks).toString()) as {
			messages: Message[];
			model: unknown;
			tools?: Array<{ function: ToolSpec }>;
			stream?: boolean;
		};
		this.requests.push({ path: request.url, authorization: request.headers.authorization, model });
		this.tools = tools.map((tool) => tool.function);
		const results = messages.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content));
		const said = results.slice(this.said.flat().length);
		if (this.step > 0) this.said.push(said);
		const calls = this.script[this.step++]?.(this.tools, said) ?? [];
		const toolCalls = calls.map(([name, args], n) => ({
			id: `call_${this.step}_${n}`,
			type: 'function',
			function: { name, arguments: JSON.stringify(args) },
		}));
		const message =
			toolCalls.length > 0
				? { role: 'assistant', content: null, tool_calls: toolCalls }
				: { role: 'assistant', content: said.join('\n') || 'Done.' };
		return {
			stream,
			id: `chatcmpl-${this.step}`,
			object: 'chat.completion',
			created: 0,
			model: 'script',
			choices: [{ index: 0, message, finish_reason: toolCalls.length > 0 ? 'tool_calls' : 'stop' }],
			usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
		};
	}
}
