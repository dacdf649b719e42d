import type { JsonObject } from './types';

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Raw responses of MLflow models have any shape. */
export const isResult = (value: unknown): boolean => value !== null && value !== undefined;

/** Assigned, `__proto__` would become the prototype. Spreads are safe as well, and take ten times as long on Node 20. */
export function setOwn(json: JsonObject, name: string, value: unknown): void {
	if (name === '__proto__') Object.defineProperty(json, name, { value, enumerable: true, writable: true });
	else json[name] = value;
}

/**
 * A run of 16 digits that starts a number or a string: the only texts in which JSON.parse could round an integer.
 * Fractions (a probability has 17 digits) do not match, so that ordinary answers are only scanned.
 */
const longInteger = /^\d{16}|[^\d.]\d{16}/;
/** Whole integers of 16 digits or more, also those inside strings. */
const longIntegers = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;

/** What may be a number that JavaScript takes for infinite. One pattern for both would take as long as parsing. */
const hugeExponent = /\d[eE]\+?\d{3}/;
const hugeInteger = /[^\d.]\d{309}/;

/** NaN, Infinity and -Infinity as values, which Python's json writes and reads though JSON has no such numbers. */
const notFinite = /(?<=[[,:\s])-?(?:NaN|Infinity)(?=\s*[,\]}])/g;
/** The beginning of one, in a text that was cut off there. */
const brokenOff = /[[,:\s]-?(?:N|Na|NaN|I[a-z]{0,7})$/;

/** Objects and lists that had one, at whatever depth. */
const lossy = new WeakSet<object>();

/** Whether an object or a list of a response had NaN, Infinity or -Infinity, which JSON does not know and are null in it. */
export function hadNotFinite(value: unknown): boolean {
	return typeof value === 'object' && value !== null && lossy.has(value);
}

export const markNotFinite = (value: object) => void lossy.add(value);

/** A text that is no JSON. */
export class NotJson extends SyntaxError {
	constructor(
		message: string,
		/** It is the beginning of JSON. */
		readonly cutOff: boolean,
	) {
		super(message);
	}
}

/** What may be a number that JavaScript rounds, also behind a point or with an exponent, or that it takes for 0 or infinite. */
export const mayBeRounded = /(?:^|[^\d.])\d{16}|\d{14}e\+?\d|\de\+?\d{3}/i;
const literals = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** A literal as a number, or as text if a number does not hold all of its digits. Text has no zeros behind the point. */
export function heldNumber(literal: string): number | string {
	const number = Number(literal);
	const [mantissa = '', exponent] = literal.split(/e/i);
	const digits = mantissa.replace(/\D/g, '').replace(/^0+|0+$/g, '');
	if (digits === '') return number;
	// Java gives its doubles at most 17 digits, and may give more than are needed: 4.9E-324 is 5e-324.
	const most = exponent && digits.length <= 17 ? digits.length - 1 : undefined;
	const held = number.toExponential(most).replace(/e.*|\D/g, '');
	const isLong = !exponent && Number.isInteger(number) && !Number.isSafeInteger(number);
	return held === digits && !isLong ? number : literal.replace(/\.0*$/, '');
}

/**
 * What is sent for a literal: the text of digits that a number would lose. A decimal below 2^53 stays a number, since code
 * computes with it, and loses at most its 17th digit.
 */
export function sentNumber(literal: string): number | string {
	const number = Number(literal);
	return Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : heldNumber(literal);
}

/**
 * Parses JSON that is to be sent: numbers that JavaScript would round become the texts of their digits.
 *
 * @throws SyntaxError when the text is not JSON; RangeError for a number that is too large to be one
 */
export function parseGiven(text: string): unknown {
	const parsed: unknown = JSON.parse(text);
	if (!mayBeRounded.test(text)) return parsed;
	const exact = replacedOutsideStrings(text, literals, (literal) => {
		if (!Number.isFinite(Number(literal))) throw new RangeError();
		const sent = sentNumber(literal);
		return typeof sent === 'number' ? literal : `"${sent}"`;
	});
	return JSON.parse(exact);
}

/**
 * Parses JSON; integers that a JavaScript number cannot hold exactly arrive as strings of their digits.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseJson(text: string): unknown {
	return parse(text, longInteger.test(text));
}

function parse(text: string, hasLong: boolean): unknown {
	const parsed: unknown = JSON.parse(text);
	return hasLong ? JSON.parse(withQuotedIntegers(text)) : parsed;
}

/**
 * Parses the JSON of a response as {@link parseJson} does; numbers that are not finite arrive as null.
 *
 * @throws NotJson
 */
export function parseResponse(text: string): unknown {
	const hasLong = longInteger.test(text);
	let parsed: unknown;
	try {
		parsed = parse(text, hasLong);
	} catch {
		return parseLeniently(text);
	}
	if (hugeExponent.test(text) || (hasLong && hugeInteger.test(text))) nullNotFinite(parsed);
	return parsed;
}

/** Few responses come here, so that no other pays for it. */
function parseLeniently(given: string): unknown {
	// No number of JSON's is as large: JSON.parse makes Infinity of it.
	const whole = given.replace(brokenOff, '');
	const text = replacedOutsideStrings(whole, notFinite, () => '1e999');
	let parsed: unknown;
	try {
		parsed = parseJson(text);
	} catch (error) {
		throw notJson(error as Error, text.length);
	}
	// The JSON was complete: the word behind it is not the beginning of a number that was cut off.
	if (whole !== given) throw new NotJson('Unexpected text after JSON', false);
	nullNotFinite(parsed);
	return parsed;
}

function notJson({ message }: Error, length: number): NotJson {
	const at = /at position (\d+)/.exec(message)?.[1];
	return new NotJson(message, message.startsWith('Unexpected end') || Number(at) >= length);
}

/**
 * Not by recursion: the text may be nested more deeply than the stack bears.
 *
 * @throws NotJson for a lone number, which null would hide
 */
function nullNotFinite(root: unknown): void {
	if (root === Infinity || root === -Infinity) throw new NotJson('Number too large', false);
	interface Place {
		value: unknown;
		holder?: Place;
		key: string;
	}
	const open: Place[] = [{ value: root, key: '' }];
	for (let place = open.pop(); place; place = open.pop()) {
		const { value } = place;
		if (typeof value === 'object' && value !== null) {
			for (const key of Object.keys(value)) {
				const inner = (value as JsonObject)[key];
				if (typeof inner === 'object' || typeof inner === 'number') open.push({ value: inner, holder: place, key });
			}
		} else if (place.holder && (value === Infinity || value === -Infinity)) {
			(place.holder.value as JsonObject)[place.key] = null;
			for (
				let holder: Place | undefined = place.holder;
				holder && !hadNotFinite(holder.value);
				holder = holder.holder
			) {
				markNotFinite(holder.value as object);
			}
		}
	}
}

/** @param text valid JSON */
function withQuotedIntegers(text: string): string {
	return replacedOutsideStrings(text, longIntegers, (digits) =>
		Number.isSafeInteger(Number(digits)) ? digits : `"${digits}"`,
	);
}

function replacedOutsideStrings(text: string, pattern: RegExp, replacement: (found: string) => string): string {
	const parts: string[] = [];
	let copied = 0;
	// One string at a time by indexOf: a regular expression that matches strings overflows its stack on a long one.
	let string = { start: text.indexOf('"'), end: 0 };
	for (const { 0: found, index } of text.matchAll(pattern)) {
		while (string.start >= 0 && string.start < index && string.end <= index) {
			if (string.end <= string.start) string.end = endOfString(text, string.start);
			else string = { start: text.indexOf('"', string.end), end: 0 };
		}
		if (string.start >= 0 && string.start < index) continue;
		parts.push(text.slice(copied, index), replacement(found));
		copied = index + found.length;
	}
	return parts.join('') + text.slice(copied);
}

/** The index after the quote that closes the string, or after the text that ends inside it. */
function endOfString(text: string, start: number): number {
	for (let quote = start; ;) {
		quote = text.indexOf('"', quote + 1);
		if (quote < 0) return text.length + 1;
		let backslashes = 0;
		while (text[quote - 1 - backslashes] === '\\') backslashes++;
		if (backslashes % 2 === 0) return quote + 1;
	}
}
