import type { IncomingHttpHeaders } from 'node:http';
import type { Json, JsonObject } from './json';

export const actions = [
	'predict',
	'predict-multi',
	'forecast',
	'predict-effect',
	'predict-effect-multi',
	'query',
	'lookup',
	'lookup-multi',
	'run',
] as const;
export type Action = (typeof actions)[number];

/** Only these actions accept `dispatch`: elsewhere, the body consists of parameters, one of which may have that name. */
export const dispatched: ReadonlySet<Action> = new Set<Action>([
	'predict',
	'predict-multi',
	'forecast',
	'predict-effect',
	'predict-effect-multi',
]);

/** A feature, key column, named parameter or argument, as described in the service's OpenAPI document. */
export interface Field {
	name: string;
	type: 'number' | 'integer' | 'string' | 'boolean' | 'array' | 'object';
	description?: string;
	example?: Json;
	values?: string[];
	minimum?: number;
	maximum?: number;
	required?: boolean;
}

/** A response other than the usual JSON object, sent unchanged. */
export class RawAnswer {
	constructor(
		readonly body: string | Buffer,
		readonly contentType: string,
		readonly status = 200,
		readonly headers: Record<string, string> = {},
	) {}
}

/** JSON text to put under `response` unchanged, because JavaScript's numbers would round its integers. */
export class JsonText {
	constructor(readonly text: string) {}
}

export type Answer = object | RawAnswer | JsonText;
/** `text` is the body as it was sent, the only place with exact integers beyond 2^53. */
export type Handler = (body: JsonObject, text: string, headers: IncomingHttpHeaders) => Answer | Promise<Answer>;

export interface Endpoint {
	id: string;
	summary: string;
	description?: string;
	/** Endpoints without documentation are missing from the service's OpenAPI document. */
	documented?: boolean;
	fields: Field[];
	actions: Partial<Record<Action, Handler>>;
}
