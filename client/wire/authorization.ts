import { InvalidCallError } from '../errors';
import { pastedSecret } from './pasted';
import type { SecretHeaders } from './secretHeaders';

const commonHeaders = {
	'content-type': 'application/json',
	// The size limit counts decoded bytes, so compression would only hide the size.
	'accept-encoding': 'identity',
};

export const noAuthorization: SecretHeaders = { headers: commonHeaders, secrets: [] };

/** HTTP Basic with the key as user name and an empty password, as Dataiku documents it. */
export function keyAuthorization(given: string): SecretHeaders {
	const apiKey = pastedSecret(given);
	return authorization('Basic', Buffer.from(`${apiKey}:`).toString('base64'), apiKey);
}

/** @throws InvalidCallError when a header cannot hold the token */
export function tokenAuthorization(given: string): SecretHeaders {
	const token = pastedSecret(given);
	if (!/^[\x21-\x7e]+$/.test(token)) {
		throw new InvalidCallError('The bearer token contains a character that cannot be sent: paste it again as one line');
	}
	return authorization('Bearer', token);
}

function authorization(scheme: string, sent: string, secret = sent): SecretHeaders {
	return { headers: { ...commonHeaders, authorization: `${scheme} ${sent}` }, secrets: [secret, sent] };
}
