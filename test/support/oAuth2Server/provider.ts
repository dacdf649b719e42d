import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { KoaContextWithOIDC } from 'oidc-provider' with { 'resolution-mode': 'import' };
import type { Grant, ProviderSettings } from '../oAuth2Server';

/** oidc-provider in its own process: it is an ES module, which jest does not load. */
async function main(settings: ProviderSettings): Promise<void> {
	const { default: Provider } = await import('oidc-provider');
	const { exportJWK, generateKeyPair } = await import('jose');
	const { privateKey } = await generateKeyPair('RS256', { extractable: true });
	const { tls, client, audience, scope } = settings;
	let accessTokenSeconds = settings.accessTokenSeconds;
	const server = tls ? createHttpsServer(tls) : createHttpServer();
	await new Promise<void>((resolve) => server.listen(settings.port ?? 0, '127.0.0.1', resolve));
	const url = `${tls ? 'https' : 'http'}://localhost:${(server.address() as AddressInfo).port}`;

	const provider = new Provider(url, {
		jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'RS256' }] },
		clients: [
			{
				client_id: client.id,
				client_secret: client.secret,
				grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
				response_types: ['code'],
				redirect_uris: [client.redirectUri],
			},
		],
		scopes: ['openid', 'offline_access', scope],
		features: {
			clientCredentials: { enabled: true },
			devInteractions: { enabled: false },
			resourceIndicators: {
				enabled: true,
				defaultResource: () => audience,
				useGrantedResource: () => true,
				getResourceServerInfo: () => ({
					scope,
					audience,
					accessTokenFormat: 'jwt',
					accessTokenTTL: accessTokenSeconds,
					jwt: { sign: { alg: 'RS256' } },
				}),
			},
		},
		rotateRefreshToken: true,
		issueRefreshToken: () => true,
		pkce: { required: () => false },
		interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
		findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
	});

	// Every visitor is signed in, and agrees to everything.
	provider.use(async (ctx, next) => {
		if (!ctx.path.startsWith('/interaction/')) return void (await next());
		const accountId = 'analyst';
		const grant = new provider.Grant({ accountId, clientId: client.id });
		grant.addOIDCScope(`openid offline_access ${scope}`);
		grant.addResourceScope(audience, scope);
		const grantId = await grant.save();
		await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId }, consent: { grantId } });
		ctx.respond = false;
	});

	const grants: Grant[] = [];
	const note = (ctx: KoaContextWithOIDC, error?: Error) => {
		const { access_token: accessToken, refresh_token: refreshToken } = (ctx.body ?? {}) as Record<string, string>;
		const grantType = String(ctx.oidc.params?.grant_type);
		grants.push({ grantType, error: error?.message, accessToken, refreshToken });
	};
	provider.on('grant.success', (ctx) => note(ctx));
	provider.on('grant.error', (ctx, error) => note(ctx, error));
	let holding: { missing: number; release: () => void; complete: Promise<void> } | undefined;
	const hold = (missing: number) => {
		let release = () => {};
		const complete = new Promise<void>((resolve) => (release = resolve));
		holding = { missing, release, complete };
	};
	provider.use(async (ctx, next) => {
		if (ctx.path === '/token' && holding) {
			const { release, complete } = holding;
			if (--holding.missing === 0) {
				holding = undefined;
				release();
			}
			await complete;
		}
		await next();
	});
	const handle = provider.callback();
	server.on('request', (request, response) => void handle(request, response));

	process.on('message', (message: { accessTokenSeconds?: number; holdRenewals?: number }) => {
		if (message.holdRenewals) hold(message.holdRenewals);
		accessTokenSeconds = message.accessTokenSeconds ?? accessTokenSeconds;
		process.send?.({ grants });
	});
	process.once('disconnect', () => process.exit());
	process.send?.({ url });
}

process.once('message', (settings: ProviderSettings) => void main(settings));
