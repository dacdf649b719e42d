import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
	ICredentialDataDecryptedObject,
	IExecuteFunctions,
	ILoadOptionsFunctions,
	IPollFunctions,
} from 'n8n-workflow';
import { ApiNodeError, redactor, type TokenSource } from '../../client/internal';
import { textOf } from './parameters';
import { RecentlyUsed } from './RecentlyUsed';
import { shortened } from './shortened';

/** Milliseconds that another process may need to store a token. */
const storingMs = 1_000;

/** Seconds before its expiration after which a token is no longer sent. */
const margin = 10;

interface Token {
	value: string;
	/** Seconds since 1970, from the JWT itself or, for other tokens, from n8n. */
	expiresAt: number;
}

export interface OwnedTokens extends TokenSource {
	/** Identifies the owner of the tokens. It does not change when a token is renewed. */
	owner: string;
}

/** The newest token of a credential that this process knows, and the state of its renewals. */
interface Latest {
	owner: string;
	token?: Token;
	renewal?: Promise<Token>;
	/** Whether the token was renewed and the API node has not accepted it yet. */
	unproven?: boolean;
	/**
	 * Until when no token is requested, because the last one was refused or could not be fetched, in which case `error` is set.
	 */
	hold?: { until: number; failures: number; error?: Error };
	/** When the last renewals of refused tokens began. */
	renewedAt: number[];
}

const firstHoldMs = 5_000;
const longestHoldMs = 60_000;
/** n8n itself waits 300 s for a response. */
const longestRenewalMs = 30_000;
/**
 * Renewals of refused tokens per minute. More have another cause, such as a function that responds to some requests with 401.
 */
const mostRenewals = 10;

function hold(latest: Latest, error?: Error): void {
	const failures = (latest.hold?.failures ?? 0) + 1;
	latest.hold = { until: Date.now() + Math.min(longestHoldMs, firstHoldMs * 2 ** (failures - 1)), failures, error };
}

/**
 * Shared by all executions of this process, whichever token was stored when they began, so that a token that expires while many
 * run is renewed once. The keys are digests of secrets.
 */
const latestOf = new RecentlyUsed<Latest>({ most: 1_000 });

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
 * The access token that n8n keeps in an OAuth2 credential. It is missing before the first use of client credentials and may
 * have expired. n8n fetches a new one and stores it.
 */
export function oAuth2Tokens(
	context: IExecuteFunctions | ILoadOptionsFunctions | IPollFunctions,
	credentialType: string,
	credential: ICredentialDataDecryptedObject,
): OwnedTokens {
	const { oauthTokenData, ...settings } = credential;
	const { id } = context.getNode().credentials?.[credentialType] ?? {};
	// Includes the token, because each user of a credential can have their own.
	const keyOf = (token?: Token) =>
		createHash('sha256')
			.update(JSON.stringify([id, settings, token?.value]))
			.digest('hex');
	const given = tokenIn(oauthTokenData);
	const latest = latestOf.get(keyOf(given), () => ({ owner: randomUUID(), token: given, renewedAt: [] }));
	const provider = hostOf(credential.accessTokenUrl);

	/** A token that another process or another execution has stored meanwhile. */
	const stored = async (old?: string): Promise<Token | undefined> => {
		const token = tokenIn((await context.getCredentials(credentialType)).oauthTokenData);
		return token && token.value !== old && isCurrent(token) ? token : undefined;
	};
	const refresh = async () => {
		const token = tokenIn(await context.helpers.refreshOAuth2Token.call(context, credentialType));
		if (!token) throw new Error('the response contains no token');
		return token;
	};
	const fetchToken = async (old?: string): Promise<Token> => {
		const token =
			(await stored(old)) ??
			(await inTime(refresh()).catch(async (error: Error) => {
				// A refresh token may be valid for one use only. If another process was first, it is about to store its token.
				await sleep(storingMs);
				return (await stored(old)) ?? (await Promise.reject<Token>(error));
			}));
		// If a new token seems to have expired, the clocks differ. The API node's clock decides.
		latest.token = isCurrent(token) ? token : { ...token, expiresAt: Infinity };
		latest.unproven = true;
		if (latest.hold) latest.hold.error = undefined;
		latestOf.set(keyOf(token), latest);
		return token;
	};
	const renewal = async (old?: string): Promise<string> => {
		const left = latest.hold ? latest.hold.until - Date.now() : 0;
		// A longer hold than the longest means that the clock was set back.
		if (!latest.renewal && left > 0 && left <= longestHoldMs) {
			if (latest.hold?.error) throw latest.hold.error;
			return old!;
		}
		latest.renewal ??= fetchToken(old)
			.catch((error: Error) => {
				const failed = notIssued(provider, error, credential);
				hold(latest, failed);
				throw failed;
			})
			.finally(() => (latest.renewal = undefined));
		return (await latest.renewal).value;
	};
	return {
		owner: latest.owner,
		provider,
		get: () => {
			const { token } = latest;
			return token && isCurrent(token) ? token.value : renewal(token?.value);
		},
		renew: async (refused) => {
			const { token, unproven, renewedAt } = latest;
			if (token && token.value !== refused) return token.value;
			if (unproven) {
				latest.unproven = false;
				hold(latest);
			} else if (!latest.renewal) {
				const now = Date.now();
				const recent = renewedAt.filter((at) => at <= now && now - at < 60_000);
				if (recent.length >= mostRenewals) return refused;
				latest.renewedAt = [...recent, now];
			}
			return await renewal(refused);
		},
		accepted: (token) => {
			if (token !== latest.token?.value) return;
			latest.unproven = false;
			if (!latest.hold?.error) latest.hold = undefined;
		},
	};
}

function hostOf(url: unknown): string {
	return typeof url === 'string' && URL.canParse(url) ? new URL(url).host : '';
}

async function inTime<Value>(promise: Promise<Value>): Promise<Value> {
	const over = new AbortController();
	const late = sleep(longestRenewalMs, undefined, { ref: false, signal: over.signal }).then(() => {
		throw new Error(`no response within ${longestRenewalMs / 1_000} s`);
	});
	return await Promise.race([promise, late]).finally(() => over.abort());
}

const longestWords = 500;

function notIssued(
	provider: string,
	{ message, description }: Error & { description?: unknown },
	{ clientId, clientSecret, username, password, oauthTokenData }: ICredentialDataDecryptedObject,
): ApiNodeError {
	const tokens = (oauthTokenData ?? {}) as ICredentialDataDecryptedObject;
	const pairs = [`${textOf(clientId)}:${textOf(clientSecret)}`, `${textOf(username)}:${textOf(password)}`];
	const secrets = [clientSecret, password, tokens.access_token, tokens.refresh_token, tokens.id_token, ...pairs];
	const redact = redactor(secrets.filter((each) => typeof each === 'string'));
	const shown = (text: string) => shortened(redact(text), longestWords);
	const advice = typeof description === 'string' ? shown(description) : undefined;
	return new ApiNodeError(`The identity provider ${provider} issued no access token: ${shown(message)}`, { advice });
}
