/** Removes percent-encoding. Returns a text with invalid encoding unchanged. */
export function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
