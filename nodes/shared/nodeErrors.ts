import { type INode, type INodeExecutionData, NodeApiError } from 'n8n-workflow';
import { ApiNodeError, type ErrorDetails, type JsonObject, ResponseError, StatusError } from '../../client';
import type { Connection } from './connection';
import { isObject } from './isObject';
import { shortened } from './shortened';

/** The place in the output of one of several things that an item becomes. */
export type Slot = Array<INodeExecutionData | INodeExecutionData[]>;

/** Which item failed, and at which endpoint. */
export interface Place {
	itemIndex: number;
	target?: EndpointPlace;
	/** What failed where it was not one item. */
	named?: string;
	/** Where its error stands in the output, if not in the item's place. */
	slot?: Slot;
}

/** Where a record goes; without connection and endpoint when these could not be read. */
export interface EndpointPlace {
	connection?: Connection;
	endpointId?: string;
	serviceId?: string;
}

/** A failure in the words of the editor: what happened, and below it what was said and what to do. */
interface Failure {
	message: string;
	description?: string;
	/** Which item and endpoint it was. */
	places: readonly string[];
	named?: string;
	details: ErrorDetails & { item?: number; endpoint?: string };
}

const detailNames = ['status', 'errorType', 'detail', 'instance', 'attempts', 'dssVersion', 'code', 'advice'] as const;
/** In the details of every failure, by which they are known when an item comes back in a loop. */
const source = 'n8n-nodes-dataiku';

/** Of an error, what may be told: nothing that could carry a secret. */
function detailsOf(error: unknown): ErrorDetails {
	if (!(error instanceof ApiNodeError)) return {};
	const { advice } = error;
	const told = detailNames.filter((name) => error[name] !== undefined).map((name) => [name, error[name]] as const);
	return { ...Object.fromEntries(told), ...(advice !== undefined && { advice: ofCredential(advice) }) };
}

/** Where n8n keeps what the client's advice speaks of: the client does not know of credentials. */
const inCredential: ReadonlyArray<readonly [string, string]> = [
	['Check the key:', 'Check the key in the credential:'],
	['Check the URL,', 'Check the URL in the credential,'],
	['use the final URL', 'put the final URL into the credential'],
	['to the trusted certificates', 'to the credential'],
];

/** The client's advice for people at the editor. */
export const ofCredential = (advice: string): string =>
	inCredential.reduce((text, [said, shown]) => text.replace(said, shown), advice);

/** What happened, without what the server said. */
export function summaryOf(error: unknown): string {
	if (error instanceof ApiNodeError) return error.summary;
	return error instanceof Error ? error.message : String(error);
}

export const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** A Java class, or the number that a record had inside its batch: they mean nothing to the person who built the workflow. */
const preamble = /^(?:(?:[a-z_][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error):|item \d+:)\s*/i;

function withoutPreamble(text: string): string {
	const rest = text.replace(preamble, '');
	return rest === text || rest === '' ? text : withoutPreamble(rest);
}

/** `NO_LOOKUP_MATCH` as words. */
export const inWords = (text: string) =>
	/^[A-Z]+(?:_[A-Z]+)+$/.test(text) ? text.toLowerCase().replaceAll('_', ' ') : text;

/** Said before a record is looked at, by the API node or by a proxy: our own words say more. */
const beforeTheRecord = new Set([401, 403, 407, 413, 429, 502, 503, 504]);

/** What the API node, or a function, said of the request itself. */
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

/** Expressions may have given whole texts, which our messages repeat. */
const longestMessage = 1_000;

/**
 * A failure in words: what the API node said, or else what happened, without the host. What to do stands below.
 *
 * @param more whether the record was given up untried, and what the service's document has to say
 */
export function explain(
	error: unknown,
	{ itemIndex, target, named }: Partial<Place>,
	{ untried = false, advice }: { untried?: boolean; advice?: string } = {},
): Failure {
	const told = detailsOf(error);
	const what = shortened(withoutHost(summaryOf(error), told.instance), longestMessage);
	const said = ownSentence(error);
	const own = said && withoutHost(said, told.instance);
	const endpoint = target?.endpointId ? shortened(target.endpointId, 200) : undefined;
	const places = [
		...(named !== undefined ? [named] : itemIndex !== undefined ? [`item ${itemIndex}`] : []),
		...(endpoint !== undefined ? [`endpoint '${endpoint}'`] : []),
	];
	const details = {
		...(itemIndex !== undefined && { item: itemIndex }),
		...(endpoint !== undefined && { endpoint }),
		...told,
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
 * n8n shows the message in bold and the description below it; an AI agent is given the message alone. n8n replaces a message
 * that contains the name of a system error, even inside another word, as it builds the error.
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
 * The item that stands in for a failed one under "continue".
 *
 * @param input the input item, whose fields stay beside the error on the regular output. n8n takes an item to the error
 *   output only without them, and merges them back in there when `pairedItem` is an object.
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

/** An item's fields without what a failure added to them: in a loop, features and arguments are to be the same the next time. */
export function withoutFailure(json: JsonObject): JsonObject {
	if (!isObject(json.details) || json.details.source !== source) return json;
	const isOurs = (name: string) => /^(?:input_)?error(?:_\d+)?$/.test(name) && typeof json[name] === 'string';
	const rest = { ...json };
	for (const name of ['details', ...Object.keys(json).filter(isOurs)]) delete rest[name];
	return rest;
}
