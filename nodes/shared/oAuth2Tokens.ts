import type { ICredentialDataDecryptedObject, IExecuteFunctions, ILoadOptionsFunctions } from 'n8n-workflow';
import type { TokenSource } from './client';

/** Seconds before its expiry from which a token is not sent any more. */
const margin = 10;

/** Expiry of a JWT, in seconds since 1970; other tokens do not tell. */
function expiryOf(token: string): number {
	try {
		const { exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()) as { exp?: unknown };
		return typeof exp === 'number' ? exp : Infinity;
	} catch {
		return Infinity;
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
	let { access_token: token } = (credential.oauthTokenData ?? {}) as { access_token?: string };
	let renewal: Promise<string> | undefined;

	const fetchToken = async (): Promise<string> => {
		const data = (await context.helpers.refreshOAuth2Token.call(context, credentialType)) as { access_token: string };
		return (token = data.access_token);
	};
	// Requests in flight find the same token refused at about the same time.
	const renew = async (refused?: string): Promise<string> => {
		if (token && token !== refused) return token;
		renewal ??= fetchToken().finally(() => (renewal = undefined));
		return await renewal;
	};
	return {
		renew,
		get: async () => (token && expiryOf(token) > Date.now() / 1000 + margin ? token : await renew(token)),
	};
}
