import { env } from 'node:process';
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
	parseJson,
	parseLocations,
	pasted,
	ServiceDocument,
	StatusError,
} from '../../client';
import { type Connection, connectionFor, notAllowed } from './connection';

const milliseconds = 10_000;

/**
 * What n8n's policy says of an address, which a test is offered only through n8n's own requests: sent first where the policy
 * is on, so that whoever may make credentials cannot probe the network with ours. A name that resolves to something else a
 * moment later is not caught; the nodes themselves look names up under the policy.
 *
 * @throws Error when it forbids the address
 */
async function checkPolicy({ helpers }: ICredentialTestFunctions, origin: string): Promise<void> {
	if (env.N8N_SSRF_PROTECTION_ENABLED !== 'true') return;
	try {
		await helpers.request({ uri: `${origin}/isAlive/`, timeout: milliseconds, followRedirect: false });
	} catch (error) {
		const names = [error, (error as Error).cause].map((each) => (each as Error | undefined)?.name ?? '');
		if (names.some((name) => name.startsWith('Ssrf'))) throw notAllowed(origin);
	}
}

const text = (value: unknown): string => (typeof value === 'string' ? pasted(value) : '');

/**
 * What can be told without asking the API node.
 *
 * @throws UserError naming the field, and what to put there
 */
function checkFields(data: ICredentialDataDecryptedObject, locations: readonly Location[]): void {
	const { serviceId, openApi } = data;
	if (text(serviceId) === '') {
		const named = locations.find((each) => each.serviceId)?.serviceId;
		throw new UserError('The service ID is empty', { description: named && `The URL names '${named}'` });
	}
	if (text(openApi) !== '') checkOpenApi(text(openApi));
}

/** @throws UserError telling why the nodes could not read a pasted document */
function checkOpenApi(json: string): void {
	try {
		new ServiceDocument(parseJson(json));
	} catch (error) {
		const { message } = error as Error;
		throw notOpenApi(error instanceof InvalidCallError ? message : `The OpenAPI document is not JSON: ${message}`);
	}
}

const notOpenApi = (message: string): UserError =>
	new UserError(message, { description: 'Paste the whole document of the service, or leave the field empty' });

/** What one instance's test came to. */
interface Outcome {
	host: string;
	/** Why the credential will not do. */
	error?: Error;
	/** Whether whoever responded is an API node, as far as can be told. */
	answered: boolean;
	/** The refusal of the OpenAPI document, where that left the key unchecked. */
	unchecked?: StatusError;
	/** Without a document: whether there is such a service. */
	knowsService?: boolean;
}

/** A gateway speaks for an API node that is gone. */
const isAnswer = (error: unknown): error is StatusError =>
	error instanceof StatusError && error.status !== 502 && error.status !== 504;

async function testInstance(
	context: ICredentialTestFunctions,
	connection: Connection,
	{ host, origin }: Location,
): Promise<Outcome> {
	const { client, call } = connection;
	try {
		await checkPolicy(context, origin);
		await client.openApi({ ...call, timeout: milliseconds });
		return { host, answered: true };
	} catch (error) {
		const missing = error instanceof StatusError && error.status === 404 ? error : undefined;
		// Without an error type it is the 404 of something other than an API node.
		if (missing?.errorType === undefined || !(await isApiNode(connection))) {
			return { host, error: error as Error, answered: isAnswer(error) };
		}
		return { host, answered: true, unchecked: missing, ...(await testService(connection, host)) };
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
	const description = sentences(['Check the service ID', saidBy(refused)]);
	return { error: new UserError(`${host} responds as if there were no service '${serviceId}'`, { description }) };
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

const saidBy = ({ serverMessage }: ApiNodeError): string | undefined => serverMessage && `It said: ${serverMessage}`;

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
	if (!(error instanceof StatusError)) return [advice ?? description];
	const closed = authentication === 'none' && (error.status === 401 || error.status === 403);
	return [closed ? 'The service is not open: choose under Authentication how it is secured' : advice, saidBy(error)];
}

/** The result for a credential whose fields can be used. */
function resultOf(outcomes: Outcome[], data: ICredentialDataDecryptedObject): INodeCredentialTestResult {
	const count = outcomes.length;
	const failed = outcomes.flatMap(({ error }) => error ?? []);
	if (failed.length > 0) {
		const told = [...new Set(failed.map(({ message }) => message))].join('; ');
		const answered = outcomes.filter((each) => each.answered).length;
		const sum = `${answered} of ${count} instances answered${answered < count ? ':' : ', but'} `;
		const advice = failed.flatMap((error) => adviceOn(error, data));
		return { status: 'Error', message: sentences([(count > 1 ? sum : '') + told, ...advice]) };
	}
	const answers = count > 1 ? `${count} of ${count} instances answer` : 'The API node answers';
	const open = data.authentication === 'none';
	const [unchecked] = outcomes.filter((each) => each.unchecked);
	if (!unchecked) {
		const accepted = `${count > 1 ? '' : 'it '}accept${count > 1 ? '' : 's'} the key or token for this service`;
		return { status: 'OK', message: `${answers}, and ${open ? 'the service is open' : accepted}` };
	}
	const refusal = `${unchecked.host} gave no OpenAPI document of '${text(data.serviceId)}'`;
	const told = isKnown(outcomes)
		? [
				`${answers}, and ${count > 1 ? 'know' : 'it knows'} the service`,
				`Not checked: ${open ? 'whether it is open' : 'the key'}. ${refusal}`,
			]
		: [
				answers,
				`Not checked: ${open ? 'the service ID' : 'the service ID and the key'}. ${refusal}, so there is no such service, or it has no document`,
			];
	return {
		status: 'OK',
		message: sentences([...told, saidBy(unchecked.unchecked!), 'The first call of a node will tell']),
	};
}

/** Whether there is such a service at each instance. */
const isKnown = (outcomes: Outcome[]): boolean =>
	outcomes.every(({ unchecked, knowsService }) => !unchecked || knowsService);

/** What a pasted URL says of the service, where that is not what will be called. */
function passedOver(locations: readonly Location[], serviceId: string): string | undefined {
	const named = locations.find((each) => each.serviceId && each.serviceId !== serviceId)?.serviceId;
	return named && `The URL names the service '${named}', which is passed over: the service ID '${serviceId}' counts`;
}

/**
 * Tests a credential over the connection that the nodes use, certificates and proxy included, at each of its instances, and
 * says what that proved. The service's OpenAPI document shows that the key is one of the service's; where there is none,
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
		const outcomes = await Promise.all(
			locations.map(async (location, n) => await testInstance(this, connections[n]!, location)),
		);
		const invalid = outcomes.find(({ error }) => error instanceof InvalidCallError)?.error;
		if (invalid) return { status: 'Error', message: invalid.message };
		const { status, message } = resultOf(outcomes, data);
		const note = passedOver(locations, text(data.serviceId));
		// The editor shows the message of an error only, and here all that is known of the service speaks against its ID.
		const doubtful = note !== undefined && !isKnown(outcomes);
		return { status: doubtful ? 'Error' : status, message: sentences([message, note]) };
	} catch (error) {
		return { status: 'Error', message: sentences([(error as Error).message, ...adviceOn(error, data)]) };
	}
}

/** The `methods` that every node has for its credential. */
export const credentialTest = { dataikuApiNodeTest } satisfies NonNullable<INodeType['methods']>['credentialTest'];
