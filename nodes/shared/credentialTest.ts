import type {
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	INodeCredentialTestResult,
	INodeType,
} from 'n8n-workflow';
import { UserError } from 'n8n-workflow';
import {
	type ApiNodeError,
	InvalidCallError,
	type Location,
	parseLocations,
	pasted,
	StatusError,
} from '../../client/internal';
import { type Connection, connectionFor, deploymentFor, notAllowed } from './connection';
import { deployedId } from './description/credentialProperties';
import { deployedDocument, parseDocument } from './documents';
import { ofCredential, summaryOf } from './nodeErrors';

const milliseconds = 10_000;

/** The parts of an error and its causes that describe what went wrong. */
interface Failure {
	name?: string;
	code?: unknown;
	statusCode?: unknown;
	cause?: Failure;
}

/**
 * n8n gives credential tests no address filter, but applies its policy to its own requests. Such a request is sent first,
 * without the key, so that users who may create credentials cannot probe the network with this client. A response, or an error
 * code from below HTTP, shows that the address is allowed. This client may succeed where n8n's request fails, because it uses
 * the credential's certificates. A name that resolves to another address a moment later is not detected; in workflows, the
 * lookup itself applies the policy.
 *
 * @throws UserError when n8n forbids the address, or when the policy cannot be applied
 */
async function checkPolicy({ helpers }: ICredentialTestFunctions, uri: string): Promise<void> {
	try {
		// HEAD, because n8n would read a body to its end.
		await helpers.request({ method: 'HEAD', uri, timeout: milliseconds, followRedirect: false });
	} catch (error) {
		const causes: Failure[] = [];
		for (let each = error as Failure | undefined; each && causes.length < 5; each = each.cause) causes.push(each);
		if (causes.some(({ name }) => name?.startsWith('Ssrf'))) throw notAllowed(uri);
		if (causes.some(({ code, statusCode }) => code !== undefined || statusCode !== undefined)) return;
		throw unclear(uri, error as Error);
	}
}
const unclear = (uri: string, { message }: Error): UserError =>
	new UserError(`n8n's own request to ${new URL(uri).host} failed: ${message}`, {
		description: 'Nothing else was sent, because it is not known whether n8n allows this address',
	});

const text = (value: unknown): string => (typeof value === 'string' ? pasted(value) : '');

/**
 * Checks everything that needs no request.
 *
 * @throws UserError naming the field, and what to enter
 */
function checkFields(data: ICredentialDataDecryptedObject, locations: readonly Location[]): void {
	const { serviceId, openApi, openApiFrom } = data;
	if (text(serviceId) === '') {
		const named = locations.find((each) => each.serviceId)?.serviceId;
		throw new UserError('The service ID is empty', { description: named && `The URL names '${named}'` });
	}
	if (openApiFrom === 'text') parseDocument(text(openApi));
}

interface Outcome {
	host: string;
	error?: Error;
	/** Whether an API node responded, as far as the test can tell. */
	responded: boolean;
	/** Whether the service exists, as far as the test can tell. */
	knowsService?: boolean;
}

/** A 502 or 504 comes from a gateway in front of an API node that is gone. */
const isFromApiNode = (error: unknown): error is StatusError =>
	error instanceof StatusError && error.status !== 502 && error.status !== 504;

async function testInstance(connection: Connection, { host }: Location): Promise<Outcome> {
	const { client, call } = connection;
	try {
		await client.openApi({ ...call, timeout: milliseconds });
		return { host, responded: true, knowsService: true };
	} catch (error) {
		const missing = error instanceof StatusError && error.status === 404 ? error : undefined;
		// Without an error type, something other than an API node sent the 404.
		if (missing?.errorType === undefined || !(await isApiNode(connection))) {
			return { host, error: error as Error, responded: isFromApiNode(error) };
		}
		return { host, responded: true, ...(await testService(connection, host)) };
	}
}

/** Names that no real service has, and that explain themselves in the API node's log. */
const missingEndpoint = 'n8n-credential-test';
const missingService = 'n8n-credential-test-of-a-missing-service';

/**
 * Without a document, finds out whether a service exists by comparing how the API node refuses an unknown endpoint of this
 * service and of an unknown service. A service that requires another key says so. A message that may be about the endpoint is
 * no proof that the service is missing.
 */
async function testService(connection: Connection, host: string): Promise<Partial<Outcome>> {
	const { serviceId = '' } = connection.call;
	const refused = await refusal(connection, serviceId);
	if (refused?.status === 401 || refused?.status === 403) return { error: refused };
	const other = refused?.status === 404 ? await refusal(connection, missingService) : undefined;
	if (!refused || !other) return {};
	if (wordsOf(refused, serviceId) !== wordsOf(other, serviceId)) return { knowsService: true };
	const { detail = '' } = refused;
	if (!detail.includes(serviceId) || detail.includes(missingEndpoint)) return {};
	const description = sentences([`Check the service ID. It is ${deployedId}`, saidBy(refused)]);
	return { error: new UserError(`Service '${serviceId}' was not found on ${host}`, { description }) };
}

async function refusal({ client, call }: Connection, serviceId: string): Promise<StatusError | undefined> {
	try {
		await client.predictRecord(missingEndpoint, {}, { ...call, serviceId, timeout: milliseconds });
	} catch (error) {
		if (error instanceof StatusError) return error;
	}
	return undefined;
}

