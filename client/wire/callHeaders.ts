import { InvalidCallError } from '../errors';
import type { SecretHeaders } from './secretHeaders';

const ofCredential = 'authentication is set in the credential';
const ofClient = 'the client sets this header';
const ofConnection = 'it applies to the connection, not to the endpoint';

/** Headers that a call may not set, in lower case, and why. */
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

/** A shorter value is likely to be none, and to occur in any text by chance. */
const shortestSecret = 8;

const none: SecretHeaders = { headers: {}, secrets: [] };

/**
 * The headers of one call, copied: no later change of the caller's gets past the check.
 *
 * @throws InvalidCallError naming the header that cannot be sent; no message holds a value
 */
export function callHeaders(given: Readonly<Record<string, string>> | undefined): SecretHeaders {
	if (given === undefined) return none;
	// A list, a Map and fetch's Headers would be taken for something without headers.
	if (typeof given !== 'object' || given === null || Symbol.iterator in given) {
		throw new InvalidCallError("'headers' must be an object of names and strings");
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
	if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key)) return 'its name may contain letters, digits and hyphens, but no spaces';
	if (others.has(key)) return 'it appears twice';
	if (typeof value !== 'string') return 'its value is not text';
	if (/[\r\n\0]/.test(value)) return 'its value must be a single line';
	if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return 'its value contains a character that is not allowed in a header';
	return undefined;
}

/** The value, and what follows a scheme such as `Token`: a server may echo either. */
function secretsIn(value: string): string[] {
	const text = value.trim();
	const credentials = /^\S+ +(\S+)$/.exec(text)?.[1] ?? '';
	return [text, credentials].filter(({ length }) => length >= shortestSecret);
}
