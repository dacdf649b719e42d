import { InvalidCallError } from '../errors';
import type { SecretHeaders } from './secretHeaders';

const ofCredential = 'authentication is set in the credential';
const ofClient = 'the client sets this header';
const ofConnection = 'it applies to the connection, not to the endpoint';

/** Headers that a call may not set, in lower case, with the reason. */
const refused = new Map([
	['authorization', ofCredential],
	['proxy-authorization', ofCredential],
	['cookie', ofCredential],
	['host', ofClient],
	['content-length', ofClient],
	['content-type', ofClient],
	['accept-encoding', ofClient],
	['content-encoding', 'the body is sent uncompressed'],
	['connection', ofConnection],
	['proxy-connection', ofConnection],
	['keep-alive', ofConnection],
	['transfer-encoding', ofConnection],
	['te', ofConnection],
	['trailer', ofConnection],
	['upgrade', ofConnection],
	['http2-settings', ofConnection],
	['expect', ofConnection],
]);

/** A shorter value is probably not a secret, and may occur in any text by chance. */
const shortestSecret = 8;

const none: SecretHeaders = { headers: {}, secrets: [] };

/**
 * Checks and copies the headers of one call. The copy keeps later changes by the caller from bypassing the checks.
 *
 * @throws InvalidCallError naming the invalid header; messages never contain values
 */
export function callHeaders(given: Readonly<Record<string, string>> | undefined): SecretHeaders {
	if (given === undefined) return none;
	// Lists, Maps and fetch's Headers would look like an object without headers.
	if (typeof given !== 'object' || given === null || Symbol.iterator in given) {
		throw new InvalidCallError("'headers' must be an object with header names as keys and strings as values");
	}
	const headers = { ...given };
	const names = new Set<string>();
	for (const [name, value] of Object.entries<unknown>(headers)) {
		const reason = reasonAgainst(name, value, names);
		if (reason) throw new InvalidCallError(`The header ${JSON.stringify(name)} cannot be sent: ${reason}`);
		names.add(name.toLowerCase());
	}
	return { headers, secrets: Object.values(headers).flatMap(secretsIn) };
}

function reasonAgainst(name: string, value: unknown, others: ReadonlySet<string>): string | undefined {
	const key = name.toLowerCase();
	if (refused.has(key)) return refused.get(key);
	if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key))
		return 'its name can contain letters, digits, hyphens and some other characters, but no spaces';
	if (others.has(key)) return 'it appears twice';
	if (typeof value !== 'string') return 'its value is not text';
	if (/[\r\n\0]/.test(value)) return 'its value must be a single line';
	if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return 'its value contains a character that is not allowed in a header';
	return undefined;
}

/** The value, and the part behind a scheme such as `Token`. A server may echo either. */
function secretsIn(value: string): string[] {
	const text = value.trim();
	const credentials = /^\S+ +(\S+)$/.exec(text)?.[1] ?? '';
	return [text, credentials].filter(({ length }) => length >= shortestSecret);
}
