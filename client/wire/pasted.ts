/** A text without the white space and the invisible characters that copying leaves at its ends. */
export const pasted = (text: string): string => text.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, '');

/** A key or token, also where it was copied out of a request's header. */
export const pastedSecret = (text: string): string =>
	pasted(pasted(text).replace(/^(?:authorization\s*:\s*)?bearer\s+/i, ''));
