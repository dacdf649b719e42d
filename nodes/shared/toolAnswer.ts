import type { INodeExecutionData } from 'n8n-workflow';
import { positive } from './callSettings';
import { type EndpointPlace, explain, sentence } from './nodeErrors';
import type { Parameters } from './parameters';
import { shortened } from './shortened';

const longestError = 3_000;

/**
 * The item that tells a model why its call of the node failed. Thrown, only agents of some versions would hand it on. Host
 * and number of the item would say nothing to a model.
 *
 * @param expected what to call the node with instead
 */
export function modelError(error: unknown, target?: EndpointPlace, expected?: string): INodeExecutionData {
	const { message, details } = explain(error, { target });
	const text = [sentence(message), expected ?? details.advice].filter(Boolean).join(' ');
	const hostless = details.instance ? text.replaceAll(details.instance, 'the API node') : text;
	const told = `${hostless.charAt(0).toUpperCase()}${hostless.slice(1)}`;
	return { json: { error: shortened(told, longestError) }, pairedItem: { item: 0 } };
}

/**
 * What a model is given for its call: items as far as they fit into a prompt, then what there is to say of them in words.
 *
 * @param notes what happened besides
 */
export function toolAnswer(
	output: readonly INodeExecutionData[],
	notes: readonly string[],
	parameters: Parameters,
): INodeExecutionData[] {
	const items = output.filter(({ json, binary }) => binary || Object.keys(json).length > 0);
	const mostRows = positive(parameters.reader<unknown>('options.maxRows', 50), 'Max Rows')(0);
	const mostCharacters = positive(parameters.reader<unknown>('options.maxCharacters', 20_000), 'Max Characters')(0);
	const forNotes = Math.min(1_000, Math.floor(mostCharacters / 4));
	let left = mostCharacters - forNotes;
	const answer: INodeExecutionData[] = [];
	for (const { json, pairedItem } of items.slice(0, mostRows)) {
		left -= sizeOf(json) + 1;
		if (left < 0) break;
		answer.push({ json, pairedItem });
	}
	const said = [...files(items), ...notes];
	if (answer.length < items.length && answer.length > 0) said.unshift(rowsShown(answer.length, items.length));
	if (answer.length === 0 && items.length > 0) {
		const whole = JSON.stringify(items[0]!.json);
		const beginning = beginningOf(whole, mostCharacters - forNotes);
		answer.push({ json: { beginning }, pairedItem: items[0]!.pairedItem });
		said.unshift(charactersShown(beginning.length, whole.length));
	}
	if (items.length === 0 && said.length === 0) said.push(emptyAnswer);
	if (said.length > 0) {
		const note = shortened(said.map(sentence).join(' '), forNotes - 50);
		answer.push({ json: { note }, pairedItem: { item: 0 } });
	}
	return answer;
}

const sizeOf = (value: unknown) => JSON.stringify(value).length;
const inDigits = (count: number) => count.toLocaleString('en');

const emptyAnswer = 'The answer is empty';

const rowsShown = (shown: number, all: number) =>
	`${inDigits(shown)} of ${inDigits(all)} rows shown: the others were left out, so ask for less`;

const charactersShown = (shown: number, all: number) =>
	`The first ${inDigits(shown)} of ${inDigits(all)} characters are shown: the rest was left out, so ask for less`;

/** As much of a text as fits once it is quoted. */
function beginningOf(text: string, most: number): string {
	let beginning = text.slice(0, most);
	for (let size = sizeOf(beginning); size > most - 20; size = sizeOf(beginning)) {
		beginning = beginning.slice(0, Math.floor((beginning.length * (most - 20)) / size));
	}
	return beginning;
}

/** A model cannot be given a file. */
const files = (items: readonly INodeExecutionData[]): string[] =>
	items
		.flatMap(({ binary }) => Object.values(binary ?? {}))
		.map(
			({ mimeType, fileSize }) =>
				`A file was returned (${[mimeType, fileSize].filter(Boolean).join(', ')}), which cannot be shown here`,
		);
