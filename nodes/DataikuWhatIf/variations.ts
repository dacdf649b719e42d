import { closeNames, type FieldSchema, InvalidCallError, type JsonObject } from '../../client/internal';
import { columnNames, fieldAt } from '../shared/records';
import { axesOf, booleanIn, type Direction, numberIn, valueOf, type Variation } from './axes';
import type { Axis } from './VariantSearch';

/** A row of "Features to Vary". Missing properties are taken from the document. */
export interface VariedFeature {
	readonly name: string;
	/** A list, or a text with commas. */
	readonly values: unknown;
	readonly min?: number;
	readonly max?: number;
	readonly step?: number;
	readonly direction: Direction;
}

export interface Limits {
	/** Whether documented features without a row may change. */
	readonly documented: boolean;
	readonly features: readonly VariedFeature[];
	readonly locked: readonly string[];
}

/**
 * The ways in which a record may change.
 *
 * @param fields the endpoint's documented fields; empty without a document
 * @param fits whether the endpoint accepts a changed record
 * @param remark called for settings that may not have the intended effect
 * @throws InvalidCallError if nothing may change, or if it is unclear what may change
 */
export function axesFor(
	record: JsonObject,
	limits: Limits,
	fields: readonly FieldSchema[],
	fits: (changed: JsonObject) => boolean,
	remark: (what: string) => void,
): Axis[] {
	const { documented } = limits;
	const byName = new Map(fields.map((field) => [field.name, field]));
	// A field that was dragged from the input has the last part of its path as its name in the record.
	const nameOf = (path: string) =>
		byName.has(path) || Object.hasOwn(record, path) ? path : fieldAt(record, path).name;
	const features = limits.features.map((row) => ({ ...row, name: nameOf(row.name) }));
	const locked = limits.locked.map(nameOf);
	const unknown = features.find(({ name }) => !byName.has(name) && !Object.hasOwn(record, name));
	if (unknown) throw new InvalidCallError(`'${unknown.name}' in "Features to Vary" is not a feature of the record`);
	const isNamed = new Set(features.map(({ name }) => name));
	const others = documented ? fields.filter(({ name }) => !isNamed.has(name)) : [];
	const rows: readonly VariedFeature[] = [
		...features,
		...others.map(({ name }) => ({ name, values: '', direction: 'any' as const })),
	];
	const unknownLocks = locked.filter((name) => !byName.has(name) && !Object.hasOwn(record, name));
	for (const name of unknownLocks) remark(`No feature is named '${name}', so this name locks nothing`);
	checkLocked(unknownLocks, rows);
	const open = rows.filter(({ name }) => !locked.includes(name));
	const variations = open.map((row) => variation(row, ownIn(record, row.name), byName.get(row.name)));
	const unclear = variations.find(
		({ name, values, min, max }) => isNamed.has(name) && !values && (min === undefined || max === undefined),
	);
	if (unclear) {
		throw new InvalidCallError(`"Features to Vary" has neither values nor a range for '${unclear.name}'`, {
			advice: 'Enter values, or a minimum and a maximum. The OpenAPI document has none.',
		});
	}
	const varied = variations.filter(({ values, min, max }) => values ?? (min !== undefined && max !== undefined));
	if (varied.length === 0) {
		throw new InvalidCallError('No feature is allowed to change', {
			advice: documented
				? 'The OpenAPI document lists no values and no ranges. Add features to "Features to Vary".'
				: 'Add features to "Features to Vary" that are not locked.',
		});
	}
	const fitsWith = (name: string) => (value: unknown) => fits({ ...record, [name]: value });
	return varied.flatMap((each) => {
		const isFit = fitsWith(each.name);
		const axes = each.values
			? axesOf({ ...each, values: each.values.filter(isFit) })
			: axesOf(each).filter(({ valueAt }) => isFit(valueAt(0)));
		if (axes.length === 0 && isNamed.has(each.name)) remark(`'${each.name}' has no other value within its limits`);
		return axes;
	});
}

/** Records inherit properties such as `constructor` from their prototype. */
export const ownIn = (record: JsonObject, name: string): unknown =>
	Object.hasOwn(record, name) ? record[name] : undefined;

function variation(row: VariedFeature, from: unknown, field: FieldSchema | undefined): Variation {
	const { name, direction } = row;
	const isFractional = ![row.step ?? 1, row.min ?? 1].every(Number.isInteger);
	const guessed = typeOf(from);
	// Without a document, values stay texts if the record's own value is a text.
	const listType = field?.type ?? (typeof from === 'string' ? undefined : guessed);
	const type = field?.type ?? (guessed === 'integer' && isFractional ? 'number' : guessed);
	const multipleOf = row.step === undefined ? field?.multipleOf : undefined;
	const range = {
		min: upToMultiple(row.min ?? field?.minimum, multipleOf),
		max: row.max ?? field?.maximum,
		step: row.step ?? field?.multipleOf,
		above: field?.exclusiveMinimum && (row.min ?? field.minimum) === field.minimum ? field.minimum : undefined,
		below: field?.exclusiveMaximum && (row.max ?? field.maximum) === field.maximum ? field.maximum : undefined,
	};
	const given = valuesIn(row.values, listType);
	const inRange = (value: unknown) => {
		const number = numberIn(value) ?? NaN;
		return !(number < row.min!) && !(number > row.max!);
	};
	const listed = given ?? field?.enum?.filter(inRange) ?? (type === 'boolean' ? [false, true] : undefined);
	if (type === 'integer' && isFractional && !listed)
		throw new InvalidCallError(`"Min" and "Step" of '${name}' must be whole numbers`);
	return { name, from, type, values: listed, ...range, direction };
}

/** If the document only allows multiples, starts at the first one in the range. */
const upToMultiple = (min: number | undefined, of: number | undefined) =>
	min === undefined || of === undefined ? min : Number((Math.ceil(min / of - 1e-9) * of).toPrecision(15));

/** Without a document, the type is guessed from the record's value. */
function typeOf(value: unknown): FieldSchema['type'] {
	if (typeof value === 'boolean' || (typeof value === 'string' && booleanIn(value) !== undefined)) return 'boolean';
	const number = numberIn(value);
	return number === undefined ? 'string' : Number.isInteger(number) ? 'integer' : 'number';
}

function valuesIn(given: unknown, type: FieldSchema['type']): unknown[] | undefined {
	const values: unknown[] = Array.isArray(given) ? given : columnNames(given);
	return values.length > 0 ? values.map((value) => valueOf(value, type)) : undefined;
}

/** A misspelled lock would have no effect, and the feature would change. */
function checkLocked(unknown: readonly string[], rows: readonly VariedFeature[]): void {
	const closeTo = closeNames(rows.map(({ name }) => name));
	for (const name of unknown) {
		const [meant] = closeTo(name);
		if (meant === undefined) continue;
		throw new InvalidCallError(`'${name}' in "Locked Features" is not a feature of the record`, {
			advice: `Did you mean '${meant}'?`,
		});
	}
}
