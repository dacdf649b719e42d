import { UserError } from 'n8n-workflow';
import {
	type Deployment,
	InvalidCallError,
	type Location,
	parseJson,
	parseLocations,
	ServiceDocument,
	StatusError,
} from '../../client/internal';
import type { Connection } from './connection';
import { RecentlyUsed } from './RecentlyUsed';

/** What is known of a service's OpenAPI document: the document, or why there is none. */
export interface Known {
	document?: ServiceDocument;
	problem?: Error;
	unserved?: boolean;
}

interface Kept extends Known {
	/** When it is read again, in the background. */
	dueAt: number;
	reading?: Promise<Known>;
}

const keptMs = 5 * 60_000;
/** Used after a failure that may be temporary. */
const retryMs = 30_000;
const timeoutMs = 5_000;
const mostBytes = 4 * 2 ** 20;

/** By connection and service, because another credential may not be allowed to read the document. */
const served = new RecentlyUsed<Kept>({ most: 500, idleMs: 2 * keptMs });
/** By text, and by connection, because looking up a text of megabytes takes long. */
const pasted = new RecentlyUsed<Known>({ most: 200 });
const pastedIn = new WeakMap<Connection, Known>();

export function knownDocument(connection: Connection, serviceId?: string): Known | undefined {
	return pastedDocument(connection, serviceId) ?? keptDocument(connection, serviceId);
}

/** Reads a document in the background for later runs, unless it was read recently. */
export function readSoon(connection: Connection, serviceId?: string): void {
	if (isDue(connection, serviceId)) void readDocument(connection, serviceId);
}

/** Whether the document, or the reason why there is none, is unknown or old. */
export function isDue(connection: Connection, serviceId?: string): boolean {
	return (keptDocument(connection, serviceId)?.dueAt ?? 0) <= performance.now();
}

export const keyOf = ({ id, call }: Connection, serviceId = call.serviceId) => `${id} ${serviceId}`;

function keptDocument(connection: Connection, serviceId?: string): Kept | undefined {
	return served.find(keyOf(connection, serviceId));
}

/**
 * Reads a document, or waits for a read in progress. Documents are kept for minutes and shared by all executions. If a read
 * fails temporarily, the previous document stays.
 *
 * @returns never rejects
 */
export async function readDocument(connection: Connection, serviceId?: string): Promise<Known> {
	const given = pastedDocument(connection, serviceId);
	if (given) return given;
	const kept = served.get(keyOf(connection, serviceId), () => ({ dueAt: 0 }));
	kept.reading ??= request(connection, serviceId).then((known) => {
		const { problem } = known;
		const certain = !problem || isMissing(problem);
		const dueAt = performance.now() + (certain ? keptMs : retryMs);
		Object.assign(kept, { problem, dueAt, reading: undefined });
		if (certain || isClosed(known) || problem instanceof UserError) kept.document = known.document;
		return known;
	});
	return await kept.reading;
}

const isMissing = (error: unknown) => error instanceof StatusError && error.status === 404;

/** Reads a document without the cache, for code that looks for changes. @returns never rejects */
export async function currentDocument(connection: Connection, serviceId?: string): Promise<Known> {
	return pastedDocument(connection, serviceId) ?? (await request(connection, serviceId));
}

/** Users who may no longer read a document must not see the cached one, either. */
const isClosed = ({ problem }: Known) =>
	problem instanceof StatusError && (problem.status === 401 || problem.status === 403);

async function request({ client, call, openApi }: Connection, serviceId = call.serviceId): Promise<Known> {
	const open = serviceId === call.serviceId ? openApi.deployment : undefined;
	try {
		if (open) return { document: await deployedDocument(await open(), serviceId!, timeoutMs) };
		const json = await client.openApi({ ...call, serviceId, timeout: timeoutMs, maxResponseBytes: mostBytes });
		return { document: new ServiceDocument(json) };
	} catch (error) {
		return { problem: error as Error, unserved: !open && isMissing(error) };
	}
}

