import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	hadNotFinite,
	type JsonObject,
	parseResponse,
	RawResponse,
	type ResponseHead,
} from '../../client/internal';
import { isObject } from '../shared/isObject';
import type { ItemCall } from '../shared/callItems';
import type { Execution } from '../shared/Execution';
import { fullResponse, headersFor } from '../shared/fullResponse';
import { notFiniteRead } from '../shared/hints';
import { flag } from '../shared/parameters';
import { outputNamed, successItem } from '../shared/outputItems';

/** The function's value. It is in `response`, next to `timing` or `apiContext`, unless the function built its own response. */
export function valueOf(response: unknown): unknown {
	const enveloped = isObject(response) && 'response' in response && ('apiContext' in response || 'timing' in response);
	return enveloped ? response.response : response;
}

interface FunctionResult {
	value: unknown;
	response: unknown;
	headers: ResponseHead['headers'];
	resultField: string;
}
type FunctionOutput = (input: IDataObject, result: FunctionResult) => IDataObject;

const objectOf = (value: unknown) => (isObject(value) ? value : { result: value }) as IDataObject;

const outputs: Record<string, FunctionOutput> = {
	withInput: (input, { value, resultField }) => ({ ...input, [resultField]: value as IDataObject }),
	resultOnly: (_input, { value }) => objectOf(value),
	fullResponse: (_input, { response, headers }) => fullResponse(response, headers),
};

const isText = /^text\/|json|[/+]xml$|^application\/(javascript|x-www-form-urlencoded|yaml|csv|sql)$/;

export function functionCall(context: IExecuteFunctions): (execution: Execution) => (itemIndex: number) => ItemCall {
	return (execution) => {
		const outputOf = execution.parameters.reader<string>('output', 'withInput');
		const parsesText = flag(execution.parameters.reader('options.parseJson', false), 'Parse JSON Text');
		const splitArray = flag(execution.parameters.reader('options.splitArray', false), 'Split List Into Items');
		return (itemIndex) => {
			const source = execution.sources[itemIndex]!;
			const output = outputOf(itemIndex);
			const toJson = outputNamed(outputs, output);
			const { resultField } = execution.outputNames(itemIndex);
			const { headers, onResponse } = headersFor(output);
			const item = (value: unknown, response: unknown = value) => {
				const json = toJson(source.json, { value, response, headers, resultField });
				return successItem(json, itemIndex, output === 'withInput' ? source : undefined);
			};
			const withFields = (made: INodeExecutionData, ...own: string[]) => {
				if (output === 'withInput') execution.columns.add(made, own, { keepsInput: true });
				return made;
			};

			const isFull = output === 'fullResponse';
			const parses = parsesText(itemIndex) && !isFull;
			const splits = splitArray(itemIndex) && !isFull;
			return async (session, endpointId, record, options) => {
				let response: unknown;
				try {
					response = await session.runFunction<unknown>(endpointId, record, { ...options, onResponse });
				} catch (error) {
					throw withArgumentNamed(error, record, execution.parameters.asTool);
				}
				if (parses && response instanceof RawResponse) response = jsonIn(response) ?? response;
				if (response instanceof RawResponse) {
					const raw = await rawItem(context, response, item);
					const own = [resultField, 'contentType'].filter((name) => Object.hasOwn(raw.json, name));
					return [withFields(raw, ...own)];
				}
				const given = valueOf(response);
				const value = parses ? parsed(given) : given;
				if (hadNotFinite(response) || hadNotFinite(value)) execution.remark(notFiniteRead, itemIndex);
				if (!Array.isArray(value) || !splits) return [withFields(item(value, response), resultField)];
				if (value.length === 0) execution.remark('The function returned an empty list', itemIndex);
				return value.map((element) => withFields(item(element), resultField));
			};
		};
	};
}

function parsed(value: unknown): unknown {
	try {
		return typeof value === 'string' ? parseResponse(value) : value;
	} catch {
		return value;
	}
}

/** An object or a list that the function returned as text. Other values keep their content type. */
function jsonIn(response: RawResponse): unknown {
	const value = isText.test(response.contentType) ? parsed(textOf(response)) : undefined;
	return typeof value === 'object' && value !== null ? value : undefined;
}

/** The messages of Python and R for an argument that the function does not name. */
const unknownArgument = /unexpected keyword argument '([^']+)'|unused arguments? \(`?([^\s`=]+)`? =/;

function withArgumentNamed(error: unknown, record: JsonObject, asTool: boolean): unknown {
	if (!(error instanceof ApiNodeError)) return error;
	const [, inPython, inR] = unknownArgument.exec(error.detail ?? '') ?? [];
	const name = inPython ?? inR;
	// The message may come from another function that this one called.
	if (name === undefined || !Object.hasOwn(record, name)) return error;
	const instead = asTool
		? 'call again without it'
		: 'send only the arguments that it defines, for example with "Define Fields"';
	return error.withAdvice(`The function has no argument '${name}': ${instead}.`);
}

/** The call succeeded, so a text with an unknown charset is passed on as bytes. */
function textOf(response: RawResponse): string | undefined {
	try {
		return response.text();
	} catch {
		return undefined;
	}
}

/** Text becomes `result`, and other data become the binary field `data`, next to their `contentType`. */
async function rawItem(
	context: IExecuteFunctions,
	response: RawResponse,
	item: (value: unknown) => INodeExecutionData,
): Promise<INodeExecutionData> {
	const { contentType, data } = response;
	if (data.length === 0) return item(null);
	const text = isText.test(contentType) ? textOf(response) : undefined;
	const made = item(text);
	made.json.contentType = contentType;
	if (text !== undefined) return made;
	const file = await context.helpers.prepareBinaryData(data as Buffer, undefined, contentType || undefined);
	const json = Object.fromEntries(Object.entries(made.json).filter(([, value]) => value !== undefined));
	return { ...made, json, binary: { ...made.binary, data: file } };
}
