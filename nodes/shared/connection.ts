import { createHash } from 'node:crypto';
import type {
	ICredentialDataDecryptedObject,
	IExecuteFunctions,
	ILoadOptionsFunctions,
	NodeEgressFilter,
} from 'n8n-workflow';
import { UserError } from 'n8n-workflow';
import { ApiNodeClient, type TokenSource } from '../../client';
import { oAuth2Tokens } from './oAuth2Tokens';

type Context = IExecuteFunctions | ILoadOptionsFunctions;

/** A client, and what its sessions must be given besides. */
export interface Connection {
	client: ApiNodeClient;
	tokens?: TokenSource;
	/** Number of instances that share the work. */
	instances: number;
	/** The credential's own service. */
	serviceId: string;
	/** Its OpenAPI document, if it was pasted into the credential. */
	openApi: string;
	/** Any certificate is accepted, so that it is unknown who responds. */
	unverified: boolean;
}

/**
 * Clients outlive executions, so that a webhook's next call finds an open connection and what was learned about each
 * instance. One that falls out of this list closes its idle connections by itself.
 */
const clients = new Map<string, ApiNodeClient>();
const mostClients = 50;

const text = (value: unknown): string => (typeof value === 'string' ? value.trim() : '');

/** The client for a credential's values, new or known. */
export function clientFor(credential: ICredentialDataDecryptedObject, egress?: NodeEgressFilter): ApiNodeClient {
	const { url, serviceId, authentication, apiKey, bearerToken, allowUnauthorizedCerts, ca, cert, key, passphrase } =
		credential;
	const options = {
		url: text(url),
		serviceId: text(serviceId),
		...(authentication === 'apiKey' && { apiKey: text(apiKey) }),
		...(authentication === 'bearerToken' && { bearerToken: text(bearerToken) }),
		tls: {
			ca: text(ca),
			cert: text(cert),
			key: text(key),
			passphrase: typeof passphrase === 'string' ? passphrase : '',
			rejectUnauthorized: allowUnauthorizedCerts !== true,
		},
	};
	const id = createHash('sha256')
		.update(JSON.stringify([options, egress !== undefined]))
		.digest('hex');
	const client = clients.get(id) ?? new ApiNodeClient({ ...options, lookup: egress?.createSecureLookup() });
	clients.delete(id);
	clients.set(id, client);
	if (clients.size > mostClients) clients.delete(clients.keys().next().value!);
	return client;
}

/** Connects a node with the credential that it has selected. */
export async function connect(context: Context): Promise<Connection> {
	const oAuth2 = context.getNodeParameter('authentication', 0, 'apiKey') === 'oAuth2';
	const type = oAuth2 ? 'dataikuApiNodeOAuth2Api' : 'dataikuApiNodeApi';
	const credential = await context.getCredentials(type);
	const egress = egressFilter(context);
	const client = clientFor(oAuth2 ? { ...credential, authentication: 'oAuth2' } : credential, egress);
	for (const origin of client.origins) await validate(origin, egress);
	return {
		client,
		tokens: oAuth2 ? oAuth2Tokens(context, type, credential) : undefined,
		instances: client.origins.length,
		serviceId: text(credential.serviceId),
		openApi: text(credential.openApi),
		unverified: credential.allowUnauthorizedCerts === true && client.origins.some((url) => url.startsWith('https:')),
	};
}

/** n8n's policy on where nodes may connect to; older versions have none. */
function egressFilter(context: Context): NodeEgressFilter | undefined {
	const { getSecureEgressFilter } = context.helpers as Partial<typeof context.helpers>;
	return getSecureEgressFilter?.();
}

async function validate(origin: string, egress: NodeEgressFilter | undefined): Promise<void> {
	// It throws when the name cannot be looked up.
	const verdict = await egress?.validateUrl(origin).catch(() => undefined);
	if (egress && !verdict) throw notFound(origin);
	if (verdict && !verdict.ok) throw notAllowed(origin);
}

function notFound(origin: string): UserError {
	return new UserError(`n8n could not look up ${new URL(origin).host}`, {
		description:
			'With N8N_SSRF_PROTECTION_ENABLED, n8n looks up every name before a node may connect, even where a proxy is what reaches it. Check the name, and that this machine can resolve it.',
	});
}

export function notAllowed(origin: string): UserError {
	return new UserError(`n8n is not allowed to connect to ${new URL(origin).host}`, {
		description:
			'N8N_SSRF_PROTECTION_ENABLED blocks private addresses. Whoever runs n8n can allow this one with N8N_SSRF_ALLOWED_HOSTNAMES or N8N_SSRF_ALLOWED_IP_RANGES.',
	});
}
