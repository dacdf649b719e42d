import type { IDataObject } from 'n8n-workflow';
import { InvalidCallError } from '../shared/client';
import { isObject } from '../shared/client/json';
import type { ItemCall } from '../shared/callItems';
import type { ItemRun } from '../shared/ItemRun';
import { outputNamed, successItem } from '../shared/results';

interface Table {
	columns: string[];
	rows: unknown[][];
}

/** What an answer is turned into, one JSON object per item. */
type QueryOutput = (answer: unknown) => IDataObject[];

/** Names of columns as keys of one object: those of the same name are told apart as `id`, `id_2`, `id_3`. */
export function distinctColumns(names: readonly string[]): string[] {
	const taken = new Set(names);
	const seen = new Set<string>();
	return names.map((name) => {
		let key = name;
		for (let n = 2; seen.has(key) || (key !== name && taken.has(key)); n++) key = `${name}_${n}`;
		seen.add(key);
		return key;
	});
}

function tableOf(answer: unknown): Table | undefined {
	if (!isObject(answer) || !Array.isArray(answer.columns) || !Array.isArray(answer.rows)) return undefined;
	if (!answer.rows.every(Array.isArray)) return undefined;
	// A column is its name, or an object that has one.
	const columns = answer.columns.map((column) => String(isObject(column) ? column.name : column));
	return { columns, rows: answer.rows as unknown[][] };
}

/** An answer of a shape that is not documented is not guessed at. */
function known<Output>(
	answer: unknown,
	ofTable: (table: Table) => Output,
	ofUpdate: (updatedRows: unknown) => Output,
): Output {
	const table = tableOf(answer);
	if (table) return ofTable(table);
	if (isObject(answer) && 'updatedRows' in answer) return ofUpdate(answer.updatedRows);
	throw new InvalidCallError('The answer holds neither columns and rows nor a number of updated rows', {
		advice: 'Set "Output" to "Full Response" to get it as it came.',
	});
}

const updated = (updatedRows: unknown): IDataObject[] => [{ updatedRows: updatedRows as number }];

const outputs: Record<string, QueryOutput> = {
	perRow: (answer) =>
		known(
			answer,
			({ columns, rows }) => {
				const keys = distinctColumns(columns);
				return rows.map((row) => Object.fromEntries(keys.map((key, n) => [key, row[n] ?? null])) as IDataObject);
			},
			updated,
		),
	perQuery: (answer) => known(answer, ({ columns, rows }) => [{ columns, rows: rows as string[][] }], updated),
	fullResponse: (answer) => [(isObject(answer) ? answer : { result: answer }) as IDataObject],
};

export function queryCall(run: ItemRun): ItemCall {
	const outputOf = run.parameters.reader<string>('output', 'perRow');
	return async (itemIndex, endpointId, record, options) => {
		const output = outputNamed(outputs, outputOf(itemIndex));
		const rows = output(await run.connection.client.sqlQuery(endpointId, record, options));
		if (rows.length === 0) run.count('The query found no row');
		return rows.map((json) => successItem(json, itemIndex));
	};
}
