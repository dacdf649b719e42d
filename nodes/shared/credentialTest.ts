import { env } from 'node:process';
import type {
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	INodeCredentialTestResult,
	INodeType,
} from 'n8n-workflow';
import { ApiNodeError, StatusError } from '../../client';
import { clientFor, notAllowed } from './connection';

const milliseconds = 10_000;

/**
 * What n8n's policy says of an address, which a test is offered only through n8n's own requests: sent first where the policy
 * is on, so that whoever may make credentials cannot probe the network with ours. A name that resolves to something else a
 * moment later is not caught; the nodes themselves look names up under the policy.
 *
 * @throws Error when it forbids the address
 */
async function checkPolicy({ helpers }: ICredentialTestFunctions, origins: readonly string[]): Promise<void> {
	if (env.N8N_SSRF_PROTECTION_ENABLED !== 'true') return;
	for (const origin of origins) {
		try {
			await helpers.request({ uri: `${origin}/isAlive/`, timeout: milliseconds, followRedirect: false });
		} catch (error) {
			const names = [error, (error as Error).cause].map((each) => (each as Error | undefined)?.name ?? '');
			if (names.some((name) => name.startsWith('Ssrf'))) throw notAllowed(origin);
		}
	}
}

function failure(error: unknown): INodeCredentialTestResult {
	const { message, advice, description } = error as ApiNodeError & { description?: string };
	return { status: 'Error', message: [message, advice ?? description].filter(Boolean).join('. ') };
}

/**
 * Tests a credential over the connection that the nodes use, certificates and proxy included, and says what that proved:
 * isAlive shows that an API node answers at the URL, and the service's OpenAPI document, where there is one, that the key
 * is one of the service's.
 */
async function dataikuApiNodeTest(
	this: ICredentialTestFunctions,
	{ data = {} }: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
	let alive = true;
	try {
		const client = clientFor(data);
		await checkPolicy(this, client.origins);
		try {
			await client.isAlive({ timeout: milliseconds });
		} catch (error) {
			// A proxy may keep isAlive to itself, and an instance that is being drained still serves.
			if (!(error instanceof StatusError) || error.status === 502 || error.status === 504) return failure(error);
			alive = error.status !== 404;
		}
		await client.openApi({ timeout: milliseconds });
		const proved =
			data.authentication === 'none' ? 'the service is open' : 'it accepts the key or token for this service';
		return { status: 'OK', message: `The API node answers, and ${proved}` };
	} catch (error) {
		if (!(error instanceof StatusError && error.status === 404)) return failure(error);
		if (error.errorType === undefined || !alive) return failure(error);
		return {
			status: 'OK',
			message:
				'The API node answers. It has no OpenAPI document for this service, so neither the service ID nor the key could be checked: the first call of a node will.',
		};
	}
}

/** The `methods` that every node has for its credential. */
export const credentialTest = { dataikuApiNodeTest } satisfies NonNullable<INodeType['methods']>['credentialTest'];
