import type { INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError } from '../../client/internal';
import { positive } from './callSettings';
import { type EndpointPlace, explain, sentence } from './nodeErrors';
import type { Parameters } from './parameters';

const longestError = 3_000;

export interface ResponseLimits {
	rows: number;
	/** Characters of the response as JSON; at least 200. */
	characters: number;
}

/** @throws InvalidCallError for limits that cannot be kept */
export function responseLimits(parameters: Parameters): ResponseLimits {
	const rows = positive(parameters.reader<unknown>('options.maxRows', 50), 'Max Rows')(0);
	const characters = positive(parameters.reader<unknown>('options.maxCharacters', 20_000), 'Max Characters')(0);
	if (characters < 200) throw new InvalidCallError(`"Max Characters" must be at least 200, not ${characters}`);
	return { rows, characters };
}

const forNote = ({ characters }: ResponseLimits) => Math.min(1_000, Math.max(100, Math.floor(characters / 4)));
/** The brackets and commas of a response, and the key of a cut text. */
const punctuation = 30;

/**
 * The item that tells a model why its call of the node failed. Only some versions of agents would pass on a thrown error. The
 * number of the item would mean nothing to the model.
 *
 * @param expected what to call the node with instead
 */
export function modelError(
	error: unknown,
	limits: ResponseLimits | undefined,
	target?: EndpointPlace,
	expected?: string,
): INodeExecutionData {
	const { message, details } = explain(error, { target });
	const text = [sentence(message), expected ?? details.advice].filter(Boolean).join(' ');
	const most = limits ? limits.characters - forNote(limits) - punctuation : longestError;
	return { json: { error: fitting(text, Math.min(most, longestError)) }, pairedItem: { item: 0 } };
}

/**
 * The response to a model: as many items as fit into a prompt, then notes on the rest.
 *
 * @param notes additional notes on the run
 */
export function toolResponse(
	output: readonly INodeExecutionData[],
	notes: readonly string[],
	limits: ResponseLimits,
): INodeExecutionData[] {
	const items = output.filter(({ json, binary }) => binary || Object.keys(json).length > 0);
	const room = limits.characters - forNote(limits);
	let left = room;
	const response: INodeExecutionData[] = [];
	for (const { json, pairedItem } of items.slice(0, limits.rows)) {
		left -= sizeOf(json) + 1;
		if (left < 0) break;
		response.push({ json, pairedItem });
	}
	const remarks = [...files(items), ...notes];
	if (response.length < items.length && response.length > 0) remarks.unshift(rowsShown(response.length, items.length));
	if (response.length === 0 && items.length > 0) {
		const whole = JSON.stringify(items[0]!.json);
		const beginning = fitting(whole, room - punctuation);
		response.push({ json: { beginning }, pairedItem: items[0]!.pairedItem });
		remarks.unshift(charactersShown(beginning.length, whole.length));
	}
	if (items.length === 0 && remarks.length === 0) remarks.push(emptyResponse);
	if (remarks.length > 0) {
		const note = fitting(remarks.map(sentence).join(' '), forNote(limits) - punctuation);
		response.push({ json: { note }, pairedItem: { item: 0 } });
	}
	return response;
}

const sizeOf = (value: unknown) => JSON.stringify(value).length;

/** The longest beginning of a text whose JSON has at most `most` characters. */
function fitting(text: string, most: number): string {
	let part = text.slice(0, most);
	for (let size = sizeOf(part); size > most && part !== ''; size = sizeOf(part)) {
		part = part.slice(0, Math.floor((part.length * most) / size));
	}
	// A cut must not split a surrogate pair, because APIs of models refuse half of one.
	return part.replace(/[\uD800-\uDBFF]$/, '');
}

const inDigits = (count: number) => count.toLocaleString('en');

const emptyResponse = 'The response is empty';

const rowsShown = (shown: number, all: number) =>
	`Only ${inDigits(shown)} of ${inDigits(all)} rows are shown. Narrow the request to see the others`;

const charactersShown = (shown: number, all: number) =>
	`Only the first ${inDigits(shown)} of ${inDigits(all)} characters are shown. Narrow the request to see the rest`;

/** Notes on files, which a model cannot receive. */
const files = (items: readonly INodeExecutionData[]): string[] =>
	items
		.flatMap(({ binary }) => Object.values(binary ?? {}))
		.map(
			({ mimeType, fileSize }) =>
				`A file was returned (${[mimeType, fileSize].filter(Boolean).join(', ')}). It cannot be shown here`,
		);
