import type {
	AssignmentCollectionValue,
	INodeExecutionData,
	ResourceMapperField,
	ResourceMapperValue,
} from 'n8n-workflow';
import { InvalidCallError, isBlank, type JsonObject, parseGiven, setOwn } from '../../client/internal';
import { fieldValue, isMissing } from './fieldValues';
import { isObject } from './isObject';
import { withoutFailure } from './nodeErrors';
import { choice, demanded, type Parameters, type Reader, textOf } from './parameters';

/** @throws InvalidCallError describing what is wrong with the item's record */
type RecordReader = (itemIndex: number) => JsonObject;

/** A field of the form, as n8n stores it in the node. */
type FormField = Pick<ResourceMapperField, 'id' | 'required' | 'type' | 'options'>;

/** The source of a record, with which names are compared. */
export interface RecordOrigin {
	/** The whole item, including fields that are not sent; undefined if only the record counts. */
	item?: JsonObject;
	form?: { fields: readonly FormField[]; byName: boolean };
}

export class Records {
	private readonly sourceOf: Reader<string>;
	private readonly readers: Record<string, RecordReader> = {};
	private readonly named = new NamedFields();
	private readonly include: Reader<string>;
	private readonly form: Form;
	private json: Reader<unknown> | undefined;

	constructor(
		private readonly parameters: Parameters,
		private readonly items: readonly INodeExecutionData[],
	) {
		const sources = ['mapping', 'inputItem', 'fields', 'json'];
		this.sourceOf = choice(parameters.reader('recordSource', 'mapping'), 'Source', sources);
		this.include = choice(parameters.reader('include', 'all'), 'Include', ['all', 'selected', 'except']);
		this.form = new Form(parameters);
	}

	readonly of = (itemIndex: number): JsonObject => {
		const source = this.sourceOf(itemIndex);
		const record = (this.readers[source] ??= this.readerFor(source))(itemIndex);
		return this.without(source, record, itemIndex);
	};

	/** Removes what an earlier failure added to the item, unless the user chose the fields. */
	private without(source: string, record: JsonObject, itemIndex: number): JsonObject {
		const rest = withoutFailure(record);
		if (rest === record) return record;
		const { json } = this.items[itemIndex]!;
		const isChosen =
			source === 'inputItem'
				? this.include(itemIndex) === 'selected'
				: source === 'fields' || !Object.keys(json).every((name) => Object.hasOwn(record, name));
		return isChosen ? record : rest;
	}

	readonly list = (itemIndex: number): JsonObject[] => {
		if (!this.isJson(this.sourceOf(itemIndex))) return [this.of(itemIndex)];
		const list = parse((this.json ??= this.parameters.reader<unknown>('recordJson', ''))(itemIndex), 'record');
		if (!Array.isArray(list)) return [this.without('json', toObject(list, 'record'), itemIndex)];
		return listedRecords(list).map(withoutFailure);
	};

	private isJson(source: string): boolean {
		return source === 'json' || (source === 'mapping' && this.form.isOneArgument);
	}

	originOf(itemIndex: number): RecordOrigin {
		const source = this.sourceOf(itemIndex);
		const { fields, isByName } = this.form;
		const form = source === 'mapping' && fields ? { fields, byName: isByName(itemIndex) } : undefined;
		// Fields excluded by name are left out on purpose.
		const isWhole = this.parameters.asTool || (source === 'inputItem' && this.include(itemIndex) === 'except');
		return { form, item: isWhole ? undefined : this.items[itemIndex]!.json };
	}

	/** Names in "Fields to Include" and "Fields to Exclude" that no item had. */
	get unmatchedNames(): string[] {
		return this.named.unmatched;
	}

	private readerFor(source: string): RecordReader {
		const { parameters, items, named } = this;
		if (source === 'fields') return assignedFields(parameters);
		if (this.isJson(source)) {
			const recordJson = parameters.reader<unknown>('recordJson', '');
			return (i) => objectIn(recordJson(i), 'record', parameters.asTool);
		}
		if (source === 'mapping') return (i) => this.form.record(i, items[i]!.json);
		if (parameters.asTool) throw noItem();
		return inputItem(parameters, items, this.include, named);
	}
}

/** The input item of a tool is the chat, with a mark of the call. */
const noItem = () =>
	new InvalidCallError('Tools cannot use the input item', {
		advice: 'Choose "JSON" or "Endpoint Fields", so that the AI model fills in the record.',
	});

/** An expression may return different names for each item. */
const mostNames = 1_000;

/** Records which of the fields that the user named exist in any item. */
class NamedFields {
	private readonly names = new Map<string, boolean>();

	note(name: string, found: boolean): void {
		if (!this.names.has(name) && this.names.size >= mostNames) return;
		if (found || !this.names.has(name)) this.names.set(name, found || this.names.get(name) === true);
	}

	get unmatched(): string[] {
		return [...this.names].filter(([, found]) => !found).map(([name]) => name);
	}
}

