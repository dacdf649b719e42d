import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { InvalidCallError, type JsonObject, setOwn } from '../../client/internal';
import { withFieldsBehindFirst, withRest } from './columns';
import { isObject } from './isObject';
import { combine, demanded, type Parameters, type Reader, textOf } from './parameters';

/** Holds the input's `error` until the run has ended. No real field has a name that begins so. */
const inputError = '\0error';

const hasError = ({ json }: INodeExecutionData) => isObject(json) && json.error !== undefined;

export function asSources(items: INodeExecutionData[]): INodeExecutionData[] {
	if (!items.some(hasError)) return items;
	const names = new Map([['error', inputError]]);
	return items.map((item) => (hasError(item) ? { ...item, json: renamed(item.json, names) } : item));
}

/**
 * Builds an item from another one.
 *
 * @param source the input item, if its binary data are kept
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
 * Renames `error` in successes, because n8n's "Retry On Fail" and users' loops take that field for a failure. All successes of
 * a run get the same names.
 *
 * @returns a description of what was renamed
 */
export function renameErrors(successes: readonly INodeExecutionData[]): string[] {
	const wanted = [
		[inputError, 'input_error', 'The input'],
		['error', 'result_error', 'The response'],
	] as const;
	if (!successes.some(({ json }) => json.error !== undefined || json[inputError] !== undefined)) return [];
	const found = wanted.filter(([name]) => successes.some(({ json }) => json[name] !== undefined));
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

interface ColumnsOf {
	prefix?: string;
	/** Whether a field of the input stays if the response has no column of its name. */
	keepsInput?: boolean;
	/** Fields of the input that stand behind the first column. */
	identifying?: readonly string[];
	/** For a record without a response: columns that look like an earlier model's probabilities. */
	earlier?: readonly string[];
}

const plainColumns: ColumnsOf = {};

interface Alike {
	of: ColumnsOf;
	own: readonly string[];
	items: INodeExecutionData[];
}

const areEqual = (some: readonly string[], others: readonly string[]) =>
	some === others || (some.length === others.length && some.every((name, n) => name === others[n]));

const areAlike = (some: ColumnsOf, others: ColumnsOf) =>
	some === others ||
	(some.prefix === others.prefix &&
		some.keepsInput === others.keepsInput &&
		some.earlier === others.earlier &&
		areEqual(some.identifying ?? [], others.identifying ?? []));

/** Limit on the fields added to the items of a run. Only runs in which each record has its own keys need more. */
const mostAdded = 10_000_000;

/** The columns that the responses of a run gave its items. All items get all of them. */
export class RunColumns {
	private readonly runs: Alike[] = [];
	private last: Alike | undefined;

	/** @param own the names of the columns that the response gave the item */
	add(item: INodeExecutionData, own: readonly string[], of = plainColumns): void {
		let { last } = this;
		if (!last || !areEqual(own, last.own) || !areAlike(of, last.of)) {
			this.runs.push((this.last = last = { of, own, items: [] }));
		}
		last.items.push(item);
	}

	/**
	 * Gives each item the columns that only other items have: null, or false for `ignored`.
	 *
	 * @param turn returns a promise to wait for before the next item, or undefined
	 * @returns why columns were not added, if so
	 */
	async complete(turn: () => Promise<void> | undefined): Promise<string[]> {
		const names = new Map<string, null | false>();
		for (const { own, of } of this.runs) {
			for (const name of own) names.set(name, of.prefix !== undefined && name === `${of.prefix}ignored` ? false : null);
		}
		const added = this.runs.reduce((sum, { own, items }) => sum + (names.size - own.length) * items.length, 0);
		if (added > mostAdded) return [tooManyColumns(names.size)];
		const none = Object.fromEntries(names);
		const hasResponse = this.runs.some(({ of }) => !of.earlier);
		for (const { items, own, of } of this.runs) {
			const { keepsInput, identifying = [], earlier = [] } = of;
			// If no record had a response, the endpoint's classes are unknown.
			if (!hasResponse) for (const { json } of items) for (const name of earlier) delete json[name];
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
				// A column of the run keeps its null, even if the input has a field of its name.
				const behind = identifying.filter((name) => !names.has(name) && Object.hasOwn(item.json, name));
				item.json = withRest(withFieldsBehindFirst(columns, item.json, behind), item.json);
			}
		}
		return [];
	}
}

const tooManyColumns = (count: number) =>
	`Each item has only its own columns: adding all ${count.toLocaleString('en')} columns to every item would take too much memory`;

/** Selects an output by name. An expression may return any name. */
export function outputNamed<Make>(outputs: Record<string, Make>, name: string): Make {
	if (Object.hasOwn(outputs, name)) return outputs[name]!;
	throw new InvalidCallError(`"Output" must be one of ${Object.keys(outputs).join(', ')}, not '${name}'`);
}

export interface OutputNames {
	/** The field for the result with `withInput`. */
	resultField: string;
	/** Prefix of the columns of `flat` and `enrich`. */
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
