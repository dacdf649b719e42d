import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { IDataObject } from 'n8n-workflow';
import { Agent, fetch } from 'undici';
import type { JwtRules } from '../../demo/api-node';

export interface OAuth2ServerOptions {
	client?: { id: string; secret: string; redirectUri: string };
	accessTokenSeconds?: number;
	tls?: { cert: string; key: string };
}

export interface ProviderSettings extends OAuth2ServerOptions {
	port?: number;
	client: { id: string; secret: string; redirectUri: string };
	accessTokenSeconds: number;
	/** The API node, to which the tokens give access. */
	audience: string;
	/** What they allow there. */
	scope: string;
}

/** What became of a request for a token. */
export interface Grant {
	grantType: string;
	error?: string;
	accessToken?: string;
	refreshToken?: string;
}

export interface OAuth2Server {
	/** The issuer of the tokens. */
	readonly url: string;
	readonly settings: ProviderSettings;
	/** What an API node checks its tokens by. */
	readonly jwtRules: JwtRules;
	/** What a credential in n8n holds of it and of its client. */
	readonly credentialFields: IDataObject;
	/** All requests for tokens so far. */
	grants(): Promise<Grant[]>;
	/** For the tokens to come. */
	setAccessTokenSeconds(seconds: number): Promise<void>;
	/** Answers the next renewals when so many have arrived. */
	holdRenewals(count: number): Promise<void>;
	/** What a user does in the browser: signs in, agrees, and is sent back to the URL that this resolves with. */
	signIn(authorizationUrl: string): Promise<string>;
	/** The tokens that a client gets when its user has signed in. */
	connect(): Promise<{ access_token: string; refresh_token: string }>;
	close(): Promise<void>;
}

/**
 * A real OAuth2 server: oidc-provider. Its access tokens are JWTs; a refresh token is good for one use, and used twice it
 * is void with all that came of it.
 */
export async function oAuth2Server(options: OAuth2ServerOptions = {}): Promise<OAuth2Server> {
	const settings: ProviderSettings = {
		client: { id: 'n8n', secret: 'the-client-secret', redirectUri: 'http://127.0.0.1:9/callback' },
		accessTokenSeconds: 300,
		audience: 'https://apinode.example',
		scope: 'score',
		...options,
	};
	const script = path.join(__dirname, 'oAuth2Server/provider.ts');
	const child = fork(script, {
		execArgv: ['--import', 'tsx'],
		stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
	});
	const exited = once(child, 'exit');
	let stderr = '';
	child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
	const message = async <Content>() => {
		const ended = exited.then(() => Promise.reject(new Error(`The OAuth2 server ended: ${stderr}`)));
		const [content] = (await Promise.race([once(child, 'message'), ended])) as [Content];
		return content;
	};
	const ask = async <Answer>(question: Partial<ProviderSettings> & { holdRenewals?: number }) => {
		const answer = message<Answer>();
		child.send(question);
		return await answer;
	};
	// Not as an argument, which every process on the machine could read.
	const { url } = await ask<{ url: string }>(settings);
	const agent = new Agent({ connect: { rejectUnauthorized: false } });
	const signIn = async (authorizationUrl: string) => {
		const cookies = new Map<string, string>();
		let location = authorizationUrl;
		while (location.startsWith(url)) {
			const cookie = [...cookies].map((pair) => pair.join('=')).join('; ');
			const response = await fetch(location, { redirect: 'manual', headers: { cookie }, dispatcher: agent });
			for (const set of response.headers.getSetCookie()) {
				const [name = '', value = ''] = set.split(';', 1)[0]!.split(/=(.*)/);
				cookies.set(name, value);
			}
			const next = response.headers.get('location');
			if (!next) throw new Error(`${location} led nowhere: ${await response.text()}`);
			location = new URL(next, url).href;
		}
		return location;
	};
	return {
		url,
		settings,
		jwtRules: { issuer: url, jwksUrl: `${url}/jwks`, audience: settings.audience, scope: settings.scope },
		credentialFields: {
			authUrl: `${url}/auth`,
			accessTokenUrl: `${url}/token`,
			clientId: settings.client.id,
			clientSecret: settings.client.secret,
			scope: settings.scope,
		},
		grants: async () => (await ask<{ grants: Grant[] }>({})).grants,
		setAccessTokenSeconds: async (accessTokenSeconds) => void (await ask({ accessTokenSeconds })),
		holdRenewals: async (count) => void (await ask({ holdRenewals: count })),
		signIn,
		async connect() {
			const { id, secret, redirectUri } = settings.client;
			const query = { client_id: id, response_type: 'code', redirect_uri: redirectUri, scope: settings.scope };
			const location = await signIn(`${url}/auth?${new URLSearchParams(query).toString()}`);
			const code = new URL(location).searchParams.get('code') ?? '';
			const response = await fetch(`${url}/token`, {
				method: 'POST',
				headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
				body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri }),
				dispatcher: agent,
			});
			return (await response.json()) as { access_token: string; refresh_token: string };
		},
		async close() {
			child.kill();
			await Promise.all([exited, agent.destroy()]);
		},
	};
}
