import { isObject } from '../json';
import type { OperationName } from '../operations';
import type { JsonObject } from '../types';
import { listOf, own, type SchemaParts } from './SchemaParts';
import { shortened } from '../shortened';

const fieldTypes = ['number', 'integer', 'string', 'boolean', 'array', 'object'] as const;
export type FieldType = (typeof fieldTypes)[number];

/** A feature, lookup key, history column, named parameter or argument. Missing properties are not in the document. */
export interface FieldSchema {
	readonly name: string;
	readonly type?: FieldType;
	/** At most 1,000 characters. */
	readonly description?: string;
	/** Not empty, and without null. */
	readonly enum?: readonly unknown[];
	readonly example?: unknown;
	readonly default?: unknown;
	readonly minimum?: number;
	readonly maximum?: number;
	/** The bound itself is not allowed. */
	readonly exclusiveMinimum?: true;
	readonly exclusiveMaximum?: true;
	readonly multipleOf?: number;
	readonly required: boolean;
	/** Whether the document itself allows null. */
	readonly nullable: boolean;
}

/** The document's description of an endpoint's records. */
export interface EndpointSchema {
	readonly id: string;
	readonly operation: OperationName;
	/** In the order of the document; at most 5,000. */
	readonly fields: readonly FieldSchema[];
	/** Whether the document says which fields are required, even if none are. */
	readonly requiredKnown: boolean;
	/** Whether there are no other fields. False if a part of the document could not be read. */
	readonly complete: boolean;
	/** A whole record, or examples of some fields. */
	readonly example?: JsonObject;
}

const mostFields = 5_000;

/** @param nodes the schema of one record */
export function recordSchema(
	nodes: readonly unknown[],
	document: SchemaParts,
): Omit<EndpointSchema, 'id' | 'operation'> {
	const parts = document.of(nodes);
	const lists = parts.map((part) => own(part, 'required')).filter((list) => Array.isArray(list));
	const required = new Set<unknown>(lists.flat());
	const nodesOf = new Map<string, unknown[]>();
	for (const part of parts) {
		const properties = own(part, 'properties');
		if (!isObject(properties)) continue;
		for (const name of Object.keys(properties)) nodesOf.set(name, [...(nodesOf.get(name) ?? []), properties[name]]);
	}
	for (const name of required) if (typeof name === 'string' && !nodesOf.has(name)) nodesOf.set(name, []);
	const fields = [...nodesOf]
		.slice(0, mostFields)
		.map(([name, schemas]) => fieldSchema(name, document.of(schemas), required.has(name), document));
	return {
		fields,
		requiredKnown: lists.length > 0,
		complete: document.areComplete(parts) && nodesOf.size <= mostFields,
		example: recordExample(parts, fields),
	};
}

function fieldSchema(name: string, parts: JsonObject[], required: boolean, document: SchemaParts): FieldSchema {
	const types = [last(parts, 'type') ?? []].flat();
	const values = listOf(parts.map((part) => document.valuesIn(part)).findLast((each) => each !== undefined));
	const listed = withoutNull(values);
	const description = last(parts, 'description');
	const known = document.areComplete(parts);
	return {
		name,
		type: known
			? typeIn(
					types.filter((type) => type !== 'null'),
					listed,
				)
			: undefined,
		description: typeof description === 'string' ? shortened(description, 1_000) : undefined,
		enum: known && listed.length > 0 ? listed : undefined,
		example: exampleIn(parts),
		default: last(parts, 'default'),
		...(known ? rangeIn(parts) : {}),
		required,
		nullable:
			types.includes('null') ||
			listed !== values ||
			last(parts, 'nullable') === true ||
			last(parts, 'x-nullable') === true ||
			document.offerNull(parts),
	};
}

const finite = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);

function rangeIn(parts: readonly JsonObject[]) {
	const bound = (key: string, excluding: string, sign: number) => {
		const excluded = last(parts, excluding);
		const [value, open] = [finite(last(parts, key)), finite(excluded)].map((at) => (at ?? -sign * Infinity) * sign);
		const at = Math.max(value!, open!);
		return Number.isFinite(at) ? { at: sign * at, isOpen: excluded === true || open === at } : undefined;
	};
	const [low, high] = [bound('minimum', 'exclusiveMinimum', 1), bound('maximum', 'exclusiveMaximum', -1)];
	const multipleOf = finite(last(parts, 'multipleOf'));
	return {
		...(low && { minimum: low.at, ...(low.isOpen && { exclusiveMinimum: true as const }) }),
		...(high && { maximum: high.at, ...(high.isOpen && { exclusiveMaximum: true as const }) }),
		...(multipleOf && multipleOf > 0 && { multipleOf }),
	};
}

/** Cached, because lists may be long and fields may share one. */
const valuesOf = new WeakMap<unknown[], unknown[]>();
function withoutNull(list: unknown[]): unknown[] {
	let values = valuesOf.get(list);
	if (!values) valuesOf.set(list, (values = list.includes(null) ? list.filter((value) => value !== null) : list));
	return values;
}

/** Returns the value of the last part that has one, because the last part is the schema itself and the others are its bases. */
function last(parts: readonly JsonObject[], key: string): unknown {
	return parts.map((part) => own(part, key)).findLast((value) => value !== undefined);
}

/** @param values the listed values, which tell a boolean if the schema names no type */
function typeIn([type, ...others]: unknown[], values: readonly unknown[]): FieldType | undefined {
	if (type === undefined && (values[0] === true || values[0] === false)) {
		return values.length <= 2 && values.every((value) => typeof value === 'boolean') ? 'boolean' : undefined;
	}
	return others.length === 0 ? fieldTypes.find((known) => known === type) : undefined;
}

function exampleIn(parts: readonly JsonObject[]): unknown {
	return last(parts, 'example') ?? listOf(last(parts, 'examples'))[0];
}

function recordExample(parts: readonly JsonObject[], fields: readonly FieldSchema[]): JsonObject | undefined {
	const whole = exampleIn(parts);
	if (isObject(whole)) return whole;
	const examples = fields.filter(({ example }) => example !== undefined);
	return examples.length > 0 ? Object.fromEntries(examples.map(({ name, example }) => [name, example])) : undefined;
}