function wordsOf({ status, errorType, detail = '' }: StatusError, serviceId: string): string {
	const words = (text: string) => text.match(/[\p{L}\p{N}]+/gu) ?? [];
	const names = new Set([serviceId, missingService].flatMap(words));
	const others = words(detail).filter((word) => !names.has(word) && !/\p{N}/u.test(word));
	return [status, errorType, ...others].join(' ');
}

const saidBy = ({ serverMessage }: ApiNodeError): string | undefined =>
	serverMessage && `The response said: ${serverMessage}`;

/** Whether isAlive responds. A proxy may block it, and an instance that is being drained still serves. */
async function isApiNode({ client, call }: Connection): Promise<boolean> {
	try {
		await client.isAlive({ ...call, timeout: milliseconds });
		return true;
	} catch (error) {
		return isFromApiNode(error) && error.status !== 404;
	}
}

function sentences(texts: ReadonlyArray<string | undefined>): string {
	const withoutPeriods = texts.flatMap((each) => (each ? [each.replace(/\.$/, '')] : []));
	return [...new Set(withoutPeriods)].join('. ');
}

/** Advice for an error of the client or of this package, and the API node's message. */
function adviceOn(error: unknown, { authentication }: ICredentialDataDecryptedObject): Array<string | undefined> {
	const { advice, description } = error as ApiNodeError & { description?: string };
	if (!(error instanceof StatusError)) return [advice ? ofCredential(advice) : description];
	const closed = authentication === 'none' && (error.status === 401 || error.status === 403);
	return [
		closed
			? 'The service requires authentication: choose the method under Authentication'
			: advice && ofCredential(advice),
		saidBy(error),
	];
}

/** Describes what the instances found wrong with a credential whose fields are valid. */
function problemOf(outcomes: Outcome[], data: ICredentialDataDecryptedObject): string | undefined {
	const failed = outcomes.flatMap(({ error }) => error ?? []);
	if (failed.length === 0) return undefined;
	const count = outcomes.length;
	const summaries = [...new Set(failed.map(summaryOf))].join('; ');
	const responded = outcomes.filter((each) => each.responded).length;
	const sum = `${responded} of ${count} instances responded${responded < count ? ':' : ', but'} `;
	return sentences([(count > 1 ? sum : '') + summaries, ...failed.flatMap((error) => adviceOn(error, data))]);
}

/** A note if a pasted URL names another service than the one that will be called. */
function noteOnOtherService(locations: readonly Location[], serviceId: string): string | undefined {
	const named = locations.find((each) => each.serviceId && each.serviceId !== serviceId)?.serviceId;
	return named && `The URL names service '${named}', but the Service ID is '${serviceId}'. '${serviceId}' is used`;
}

/**
 * Tests a credential at each of its instances, over the same connections as the nodes, including certificates and proxy. The
 * service's OpenAPI document proves that the key is valid for the service. Without a document, isAlive shows that an API node
 * responds at the URL, and the refusal of an unknown endpoint shows that the service exists. Nothing else can be tested without
 * calling an endpoint.
 */
async function dataikuApiNodeTest(
	this: ICredentialTestFunctions,
	{ data = {} }: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
	try {
		const locations = parseLocations(text(data.url));
		checkFields(data, locations);
		const connections = locations.map(({ origin, prefix }) => connectionFor({ ...data, url: origin + prefix }));
		const { openApiFrom = 'apiNode' } = data;
		const deployment = ['apiNode', 'text'].includes(openApiFrom as string) ? undefined : deploymentFor(data);
		const uris = locations.map(({ origin }) => `${origin}/isAlive/`);
		if (deployment) uris.push(`${deployment.origin}/public/api/api-deployer/deployments`);
		// All addresses are checked before any server gets a key.
		await Promise.all(uris.map(async (uri) => await checkPolicy(this, uri)));
		const [undocumented, ...outcomes] = await Promise.all([
			deployment &&
				deployedDocument(deployment, text(data.serviceId), milliseconds, locations).then(
					() => undefined,
					(error: Error) => error,
				),
			...locations.map(async (location, n) => await testInstance(connections[n]!, location)),
		]);
		const invalid = outcomes.find(({ error }) => error instanceof InvalidCallError)?.error;
		if (invalid) return { status: 'Error', message: invalid.message };
		const problem = sentences([
			problemOf(outcomes, data),
			// DSS requires a key, whatever the service's authentication is.
			...(undocumented ? [summaryOf(undocumented), ...adviceOn(undocumented, {})] : []),
		]);
		const note = noteOnOtherService(locations, text(data.serviceId));
		const known = outcomes.every(({ knowsService }) => knowsService);
		// n8n shows no text on success. If no instance confirms the service ID, the service in the URL is evidence against it.
		if (!problem && (known || !note)) return { status: 'OK', message: 'Connection successful' };
		return { status: 'Error', message: sentences([problem, note]) };
	} catch (error) {
		return { status: 'Error', message: sentences([summaryOf(error), ...adviceOn(error, data)]) };
	}
}

export const credentialTest = { dataikuApiNodeTest } satisfies NonNullable<INodeType['methods']>['credentialTest'];
