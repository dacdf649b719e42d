import type { JsonObject } from './types';

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** MLflow models may respond with any shape. */
export const isResult = (value: unknown): boolean => value !== null && value !== undefined;

/** Whether an object has exactly these keys in this order. Makes no list of keys, because this runs once per record. */
export function hasKeys(value: unknown, keys: readonly string[]): boolean {
	let count = 0;
	for (const key in value as JsonObject | undefined) if (key !== keys[count++]) return false;
	return count === keys.length;
}

/** Assigning to `__proto__` would set the prototype. A spread is also safe, but takes ten times as long on Node.js 20. */
export function setOwn(json: JsonObject, name: string, value: unknown): void {
	if (name === '__proto__') Object.defineProperty(json, name, { value, enumerable: true, writable: true });
	else json[name] = value;
}

/**
 * Sixteen digits at the start of a number or a string: only there can JSON.parse round an integer. Fractions such as
 * probabilities with 17 digits do not match, so most responses need no second pass.
 */
const longInteger = /^\d{16}|[^\d.]\d{16}/;
/** Whole integers of 16 digits or more, also those inside strings. */
const longIntegers = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;

/** Numbers that may overflow to Infinity, such as 1e999, and a few others. */
const hugeExponent = /\d[eE][+\d]\d\d/;
/** Most responses have neither, which a single pass shows. */
const longOrHuge = new RegExp(`${longInteger.source}|${hugeExponent.source}`);
/** Shorter integers overflow only with an exponent of three digits. */
const hugeInteger = /[^\d.]\d{200}/;

/** NaN, Infinity and -Infinity as values: Python's json module writes and reads them, although JSON does not allow them. */
const notFinite = /(?<=[[,:\s])-?(?:NaN|Infinity)(?=\s*[,\]}])/g;
/** The beginning of such a value at the end of an incomplete text. */
const brokenOff = /[[,:\s]-?(?:N|Na|NaN|I[a-z]{0,7})$/;

/** Objects and lists that contained such a value, at any depth. */
const lossy = new WeakSet<object>();
/** Most processes never see one, and a look-up for every record takes time. */
let anyLossy = false;

/** Whether an object or a list of a response contained NaN, Infinity or -Infinity, which were replaced with null. */
export function hadNotFinite(value: unknown): boolean {
	return anyLossy && typeof value === 'object' && value !== null && lossy.has(value);
}

export function markNotFinite(value: object): void {
	anyLossy = true;
	lossy.add(value);
}

/** The text is not JSON. */
export class NotJson extends SyntaxError {
	constructor(
		message: string,
		/** The text is the beginning of valid JSON. */
		readonly cutOff: boolean,
	) {
		super(message);
	}
}

/** Numbers that JavaScript may round, turn into 0 or turn into Infinity, including decimals and numbers with an exponent. */
export const mayBeRounded = /(?:^|[^\d.])\d{16}|\d{14}e\+?\d|\de\+?\d{3}/i;
const literals = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/**
 * Returns a literal as a number, or as text if a number cannot hold all of its digits. The text has no zeros at the end
 * of its fraction.
 */
export function heldNumber(literal: string): number | string {
	const number = Number(literal);
	const [mantissa = '', exponent] = literal.split(/e/i);
	// Tested first, because a text may have hundreds of thousands of them.
	if (!exponent && Number.isInteger(number) && !Number.isSafeInteger(number)) return literal.replace(/\.0*$/, '');
	const digits = mantissa.replace(/\D/g, '').replace(/^0+|0+$/g, '');
	if (digits === '') return number;
	// Java prints up to 17 digits, sometimes more than necessary: 4.9E-324 is 5e-324.
	const most = exponent && digits.length <= 17 ? digits.length - 1 : undefined;
	const held = number.toExponential(most).replace(/e.*|\D/g, '');
	return held === digits ? number : literal.replace(/\.0*$/, '');
}

/**
 * Returns what is sent for a literal: its text if a number would lose digits. A decimal below 2^53 stays a number,
 * because functions compute with it. It loses at most its 17th digit.
 */
export function sentNumber(literal: string): number | string {
	const number = Number(literal);
	return Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : heldNumber(literal);
}

/** Files begin with a byte order mark, and so do texts that were read from them. */
const withoutMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text);

