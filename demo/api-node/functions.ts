import { setTimeout as sleep } from 'node:timers/promises';
import { barChart } from './bar-chart';
import { type Endpoint, type Field, type Handler, JsonText, RawAnswer } from './endpoint';
import { ApiNodeError } from './errors';
import { onePixel, readPicture } from './picture';
import { isObject, type Json, type JsonObject } from './json';

const response = (value: Json | undefined) => ({ response: value ?? null });

/** An error of the function's own code, as a real API node reports it. */
function raised(message: string): ApiNodeError {
	return new ApiNodeError(500, 'PythonFunctionException', 'The function failed', message);
}

function numberFor(name: string, args: JsonObject): number {
	const value = args[name];
	if (value === undefined) throw raised(`TypeError: missing 1 required argument: '${name}'`);
	if (typeof value !== 'number') throw raised(`TypeError: unsupported operand: ${name} = ${JSON.stringify(value)}`);
	return value;
}

function linesOf({ title, lines }: JsonObject): string[] {
	return [String(title ?? 'Report'), ...(Array.isArray(lines) ? lines.map(String) : [])];
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character]!);

const run: Record<string, Handler> = {
	echo: (_args, text) => new JsonText(text.trim() || '{}'),
	add: (args) => response(numberFor('a', args) + numberFor('b', args)),
	sequence: (args) => {
		const count = Math.min(100_000, Math.max(0, Math.floor(numberFor('count', args))));
		return response(Array.from({ length: count }, (_, index) => ({ n: index + 1, square: (index + 1) ** 2 })));
	},
	nothing: () => response(null),
	big_integers: () => new JsonText('{"id":9007199254740993,"list":[-18446744073709551617,12],"exact":1234}'),
	wait: async (args) => {
		await sleep(Math.min(60_000, numberFor('ms', args)), undefined, { ref: false });
		return response(args.ms);
	},
	report_text: (args) => new RawAnswer(linesOf(args).join('\n'), 'text/plain;charset=utf-8'),
	report_xml: (args) => {
		const [title, ...lines] = linesOf(args).map(escaped);
		const body = lines.map((line) => `<line>${line}</line>`).join('');
		return new RawAnswer(`<?xml version="1.0"?><report title="${title}">${body}</report>`, 'application/xml');
	},
	chart: ({ values }) => new RawAnswer(barChart(Array.isArray(values) ? values.map(Number) : []), 'image/png'),
	picture: ({ file, ...others }) => {
		const [unknown] = Object.keys(others);
		if (unknown) throw raised(`TypeError: picture() got an unexpected keyword argument '${unknown}'`);
		const picture = readPicture(file);
		if (!picture) throw raised('UnidentifiedImageError: cannot identify image file');
		return response({ ...picture });
	},
	status: ({ status, body, headers }) => {
		const text = typeof body === 'string' ? body : JSON.stringify(body ?? null);
		const own = isObject(headers) ? Object.entries(headers).map(([name, value]) => [name, String(value)]) : [];
		const type = typeof body === 'string' ? 'text/plain;charset=utf-8' : 'application/json;charset=utf-8';
		return new RawAnswer(text, type, Number(status ?? 200), Object.fromEntries(own) as Record<string, string>);
	},
	request_header: ({ name }, _text, headers) => response(headers[String(name).toLowerCase()] ?? null),
	failing: ({ message }) => {
		throw raised(`ValueError: ${String(message ?? 'it always fails')}`);
	},
};

const values: Field = { name: 'values', type: 'array', example: [3, 1, 4, 1, 5] };
const title: Field = { name: 'title', type: 'string', example: 'Sales' };
const lines: Field = { name: 'lines', type: 'array', example: ['Lyon 120', 'Paris 90'] };
const about: Array<[id: string, summary: string, ...fields: Field[]]> = [
	['echo', 'Returns its arguments'],
	['add', 'Adds two numbers', { name: 'a', type: 'number', example: 2 }, { name: 'b', type: 'number', example: 3 }],
	['sequence', 'Numbers and their squares', { name: 'count', type: 'integer', example: 5 }],
	['nothing', 'Returns null'],
	['wait', 'Returns after a while', { name: 'ms', type: 'integer', example: 200 }],
	['report_text', 'A report as text', title, lines],
	['report_xml', 'A report as XML', title, lines],
	['chart', 'A bar chart as a PNG image', values],
	[
		'picture',
		'Format and size of a picture',
		{ name: 'file', type: 'string', description: 'The picture as base64', example: onePixel },
	],
	[
		'status',
		'Chooses the status, headers and body of its answer',
		{ name: 'status', type: 'integer', example: 422 },
		{ name: 'body', type: 'object', example: { reason: 'not today' } },
		{ name: 'headers', type: 'object', example: { 'Retry-After': '2' } },
	],
	[
		'request_header',
		'Returns one of the headers of its request',
		{ name: 'name', type: 'string', example: 'X-Tenant' },
	],
	['failing', 'Raises an error', { name: 'message', type: 'string', example: 'no such customer' }],
	['big_integers', 'Integers beyond 2^53'],
];

export function functions(): Endpoint[] {
	return about.map(([id, summary, ...fields]) => ({
		...{ id, summary, fields, documented: id !== 'big_integers' },
		actions: { run: run[id] },
	}));
}
