import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError, type JsonObject, setOwn } from '../../client';
import { withFieldsBehindFirst, withRest } from './columns';
import { isObject } from './isObject';
import { combine, demanded, type Parameters, type Reader, textOf } from './parameters';

/** Where the input's `error` waits until the whole run is known: no field has a name that begins so. */
const inputError = '\0error';

const hasError = ({ json }: INodeExecutionData) => isObject(json) && json.error !== undefined;

/** Input items as the output may hold them. */
export function asSources(items: INodeExecutionData[]): INodeExecutionData[] {
	if (!items.some(hasError)) return items;
	const names = new Map([['error', inputError]]);
	return items.map((item) => (hasError(item) ? { ...item, json: renamed(item.json, names) } : item));
}

/**
 * An item that came of another.
 *
 * @param source the input item, when its binary data goes along
 */
export function successItem(json: IDataObject, itemIndex: number, source?: INodeExecutionData): INodeExecutionData {
	const item: INodeExecutionData = { json, pairedItem: { item: itemIndex } };
	if (source?.binary) item.binary = source.binary;
	return item;
}

function renamed(json: JsonObject, names: ReadonlyMap<string, string>): IDataObject {
	const copy: JsonObject = {};
	for (const name of Object.keys(json)) setOwn(copy, names.get(name) ?? name, json[name]);
	return copy as IDataObject;
}

/**
 * Gives successes no field `error`: n8n's "Retry On Fail" and people's loops take that for a failure. All successes of a run
 * have the same names.
 *
 * @returns what was renamed, in words
 */
export function renameErrors(successes: readonly INodeExecutionData[]): string[] {
	const wanted = [
		[inputError, 'input_error', 'The input'],
		['error', 'result_error', 'The response'],
	] as const;
	const found = wanted.filter(([name]) => successes.some(({ json }) => json[name] !== undefined));
	if (found.length === 0) return [];
	const taken = new Set<string>();
	for (const { json } of successes) for (const name of Object.keys(json)) taken.add(name);
	const names = new Map(found.map(([name, to]) => [name, freeName(to, taken)]));
	for (const item of successes) {
		item.json = renamed(item.json, names);
		for (const name of names.values()) item.json[name] ??= null;
	}
	return found.map(([name, , whose]) => errorRenamed(whose, names.get(name)!));
}

const errorRenamed = (whose: string, name: string) =>
	`${whose} has a field "error", which is output as "${name}": n8n treats an item with "error" as failed`;

function freeName(wanted: string, taken: Set<string>): string {
	let name = wanted;
	for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
	taken.add(name);
	return name;
}

/** How the columns of an item came about. */
interface ColumnsOf {
	/** Before the names of the columns. */
	prefix?: string;
	/** A field of the input stays where the response has no column of its name. */
	keepsInput?: boolean;
	/** Fields of the input that stand behind the first column. */
	identifying?: readonly string[];
	/** Of a record without a response: the columns that look like an earlier model's probabilities. */
	earlier?: readonly string[];
}

/** Items in a row with the same columns, as most of a run have them. */
interface Alike extends ColumnsOf {
	of: ColumnsOf;
	own: readonly string[];
	items: INodeExecutionData[];
}

const areEqual = (some: readonly string[], others: readonly string[]) =>
	some === others || (some.length === others.length && some.every((name, n) => name === others[n]));

/** Fields that are added to the items of a run. More are needed only if each record has its own keys. */
const mostAdded = 10_000_000;

/** The columns that the responses of a run gave its items: all items are to have all of them. */
export class RunColumns {
	private readonly runs: Alike[] = [];
	private last: Alike | undefined;

	/** @param own the names of the columns that the response gave the item */
	add(item: INodeExecutionData, own: readonly string[], of: ColumnsOf = {}): void {
		let last = this.last;
		if (last?.of === of && last.own === own) {
			last.items.push(item);
			return;
		}
		const { prefix, keepsInput, identifying = [], earlier } = of;
		const isAlike = last?.prefix === prefix && last?.keepsInput === keepsInput && last?.earlier === earlier;
		if (!last || !isAlike || !areEqual(own, last.own) || !areEqual(identifying, last.identifying ?? [])) {
			this.runs.push((this.last = last = { ...of, of, own, items: [] }));
		}
		last.items.push(item);
	}

	/**
	 * Gives each item the columns that only others have: null, and false for `ignored`.
	 *
	 * @param turn what to wait for, if anything, before the next item
	 * @returns why it does not, in words
	 */
	async complete(turn: () => Promise<void> | undefined): Promise<string[]> {
		const names = new Map<string, null | false>();
		for (const { own, prefix } of this.runs) {
			for (const name of own) names.set(name, prefix !== undefined && name === `${prefix}ignored` ? false : null);
		}
		const added = this.runs.reduce((sum, { own, items }) => sum + (names.size - own.length) * items.length, 0);
		if (added > mostAdded) return [tooManyColumns(names.size)];
		const none = Object.fromEntries(names);
		const answered = this.runs.some(({ earlier }) => !earlier);
		for (const { items, own, keepsInput, identifying = [], earlier = [] } of this.runs) {
			// Where no record had a response, the endpoint's classes are unknown.
			if (!answered) for (const { json } of items) for (const name of earlier) delete json[name];
			if (own.length === names.size) continue;
			for (const item of items) {
				const waiting = turn();
				if (waiting) await waiting;
				if (keepsInput) {
					withRest(item.json, none);
					continue;
				}
				const columns: JsonObject = { ...none };
				for (const name of own) setOwn(columns, name, item.json[name]);
				// A column of the run's keeps its null, whatever the input has under its name.
				const behind = identifying.filter((name) => !names.has(name) && Object.hasOwn(item.json, name));
				item.json = withRest(withFieldsBehindFirst(columns, item.json, behind), item.json);
			}
		}
		return [];
	}
}

const tooManyColumns = (count: number) =>
	`Each item has only its own columns: adding all ${count.toLocaleString('en')} columns to every item would take too much memory`;

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
	const resultField = demanded(parameters.reader<unknown>('options.resultField', ''), 'Result Field');
	const columnPrefix = demanded(parameters.reader<unknown>('options.columnPrefix', ''), 'Column Prefix', true);
	return combine([resultField, columnPrefix], (i) => ({
		resultField: textOf(resultField(i)) || 'result',
		columnPrefix: textOf(columnPrefix(i)),
	}));
}
