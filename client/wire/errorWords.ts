import { isObject } from '../json';

/**
 * Keys under which APIs and gateways put the sentence of an error, the API node's first. The value may be a list or an
 * object.
 */
const places = [
	...['detailedMessage', 'message', 'Message', 'errorMessage', 'error_description'],
	...['detail', 'faultstring', 'msg', 'fault', 'errors', 'error', 'title'],
];
const deepest = 4;
const mostListed = 3;

/** The sentence of an error in the formats of the API node, FastAPI (`detail`), RFC 9457, Apigee, AWS and OAuth2. */
export function errorSentence(value: unknown, depth = 0): string | undefined {
	if (typeof value === 'string') return value.trim() || undefined;
	if (depth > deepest) return undefined;
	if (Array.isArray(value)) {
		const sentences = value.slice(0, mostListed).map((each) => errorSentence(each, depth + 1));
		return sentences.filter(Boolean).join('; ') || undefined;
	}
	if (!isObject(value)) return undefined;
	for (const place of places) {
		const sentence = Object.hasOwn(value, place) && errorSentence(value[place], depth + 1);
		if (sentence) return located(sentence, value.loc);
	}
	// Errors by field: `{ "amount": ["is missing"] }`.
	const entries = depth > 0 ? Object.entries(value).slice(0, mostListed) : [];
	const lists = entries.filter(([, list]) => Array.isArray(list));
	return lists.map(([field, list]) => `${field}: ${errorSentence(list, depth + 1)}`).join('; ') || undefined;
}

/** Adds the field of the body that FastAPI names. */
function located(sentence: string, loc: unknown): string {
	const place = Array.isArray(loc) ? loc.filter((key) => key !== 'body').join('.') : '';
	return place ? `${place}: ${sentence}` : sentence;
}

/** Keys of an API node's response, of an OpenAPI document, or of a deployment. */
const payload = [
	...['result', 'results', 'columns', 'rows', 'updatedRows', 'swagger', 'openapi'],
	...['deploymentBasicInfo', 'apiNodes', 'publicURL'],
];
/** Kong, AWS and Azure send `message` alone, and RFC 9457 `title`. */
const ofErrors = [
	...['errorType', 'error', 'errors', 'fault', 'detail', 'error_description', 'errorMessage'],
	...['message', 'Message', 'title'],
];

const holdsAny = (value: unknown) => (Array.isArray(value) ? value.length > 0 : (value ?? null) !== null);

export function isErrorInside(value: unknown): boolean {
	if (!isObject(value) || payload.some((key) => holdsAny(value[key]))) return false;
	return ofErrors.some((key) => Object.hasOwn(value, key)) && errorSentence(value) !== undefined;
}
