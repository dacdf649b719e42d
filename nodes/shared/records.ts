import {
	type AssignmentCollectionValue,
	type FieldType,
	type INodeExecutionData,
	validateFieldType,
} from 'n8n-workflow';
import { InvalidCallError, type JsonObject } from '../../client';
import { isObject } from './isObject';
import { choice, type Parameters, textOf } from './parameters';

/** Makes the record of an item; throws InvalidCallError saying what is wrong with it. */
type RecordReader = (itemIndex: number) => JsonObject;

export function recordReader(parameters: Parameters, items: readonly INodeExecutionData[]): RecordReader {
	const sources = choice(parameters.reader('recordSource', 'inputItem'), 'Take ... From', [
		'inputItem',
		'fields',
		'json',
	]);
	const readers: Record<string, RecordReader> = {};
	return (itemIndex) => {
		const source = sources(itemIndex);
		return (readers[source] ??= readerFor(source, parameters, items))(itemIndex);
	};
}

function readerFor(source: string, parameters: Parameters, items: readonly INodeExecutionData[]): RecordReader {
	if (source === 'fields') return assignedFields(parameters);
	if (source === 'json') {
		const recordJson = parameters.reader<unknown>('recordJson', '');
		return (i) => parseObject(recordJson(i), 'record');
	}
	return inputItem(parameters, items);
}

/** Names in a comma-separated list. */
export const columnNames = (list: unknown): string[] =>
	textOf(list)
		.split(',')
		.map((name) => name.trim())
		.filter(Boolean);

function inputItem(parameters: Parameters, items: readonly INodeExecutionData[]): RecordReader {
	const include = choice(parameters.reader('include', 'all'), 'Include', ['all', 'selected', 'except']);
	const includeFields = parameters.reader('includeFields', '');
	const excludeFields = parameters.reader('excludeFields', '');
	return (i) => {
		const { json } = items[i]!;
		if (include(i) === 'selected') {
			const selected = columnNames(includeFields(i));
			if (selected.length === 0) throw new InvalidCallError('No field is named in "Fields to Include"');
			return selection(json, selected);
		}
		if (include(i) === 'except') {
			return columnNames(excludeFields(i)).reduce<JsonObject>((rest, path) => without(rest, keysOf(rest, path)), json);
		}
		return json;
	};
}

/** A field's name, or the way to a nested one as the editor writes it when that is dragged: `body.amount`, `body["a b"]`. */
const keysOf = (json: JsonObject, path: string): string[] =>
	Object.hasOwn(json, path) ? [path] : path.split(/[.[\]"']+/).filter(Boolean);

/** The fields that there are of those named; a nested one goes by its own name, as a model knows nothing of nesting. */
function selection(json: JsonObject, paths: readonly string[]): JsonObject {
	const record: JsonObject = {};
	for (const path of new Set(paths)) {
		const keys = keysOf(json, path);
		// A lone dot leads nowhere.
		let value: unknown = keys.length > 0 ? json : undefined;
		for (const key of keys) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
		if (value === undefined) continue;
		const name = keys.at(-1)!;
		if (Object.hasOwn(record, name)) {
			throw new InvalidCallError(`Two of the fields in "Fields to Include" would be sent as '${name}'`, {
				advice: 'Take the features from "Fields Below", where each gets a name of its own.',
			});
		}
		record[name] = value;
	}
	if (Object.keys(record).length === 0) {
		throw new InvalidCallError(`The item has none of the fields in "Fields to Include" (${paths.join(', ')})`);
	}
	return record;
}

/** A copy that lacks the field at the end of the keys; copied no deeper than these go. */
function without(holder: JsonObject, [key, ...deeper]: string[]): JsonObject {
	const rest = { ...holder };
	if (key === undefined) return rest;
	const inner = rest[key];
	if (deeper.length === 0) delete rest[key];
	else if (isObject(inner)) rest[key] = without(inner, deeper);
	return rest;
}

/** The fields of an assignment collection, converted to the type chosen for each as n8n's Edit Fields does. */
function assignedFields(parameters: Parameters): RecordReader {
	const raw = parameters.rawValue('fields');
	if (typeof raw === 'string') {
		const whole = parameters.reader<AssignmentCollectionValue>('fields', { assignments: [] });
		return (i) => Object.fromEntries((whole(i).assignments ?? []).map(assigned));
	}
	const { assignments = [] } = (raw ?? {}) as Partial<AssignmentCollectionValue>;
	const fields = assignments.map((assignment, index) => ({
		name: parameters.reader(`fields.assignments[${index}].name`, assignment.name),
		value: parameters.reader<unknown>(`fields.assignments[${index}].value`, assignment.value),
		type: assignment.type,
	}));
	return (i) =>
		Object.fromEntries(fields.map(({ name, value, type }) => assigned({ name: name(i), value: value(i), type })));
}

function assigned({ name, value, type }: { name: string; value: unknown; type?: string }): [string, unknown] {
	if (!name) throw new InvalidCallError('A field in "Fields to Send" has no name');
	// An empty value is a missing feature, whatever its type.
	if (value === null || value === undefined || (value === '' && type !== 'string')) return [name, null];
	const converted = validateFieldType(name, value, (type ?? 'string') as FieldType, { parseStrings: true });
	if (!converted.valid) throw new InvalidCallError(converted.errorMessage);
	return [name, converted.newValue];
}

/** The record's context, if it has one. */
export function contextReader(parameters: Parameters): (itemIndex: number) => JsonObject | undefined {
	const contextJson = parameters.reader<unknown>('options.contextJson', '');
	return (i) => {
		const given = contextJson(i);
		return given === '' || given === undefined || given === null ? undefined : parseObject(given, 'context');
	};
}

/**
 * An object given as such or as JSON text.
 *
 * @param what the thing's name, for the error
 */
function parseObject(given: unknown, what: string): JsonObject {
	let value = given;
	if (typeof given === 'string') {
		if (given.trim() === '') throw new InvalidCallError(`The ${what} is empty: it must be a JSON object`);
		try {
			value = JSON.parse(given);
		} catch {
			throw notJson(what);
		}
	}
	if (isObject(value)) return value;
	const kind = Array.isArray(value)
		? 'a list'
		: value === null || value === undefined
			? 'nothing'
			: `a ${typeof value}`;
	throw new InvalidCallError(`The ${what} is ${kind}: it must be a JSON object`);
}

function notJson(what: string): InvalidCallError {
	return new InvalidCallError(`The ${what} is not valid JSON: it must be a JSON object such as {"age": 42}`);
}