/** Matches names between commas. A comma inside `["a, b"]` belongs to the name. */
const listedNames = /(?:\[\s*(["'])(?:\\.|(?!\1).)*\1\s*\]|[^,])+/g;

/** Parses column names, given as a list by an expression or as a text with commas. */
export function columnNames(list: unknown): string[] {
	const names = Array.isArray(list)
		? list.map(textOf)
		: (textOf(list).match(listedNames) ?? []).map((name) => name.trim());
	return names.filter(Boolean);
}

function inputItem(
	parameters: Parameters,
	items: readonly INodeExecutionData[],
	include: Reader<string>,
	named: NamedFields,
): RecordReader {
	const includeFields = parameters.reader<unknown>('includeFields', '');
	const excludeFields = demanded(parameters.reader<unknown>('excludeFields', ''), 'Fields to Exclude', true);
	return (i) => {
		const { json } = items[i]!;
		if (include(i) === 'selected') {
			const selected = columnNames(includeFields(i));
			if (selected.length === 0) throw new InvalidCallError('"Fields to Include" is empty');
			return selection(json, selected, named);
		}
		if (include(i) === 'all') return json;
		const excluded = new Map<string, string[]>();
		for (const path of columnNames(excludeFields(i))) {
			const { keys, value } = fieldAt(json, path);
			named.note(path, value !== undefined);
			if (value !== undefined) excluded.set(keys.join('\0'), keys);
		}
		// Starts at the end of a list, because removing an element moves those behind it.
		const last = [...excluded].sort(([a], [b]) => b.localeCompare(a, 'en', { numeric: true }));
		return last.reduce<JsonObject>((rest, [, keys]) => without(rest, keys), json);
	};
}

const pathStep = /\[\s*(["'])((?:\\.|(?!\1)[^\\])*)\1\s*\]|[^.[\]]+/g;

/** Splits the path that the editor writes when a field is dragged: `body.amount`, `body["a b"]`, `items[0].price`. */
const keysOf = (path: string): string[] =>
	[...path.matchAll(pathStep)]
		.map(([step, , quoted]) => quoted?.replace(/\\(.)/g, '$1') ?? step.replace(/^[\s"']+|[\s"']+$/g, ''))
		.filter(Boolean);

/** Finds a field of an item by its name or path. A nested field keeps only its own name, because models do not know nesting. */
export function fieldAt(json: JsonObject, path: string): { keys: string[]; name: string; value: unknown } {
	const keys = Object.hasOwn(json, path) ? [path] : keysOf(path);
	// A lone dot is not a path.
	let value: unknown = keys.length > 0 ? json : undefined;
	let name = path;
	for (const key of keys) {
		if (!Array.isArray(value)) name = key;
		// Not `length`, which is an own property of a list.
		value = isHolder(value) && Object.prototype.propertyIsEnumerable.call(value, key) ? value[key] : undefined;
	}
	return { keys, name, value };
}

const isHolder = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null;

function selection(json: JsonObject, paths: readonly string[], named: NamedFields): JsonObject {
	const record: JsonObject = {};
	for (const path of new Set(paths)) {
		const { name, value } = fieldAt(json, path);
		named.note(path, value !== undefined);
		if (value === undefined) continue;
		if (Object.hasOwn(record, name)) {
			throw new InvalidCallError(`Two fields in "Fields to Include" would be sent as '${name}'`, {
				advice: 'Use "Define Fields", where each field has its own name.',
			});
		}
		setOwn(record, name, value);
	}
	if (Object.keys(record).length === 0) {
		throw new InvalidCallError(`The item has none of the fields in "Fields to Include" (${paths.join(', ')})`);
	}
	return record;
}

/** Copies an object without the field at the end of the keys. Only objects on the path are copied. */
function without<Holder extends JsonObject>(holder: Holder, [key = '', ...deeper]: string[]): Holder {
	if (Array.isArray(holder) && deeper.length === 0) return holder.toSpliced(Number(key), 1) as unknown as Holder;
	const rest = (Array.isArray(holder) ? [...(holder as unknown[])] : { ...holder }) as JsonObject;
	if (deeper.length === 0) delete rest[key];
	else if (isHolder(rest[key])) setOwn(rest, key, without(rest[key], deeper));
	return rest as Holder;
}

/**
 * The form built from the service's OpenAPI document. Fields are taken from the item by name, or mapped one by one. If the form
 * knows the endpoint's fields, only these are sent; without a document, all fields of the item are.
 */
class Form {
	readonly fields: readonly FormField[] | undefined;
	/** Whether a tool's form has no fields, so that the model fills in a single argument. */
	readonly isOneArgument: boolean;
	private readonly mode: Reader<string>;
	private readonly byId: ReadonlyMap<string, FormField>;
	private values: Reader<JsonObject | null> | undefined;

	constructor(private readonly parameters: Parameters) {
		const { schema, value, mappingMode } = (parameters.rawValue('mapping') ?? {}) as Partial<ResourceMapperValue>;
		const isEmpty = !schema?.length && Object.keys(value ?? {}).length === 0;
		this.isOneArgument = parameters.asTool && isEmpty && mappingMode !== 'autoMapInputData';
		this.fields = schema?.length ? schema.filter(({ removed }) => !removed) : undefined;
		this.byId = new Map(schema?.map((field) => [field.id, field]));
		const mode = parameters.reader('mapping.mappingMode', 'autoMapInputData');
		this.mode = choice(mode, 'Mapping Mode', ['autoMapInputData', 'defineBelow']);
	}

	/** Whether fields of the item are sent by their names. */
	readonly isByName = (itemIndex: number): boolean => this.mode(itemIndex) === 'autoMapInputData';

	record(itemIndex: number, json: JsonObject): JsonObject {
		if (!this.isByName(itemIndex)) return this.filledIn(itemIndex);
		if (this.parameters.asTool) throw noItem();
		if (!this.fields) return json;
		const record: JsonObject = {};
		for (const field of this.fields) {
			if (!Object.hasOwn(json, field.id)) continue;
			const value = json[field.id];
			setOwn(record, field.id, isBlank(value) && isMissing(value, field) ? null : value);
		}
		return record;
	}

	/** The filled-in fields. Fields that were left empty arrive as null. */
	private filledIn(itemIndex: number): JsonObject {
		// Not validated, because n8n would turn blanks into 0, round digits, and fail if there are no values.
		this.values ??= this.parameters.reader<JsonObject | null>('mapping.value', null, { skipValidation: true });
		const record: JsonObject = {};
		for (const [name, value] of Object.entries(this.values(itemIndex) ?? {})) {
			const field = this.byId.get(name) ?? { type: undefined };
			if (isMissing(value, field)) continue;
			const isText = field.type === undefined || field.type === 'string';
			setOwn(record, name, isText ? value : fieldValue(name, value, field));
		}
		return this.isUntouched(record) ? {} : record;
	}

	/** The editor stores a toggle that nobody touched as false. */
	private isUntouched(record: JsonObject): boolean {
		const given = this.parameters.rawValue('mapping.value') as JsonObject;
		const isToggle = (name: string) => this.byId.get(name)?.type === 'boolean' && given[name] === false;
		return Object.keys(record).every(isToggle);
	}
}

/** The fields of an assignment collection, converted to their chosen types like n8n's Edit Fields does. */
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
	return [name, fieldValue(name, value, { type })];
}

export function contextReader(parameters: Parameters): (itemIndex: number) => JsonObject | undefined {
	const contextJson = parameters.reader<unknown>('options.contextJson', '');
	return (i) => {
		const given = contextJson(i);
		return isBlank(given ?? '') ? undefined : objectIn(given, 'context');
	};
}

/** Reads a JSON object, given as an object or as text. @param byModel whether it may be in a list, as models write it */
export function objectIn(given: unknown, what: string, byModel = false): JsonObject {
	const value = parse(given, what);
	return toObject(byModel ? onlyOf(value) : value, what);
}

const onlyOf = (value: unknown): unknown => (Array.isArray(value) && value.length === 1 ? value[0] : value);

/** Reads the records of a JSON parameter, which may be a single object or a list; none if it is blank. */
export function recordsIn(given: unknown): JsonObject[] {
	if (isBlank(given ?? '')) return [];
	const value = parse(given, 'record');
	return Array.isArray(value) ? listedRecords(value) : [toObject(value, 'record')];
}

function listedRecords(list: unknown[]): JsonObject[] {
	if (list.length === 0) throw new InvalidCallError('The list contains no records');
	return list.map((record, n) => toObject(record, `record ${n} of the list`));
}

function parse(given: unknown, what: string): unknown {
	if (typeof given !== 'string') return given;
	if (isBlank(given)) throw new InvalidCallError(`The ${what} is empty: it must be a JSON object`);
	try {
		return parseGiven(given);
	} catch (error) {
		throw error instanceof RangeError ? tooLarge(what) : notJson(given, what, (error as Error).message);
	}
}

const tooLarge = (what: string) =>
	new InvalidCallError(`The ${what} contains a number that is too large: put the number in quotation marks`);

function toObject(value: unknown, what: string): JsonObject {
	if (isObject(value)) return value;
	const kind = Array.isArray(value) ? 'a list' : (value ?? null) === null ? 'empty' : `a ${typeof value}`;
	throw new InvalidCallError(`The ${what} is ${kind}: it must be a JSON object`);
}

/** @param problem JavaScript's message, which names a position or shows the text there */
function notJson(given: string, what: string, problem: string): InvalidCallError {
	const at = Number(/at position (\d+)/.exec(problem)?.[1] ?? (/end of JSON/.test(problem) ? given.length : NaN));
	const before = given.slice(0, at).split('\n');
	const place = `line ${before.length}, column ${before.at(-1)!.length + 1}, after '${before.at(-1)!.slice(-30)}'`;
	const where = Number.isNaN(at) ? problem.replace(/ is not valid JSON$/, '') : place;
	const advice = given.includes('{{') ? 'To use {{ }}, switch the field from "Fixed" to "Expression".' : undefined;
	return new InvalidCallError(
		`The ${what} is not valid JSON (${where}): it must be a JSON object such as {"age": 42}`,
		{
			advice,
		},
	);
}
