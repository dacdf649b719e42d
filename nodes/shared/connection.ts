import { createHash } from 'node:crypto';
import type {
	ICredentialDataDecryptedObject,
	IExecuteFunctions,
	ILoadOptionsFunctions,
	IPollFunctions,
	NodeEgressFilter,
} from 'n8n-workflow';
import { UserError } from 'n8n-workflow';
import {
	ApiNodeClient,
	type CallOptions,
	checkCredential,
	type Credential,
	Deployment,
	parseLocations,
	pasted,
} from '../../client/internal';
import { dependsOnItem, inEffect, rawCredential } from './credentialExpressions';
import { instanceProperties, openApiProperties, tlsProperties } from './description/credentialProperties';
import { oAuth2Tokens, type OwnedTokens } from './oAuth2Tokens';
import { textOf } from './parameters';
import { RecentlyUsed } from './RecentlyUsed';

/** A credential turned into a destination and a way to authenticate. */
export interface Connection {
	/** A digest of everything that distinguishes the connection. It represents the connection in JSON. */
	id: string;
	toJSON: () => string;
	/** Shared by all connections with the same URL and TLS settings. */
	client: ApiNodeClient;
	/** Options of each call: the credential's service, and how to authenticate. */
	call: Pick<CallOptions, 'serviceId' | keyof Credential>;
	instances: number;
	/** Where the OpenAPI document of the credential's service comes from, if not from the API node. */
	openApi: DocumentSource;
	/** Whether any certificate is accepted, so that the server's identity is not verified. */
	unverified: boolean;
}

/** A text that was pasted into the credential, or a deployment of the API Deployer. */
export interface DocumentSource {
	pasted?: string;
	/** Rejects for invalid values, or if n8n's policy forbids the address. */
	deployment?: () => Promise<Deployment>;
}

export type Authentication = 'apiKey' | 'oAuth2';

export const credentialType = (authentication: Authentication) =>
	authentication === 'oAuth2' ? 'dataikuApiNodeOAuth2Api' : 'dataikuApiNodeApi';

/**
 * Clients outlive executions, so that a webhook's next call finds an open connection and the knowledge about each instance. All
 * clients together limit their open connections.
 */
const clients = new RecentlyUsed<ApiNodeClient>({ idleMs: 10 * 60_000, isInUse: (client) => client.isBusy });

/** Reads a field of a credential, for which an expression may return anything. */
function text(credential: ICredentialDataDecryptedObject, name: string): string {
	const value = credential[name];
	if (typeof value !== 'object') return value === undefined ? '' : pasted(String(value));
	if (value === null) return '';
	throw new UserError(`The credential's field '${name}' is ${Array.isArray(value) ? 'a list' : 'an object'}, not text`);
}

const acceptsAny = ({ allowUnauthorizedCerts }: ICredentialDataDecryptedObject) =>
	allowUnauthorizedCerts === true || allowUnauthorizedCerts === 'true';

/** Most executions use a credential that an earlier one used. */
const digests = new RecentlyUsed<string>({ most: 1_000, idleMs: 10 * 60_000 });

function digest(value: unknown): string {
	const text = JSON.stringify(value);
	return digests.get(text, () => createHash('sha256').update(text).digest('hex'));
}

const tlsOf = (credential: ICredentialDataDecryptedObject) => ({
	ca: text(credential, 'ca'),
	cert: text(credential, 'cert'),
	key: text(credential, 'key'),
	passphrase: typeof credential.passphrase === 'string' ? credential.passphrase : '',
	rejectUnauthorized: !acceptsAny(credential),
});

interface Means {
	egress?: NodeEgressFilter;
	tokens?: OwnedTokens;
	/** Uses a separate client, which does not wait for the requests of runs. */
	apart?: boolean;
}

function clientFor(credential: ICredentialDataDecryptedObject, { egress, apart }: Means): ApiNodeClient {
	const options = { url: text(credential, 'url'), tls: tlsOf(credential) };
	const id = digest([options, egress !== undefined, apart === true]);
	const lookup = egress?.createSecureLookup();
	return clients.get(id, () => new ApiNodeClient({ ...options, serviceId: '', lookup }));
}

