/** A part of a URL without its percent-encoding, or as it is where it has none. */
export function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}
