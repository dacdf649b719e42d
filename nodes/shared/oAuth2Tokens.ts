import type { ICredentialDataDecryptedObject, IExecuteFunctions, ILoadOptionsFunctions } from 'n8n-workflow';
import type { TokenSource } from '../../client';

/** Seconds before its expiry from which a token is not sent any more. */
const margin = 10;

/** What n8n keeps in an OAuth2 credential, of what is needed here. */
interface TokenData {
	access_token?: string;
	/** Milliseconds since 1970, as n8n reckons them from the `expires_in` that came with the token. */
	n8n_expires_at?: string;
}

/** In seconds since 1970: a JWT tells it, for other tokens n8n may have noted it. */
function expiryOf({ access_token: token = '', n8n_expires_at: noted }: TokenData): number {
	const notedExpiry = noted ? Number(noted) / 1000 : Infinity;
	try {
		const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
		return typeof exp === 'number' ? exp : notedExpiry;
	} catch {
		return notedExpiry;
	}
}

/**
 * The access token that n8n keeps in an OAuth2 credential. It is missing before the first use of client credentials and
 * may have expired since; n8n fetches a new one and stores it.
 */
export function oAuth2Tokens(
	context: IExecuteFunctions | ILoadOptionsFunctions,
	credentialType: string,
	credential: ICredentialDataDecryptedObject,
): TokenSource {
	let data = (credential.oauthTokenData ?? {}) as TokenData;
	let renewal: Promise<string> | undefined;

	const fetchToken = async (): Promise<string> => {
		data = (await context.helpers.refreshOAuth2Token.call(context, credentialType)) as TokenData;
		return data.access_token!;
	};
	// Requests in flight find the same token refused at about the same time.
	const renew = async (refused?: string): Promise<string> => {
		const { access_token: token } = data;
		if (token && token !== refused) return token;
		renewal ??= fetchToken().finally(() => (renewal = undefined));
		return await renewal;
	};
	return {
		renew,
		get: async () => {
			const { access_token: token } = data;
			return token && expiryOf(data) > Date.now() / 1000 + margin ? token : await renew(token);
		},
	};
}