/** @throws UserError when the secret is missing, because the record would be sent without authentication */
function whoCalls(credential: ICredentialDataDecryptedObject): Credential {
	const { authentication = 'apiKey' } = credential;
	const open = { description: 'If the service requires no authentication, set "Authentication" to None' };
	if (authentication === 'none') return {};
	if (authentication === 'apiKey') {
		const apiKey = text(credential, 'apiKey');
		if (apiKey === '') throw new UserError('The API key is empty', open);
		return { apiKey };
	}
	if (authentication === 'bearerToken') {
		const bearerToken = text(credential, 'bearerToken');
		if (bearerToken === '') throw new UserError('The bearer token is empty', open);
		checkCredential({ bearerToken });
		return { bearerToken };
	}
	throw new UserError('The credential\'s "Authentication" must be one of apiKey, bearerToken, none');
}

/** @throws UserError or InvalidCallError for invalid values */
export function deploymentFor(credential: ICredentialDataDecryptedObject, egress?: NodeEgressFilter): Deployment {
	if (credential.openApiFrom !== 'deployer') {
		throw new UserError('The credential\'s "OpenAPI Document" must be one of apiNode, deployer, text');
	}
	return new Deployment({
		url: text(credential, 'deployerUrl'),
		deploymentId: text(credential, 'deploymentId'),
		apiKey: text(credential, 'deployerApiKey'),
		tls: tlsOf(credential),
		lookup: egress?.createSecureLookup(),
	});
}

/** Follows the credential's choice alone, whatever its other fields contain. */
function documentSource(credential: ICredentialDataDecryptedObject, egress?: NodeEgressFilter): DocumentSource {
	const { openApiFrom = 'apiNode', openApi } = credential;
	if (openApiFrom === 'apiNode') return {};
	if (openApiFrom === 'text') return { pasted: textOf(openApi).trim() };
	const deployment = async () => {
		const made = deploymentFor(credential, egress);
		await validate(made.origin, egress);
		return made;
	};
	return { deployment };
}

/**
 * Turns the values of a credential into a connection.
 *
 * @throws UserError or InvalidCallError for invalid values
 */
export function connectionFor(credential: ICredentialDataDecryptedObject, means: Means = {}): Connection {
	const { egress, tokens } = means;
	const client = clientFor(credential, means);
	const urls = [...client.origins, ...(credential.openApiFrom === 'deployer' ? [text(credential, 'deployerUrl')] : [])];
	const caller = tokens ? { tokens } : whoCalls(credential);
	const { oauthTokenData: _changes, ...settings } = inEffect(credential);
	// Several users may each have their own token in one OAuth2 credential.
	const id = digest([settings, tokens?.owner]);
	return {
		id,
		toJSON: () => id,
		client,
		call: { serviceId: text(credential, 'serviceId'), ...caller },
		instances: client.origins.length,
		openApi: documentSource(credential, egress),
		unverified: acceptsAny(credential) && urls.some((url) => /^https:/i.test(url)),
	};
}

/**
 * Connects the editor, in which there are no items for expressions.
 *
 * @throws UserError for expressions that need an item, and for invalid credentials
 */
export async function connectEditor(context: ILoadOptionsFunctions): Promise<Connection> {
	const { authentication, credential } = await withoutItem(context, 'Enter the endpoint with "By ID".');
	return await connector(context)(authentication, credential);
}

export interface Instances {
	all: Connection;
	each: Array<{ name: string; connection: Connection }>;
}

/**
 * Connects a trigger, in which there are no items, to each instance of its credential. It uses separate clients, so that it
 * does not wait for the requests of runs.
 *
 * @throws as {@link connectEditor}
 */
export async function connectTrigger(context: IPollFunctions): Promise<Instances> {
	const { authentication, credential } = await withoutItem(
		context,
		'A trigger has no input item: enter a fixed value.',
	);
	const connect = connector(context, true);
	const all = await connect(authentication, credential);
	const each: Instances['each'] = [];
	for (const { origin, prefix, host } of parseLocations(text(credential, 'url'))) {
		const connection = await connect(authentication, { ...credential, url: origin + prefix });
		each.push({ name: host + prefix, connection });
	}
	return { all, each };
}

