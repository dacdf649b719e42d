import { Agent, fetch } from 'undici';
import type { AcceptsToken } from './services';

export interface JwtRules {
	/** The OAuth2 server's issuer, as in its tokens. */
	issuer: string;
	/** The audience that a token must have. */
	audience: string;
	/** The scope that a token must have. Default: any. */
	scope?: string;
	/** URL of the server's public keys. */
	jwksUrl: string;
	/** PEM of the private authority that signed the server's certificate, if any. */
	ca?: string;
}

/** Accepts unexpired JWTs that the server has signed. */
export function jwtCheck({ issuer, audience, scope, jwksUrl, ca }: JwtRules): AcceptsToken {
	// Imported dynamically, because it is an ES module that loads slowly.
	const jose = import('jose');
	const dispatcher = ca ? new Agent({ connect: { ca } }) : undefined;
	const keys = jose.then(({ createRemoteJWKSet, customFetch }) =>
		createRemoteJWKSet(new URL(jwksUrl), {
			[customFetch]: (url, { headers, signal }) => fetch(url, { headers: [...headers], signal, dispatcher }),
		}),
	);
	return async (token) => {
		const { errors, jwtVerify } = await jose;
		try {
			const { payload } = await jwtVerify(token, await keys, { issuer, audience, requiredClaims: ['exp'] });
			return (
				scope === undefined ||
				String(payload.scope ?? '')
					.split(' ')
					.includes(scope)
			);
		} catch (error) {
			if (error instanceof errors.JOSEError) return false;
			throw error;
		}
	};
}
