import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError } from '../../client';

/** An item with no other keys than these, and an error, is a failed one to n8n. */
const errorKeys = new Set(['error', 'message', 'details']);

/**
 * An item that came of another.
 *
 * @param source the input item, when its binary data goes along
 */
export function successItem(json: IDataObject, itemIndex: number, source?: INodeExecutionData): INodeExecutionData {
	const looksFailed = json.error && Object.keys(json).every((key) => errorKeys.has(key));
	const item: INodeExecutionData = { json: looksFailed ? { result: json } : json, pairedItem: { item: itemIndex } };
	if (source?.binary) item.binary = source.binary;
	return item;
}

/** The way to make output that a parameter names; an expression can name anything. */
export function outputNamed<Make>(outputs: Record<string, Make>, name: string): Make {
	if (Object.hasOwn(outputs, name)) return outputs[name]!;
	throw new InvalidCallError(`"Output" must be one of ${Object.keys(outputs).join(', ')}, not '${name}'`);
}
