/** A tool as the model sees it. */
export interface ToolSpec {
	name: string;
	description: string;
	parameters: { properties?: Record<string, Record<string, unknown>>; required?: string[] };
}

/** Calls of tools: name and arguments. */
export type ToolCalls = Array<[name: string, args: unknown]>;

/** What the model responds: calls of tools or, if there are none, a text. */
interface Reply {
	/** Number of the response, from 1. */
	step: number;
	calls: ToolCalls;
	text: string;
}

/** One of OpenAI's APIs for conversations. */
interface Api {
	/** Returns the tools of a request, and the results of all calls so far. */
	read(body: never): { tools: ToolSpec[]; results: string[] };
	/** Returns a response, and the same response as server-sent events. */
	write(reply: Reply): { whole: Json; events: Array<Json | '[DONE]'> };
}

type Json = Record<string, unknown>;

const textOf = (content: unknown) => (typeof content === 'string' ? content : JSON.stringify(content));

/** POST /chat/completions */
export const chatCompletions: Api = {
	read({ messages, tools = [] }: { messages: Json[]; tools?: Array<{ function: ToolSpec }> }) {
		const results = messages.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content));
		return { tools: tools.map((tool) => tool.function), results };
	},

	write({ step, calls, text }) {
		const tool_calls = calls.map(([name, args], index) => ({
			...{ index, id: `call_${step}_${index}`, type: 'function' },
			function: { name, arguments: JSON.stringify(args) },
		}));
		const isCall = calls.length > 0;
		const message = { role: 'assistant', ...(isCall ? { content: null, tool_calls } : { content: text }) };
		const finish_reason = isCall ? 'tool_calls' : 'stop';
		const base = {
			...{ id: `chatcmpl-${step}`, created: 0, model: 'script' },
			usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
		};
		const chunk = (delta: object, reason: string | null) => ({
			...{ ...base, object: 'chat.completion.chunk' },
			choices: [{ index: 0, delta, finish_reason: reason }],
		});
		return {
			whole: { ...base, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }] },
			events: [chunk(message, null), chunk({}, finish_reason), '[DONE]'],
		};
	},
};

/** POST /responses */
export const responses: Api = {
	read({ input, tools = [] }: { input: Json[]; tools?: ToolSpec[] }) {
		const results = input.filter(({ type }) => type === 'function_call_output').map(({ output }) => textOf(output));
		return { tools, results };
	},

	write({ step, calls, text }) {
		const base = { id: `resp_${step}`, object: 'response', created_at: 0, model: 'script' };
		const message = {
			...{ type: 'message', id: `msg_${step}`, status: 'completed', role: 'assistant' },
			content: [{ type: 'output_text', text, annotations: [] }],
		};
		const output: Json[] =
			calls.length === 0
				? [message]
				: calls.map(([name, args], n) => ({
						...{ type: 'function_call', id: `fc_${step}_${n}`, call_id: `call_${step}_${n}`, status: 'completed' },
						...{ name, arguments: JSON.stringify(args) },
					}));
		const whole = {
			...{ ...base, status: 'completed', output },
			usage: {
				...{ input_tokens: 1, output_tokens: 1, total_tokens: 2 },
				...{ input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } },
			},
		};
		const eventsOf = (item: Json, output_index: number): Json[] => {
			const of = { output_index, item_id: item.id };
			const ofText = { ...of, content_index: 0 };
			return [
				{
					...{ type: 'response.output_item.added', output_index },
					item: { ...item, status: 'in_progress', ...(item === message ? { content: [] } : { arguments: '' }) },
				},
				...(item === message
					? [
							{ type: 'response.output_text.delta', ...ofText, delta: text },
							{ type: 'response.output_text.done', ...ofText, text },
						]
					: [
							{ type: 'response.function_call_arguments.delta', ...of, delta: item.arguments },
							{ type: 'response.function_call_arguments.done', ...of, arguments: item.arguments },
						]),
				{ type: 'response.output_item.done', output_index, item },
			];
		};
		const events = [
			{ type: 'response.created', response: { ...base, status: 'in_progress', output: [] } },
			...output.flatMap(eventsOf),
			{ type: 'response.completed', response: whole },
		];
		return { whole, events: events.map((event, sequence_number) => ({ ...event, sequence_number })) };
	},
};
