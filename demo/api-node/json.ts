import { badRequest } from './errors';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
	[key: string]: Json | undefined;
}

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Python's client sends no body for a call without parameters, which means an empty object. */
export function parseBody(text: string): JsonObject {
	if (text.trim() === '') return {};
	let body: unknown;
	try {
		body = JSON.parse(text);
	} catch (error) {
		throw badRequest(`The body is not valid JSON: ${(error as Error).message}`);
	}
	if (!isObject(body)) throw badRequest('The body must be a JSON object');
	return body;
}

/** The objects under `key` of a batch's `items`. */
export function itemsOf(body: JsonObject, key: string): JsonObject[] {
	if (!Array.isArray(body.items)) throw badRequest("The body must have an array 'items'");
	return body.items.map((item, index) => objectOf(item, key, `Item ${index}`));
}

export function objectOf(holder: unknown, key: string, name = 'The body'): JsonObject {
	const value = isObject(holder) ? holder[key] : undefined;
	if (!isObject(value)) throw badRequest(`${name} must have an object '${key}'`);
	return value;
}
