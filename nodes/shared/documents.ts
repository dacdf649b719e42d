import { parseJson, ServiceDocument, StatusError } from '../../client';
import type { Connection } from './connection';
import { RecentlyUsed } from './RecentlyUsed';

/** A service's OpenAPI document as far as it is known: the document, or why there is none. */
export interface Known {
	document?: ServiceDocument;
	problem?: Error;
}

interface Kept extends Known {
	/** When it is read again, in the background. */
	dueAt: number;
	reading?: Promise<Known>;
}

const keptMs = 5 * 60_000;
/** After a failure that may pass. */
const retryMs = 30_000;
const mostBytes = 4 * 2 ** 20;

/** By the connection that may read it, and the service. */
const served = new RecentlyUsed<Kept>({ most: 500, idleMs: 2 * keptMs });
/** By their text; by their connection, too, since a text of megabytes takes long to look up. */
const pasted = new RecentlyUsed<Known>({ most: 200 });
const pastedIn = new WeakMap<Connection, Known>();

/** What is known of a document without waiting for it. */
export function knownDocument(connection: Connection, serviceId?: string): Known | undefined {
	return pastedDocument(connection, serviceId) ?? keptDocument(connection, serviceId);
}

/** Reads a document in the background, for the runs to come, unless it is known since not long ago. */
export function readSoon(connection: Connection, serviceId?: string): void {
	if (isDue(connection, serviceId)) void readDocument(connection, serviceId);
}

/** Whether a document, or why there is none, is not known or known since long ago. */
export function isDue(connection: Connection, serviceId?: string): boolean {
	return (keptDocument(connection, serviceId)?.dueAt ?? 0) <= performance.now();
}

const keyOf = ({ id, call }: Connection, serviceId = call.serviceId) => `${id} ${serviceId}`;

function keptDocument(connection: Connection, serviceId?: string): Kept | undefined {
	return served.find(keyOf(connection, serviceId));
}

/**
 * Reads a document, or waits for whoever is reading it. Documents are kept for minutes and shared by all executions; one that
 * cannot be read just now leaves the last one in place.
 *
 * @returns never rejects
 */
export async function readDocument(connection: Connection, serviceId?: string): Promise<Known> {
	const given = pastedDocument(connection, serviceId);
	if (given) return given;
	const kept = served.get(keyOf(connection, serviceId), () => ({ dueAt: 0 }));
	kept.reading ??= request(connection, serviceId).then((known) => {
		const certain = !known.problem || (known.problem instanceof StatusError && known.problem.status === 404);
		const dueAt = performance.now() + (certain ? keptMs : retryMs);
		Object.assign(kept, { problem: known.problem, dueAt, reading: undefined });
		if (certain || isClosed(known)) kept.document = known.document;
		return known;
	});
	return await kept.reading;
}

/** Whoever may not read a document any more is not shown the last one, either. */
const isClosed = ({ problem }: Known) =>
	problem instanceof StatusError && (problem.status === 401 || problem.status === 403);

async function request({ client, call }: Connection, serviceId = call.serviceId): Promise<Known> {
	try {
		const json = await client.openApi({ ...call, serviceId, timeout: 5_000, maxResponseBytes: mostBytes });
		return { document: new ServiceDocument(json) };
	} catch (error) {
		return { problem: error as Error };
	}
}

/** The document in the credential, which is that of its own service and wins over what the service serves. */
function pastedDocument(connection: Connection, serviceId = connection.call.serviceId): Known | undefined {
	const { openApi, call } = connection;
	if (openApi === '' || serviceId !== call.serviceId) return undefined;
	const known = pastedIn.get(connection) ?? pasted.get(openApi, () => parse(openApi));
	pastedIn.set(connection, known);
	return known;
}

function parse(text: string): Known {
	try {
		return { document: new ServiceDocument(parseJson(text)) };
	} catch (error) {
		return { problem: error as Error };
	}
}
