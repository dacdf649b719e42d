import { type INode, type INodeExecutionData, type JsonObject as N8nJson, NodeApiError } from 'n8n-workflow';
import { ApiNodeError } from './client';

/** Which item failed, and at which endpoint. */
export interface Place {
	itemIndex: number;
	endpointId?: string;
}

/** A failure in the words of the editor: what happened, and below it what was said and what to do. */
export interface Failure {
	message: string;
	description?: string;
	facts: ApiNodeError['facts'];
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

export function explain(error: unknown, { itemIndex, endpointId }: Place, untried = false): Failure {
	const where = endpointId ? `Item ${itemIndex}, endpoint '${endpointId}'` : `Item ${itemIndex}`;
	const what = error instanceof Error ? error.message : String(error);
	const facts = error instanceof ApiNodeError ? error.facts : {};
	const sentences = [
		error instanceof ApiNodeError && error.said ? sentence(`The answer said: ${error.said}`) : undefined,
		facts.advice,
		facts.attempts && facts.attempts > 1 ? `Tried ${facts.attempts} times.` : undefined,
		untried
			? 'Every record before this one failed with these words, so the rest were not tried one by one.'
			: undefined,
		error instanceof Error && 'description' in error ? String(error.description ?? '') : undefined,
	];
	const description = sentences.filter(Boolean).join(' ') || undefined;
	return { message: `${where}: ${what}`, description, facts };
}

/**
 * n8n shows the message in bold and the description below it, and hands both to an AI agent. What the server said goes into
 * the description: n8n replaces a message that contains the name of a system error, even inside another word.
 */
export function toNodeError(node: INode, { message, description, facts }: Failure, itemIndex: number): NodeApiError {
	const httpCode = facts.status === undefined ? undefined : String(facts.status);
	const error = new NodeApiError(node, { message } as N8nJson, { message, description, httpCode, itemIndex });
	// The id of an endpoint may hold such a name, too: "deeperModel" holds EPERM.
	return Object.assign(error, { message });
}

/**
 * The item that stands in for a failed one under "continue". n8n takes it to the error output only with no other key than
 * these, and merges the input's fields back in when `pairedItem` is an object.
 */
export function errorItem({ message, description, facts }: Failure, itemIndex: number): INodeExecutionData {
	const error = description ? `${message}. ${description}` : message;
	return { json: { error, details: { ...facts } }, pairedItem: { item: itemIndex } };
}
