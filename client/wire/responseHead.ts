import type { ResponseHead } from '../types';
import type { WireResponse } from './exchange';
import type { Redact } from './secretHeaders';

/** Response headers that contain or describe credentials. */
const secret = new Set([
	'set-cookie',
	'set-cookie2',
	'cookie',
	'authorization',
	'proxy-authorization',
	'www-authenticate',
	'proxy-authenticate',
	'authentication-info',
	'proxy-authentication-info',
]);

/** @param redact finds the credential's secrets; a header that echoes one is left out, too */
export function responseHead({ status, headers }: WireResponse, redact: Redact): ResponseHead {
	const shown = Object.entries(headers).flatMap(([name, value = '']): Array<[string, string]> => {
		const text = Array.isArray(value) ? value.join(', ') : value;
		return secret.has(name) || redact(text) !== text ? [] : [[name, text]];
	});
	return { status, headers: Object.fromEntries(shown) };
}
