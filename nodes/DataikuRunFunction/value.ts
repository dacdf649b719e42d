import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { RawAnswer } from '../shared/client';
import { isObject } from '../shared/client/json';
import type { ItemCall } from '../shared/callItems';
import type { ItemRun } from '../shared/ItemRun';
import { flag } from '../shared/parameters';
import { outputNamed, successItem } from '../shared/results';

/** The function's value: in `response`, beside `timing` and `apiContext`; a function that answers for itself has no envelope. */
export function valueOf(answer: unknown): unknown {
	const enveloped = isObject(answer) && 'response' in answer && ('apiContext' in answer || 'timing' in answer);
	return enveloped ? answer.response : answer;
}

type FunctionOutput = (input: IDataObject, value: unknown, answer: unknown) => IDataObject;

const objectOf = (value: unknown) => (isObject(value) ? value : { result: value }) as IDataObject;

const outputs: Record<string, FunctionOutput> = {
	withInput: (input, value) => ({ ...input, result: value as IDataObject }),
	resultOnly: (_input, value) => objectOf(value),
	fullResponse: (_input, _value, answer) => objectOf(answer),
};

const isText = /^text\/|[/+]xml$|^application\/(javascript|x-www-form-urlencoded|yaml|csv|sql)$/;

export function functionCall(context: IExecuteFunctions): (run: ItemRun) => ItemCall {
	return (run) => {
		const outputOf = run.parameters.reader<string>('output', 'withInput');
		const splitArray = flag(run.parameters.reader('options.splitArray', false));
		return async (itemIndex, endpointId, record, options) => {
			const source = run.items[itemIndex];
			const output = outputOf(itemIndex);
			const toJson = outputNamed(outputs, output);
			const item = (value: unknown, answer: unknown = value) =>
				successItem(toJson(source.json, value, answer), itemIndex, output === 'withInput' ? source : undefined);

			const answer = await run.connection.client.runFunction(endpointId, record, options);
			if (answer instanceof RawAnswer) return [await rawItem(context, answer, item)];
			const value = valueOf(answer);
			if (!Array.isArray(value) || !splitArray(itemIndex) || output === 'fullResponse') return [item(value, answer)];
			if (value.length === 0) run.count('The function returned an empty list');
			return value.map((element) => item(element));
		};
	};
}

/** Text goes to `result`, anything else into the binary data `data`; `contentType` says what it is. */
async function rawItem(
	context: IExecuteFunctions,
	answer: RawAnswer,
	item: (value: unknown) => INodeExecutionData,
): Promise<INodeExecutionData> {
	const { contentType, data } = answer;
	if (data.length === 0) return item(null);
	const made = item(isText.test(contentType) ? answer.text() : undefined);
	made.json.contentType = contentType;
	if (made.json.result !== undefined) return made;
	delete made.json.result;
	const file = await context.helpers.prepareBinaryData(data, undefined, contentType || undefined);
	return { ...made, binary: { ...made.binary, data: file } };
}
