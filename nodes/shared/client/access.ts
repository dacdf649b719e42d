import { InvalidCallError } from './errors';

/** What a request carries to be let in, and how to keep that out of texts that people read. */
export interface Access {
	readonly headers: Record<string, string>;
	readonly redact: (text: string) => string;
}

const commonHeaders = {
	'content-type': 'application/json',
	// The cap on an answer's size counts decoded bytes; compression would only hide them.
	'accept-encoding': 'identity',
};

export const noAccess: Access = { headers: commonHeaders, redact: (text) => text };

/** HTTP Basic with the key as the user name and an empty password, as Dataiku documents it. */
export function keyAccess(apiKey: string): Access {
	return access('Basic', Buffer.from(`${apiKey}:`).toString('base64'), apiKey);
}

/** @throws InvalidCallError when the token cannot stand in a header */
export function tokenAccess(token: string): Access {
	if (!/^[\x21-\x7e]+$/.test(token)) {
		throw new InvalidCallError('The bearer token holds a character that cannot be sent: paste it again, in one line');
	}
	return access('Bearer', token);
}

function access(scheme: string, sent: string, secret = sent): Access {
	// The text of a shorter secret stands in any text.
	const hidden = [secret, sent].filter((text) => text.length >= 4);
	return {
		headers: { ...commonHeaders, authorization: `${scheme} ${sent}` },
		redact: (text) => hidden.reduce((clean, each) => clean.replaceAll(each, '***'), text),
	};
}
