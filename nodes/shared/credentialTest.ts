import type {
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	INodeCredentialTestResult,
	INodeType,
} from 'n8n-workflow';
import { ApiNodeError, StatusError } from '../../client';
import { clientFor } from './connection';

const milliseconds = 10_000;

function failure(error: unknown): INodeCredentialTestResult {
	const { message, advice } = error as ApiNodeError;
	return { status: 'Error', message: [message, advice].filter(Boolean).join('. ') };
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
