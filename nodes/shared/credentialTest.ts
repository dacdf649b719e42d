import type {
	ICredentialDataDecryptedObject,
	ICredentialsDecrypted,
	ICredentialTestFunctions,
	INodeCredentialTestResult,
	INodeType,
} from 'n8n-workflow';
import { UserError } from 'n8n-workflow';
import { type ApiNodeError, InvalidCallError, type Location, parseLocations, pasted, StatusError } from '../../client';
import { type Connection, connectionFor, deploymentFor, notAllowed } from './connection';
import { deployedId } from './description/credentialProperties';
import { deployedDocument, parseDocument } from './documents';
import { ofCredential, summaryOf } from './nodeErrors';

const milliseconds = 10_000;

/** Of an error and what caused it, whatever tells what went wrong. */
interface Failure {
	name?: string;
	code?: unknown;
	statusCode?: unknown;
	cause?: Failure;
}

/**
 * n8n offers a test no filter, but applies its policy on addresses to its own requests: one of these goes first, without the
 * key, so that a user who may create credentials cannot probe the network with ours. A response, or the code of a failure below
 * HTTP, shows that the address is allowed: our connections may still succeed there, as they know the credential's
 * certificates. A name that resolves to something else a moment later is not caught; the nodes look names up under the policy.
 *
 * @throws UserError when n8n forbids the address, or when it cannot be told
 */
async function checkPolicy({ helpers }: ICredentialTestFunctions, uri: string): Promise<void> {
	try {
		// HEAD has no body, which n8n would read to its end.
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
		description: 'Nothing else was sent, since it is unknown whether n8n allows this address',
	});

const text = (value: unknown): string => (typeof value === 'string' ? pasted(value) : '');

/**
 * What can be told without asking the API node.
 *
 * @throws UserError naming the field, and what to put there
 */
function checkFields(data: ICredentialDataDecryptedObject, locations: readonly Location[]): void {
	const { serviceId, openApi, openApiFrom } = data;
	if (text(serviceId) === '') {
		const named = locations.find((each) => each.serviceId)?.serviceId;
		throw new UserError('The service ID is empty', { description: named && `The URL names '${named}'` });
	}
	if (openApiFrom === 'text') parseDocument(text(openApi));
}

/** What one instance's test came to. */
interface Outcome {
	host: string;
	/** Why the credential will not do. */
	error?: Error;
	/** Whether an API node responded, as far as the test can know. */
	answered: boolean;
	/** Whether there is such a service, as far as can be told. */
	knowsService?: boolean;
}

/** A gateway speaks for an API node that is gone. */
const isAnswer = (error: unknown): error is StatusError =>
	error instanceof StatusError && error.status !== 502 && error.status !== 504;

async function testInstance(connection: Connection, { host }: Location): Promise<Outcome> {
	const { client, call } = connection;
	try {
		await client.openApi({ ...call, timeout: milliseconds });
		return { host, answered: true, knowsService: true };
	} catch (error) {
		const missing = error instanceof StatusError && error.status === 404 ? error : undefined;
		// Without an error type it is the 404 of something other than an API node.
		if (missing?.errorType === undefined || !(await isApiNode(connection))) {
			return { host, error: error as Error, answered: isAnswer(error) };
		}
		return { host, answered: true, ...(await testService(connection, host)) };
	}
}

/** Names that nobody gives, and that explain themselves in the API node's log. */
const missingEndpoint = 'n8n-credential-test';
const missingService = 'n8n-credential-test-of-a-missing-service';

/**
 * Without a document, tells a service from one that does not exist by how an endpoint is refused that neither of them has. A
 * service that wants another key says so. No service is found missing by words that may be about the endpoint.
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

/** What is said of a service, but for its name and for numbers of requests. */
function wordsOf({ status, errorType, detail = '' }: StatusError, serviceId: string): string {
	const words = (text: string) => text.match(/[\p{L}\p{N}]+/gu) ?? [];
	const names = new Set([serviceId, missingService].flatMap(words));
	const said = words(detail).filter((word) => !names.has(word) && !/\p{N}/u.test(word));
	return [status, errorType, ...said].join(' ');
}

const saidBy = ({ serverMessage }: ApiNodeError): string | undefined =>
	serverMessage && `The response said: ${serverMessage}`;

/** Whether isAlive exists; a proxy may keep it to itself, and an instance that is being drained still serves. */
async function isApiNode({ client, call }: Connection): Promise<boolean> {
	try {
		await client.isAlive({ ...call, timeout: milliseconds });
		return true;
	} catch (error) {
		return isAnswer(error) && error.status !== 404;
	}
}

/** A list of sentences as one text, each told once. */
function sentences(texts: ReadonlyArray<string | undefined>): string {
	const told = texts.flatMap((each) => (each ? [each.replace(/\.$/, '')] : []));
	return [...new Set(told)].join('. ');
}

/** What to do about an error of the client or of this package, and what the API node said. */
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

/** What is wrong with a credential whose fields can be used, as its instances show. */
function problemOf(outcomes: Outcome[], data: ICredentialDataDecryptedObject): string | undefined {
	const failed = outcomes.flatMap(({ error }) => error ?? []);
	if (failed.length === 0) return undefined;
	const count = outcomes.length;
	const told = [...new Set(failed.map(summaryOf))].join('; ');
	const answered = outcomes.filter((each) => each.answered).length;
	const sum = `${answered} of ${count} instances responded${answered < count ? ':' : ', but'} `;
	return sentences([(count > 1 ? sum : '') + told, ...failed.flatMap((error) => adviceOn(error, data))]);
}

/** What a pasted URL says of the service, where that is not what will be called. */
function passedOver(locations: readonly Location[], serviceId: string): string | undefined {
	const named = locations.find((each) => each.serviceId && each.serviceId !== serviceId)?.serviceId;
	return named && `The URL names service '${named}', but the Service ID is '${serviceId}'. '${serviceId}' is used`;
}

/**
 * Tests a credential over the connection that the nodes use, certificates and proxy included, at each of its instances. The service's OpenAPI document shows that the key is one of the service's; where there is none,
 * isAlive shows that an API node answers at the URL, and the refusal of an endpoint that does not exist, that it knows the
 * service. Nothing else can be asked without calling an endpoint.
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
		// All of them before any is given a key.
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
		const note = passedOver(locations, text(data.serviceId));
		const known = outcomes.every(({ knowsService }) => knowsService);
		// n8n shows nothing of a success. Where nothing speaks for the service ID, the URL speaks against it.
		if (!problem && (known || !note)) return { status: 'OK', message: 'Connection successful' };
		return { status: 'Error', message: sentences([problem, note]) };
	} catch (error) {
		return { status: 'Error', message: sentences([summaryOf(error), ...adviceOn(error, data)]) };
	}
}

/** The `methods` that every node has for its credential. */
export const credentialTest = { dataikuApiNodeTest } satisfies NonNullable<INodeType['methods']>['credentialTest'];
