import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { hadNotFinite, heldNumber, type JsonObject, type ResponseHead, setOwn } from '../../client/internal';
import { isObject } from '../shared/isObject';
import type { ItemCall } from '../shared/callItems';
import { withRest } from '../shared/columns';
import type { Execution } from '../shared/Execution';
import { fullResponse, headersFor } from '../shared/fullResponse';
import { notFiniteRead } from '../shared/hints';
import { outputNamed, successItem } from '../shared/outputItems';
import { flag } from '../shared/parameters';

interface Table {
	columns: string[];
	rows: unknown[][];
}

/** The items of a response, made one by one. */
interface Rows {
	length: number;
	at: (n: number) => IDataObject | undefined;
}
type QueryOutput = (response: unknown, how: QueryOutputOptions) => Rows;
interface QueryOutputOptions {
	headers: ResponseHead['headers'];
	cell?: (value: unknown) => unknown;
}

/** Makes column names unique: the second `id` becomes `id_2`. */
function distinctColumns(names: readonly string[]): string[] {
	const taken = new Set(names);
	const next = new Map<string, number>();
	return names.map((name) => {
		let n = next.get(name);
		let key = name;
		if (n !== undefined) {
			while (taken.has((key = `${name}_${n}`))) n++;
			taken.add(key);
		}
		next.set(name, (n ?? 1) + 1);
		return key;
	});
}

function tableOf(response: unknown): Table | undefined {
	if (!isObject(response) || !Array.isArray(response.columns) || !Array.isArray(response.rows)) return undefined;
	if (!response.rows.every(Array.isArray)) return undefined;
	// A column is given as its name, or as an object with a name.
	const columns = response.columns.map((column) => String(isObject(column) ? column.name : column));
	return { columns, rows: response.rows as unknown[][] };
}

/** A loop, because Object.fromEntries takes five times as long for 10,000 rows of five columns. */
function objectOf(keys: readonly string[], row: readonly unknown[]): IDataObject {
	const json: IDataObject = {};
	for (let n = 0; n < keys.length; n++) {
		setOwn(json, keys[n]!, row[n] ?? null);
	}
	return json;
}

/** Rows between two looks at the clock. */
const rowsPerTurn = 32;

const isUpdate = (response: unknown): response is JsonObject => isObject(response) && 'updatedRows' in response;

/** A response with an undocumented shape is passed on unchanged. It is not an error, because the statement has run. */
function known(response: unknown, ofTable: (table: Table) => Rows): Rows {
	const table = tableOf(response);
	if (table && (table.columns.length > 0 || !isUpdate(response))) return ofTable(table);
	return [isUpdate(response) ? { updatedRows: response.updatedRows as number } : { result: response as IDataObject }];
}

const outputs: Record<string, QueryOutput> = {
	perRow: (response, { cell }) =>
		known(response, ({ columns, rows }) => {
			const width = rows.reduce((most, { length }) => Math.max(most, length), columns.length);
			const others = Array.from({ length: width - columns.length }, (_, n) => `column_${columns.length + n + 1}`);
			const keys = distinctColumns([...columns, ...others]);
			return { length: rows.length, at: (n) => objectOf(keys, cell ? rows[n]!.map(cell) : rows[n]!) };
		}),
	perQuery: (response, { cell }) =>
		known(response, ({ columns, rows }) => [{ columns, rows: cell ? rows.map((row) => row.map(cell)) : rows }]),
	fullResponse: (response, { headers }) => [fullResponse(response, headers)],
};

/**
 * Numbers as databases write them. An exponent is accepted only behind a decimal point: `1E5` may be a code, while Java writes
 * doubles as `1.0E5`.
 */
const numeral = /^-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?)?$/;

/**
 * Converts a text that a number can hold exactly: `12.50`, `0.0000001` and `1.23456789E7`, but not `007`, `1E5` or
 * `12345678901234567890`.
 */
function numberIfExact(value: unknown): unknown {
	if (typeof value !== 'string' || !numeral.test(value)) return value;
	const held = heldNumber(value);
	// n8n's JSON cannot represent a negative zero.
	return typeof held === 'number' && !Object.is(held, -0) ? held : value;
}

export function queryCall(execution: Execution): (itemIndex: number) => ItemCall {
	const { parameters, sources } = execution;
	const outputOf = parameters.reader<string>('output', 'perRow');
	const keepInput = flag(parameters.reader('options.keepInput', false), 'Keep Input');
	const convertNumbers = flag(parameters.reader('options.convertNumbers', false), 'Convert Numbers');
	const committed = flag(parameters.reader('options.committed', false), 'Committed by the Endpoint');
	return (itemIndex) => {
		const output = outputOf(itemIndex);
		const toRows = outputNamed(outputs, output);
		const { headers, onResponse } = headersFor(output);
		const cell = convertNumbers(itemIndex) ? numberIfExact : undefined;
		const isCommitted = committed(itemIndex);
		const source = keepInput(itemIndex) ? sources[itemIndex]! : undefined;
		return async (session, endpointId, record, options) => {
			const response = await session.sqlQuery(endpointId, record, { ...options, onResponse });
			if (hadNotFinite(response)) execution.remark(notFiniteRead, itemIndex);
			const items: INodeExecutionData[] = [];
			let own: string[] | undefined;
			const rows = toRows(response, { headers, cell });
			for (let n = 0; n < rows.length; n++) {
				const turn = n % rowsPerTurn === 0 ? execution.turn() : undefined;
				if (turn) await turn;
				const json = rows.at(n)!;
				own ??= Object.keys(json);
				const item = successItem(source ? withRest(json, source.json) : json, itemIndex, source);
				if (output !== 'fullResponse') execution.columns.add(item, own);
				items.push(item);
			}
			if (items.length === 0) execution.remark('No rows found', itemIndex);
			if (output !== 'fullResponse' && !isUpdate(response) && !tableOf(response)) {
				execution.remark('The response is not a query result: "result" contains the response unchanged', itemIndex);
			}
			if (isUpdate(response) && !isCommitted) {
				execution.remark(
					parameters.asTool
						? 'The statement ran, but it is not known whether the database keeps the changes. Tell the user, and do not call again'
						: 'The changes may be lost: DSS commits them only if "post-commit" is on for the endpoint. If "post-commit" is on, turn on "Committed by the Endpoint"',
					itemIndex,
				);
			}
			return items;
		};
	};
}
