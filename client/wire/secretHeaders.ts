import { decoded } from '../decoded';

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
			.flatMap(encodings)
			// A shorter secret may occur in any text by chance.
			.filter(({ length }) => length >= 4)
			// Longer secrets first, because a shorter one may be part of a longer one.
			.sort((a, b) => b.length - a.length);
		return hidden.length > 0 ? withoutSecrets(text, hidden, cut) : text;
	};
}

/** A secret as it is or in base64, which may be echoed with or without its padding. */
function encodings(secret: string): string[] {
	const bytes = Buffer.from(secret);
	return [secret, bytes.toString('base64'), bytes.toString('base64url')].map((text) => text.replace(/=+$/, ''));
}

/** How often a character may be escaped, for example in JSON that is in a page. */
const mostEscapes = 3;

/** Hides secrets, also if the server escaped their characters. */
function withoutSecrets(text: string, secrets: readonly string[], cut: boolean): string {
	let read = text;
	/** What is shown of each character of `read`. */
	let shown = text.split('');
	for (let escapes = 0; ; escapes++) {
		if (cut) {
			read = withoutBeginning(read.replace(brokenEscape, ''), secrets);
			shown.length = read.length;
		}
		for (const secret of secrets) {
			for (let at = read.indexOf(secret); at >= 0; at = read.indexOf(secret, at + secret.length)) {
				let start = at;
				// It may begin inside of an escape or of another secret.
				while (shown[start] === '' && start > 0) start--;
				shown.fill('', start, at + secret.length)[start] = '***';
			}
		}
		if (escapes === mostEscapes || read.search(escape) < 0) return shown.join('');
		[read, shown] = unescaped(read, shown);
	}
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

/** A character as URLs, HTML, JSON and other code may contain it. */
const escape =
	/%[0-7][\da-f]|%[c-f][\da-f](?:%[89ab][\da-f]){1,3}|&(?:#\d{1,7}|#x[\da-f]{1,6}|amp|lt|gt|quot|apos);?|\\(?:u[\da-f]{4}|x[\da-f]{2}|[^\w\s])/gi;
const brokenEscape = /(?:%[\da-f]?|&[#\w]{0,8}|\\[ux]?[\da-f]{0,3})$/i;
const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescaped(text: string, shown: readonly string[]): [text: string, shown: string[]] {
	let characters = '';
	const parts: string[] = [];
	let copied = 0;
	const copy = (end: number) => {
		characters += text.slice(copied, end);
		for (; copied < end; copied++) parts.push(shown[copied]!);
	};
	for (const { 0: found, index } of text.matchAll(escape)) {
		copy(index);
		const character = characterOf(found);
		characters += character;
		copied += found.length;
		parts.push(shown.slice(index, copied).join(''), ...Array<string>(character.length - 1).fill(''));
	}
	copy(text.length);
	return [characters, parts];
}

function characterOf(escaped: string): string {
	if (escaped.startsWith('%')) return decoded(escaped);
	const name = escaped
		.slice(1)
		.replace(/(?<=\w);$/, '')
		.toLowerCase();
	const [, hex, decimal = ''] = /^(?:#?[ux]([\da-f]+)|#(\d+))$/.exec(name) ?? [];
	const code = hex === undefined ? Number(decimal) : parseInt(hex, 16);
	if (code === 0) return entities[name] ?? name;
	return code > 0x10ffff ? escaped : String.fromCodePoint(code);
}
