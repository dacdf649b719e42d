import type { IDataObject } from 'n8n-workflow';
import { hadNotFinite, InvalidCallError, type ResponseHead, setOwn } from '../../client';
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

/** What a response is turned into, one JSON object per item. */
type QueryOutput = (response: unknown, how: QueryOutputOptions) => IDataObject[];
interface QueryOutputOptions {
	headers: ResponseHead['headers'];
	/** Converts each value of a row. */
	cell?: (value: unknown) => unknown;
}

/** Names of columns as keys of one object: those of the same name are told apart as `id`, `id_2`, `id_3`. */
function distinctColumns(names: readonly string[]): string[] {
	const taken = new Set(names);
	const seen = new Set<string>();
	return names.map((name) => {
		let key = name;
		for (let n = 2; seen.has(key) || (key !== name && taken.has(key)); n++) key = `${name}_${n}`;
		seen.add(key);
		return key;
	});
}

function tableOf(response: unknown): Table | undefined {
	if (!isObject(response) || !Array.isArray(response.columns) || !Array.isArray(response.rows)) return undefined;
	if (!response.rows.every(Array.isArray)) return undefined;
	// A column is its name, or an object that has one.
	const columns = response.columns.map((column) => String(isObject(column) ? column.name : column));
	return { columns, rows: response.rows as unknown[][] };
}

/** One by one: Object.fromEntries takes five times as long for 10,000 rows of five columns. */
function objectOf(keys: readonly string[], row: readonly unknown[]): IDataObject {
	const json: IDataObject = {};
	for (let n = 0; n < keys.length; n++) {
		setOwn(json, keys[n]!, row[n] ?? null);
	}
	return json;
}

/** A response of a shape that is not documented is not guessed at. */
function known<Output>(
	response: unknown,
	ofTable: (table: Table) => Output,
	ofUpdate: (updatedRows: unknown) => Output,
): Output {
	const table = tableOf(response);
	if (table) return ofTable(table);
	if (isObject(response) && 'updatedRows' in response) return ofUpdate(response.updatedRows);
	throw new InvalidCallError('The response holds neither columns and rows nor a number of updated rows', {
		advice: 'Set "Output" to "Full Response" to get it as it came.',
	});
}

const updated = (updatedRows: unknown): IDataObject[] => [{ updatedRows: updatedRows as number }];

const outputs: Record<string, QueryOutput> = {
	perRow: (response, { cell }) =>
		known(
			response,
			({ columns, rows }) => {
				const keys = distinctColumns(columns);
				return rows.map((row) => objectOf(keys, cell ? row.map(cell) : row));
			},
			updated,
		),
	perQuery: (response, { cell }) =>
		known(
			response,
			({ columns, rows }) => [{ columns, rows: cell ? rows.map((row) => row.map(cell)) : rows }],
			updated,
		),
	fullResponse: (response, { headers }) => [fullResponse(response, headers)],
};

/** As numbers are written; an exponent only behind a point, since `1E5` may be a code and Java writes its doubles `1.0E5`. */
const numeral = /^(-?)(0|[1-9]\d*)(?:\.(\d+)([eE][+-]?\d+)?)?$/;

/**
 * A text that a number holds exactly becomes one: `12.50`, `0.0000001` and `1.23456789E7` do, `007`, `1E5` and
 * `12345678901234567890` do not.
 */
function numberIfExact(value: unknown): unknown {
	const parts = typeof value === 'string' ? numeral.exec(value) : null;
	if (!parts) return value;
	const [, sign, whole = '', fraction = '', exponent] = parts;
	const digits = (whole + fraction).replace(/^0+|0+$/g, '');
	// No JSON has a zero below zero.
	if (digits === '') return sign ? value : 0;
	const number = Number(value);
	// Java gives its doubles at most 17 digits, and may give more than are needed: 4.9E-324 is 5e-324.
	const most = exponent && digits.length <= 17 ? digits.length - 1 : undefined;
	const held = number.toExponential(most).replace(/e.*|[-.]/g, '');
	const isLong = !exponent && Number.isInteger(number) && !Number.isSafeInteger(number);
	return held === digits && !isLong ? number : value;
}

export function queryCall(execution: Execution): ItemCall {
	const { parameters, sources } = execution;
	const outputOf = parameters.reader<string>('output', 'perRow');
	const keepInput = flag(parameters.reader('options.keepInput', false));
	const convertNumbers = flag(parameters.reader('options.convertNumbers', false));
	const committed = flag(parameters.reader('options.committed', false));
	return async (itemIndex, session, endpointId, record, options) => {
		const output = outputOf(itemIndex);
		const toRows = outputNamed(outputs, output);
		const { headers, onResponse } = headersFor(output);
		const response = await session.sqlQuery(endpointId, record, { ...options, onResponse });
		if (hadNotFinite(response)) execution.remark(notFiniteRead, itemIndex);
		const rows = toRows(response, { headers, cell: convertNumbers(itemIndex) ? numberIfExact : undefined });
		if (rows.length === 0) execution.remark('No rows found', itemIndex);
		if (isObject(response) && 'updatedRows' in response && !committed(itemIndex)) {
			execution.remark(
				parameters.asTool
					? 'The statement ran, but whether the database keeps its changes is not known: say so, and do not call again'
					: 'The changes may not be kept: DSS commits them only with "post-commit" on at the endpoint. If it is on, turn on "Committed by the Endpoint"',
				itemIndex,
			);
		}
		const own = Object.keys(rows[0] ?? {});
		const source = keepInput(itemIndex) ? sources[itemIndex]! : undefined;
		return rows.map((json) => {
			const item = successItem(source ? withRest(json, source.json) : json, itemIndex, source);
			if (output !== 'fullResponse') execution.columns.add(item, own);
			return item;
		});
	};
}
