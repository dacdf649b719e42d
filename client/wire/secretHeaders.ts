/** Headers to send, and the secrets in them, which must not appear in any text that people read. */
export interface SecretHeaders {
	readonly headers: Readonly<Record<string, string>>;
	readonly secrets: readonly string[];
}

/** Removes secrets from a text that came from outside. */
export type Redact = (
	text: string,
	/** Whether the text is the beginning of a longer one, so that a secret may lack its end. */
	cut?: boolean,
) => string;

/** Prepares the secrets on the first call, because few requests need it. */
export function redactor(secrets: readonly string[]): Redact {
	let hidden: string[] | undefined;
	return (text, cut = false) => {
		hidden ??= secrets
			.flatMap(spellings)
			// A shorter secret may occur in any text by chance.
			.filter(({ length }) => length >= 4)
			// Longer secrets first, because a shorter one may be part of a longer one.
			.sort((a, b) => b.length - a.length);
		const clean = hidden.reduce((rest, each) => rest.replaceAll(each, '***'), text);
		return cut ? withoutBeginning(clean, hidden) : clean;
	};
}

/** Removes the beginning of a secret at the end of the text, however short it is. */
function withoutBeginning(text: string, secrets: readonly string[]): string {
	const shared = secrets.map((secret) => {
		let length = Math.min(secret.length, text.length);
		while (!text.endsWith(secret.slice(0, length))) length--;
		return length;
	});
	return text.slice(0, text.length - Math.max(0, ...shared));
}

/**
 * All forms in which a server may echo a secret: as it is or in base64, and either of them verbatim, in a URL, in JSON or
 * in HTML.
 */
function spellings(secret: string): string[] {
	const bytes = Buffer.from(secret);
	// Base64 may be echoed with or without its padding.
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
