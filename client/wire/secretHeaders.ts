/** Headers to send, and the secrets in them, which stay out of texts that people read. */
export interface SecretHeaders {
	readonly headers: Readonly<Record<string, string>>;
	readonly secrets: readonly string[];
}

/** Takes secrets out of a text that came from outside. Works only when there is such a text: few requests have one. */
export function redactor(secrets: readonly string[]): (text: string) => string {
	let hidden: string[] | undefined;
	return (text) => {
		hidden ??= secrets
			.flatMap(spellings)
			// A shorter secret occurs in any text by chance.
			.filter(({ length }) => length >= 4)
			// The longer ones first: one may be part of another.
			.sort((a, b) => b.length - a.length);
		return hidden.reduce((clean, each) => clean.replaceAll(each, '***'), text);
	};
}

/** How a server may echo what it was sent: verbatim, in a URL, in JSON, in HTML. */
function spellings(secret: string): string[] {
	// Base64 says the same without its padding.
	const text = secret.replace(/=+$/, '');
	const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
	return [
		text,
		encodeURIComponent(text),
		encodeURI(text),
		html.replaceAll('"', '&quot;'),
		html,
		JSON.stringify(text).slice(1, -1),
	];
}
