import { isObject } from '../json';

/** Where APIs and gateways put the sentence of an error, the API node first; a list or an object may hold it in turn. */
const places = [
	...['detailedMessage', 'message', 'Message', 'errorMessage', 'error_description'],
	...['detail', 'faultstring', 'msg', 'fault', 'errors', 'error', 'title'],
];
const deepest = 4;
const mostListed = 3;

/** An error's own sentence: of the API node, FastAPI (`detail`), RFC 9457, Apigee, AWS, OAuth2 and their like. */
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
	// Of a field or several: `{ "amount": ["is missing"] }`.
	const entries = depth > 0 ? Object.entries(value).slice(0, mostListed) : [];
	const lists = entries.filter(([, list]) => Array.isArray(list));
	return lists.map(([field, list]) => `${field}: ${errorSentence(list, depth + 1)}`).join('; ') || undefined;
}

/** FastAPI says in which field of the body it was. */
function located(sentence: string, loc: unknown): string {
	const place = Array.isArray(loc) ? loc.filter((key) => key !== 'body').join('.') : '';
	return place ? `${place}: ${sentence}` : sentence;
}

/** Keys of what the API node responds, and of an OpenAPI document. */
const payload = ['result', 'results', 'columns', 'rows', 'updatedRows', 'swagger', 'openapi'];
const ofErrors = ['errorType', 'error', 'errors', 'fault', 'detail', 'error_description', 'errorMessage'];

const holdsAny = (value: unknown) => (Array.isArray(value) ? value.length > 0 : (value ?? null) !== null);

/** Whether a response that claims success says that something failed. */
export function isErrorInside(value: unknown): boolean {
	if (!isObject(value) || payload.some((key) => holdsAny(value[key]))) return false;
	return ofErrors.some((key) => Object.hasOwn(value, key)) && errorSentence(value) !== undefined;
}
