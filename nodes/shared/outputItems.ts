import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError } from '../../client';
import { combine, type Parameters, type Reader, textOf } from './parameters';

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

/** What the fields that a node adds are called. */
export interface OutputNames {
	/** The field that `withInput` puts the result in. */
	resultField: string;
	/** Before the name of each column that `flat` and `enrich` add. */
	columnPrefix: string;
}

export function outputNamesReader(parameters: Parameters): Reader<OutputNames> {
	const resultField = parameters.reader<unknown>('options.resultField', '');
	const columnPrefix = parameters.reader<unknown>('options.columnPrefix', '');
	return combine([resultField, columnPrefix], (i) => ({
		resultField: textOf(resultField(i)) || 'result',
		columnPrefix: textOf(columnPrefix(i)),
	}));
}
