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
	return {
		headers: { ...commonHeaders, authorization: `${scheme} ${sent}` },
		redact: (text) => {
			const hidden = [...spellings(secret), ...spellings(sent)];
			// The text of a shorter secret stands in any text.
			return hidden.filter(({ length }) => length >= 4).reduce((clean, each) => clean.replaceAll(each, '***'), text);
		},
	};
}

/** How a server may write down what it was sent: as it came, in a URL, in JSON, in a page; the longer ones first. */
function spellings(secret: string): string[] {
	// Base64 says the same without its padding.
	const text = secret.replace(/=+$/, '');
	const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
	const all = [
		encodeURIComponent(text),
		encodeURI(text),
		html.replaceAll('"', '&quot;'),
		html,
		JSON.stringify(text).slice(1, -1),
	];
	return [...all, text];
}
