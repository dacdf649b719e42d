/** Removes the white space and the invisible characters that copying leaves at the ends of a text. */
export const pasted = (text: string): string => text.replace(/^[\s\p{Cf}]+|[\s\p{Cf}]+$/gu, '');

/** Accepts a key or a token that was copied together with its header name or scheme. */
export const pastedSecret = (text: string): string =>
	pasted(pasted(text).replace(/^(?:authorization\s*:\s*)?(?:bearer[\s:]+)*/i, ''));
