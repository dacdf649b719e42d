import {
	type AssignmentCollectionValue,
	type FieldType,
	type INodeExecutionData,
	type ResourceMapperValue,
	validateFieldType,
} from 'n8n-workflow';
import { InvalidCallError, type JsonObject } from '../../client';
import { isObject } from './isObject';
import { choice, type Parameters, type Reader, textOf } from './parameters';
import { shortened } from './shortened';

/** n8n lists every value that a field may have. */
const longestMisfit = 300;

/** Makes the record of an item; throws InvalidCallError saying what is wrong with it. */
type RecordReader = (itemIndex: number) => JsonObject;

/** The records of a node's items, by its parameters. */
export class Records {
	private readonly sourceOf: Reader<string>;
	private readonly readers: Record<string, RecordReader> = {};
	private readonly named = new NamedFields();
	private json: Reader<unknown> | undefined;

	constructor(
		private readonly parameters: Parameters,
		private readonly items: readonly INodeExecutionData[],
	) {
		const sources = ['mapping', 'inputItem', 'fields', 'json'];
		this.sourceOf = choice(parameters.reader('recordSource', 'mapping'), 'Take ... From', sources);
	}

	/** An item's record, for queries and functions: these may need nothing. */
	readonly of = (itemIndex: number): JsonObject => {
		const source = this.sourceOf(itemIndex);
		return (this.readers[source] ??= this.readerFor(source))(itemIndex);
	};

	/** An item's record, for models and lookups: of an empty one, a model would make a confident score. */
	readonly filled = (itemIndex: number): JsonObject => checkFilled(this.of(itemIndex));

	/** The records of an item whose JSON may be a list. */
	readonly list = (itemIndex: number): JsonObject[] => {
		if (this.sourceOf(itemIndex) !== 'json') return [this.filled(itemIndex)];
		const list = parse((this.json ??= this.parameters.reader<unknown>('recordJson', ''))(itemIndex), 'record');
		if (!Array.isArray(list)) return [checkFilled(toObject(list, 'record'))];
		if (list.length === 0) throw new InvalidCallError('The list holds no record');
		return list.map((record: unknown, n) => checkFilled(toObject(record, `record ${n} of the list`)));
	};

	/** A model may put its one record into a list. */
	private alone(value: unknown): unknown {
		return this.parameters.asTool && Array.isArray(value) && value.length === 1 ? value[0] : value;
	}

	/** Names in "Fields to Include" and "Fields to Exclude" that no item had. */
	get unmatchedNames(): string[] {
		return this.named.unmatched;
	}

	private readerFor(source: string): RecordReader {
		const { parameters, items, named } = this;
		if (source === 'mapping') return mappedFields(parameters, items);
		if (source === 'fields') return assignedFields(parameters);
		if (source === 'json') {
			const recordJson = parameters.reader<unknown>('recordJson', '');
			return (i) => toObject(this.alone(parse(recordJson(i), 'record')), 'record');
		}
		if (parameters.asTool) throw noItem();
		return inputItem(parameters, items, named);
	}
}

/** What a tool has for an input item is the chat, with a mark of the call. */
const noItem = () =>
	new InvalidCallError('A tool has no input item', {
		advice: 'In "Take ... From", choose "JSON" or the form, where the model fills in each field.',
	});

function checkFilled(record: JsonObject): JsonObject {
	if (Object.keys(record).length > 0) return record;
	throw new InvalidCallError('The record is empty', {
		advice: 'Nothing of this item would be sent: check where its record is taken from.',
	});
}

/** Which of the fields that a person named were in an item at all. */
class NamedFields {
	private readonly names = new Map<string, boolean>();

	note(name: string, found: boolean): void {
		if (found || !this.names.has(name)) this.names.set(name, found || this.names.get(name) === true);
	}

	get unmatched(): string[] {
		return [...this.names].filter(([, found]) => !found).map(([name]) => name);
	}
}

/** Names in a comma-separated list. */
export const columnNames = (list: unknown): string[] =>
	textOf(list)
		.split(',')
		.map((name) => name.trim())
		.filter(Boolean);

