/** Headers to send, and the secrets in them, which stay out of texts that people read. */
export interface SecretHeaders {
	readonly headers: Readonly<Record<string, string>>;
	readonly secrets: readonly string[];
}

/** Takes secrets out of a text that came from outside. */
export type Redact = (
	text: string,
	/** The text is the beginning of a longer one: a secret may have lost its end. */
	cut?: boolean,
) => string;

/** Works only when there is such a text: few requests have one. */
export function redactor(secrets: readonly string[]): Redact {
	let hidden: string[] | undefined;
	return (text, cut = false) => {
		hidden ??= secrets
			.flatMap(spellings)
			// A shorter secret occurs in any text by chance.
			.filter(({ length }) => length >= 4)
			// The longer ones first: one may be part of another.
			.sort((a, b) => b.length - a.length);
		const clean = hidden.reduce((rest, each) => rest.replaceAll(each, '***'), text);
		return cut ? withoutBeginning(clean, hidden) : clean;
	};
}

/** Without the beginning of a secret at the end, however short. */
function withoutBeginning(text: string, secrets: readonly string[]): string {
	const shared = secrets.map((secret) => {
		let length = Math.min(secret.length, text.length);
		while (!text.endsWith(secret.slice(0, length))) length--;
		return length;
	});
	return text.slice(0, text.length - Math.max(0, ...shared));
}

/** How a server may echo what it was sent: as it is or in base64, and that verbatim, in a URL, in JSON, in HTML. */
function spellings(secret: string): string[] {
	const bytes = Buffer.from(secret);
	// Base64 says the same without its padding.
	const texts = [secret, bytes.toString('base64'), bytes.toString('base64url')];
	return texts.flatMap((text) => spelt(text.replace(/=+$/, '')));
}

function spelt(text: string): string[] {
	const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
	const inUrl = encodeURIComponent(text);
	const inJson = JSON.stringify(text).slice(1, -1);
	return [
		text,
		inUrl,
		inUrl.replace(/%../g, (code) => code.toLowerCase()),
		encodeURI(text),
		html.replaceAll('"', '&quot;'),
		html,
		inJson,
		inJson.replaceAll('/', '\\/'),
	];
}
