import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ICredentialDataDecryptedObject, IExecuteFunctions, ILoadOptionsFunctions } from 'n8n-workflow';
import type { TokenSource } from '../../client';

/** What another process may need to store a token, in ms. */
const storingMs = 1_000;

/** Seconds before its expiry from which a token is not sent any more. */
const margin = 10;

interface Token {
	value: string;
	/** Seconds since 1970: a JWT tells it, for other tokens n8n may have noted it. */
	expiresAt: number;
}

/** The newest token of a credential that this process knows of, and the renewal under way. */
interface Latest {
	token?: Token;
	renewal?: Promise<Token>;
	/** The token whose renewal was refused, and no other was stored a while later. */
	waitedFor?: string;
}

/**
 * Shared by all executions of this process, whichever token was stored when they began: one that expires while many run is
 * renewed once. The keys are digests, as what they are made of is secret.
 */
const latestOf = new Map<string, Latest>();
const mostKnown = 1_000;

function remember(key: string, latest: Latest): Latest {
	latestOf.delete(key);
	latestOf.set(key, latest);
	if (latestOf.size > mostKnown) latestOf.delete(latestOf.keys().next().value!);
	return latest;
}

/** @param data what n8n keeps in an OAuth2 credential; `n8n_expires_at` is in milliseconds since 1970 */
function tokenIn(data: unknown): Token | undefined {
	const { access_token: value, n8n_expires_at: noted } = (data ?? {}) as Record<string, string | undefined>;
	if (!value) return undefined;
	const notedExpiry = noted ? Number(noted) / 1000 : Infinity;
	try {
		const { exp } = JSON.parse(Buffer.from(value.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
		return { value, expiresAt: typeof exp === 'number' ? exp : notedExpiry };
	} catch {
		return { value, expiresAt: notedExpiry };
	}
}

const isCurrent = ({ expiresAt }: Token) => expiresAt > Date.now() / 1000 + margin;

/**
 * The access token that n8n keeps in an OAuth2 credential. It is missing before the first use of client credentials and
 * may have expired since; n8n fetches a new one and stores it.
 */
export function oAuth2Tokens(
	context: IExecuteFunctions | ILoadOptionsFunctions,
	credentialType: string,
	credential: ICredentialDataDecryptedObject,
): TokenSource {
	const { oauthTokenData, openApi: _unrelated, ...settings } = credential;
	const { id } = context.getNode().credentials?.[credentialType] ?? {};
	// With the token: each user of a credential can have one of their own.
	const keyOf = (token?: Token) =>
		createHash('sha256')
			.update(JSON.stringify([id, settings, token?.value]))
			.digest('hex');
	const given = tokenIn(oauthTokenData);
	const latest = remember(keyOf(given), latestOf.get(keyOf(given)) ?? { token: given });

	/** What another process has stored meanwhile, or an execution that has overtaken this one. */
	const stored = async (old?: string): Promise<Token | undefined> => {
		const token = tokenIn((await context.getCredentials(credentialType)).oauthTokenData);
		return token && token.value !== old && isCurrent(token) ? token : undefined;
	};
	const refresh = async () => tokenIn(await context.helpers.refreshOAuth2Token.call(context, credentialType))!;
	const fetchToken = async (old?: string): Promise<Token> => {
		const token =
			(await stored(old)) ??
			(await refresh().catch(async (error: Error) => {
				// A refresh token may be good for one use. If another process was first, it is about to store what it got.
				if (latest.waitedFor !== old) await sleep(storingMs);
				latest.waitedFor = old;
				return (await stored(old)) ?? (await Promise.reject<Token>(error));
			}));
		// One that has expired on arrival is a matter of clocks: the API node's is the one that counts.
		latest.token = isCurrent(token) ? token : { ...token, expiresAt: Infinity };
		remember(keyOf(token), latest);
		return token;
	};
	const renew = async (old?: string): Promise<string> => {
		const { token } = latest;
		if (token && token.value !== old) return token.value;
		latest.renewal ??= fetchToken(old).finally(() => (latest.renewal = undefined));
		return (await latest.renewal).value;
	};
	return {
		renew,
		get: async () => {
			const { token } = latest;
			return token && isCurrent(token) ? token.value : await renew(token?.value);
		},
	};
}