function inputItem(parameters: Parameters, items: readonly INodeExecutionData[], named: NamedFields): RecordReader {
	const include = choice(parameters.reader('include', 'all'), 'Include', ['all', 'selected', 'except']);
	const includeFields = parameters.reader('includeFields', '');
	const excludeFields = parameters.reader('excludeFields', '');
	return (i) => {
		const { json } = items[i]!;
		if (include(i) === 'selected') {
			const selected = columnNames(includeFields(i));
			if (selected.length === 0) throw new InvalidCallError('No field is named in "Fields to Include"');
			return selection(json, selected, named);
		}
		if (include(i) === 'except') {
			return columnNames(excludeFields(i)).reduce<JsonObject>((rest, path) => {
				const keys = keysOf(rest, path);
				named.note(path, valueAt(json, keys) !== undefined);
				return without(rest, keys);
			}, json);
		}
		return json;
	};
}

/** A field's name, or the way to a nested one as the editor writes it when that is dragged: `body.amount`, `body["a b"]`. */
const keysOf = (json: JsonObject, path: string): string[] =>
	Object.hasOwn(json, path) ? [path] : path.split(/[.[\]"']+/).filter(Boolean);

function valueAt(json: JsonObject, keys: readonly string[]): unknown {
	// A lone dot leads nowhere.
	let value: unknown = keys.length > 0 ? json : undefined;
	for (const key of keys) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
	return value;
}

/** The fields that there are of those named; a nested one goes by its own name, as a model knows nothing of nesting. */
function selection(json: JsonObject, paths: readonly string[], named: NamedFields): JsonObject {
	const record: JsonObject = {};
	for (const path of new Set(paths)) {
		const keys = keysOf(json, path);
		const value = valueAt(json, keys);
		named.note(path, value !== undefined);
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

/**
 * The form that is built from the service's OpenAPI document: fields of the same name as in the item, or mapped one by one.
 * Where the form knows its fields, only these are sent; where there is no document, all of the item's are.
 */
function mappedFields(parameters: Parameters, items: readonly INodeExecutionData[]): RecordReader {
	const { schema } = (parameters.rawValue('mapping') ?? {}) as Partial<ResourceMapperValue>;
	const known = schema?.length ? schema.filter(({ removed }) => !removed).map(({ id }) => id) : undefined;
	const mode = parameters.reader('mapping.mappingMode', 'autoMapInputData');
	const modes = choice(mode, 'Mapping Mode', ['autoMapInputData', 'defineBelow']);
	let values: Reader<JsonObject | null> | undefined;
	return (i) => {
		const { json } = items[i]!;
		if (modes(i) !== 'defineBelow' && parameters.asTool) throw noItem();
		if (modes(i) === 'defineBelow') {
			// Not before: n8n checks the values against the schema as it reads them, and fails on none.
			values ??= parameters.reader<JsonObject | null>('mapping.value', null);
			let filled: JsonObject | null;
			try {
				filled = values(i);
			} catch (error) {
				throw misfitOfForm(error);
			}
			// What nobody filled in arrives as null.
			return Object.fromEntries(Object.entries(filled ?? {}).filter(([, value]) => value !== null));
		}
		if (!known) return json;
		return Object.fromEntries(known.filter((name) => Object.hasOwn(json, name)).map((name) => [name, json[name]]));
	};
}

/** n8n's error on a value that does not fit the form says in its description what is wrong, where a model would not see it. */
function misfitOfForm(error: unknown): Error {
	const { message, description } = error as Error & { description?: string };
	if (!message.startsWith('Invalid input for') || !description) return error as Error;
	return new InvalidCallError(shortened(description, longestMisfit));
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
const parseObject = (given: unknown, what: string): JsonObject => toObject(parse(given, what), what);

function parse(given: unknown, what: string): unknown {
	if (typeof given !== 'string') return given;
	if (given.trim() === '') throw new InvalidCallError(`The ${what} is empty: it must be a JSON object`);
	try {
		return JSON.parse(given);
	} catch {
		throw notJson(given, what);
	}
}

function toObject(value: unknown, what: string): JsonObject {
	if (isObject(value)) return value;
	const kind = Array.isArray(value) ? 'a list' : (value ?? null) === null ? 'nothing' : `a ${typeof value}`;
	throw new InvalidCallError(`The ${what} is ${kind}: it must be a JSON object`);
}

function notJson(given: string, what: string): InvalidCallError {
	const advice = given.includes('{{') ? 'To use {{ }}, switch the field from "Fixed" to "Expression".' : undefined;
	return new InvalidCallError(`The ${what} is not valid JSON: it must be a JSON object such as {"age": 42}`, {
		advice,
	});
}
