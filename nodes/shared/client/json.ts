/**
 * A run of 16 digits that starts a number or a string: the only texts in which JSON.parse could round an integer.
 * Fractions (a probability has 17 digits) do not match, so that ordinary answers are only scanned.
 */
const longInteger = /^\d{16}|[^\d.]\d{16}/;
const stringsAndIntegers = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * Parses JSON; integers that a JavaScript number cannot hold exactly arrive as strings of their digits.
 *
 * @throws SyntaxError when the text is not JSON
 */
export function parseJson(text: string): unknown {
	if (!longInteger.test(text)) return JSON.parse(text);
	return JSON.parse(
		text.replace(stringsAndIntegers, (token) =>
			token.length > 15 && /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token,
		),
	);
}
