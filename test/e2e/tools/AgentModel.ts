import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { chatCompletions, responses, type ToolCalls, type ToolSpec } from './openAi';

/** What the model does next, having seen the tools and what they said last; no call ends the conversation. */
export type Step = (tools: ToolSpec[], said: string[]) => ToolCalls;

/** A language model behind OpenAI's APIs that goes through the steps of a script. */
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
		server.on('request', (request, response) => void model.respond(request, response));
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

	private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const body = (await json(request)) as { model: unknown; stream?: boolean };
		const api = request.url?.endsWith('/responses') ? responses : chatCompletions;
		const { tools, results } = api.read(body as never);
		this.requests.push({ path: request.url, authorization: request.headers.authorization, model: body.model });
		this.tools = tools;
		const said = results.slice(this.said.flat().length);
		if (this.step > 0) this.said.push(said);
		const calls = this.script[this.step++]?.(tools, said) ?? [];
		const { whole, events } = api.write({ step: this.step, calls, text: said.join('\n') || 'Done.' });
		response.writeHead(200, { 'content-type': body.stream ? 'text/event-stream' : 'application/json' });
		const textOf = (event: object | string) => (typeof event === 'string' ? event : JSON.stringify(event));
		response.end(body.stream ? events.map((event) => `data: ${textOf(event)}\n\n`).join('') : JSON.stringify(whole));
	}
}
