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

/** Where a body is bare parameters or arguments, `dispatch` may be the name of one of them. */
export const dispatched: ReadonlySet<Action> = new Set<Action>([
	'predict',
	'predict-multi',
	'forecast',
	'predict-effect',
	'predict-effect-multi',
]);

/** A feature, key column, named parameter or argument, as the service's OpenAPI describes it. */
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

/** An answer that is not the usual JSON object: sent as it stands. */
export class RawAnswer {
	constructor(
		readonly body: string | Buffer,
		readonly contentType: string,
		readonly status = 200,
		readonly headers: Record<string, string> = {},
	) {}
}

/** JSON text to put under `response` as it stands: JavaScript's numbers would round its integers. */
export class JsonText {
	constructor(readonly text: string) {}
}

export type Answer = object | RawAnswer | JsonText;
/** `text` is the body as sent: integers beyond 2^53 survive only there. */
export type Handler = (body: JsonObject, text: string, headers: IncomingHttpHeaders) => Answer | Promise<Answer>;

export interface Endpoint {
	id: string;
	summary: string;
	description?: string;
	/** Endpoints without documentation are absent from the service's OpenAPI. */
	documented?: boolean;
	fields: Field[];
	actions: Partial<Record<Action, Handler>>;
}