/**
 * Reads the document of a deployment and closes its connections.
 *
 * @param locations the credential's instances, to compare with those of the deployment
 * @throws UserError when the service or the given locations are not those of the deployment
 */
export async function deployedDocument(
	deployment: Deployment,
	serviceId: string,
	timeout: number,
	locations: readonly Location[] = [],
): Promise<ServiceDocument> {
	const options = { timeout, maxResponseBytes: mostBytes };
	try {
		const [json, id] = await Promise.allSettled([deployment.openApi(options), deployment.serviceId(options)]);
		// What DSS does not tell cannot contradict the credential.
		const deployed = id.status === 'fulfilled' ? id.value : undefined;
		if (deployed !== undefined && (deployed !== serviceId || locations.length > 0)) {
			const urls = await deployment.urls(options).catch(() => []);
			const disagreeing = disagreement(deployed, urls.flatMap(placeOf), serviceId, locations.map(urlOf));
			if (disagreeing !== undefined)
				throw new UserError(disagreeing, { description: 'Check Service ID, API Node URL and Deployment ID' });
		}
		if (json.status === 'rejected') throw json.reason;
		return new ServiceDocument(json.value);
	} finally {
		void deployment.destroy();
	}
}

const urlOf = ({ origin, prefix }: Location) => origin + prefix;

function placeOf(url: string): string[] {
	try {
		return parseLocations([url]).map(urlOf);
	} catch {
		return [];
	}
}

function disagreement(deployed: string, at: string[], serviceId: string, urls: string[]): string | undefined {
	const elsewhere = at.length === 0 ? [] : urls.filter((url) => !at.includes(url));
	const not = [
		...(deployed === serviceId ? [] : [`'${serviceId}'`]),
		...(elsewhere.length === 0 ? [] : [`at ${elsewhere.join(', ')}`]),
	];
	const where = at.length === 0 ? '' : ` at ${at.join(', ')}`;
	const message = `The deployment serves '${deployed}'${where}, not ${not.join(' ')}`;
	return not.length === 0 ? undefined : message;
}

/** The document in the credential, which belongs to the credential's own service. */
function pastedDocument(connection: Connection, serviceId = connection.call.serviceId): Known | undefined {
	const { openApi, call } = connection;
	const { pasted: text } = openApi;
	if (text === undefined || serviceId !== call.serviceId) return undefined;
	const known = pastedIn.get(connection) ?? pasted.get(text, () => parse(text));
	pastedIn.set(connection, known);
	return known;
}

function parse(text: string): Known {
	try {
		return { document: parseDocument(text) };
	} catch (error) {
		return { problem: error as Error };
	}
}

/** @throws UserError on why a pasted text is not a document, and what to do */
export function parseDocument(text: string): ServiceDocument {
	if (text === '') throw notOpenApi('The OpenAPI document is empty');
	try {
		return new ServiceDocument(parseJson(text));
	} catch (error) {
		const { message } = error as Error;
		if (error instanceof InvalidCallError) throw notOpenApi(message);
		throw isYaml(text)
			? notOpenApi('The OpenAPI document is YAML: it must be JSON', toJson)
			: notOpenApi(`The OpenAPI document is not JSON: ${message}`);
	}
}

const notOpenApi = (
	message: string,
	description = 'Paste the whole document of the service, or choose a different source under OpenAPI Document',
): UserError => new UserError(message, { description });
const toJson =
	'Convert the document: run "yq -o=json openapi.yaml", or open the document in the Swagger Editor and choose "Convert and save as JSON" in the File menu. Then paste the result';

/** Whether the first line with content is a YAML key. */
function isYaml(text: string): boolean {
	const first = text.split('\n').find((line) => !/^\s*([#%]|---|$)/.test(line)) ?? '';
	return /^\s*["']?[\w.$-]+["']?\s*:(\s|$)/.test(first);
}
