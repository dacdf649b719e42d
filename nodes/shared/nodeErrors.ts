import { type INode, type INodeExecutionData, NodeApiError } from 'n8n-workflow';
import { ApiNodeError, type ErrorDetails, type JsonObject, ResponseError, StatusError } from '../../client/internal';
import type { Connection } from './connection';
import { isObject } from './isObject';
import { shortened } from './shortened';

/** The place in the output for one of several results of an item. */
export type Slot = Array<INodeExecutionData | INodeExecutionData[]>;

export interface Place {
	itemIndex: number;
	target?: EndpointPlace;
	/** What failed, if it was not a single item. */
	named?: string;
	/** The place of the error in the output, if it is not the item's place. */
	slot?: Slot;
}

/** The destination of a record. Connection and endpoint are missing if they could not be read. */
export interface EndpointPlace {
	connection?: Connection;
	endpointId?: string;
	serviceId?: string;
}

/** A failure as the editor shows it: what happened, and below that the server's message and what to do. */
interface Failure {
	message: string;
	description?: string;
	places: readonly string[];
	named?: string;
	details: ErrorDetails & { item?: number; endpoint?: string };
}

const detailNames = ['status', 'errorType', 'detail', 'instance', 'attempts', 'dssVersion', 'code', 'advice'] as const;
/** Marks the details of a failure, so that they are recognized when an item comes back in a loop. */
const source = 'n8n-nodes-dataiku';

/** The details of an error that may be shown, none of which can contain a secret. */
function detailsOf(error: unknown): ErrorDetails {
	if (!(error instanceof ApiNodeError)) return {};
	const { advice } = error;
	const known = detailNames.filter((name) => error[name] !== undefined).map((name) => [name, error[name]] as const);
	return { ...Object.fromEntries(known), ...(advice !== undefined && { advice: ofCredential(advice) }) };
}

/** Rewords the client's advice for n8n users, because the client does not know of credentials. */
const inCredential: ReadonlyArray<readonly [string, string]> = [
	['Check the key:', 'Check the key in the credential:'],
	['Check the URL,', 'Check the URL in the credential,'],
	['Use the final URL', 'Put the final URL into the credential'],
	['to the trusted certificates', 'to the credential'],
];

export const ofCredential = (advice: string): string =>
	inCredential.reduce((text, [before, after]) => text.replace(before, after), advice);

export function summaryOf(error: unknown): string {
	if (error instanceof ApiNodeError) return error.summary;
	return error instanceof Error ? error.message : String(error);
}

export const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** A Java class, or the index of a record in its batch. Neither means anything to the workflow's author. */
const preamble = /^(?:(?:[a-z_][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error):|item \d+:)\s*/i;

function withoutPreamble(text: string): string {
	const rest = text.replace(preamble, '');
	return rest === text || rest === '' ? text : withoutPreamble(rest);
}

/** Turns `NO_LOOKUP_MATCH` into words. */
export const inWords = (text: string) =>
	/^[A-Z]+(?:_[A-Z]+)+$/.test(text) ? text.toLowerCase().replaceAll('_', ' ') : text;

/** Statuses that the API node or a proxy sends before it reads the record, and that this package explains better. */
const beforeTheRecord = new Set([401, 403, 407, 413, 429, 502, 503, 504]);

/** The message of the API node or of a function about the request itself. */
function ownSentence(error: unknown): string | undefined {
	const isOwn = error instanceof ResponseError ? error.reason === 'misfit' : error instanceof StatusError;
	const { detail, status = 0 } = error as ApiNodeError;
	return isOwn && detail && !beforeTheRecord.has(status) ? withoutPreamble(detail) : undefined;
}

/** Workflows show errors to callers of webhooks, who must not see the host. */
function withoutHost(text: string, host: string | undefined): string {
	const hostless = host ? text.replaceAll(host, 'the API node') : text;
	return hostless === text ? text : `${hostless.charAt(0).toUpperCase()}${hostless.slice(1)}`;
}

/** Limit on messages, which may repeat whole texts from expressions. */
const longestMessage = 1_000;

/**
 * Describes a failure: the API node's message, or else what happened, without the host. The description says what to do.
 *
 * @param more whether the record was given up untested, and advice from the service's document
 */
export function explain(
	error: unknown,
	{ itemIndex, target, named }: Partial<Place>,
	{ untried = false, advice }: { untried?: boolean; advice?: string } = {},
): Failure {
	const known = detailsOf(error);
	const what = shortened(withoutHost(summaryOf(error), known.instance), longestMessage);
	const message = ownSentence(error);
	const own = message && withoutHost(message, known.instance);
	const endpoint = target?.endpointId ? shortened(target.endpointId, 200) : undefined;
	const places = [
		...(named !== undefined ? [named] : itemIndex !== undefined ? [`item ${itemIndex}`] : []),
		...(endpoint !== undefined ? [`endpoint '${endpoint}'`] : []),
	];
	const details = {
		...(itemIndex !== undefined && { item: itemIndex }),
		...(endpoint !== undefined && { endpoint }),
		...known,
	};
	const sentences = [
		own && sentence(what),
		!own && details.detail && sentence(`The response said: ${inWords(withoutPreamble(details.detail))}`),
		details.advice,
		advice,
		details.attempts && details.attempts > 1 ? `Tried ${details.attempts} times.` : undefined,
		untried
			? 'At least 200 records were sent individually and all of them failed, so the other records were not tried.'
			: undefined,
		error instanceof Error && 'description' in error && typeof error.description === 'string'
			? error.description
			: undefined,
	];
	const description = sentences.filter(Boolean).join(' ') || undefined;
	return { message: (own ?? what).replace(/\.$/, ''), description, places, named, details };
}

/**
 * n8n shows the message in bold with the description below; AI agents get only the message. If a message contains the name of a
 * system error, even inside another word, n8n replaces the message when it builds the error.
 */
export function toNodeError(node: INode, failure: Failure, itemIndex: number): NodeApiError {
	const { places, details } = failure;
	const message = places.length > 0 ? `${failure.message} (${places.join(', ')})` : failure.message;
	const host = details.instance && `API node: ${details.instance}.`;
	const description = [failure.description, host].filter(Boolean).join(' ') || undefined;
	const httpCode = details.status === undefined ? undefined : String(details.status);
	const error = new NodeApiError(node, { message }, { message, description, httpCode, itemIndex });
	return Object.assign(error, { message });
}

/**
 * The item that replaces a failed item with "continue".
 *
 * @param input the input item, whose fields stay next to the error on the regular output. n8n moves an item to the error output
 *   only if it lacks these fields, and merges them back in if `pairedItem` is an object.
 */
export function errorItem(
	{ message, description, named, details }: Failure,
	itemIndex: number,
	input?: INodeExecutionData,
): INodeExecutionData {
	const what = named === undefined ? message : `${message} (${named})`;
	const error = description ? `${sentence(what)} ${description}` : what;
	const item: INodeExecutionData = {
		json: { ...input?.json, error, details: { ...details, source } },
		pairedItem: { item: itemIndex },
	};
	if (input?.binary) item.binary = input.binary;
	return item;
}

/** Removes what a failure added to an item, so that in a loop the record is the same the next time. */
export function withoutFailure(json: JsonObject): JsonObject {
	if (!isObject(json.details) || json.details.source !== source) return json;
	const isOurs = (name: string) => /^(?:input_)?error(?:_\d+)?$/.test(name) && typeof json[name] === 'string';
	const rest = { ...json };
	for (const name of ['details', ...Object.keys(json).filter(isOurs)]) delete rest[name];
	return rest;
}