async function withoutItem(context: ILoadOptionsFunctions | IPollFunctions, advice: string) {
	if (dependsOnItem(context.getNode().parameters.authentication)) throw needsItem(`the node's "Connect Using"`, advice);
	const authentication = context.getNodeParameter('authentication', 'apiKey') as Authentication;
	const raw = await rawCredential(context, credentialType(authentication));
	const names = Object.keys(raw ?? {}).filter((name) => dependsOnItem(raw![name]));
	if (names.length > 0) throw needsItem(`the credential's ${names.map((name) => `"${name}"`).join(', ')}`, advice);
	return { authentication, credential: await context.getCredentials(credentialType(authentication)) };
}

const needsItem = (what: string, description: string) =>
	new UserError(`An expression in ${what} needs an input item, which is available only during a run`, {
		description,
	});

/**
 * Returns a function that turns the values of credentials into connections. It throws for invalid values, or if n8n's policy
 * forbids the address.
 *
 * @param apart whether the connections use other clients than runs
 */
export function connector(context: IExecuteFunctions | ILoadOptionsFunctions | IPollFunctions, apart = false) {
	const { getSecureEgressFilter } = context.helpers as Partial<typeof context.helpers>;
	// Older versions of n8n have no such policy.
	const egress = getSecureEgressFilter?.();
	const validated = new Map<string, Promise<void>>();
	let tokens: { source: OwnedTokens; id: string } | undefined;

	return async (authentication: Authentication, credential: ICredentialDataDecryptedObject): Promise<Connection> => {
		const oAuth2 = authentication === 'oAuth2';
		if (oAuth2) {
			const type = credentialType(authentication);
			const grant = grantOf(credential);
			const { oauthTokenData: _changes, ...settings } = grant;
			const id = digest([context.getNode().credentials?.[type]?.id, settings]);
			tokens ??= { id, source: oAuth2Tokens(context, type, grant) };
			// If this n8n does not show stored credentials, only their values reveal expressions.
			if (tokens.id !== id) throw oneGrant('its OAuth2 settings');
		}
		const connection = connectionFor(credential, { egress, tokens: oAuth2 ? tokens?.source : undefined, apart });
		for (const origin of connection.client.origins) {
			if (!validated.has(origin)) validated.set(origin, validate(origin, egress));
			await validated.get(origin);
		}
		return connection;
	};
}

/** The fields with which n8n fetches an OAuth2 token: all that this package did not add. */
const grantOf = (credential: ICredentialDataDecryptedObject): ICredentialDataDecryptedObject =>
	Object.fromEntries(Object.entries(credential).filter(([name]) => !ownFields.has(name)));
const ownFields = new Set([...instanceProperties, ...tlsProperties, ...openApiProperties].map(({ name }) => name));

/** @throws UserError for OAuth2 fields with expressions that depend on the item */
export function checkGrant(raw: ICredentialDataDecryptedObject): void {
	const { oauthTokenData: _token, ...settings } = grantOf(raw);
	const names = Object.keys(settings).filter((name) => dependsOnItem(settings[name]));
	if (names.length > 0) throw oneGrant(names.map((name) => `"${name}"`).join(', '));
}

const oneGrant = (what: string) =>
	new UserError(`The OAuth2 credential uses an expression in ${what}, whose value must be the same for all items`, {
		description:
			'n8n keeps one access token for each OAuth2 credential. Create one credential for each OAuth2 client. The API Node URL, the Service ID and the TLS fields can contain expressions.',
	});

async function validate(origin: string, egress: NodeEgressFilter | undefined): Promise<void> {
	// validateUrl throws when the name cannot be resolved.
	const verdict = await egress?.validateUrl(origin).catch(() => undefined);
	if (egress && !verdict) throw notFound(origin);
	if (verdict && !verdict.ok) throw notAllowed(origin);
}

function notFound(origin: string): UserError {
	return new UserError(`n8n could not look up ${new URL(origin).host}`, {
		description:
			'With N8N_SSRF_PROTECTION_ENABLED, n8n resolves every host name itself, even if a proxy makes the connection. Check the name, and that the machine that runs n8n can resolve it.',
	});
}

export function notAllowed(origin: string): UserError {
	return new UserError(`n8n is not allowed to connect to ${new URL(origin).host}`, {
		description:
			'N8N_SSRF_PROTECTION_ENABLED blocks private addresses. The n8n administrator can allow this one with N8N_SSRF_ALLOWED_HOSTNAMES or N8N_SSRF_ALLOWED_IP_RANGES.',
	});
}