/**
 * Parses JSON that a user wants to send. Numbers that JavaScript would round become text.
 *
 * @throws SyntaxError when the text is not JSON; RangeError when a number is too large
 */
export function parseGiven(given: string): unknown {
	const text = withoutMark(given);
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
 * Parses JSON. Integers that a JavaScript number cannot hold exactly become strings.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseJson(given: string): unknown {
	const text = withoutMark(given);
	return parse(text, longInteger.test(text));
}

function parse(text: string, hasLong: boolean): unknown {
	const parsed: unknown = JSON.parse(text);
	return hasLong ? JSON.parse(withQuotedIntegers(text)) : parsed;
}

/**
 * Parses the JSON of a response as {@link parseJson} does. NaN and infinite numbers become null.
 *
 * @throws NotJson
 */
export function parseResponse(given: string): unknown {
	const text = withoutMark(given);
	const isDoubtful = longOrHuge.test(text);
	const hasLong = isDoubtful && longInteger.test(text);
	let parsed: unknown;
	try {
		parsed = parse(text, hasLong);
	} catch {
		return parseLeniently(text);
	}
	if (isDoubtful && (hugeExponent.test(text) || (hasLong && hugeInteger.test(text)))) nullNotFinite(parsed);
	return parsed;
}

/** Separate from the normal path, so that only the few responses with such values pay for the second pass. */
function parseLeniently(given: string): unknown {
	// No JSON number is as large as 1e999, which JSON.parse turns into Infinity.
	const whole = given.replace(brokenOff, '');
	const text = replacedOutsideStrings(whole, notFinite, () => '1e999');
	let parsed: unknown;
	try {
		parsed = parseJson(text);
	} catch (error) {
		throw notJson(error as Error, text.length);
	}
	// The JSON was complete, so the text after it is not the beginning of a value.
	if (whole !== given) throw new NotJson('Unexpected text after JSON', false);
	nullNotFinite(parsed);
	return parsed;
}

function notJson({ message }: Error, length: number): NotJson {
	const at = /at position (\d+)/.exec(message)?.[1];
	return new NotJson(message, message.startsWith('Unexpected end') || Number(at) >= length);
}

/**
 * Not recursive, because the JSON may be nested more deeply than the call stack allows.
 *
 * @throws NotJson when the whole text is one infinite number, which null would hide
 */
function nullNotFinite(root: unknown): void {
	if (root === Infinity || root === -Infinity) throw new NotJson('Number too large', false);
	if (typeof root !== 'object' || root === null) return;
	interface Place {
		readonly value: object;
		readonly holder?: Place;
	}
	const open: Place[] = [{ value: root }];
	for (let place = open.pop(); place; place = open.pop()) {
		const holder = place;
		const value = place.value as JsonObject;
		const visit = (key: string | number) => {
			const inner = value[key];
			if (typeof inner === 'object' && inner !== null) open.push({ value: inner, holder });
			if (inner !== Infinity && inner !== -Infinity) return;
			value[key] = null;
			for (let at: Place | undefined = holder; at && !hadNotFinite(at.value); at = at.holder) markNotFinite(at.value);
		};
		// Names of a list's entries would take longer than everything else.
		if (Array.isArray(value)) for (let n = 0; n < value.length; n++) visit(n);
		else for (const key of Object.keys(value)) visit(key);
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
	// Skips strings with indexOf: a regular expression for strings overflows its stack on a long one.
	let string = { start: text.indexOf('"'), end: 0 };
	// Not matchAll, which takes five times as long.
	pattern.lastIndex = 0;
	for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
		const { 0: found, index } = match;
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

/** Returns the index after the closing quote, or the end of the text if the string is not closed. */
function endOfString(text: string, start: number): number {
	for (let quote = start; ;) {
		quote = text.indexOf('"', quote + 1);
		if (quote < 0) return text.length + 1;
		let backslashes = 0;
		while (text[quote - 1 - backslashes] === '\\') backslashes++;
		if (backslashes % 2 === 0) return quote + 1;
	}
}
