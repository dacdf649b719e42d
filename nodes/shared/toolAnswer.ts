import type { INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError } from '../../client';
import { positive } from './callSettings';
import { type EndpointPlace, explain, sentence } from './nodeErrors';
import type { Parameters } from './parameters';

const longestError = 3_000;

/** How much a model is given for one call. */
export interface AnswerLimits {
	rows: number;
	/** Of the answer as JSON; at least 200. */
	characters: number;
}

/** @throws InvalidCallError for a limit that an answer cannot keep */
export function answerLimits(parameters: Parameters): AnswerLimits {
	const rows = positive(parameters.reader<unknown>('options.maxRows', 50), 'Max Rows')(0);
	const characters = positive(parameters.reader<unknown>('options.maxCharacters', 20_000), 'Max Characters')(0);
	if (characters < 200) throw new InvalidCallError(`"Max Characters" must be at least 200, not ${characters}`);
	return { rows, characters };
}

/** What of the characters is kept for the note. */
const forNote = ({ characters }: AnswerLimits) => Math.min(1_000, Math.max(100, Math.floor(characters / 4)));
/** The brackets and commas of an answer, and the name of a cut text. */
const punctuation = 30;

/**
 * The item that tells a model why its call of the node failed. If it were thrown, only agents of some versions would pass it on. The number of
 * the item would say nothing to it.
 *
 * @param expected what to call the node with instead
 */
export function modelError(
	error: unknown,
	limits: AnswerLimits | undefined,
	target?: EndpointPlace,
	expected?: string,
): INodeExecutionData {
	const { message, details } = explain(error, { target });
	const text = [sentence(message), expected ?? details.advice].filter(Boolean).join(' ');
	const most = limits ? limits.characters - forNote(limits) - punctuation : longestError;
	return { json: { error: fitting(text, Math.min(most, longestError)) }, pairedItem: { item: 0 } };
}

/**
 * What a model is given for its call: items as far as they fit into a prompt, then what there is to say of them in words.
 *
 * @param notes what else happened
 */
export function toolAnswer(
	output: readonly INodeExecutionData[],
	notes: readonly string[],
	limits: AnswerLimits,
): INodeExecutionData[] {
	const items = output.filter(({ json, binary }) => binary || Object.keys(json).length > 0);
	const room = limits.characters - forNote(limits);
	let left = room;
	const answer: INodeExecutionData[] = [];
	for (const { json, pairedItem } of items.slice(0, limits.rows)) {
		left -= sizeOf(json) + 1;
		if (left < 0) break;
		answer.push({ json, pairedItem });
	}
	const said = [...files(items), ...notes];
	if (answer.length < items.length && answer.length > 0) said.unshift(rowsShown(answer.length, items.length));
	if (answer.length === 0 && items.length > 0) {
		const whole = JSON.stringify(items[0]!.json);
		const beginning = fitting(whole, room - punctuation);
		answer.push({ json: { beginning }, pairedItem: items[0]!.pairedItem });
		said.unshift(charactersShown(beginning.length, whole.length));
	}
	if (items.length === 0 && said.length === 0) said.push(emptyAnswer);
	if (said.length > 0) {
		const note = fitting(said.map(sentence).join(' '), forNote(limits) - punctuation);
		answer.push({ json: { note }, pairedItem: { item: 0 } });
	}
	return answer;
}

const sizeOf = (value: unknown) => JSON.stringify(value).length;

/** As much of a text as has no more characters than these as JSON. */
function fitting(text: string, most: number): string {
	let part = text.slice(0, most);
	for (let size = sizeOf(part); size > most && part !== ''; size = sizeOf(part)) {
		part = part.slice(0, Math.floor((part.length * most) / size));
	}
	// Not between the halves of a character that takes two: APIs of models refuse one alone.
	return part.replace(/[\uD800-\uDBFF]$/, '');
}

const inDigits = (count: number) => count.toLocaleString('en');

const emptyAnswer = 'The response is empty';

const rowsShown = (shown: number, all: number) =>
	`Only ${inDigits(shown)} of ${inDigits(all)} rows are shown. Narrow the request to see the others`;

const charactersShown = (shown: number, all: number) =>
	`Only the first ${inDigits(shown)} of ${inDigits(all)} characters are shown. Narrow the request to see the rest`;

/** A model cannot be given a file. */
const files = (items: readonly INodeExecutionData[]): string[] =>
	items
		.flatMap(({ binary }) => Object.values(binary ?? {}))
		.map(
			({ mimeType, fileSize }) =>
				`A file was returned (${[mimeType, fileSize].filter(Boolean).join(', ')}), which cannot be shown here`,
		);
