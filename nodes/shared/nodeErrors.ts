import { type INode, type INodeExecutionData, NodeApiError } from 'n8n-workflow';
import { ApiNodeError, type ErrorDetails } from '../../client';

/** Which item failed, and at which endpoint. */
export interface Place {
	itemIndex: number;
	endpointId?: string;
}

/** A failure in the words of the editor: what happened, and below it what was said and what to do. */
interface Failure {
	message: string;
	description?: string;
	details: ErrorDetails;
}

const detailNames = ['status', 'errorType', 'detail', 'instance', 'attempts', 'dssVersion', 'code', 'advice'] as const;

/** Of an error, what may be told: nothing that could carry a secret. */
function detailsOf(error: unknown): ErrorDetails {
	if (!(error instanceof ApiNodeError)) return {};
	return Object.fromEntries(detailNames.filter((name) => error[name] !== undefined).map((name) => [name, error[name]]));
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

export function explain(error: unknown, { itemIndex, endpointId }: Place, untried = false): Failure {
	const where = endpointId ? `Item ${itemIndex}, endpoint '${endpointId}'` : `Item ${itemIndex}`;
	const what = error instanceof Error ? error.message : String(error);
	const details = detailsOf(error);
	const sentences = [
		error instanceof ApiNodeError && error.serverMessage
			? sentence(`The response said: ${error.serverMessage}`)
			: undefined,
		details.advice,
		details.attempts && details.attempts > 1 ? `Tried ${details.attempts} times.` : undefined,
		untried
			? 'Every record that was sent alone was refused in these words, so the rest were not sent one by one.'
			: undefined,
		error instanceof Error && 'description' in error && typeof error.description === 'string'
			? error.description
			: undefined,
	];
	const description = sentences.filter(Boolean).join(' ') || undefined;
	return { message: `${where}: ${what}`, description, details };
}

/**
 * n8n shows the message in bold and the description below it, and hands both to an AI agent. What the server said goes into
 * the description: n8n replaces a message that contains the name of a system error, even inside another word.
 */
export function toNodeError(node: INode, { message, description, details }: Failure, itemIndex: number): NodeApiError {
	const httpCode = details.status === undefined ? undefined : String(details.status);
	const error = new NodeApiError(node, { message }, { message, description, httpCode, itemIndex });
	// The id of an endpoint may hold such a name, too: "deeperModel" holds EPERM.
	return Object.assign(error, { message });
}

/**
 * The item that stands in for a failed one under "continue". n8n takes it to the error output only with no other key than
 * these, and merges the input's fields back in when `pairedItem` is an object.
 */
export function errorItem({ message, description, details }: Failure, itemIndex: number): INodeExecutionData {
	const error = description ? `${message}. ${description}` : message;
	return { json: { error, details: { ...details } }, pairedItem: { item: itemIndex } };
}
