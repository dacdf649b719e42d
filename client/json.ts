import type { JsonObject } from './types';

export function isObject(value: unknown): value is JsonObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * A run of 16 digits that starts a number or a string: the only texts in which JSON.parse could round an integer.
 * Fractions (a probability has 17 digits) do not match, so that ordinary answers are only scanned.
 */
const longInteger = /^\d{16}|[^\d.]\d{16}/;
/** Whole integers of 16 digits or more, also those inside strings. */
const longIntegers = /(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;

/**
 * Parses JSON; integers that a JavaScript number cannot hold exactly arrive as strings of their digits.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseJson(text: string): unknown {
	const parsed: unknown = JSON.parse(text);
	return longInteger.test(text) ? JSON.parse(withQuotedIntegers(text)) : parsed;
}

/** @param text valid JSON */
function withQuotedIntegers(text: string): string {
	const parts: string[] = [];
	let copied = 0;
	// One string at a time by indexOf: a regular expression that matches strings overflows its stack on a long one.
	let string = { start: text.indexOf('"'), end: 0 };
	for (const { 0: digits, index } of text.matchAll(longIntegers)) {
		while (string.start >= 0 && string.start < index && string.end <= index) {
			if (string.end <= string.start) string.end = endOfString(text, string.start);
			else string = { start: text.indexOf('"', string.end), end: 0 };
		}
		const inString = string.start >= 0 && string.start < index;
		if (inString || Number.isSafeInteger(Number(digits))) continue;
		parts.push(text.slice(copied, index), `"${digits}"`);
		copied = index + digits.length;
	}
	return parts.join('') + text.slice(copied);
}

/** The index after the quote that closes the string. */
function endOfString(text: string, start: number): number {
	for (let quote = start; ;) {
		quote = text.indexOf('"', quote + 1);
		let backslashes = 0;
		while (text[quote - 1 - backslashes] === '\\') backslashes++;
		if (backslashes % 2 === 0) return quote + 1;
	}
}
