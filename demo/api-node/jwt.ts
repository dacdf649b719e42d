import { Agent, fetch } from 'undici';
import type { AcceptsToken } from './services';

export interface JwtRules {
	/** The OAuth2 server, as its tokens name it. */
	issuer: string;
	/** Whom a token must be meant for. */
	audience: string;
	/** What it must allow; default: nothing in particular. */
	scope?: string;
	/** Where the server's public keys are. */
	jwksUrl: string;
	/** The authority that signed that server's certificate, if it is a private one. */
	ca?: string;
}

/** Takes a JWT that the server has signed, as long as it has not expired. */
export function jwtCheck({ issuer, audience, scope, jwksUrl, ca }: JwtRules): AcceptsToken {
	// An ES module, which takes its time to load, too.
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
