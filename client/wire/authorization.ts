import { InvalidCallError } from '../errors';

/** The headers that authorize a request, and how to keep their secrets out of texts that people read. */
export interface Authorization {
	readonly headers: Record<string, string>;
	readonly redact: (text: string) => string;
}

const commonHeaders = {
	'content-type': 'application/json',
	// The cap on a response's size counts decoded bytes; compression would only hide them.
	'accept-encoding': 'identity',
};

export const noAuthorization: Authorization = { headers: commonHeaders, redact: (text) => text };

/** HTTP Basic with the key as the user name and an empty password, as Dataiku documents it. */
export function keyAuthorization(apiKey: string): Authorization {
	return authorization('Basic', Buffer.from(`${apiKey}:`).toString('base64'), apiKey);
}

/** @throws InvalidCallError when a header cannot hold the token */
export function tokenAuthorization(token: string): Authorization {
	if (!/^[\x21-\x7e]+$/.test(token)) {
		throw new InvalidCallError('The bearer token contains a character that cannot be sent: paste it again as one line');
	}
	return authorization('Bearer', token);
}

function authorization(scheme: string, sent: string, secret = sent): Authorization {
	return {
		headers: { ...commonHeaders, authorization: `${scheme} ${sent}` },
		redact: (text) => {
			const hidden = [...spellings(secret), ...spellings(sent)];
			// A shorter secret occurs in any text by chance.
			return hidden.filter(({ length }) => length >= 4).reduce((clean, each) => clean.replaceAll(each, '***'), text);
		},
	};
}

/** How a server may echo what it was sent: verbatim, in a URL, in JSON, in HTML; the longer ones first. */
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
