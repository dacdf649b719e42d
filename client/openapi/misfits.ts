import { hasKeys } from '../json';
import type { JsonObject } from '../types';
import { closeNames, comparisonsWith } from './closeNames';
import type { EndpointSchema, FieldType } from './EndpointSchema';
import { FieldRule, listedTexts } from './FieldRule';
import { own } from './SchemaParts';

export type Misfit =
	| { readonly kind: 'missing'; readonly field: string }
	| { readonly kind: 'type'; readonly field: string; readonly value: unknown; readonly type: FieldType }
	| { readonly kind: 'enum'; readonly field: string; readonly value: unknown; readonly enum: readonly unknown[] }
	/** JSON cannot represent the value. Found outside of {@link misfitCheck}. */
	| { readonly kind: 'lost'; readonly field: string; readonly what: string; readonly sentAs: string }
	/** All values of the record are null or blank. Found outside of {@link misfitCheck}, because it needs no document. */
	| { readonly kind: 'empty' }
	| { readonly kind: 'none'; readonly fields: readonly string[] }
	/** The field is unknown, and was probably meant for a field without a value. */
	| { readonly kind: 'unknown'; readonly field: string; readonly suggestion: string };

const none: readonly Misfit[] = Object.freeze([]);
/** Comparisons of a record's unknown names with those of the document. They take some milliseconds, once per name. */
const mostComparisons = 60_000;
/** If more fields than this have no value, it is a different record rather than a misspelled one. */
const mostMissing = 200;

/**
 * Builds a check of records from their schema. Null is a missing value, unless the document allows null. If the schema is
 * not `complete`, no name counts as unknown.
 *
 * Files and forms contain texts. Therefore, a text that reads as a number or a boolean counts as one, and a blank counts
 * as missing unless it is an allowed value. This does not apply to functions, whose code may add or compare values.
 *
 * @returns a check that also receives the item from which the record was made, to find misspelled names that the record
 *   lacks
 */
export function misfitCheck(schema: EndpointSchema): (record: JsonObject, origin?: JsonObject) => readonly Misfit[] {
	const { fields, operation, complete } = schema;
	if (fields.length === 0) return () => none;
	const mayBeEmpty = operation === 'runFunction' || operation === 'sqlQuery';
	const names = fields.map(({ name }) => name);
	const known = new Set(names);
	const closeTo = closeNames(names);
	/** Unknown names of a record that are compared with all documented names. The other names are compared only without case. */
	const mostCompared = Math.max(1, Math.floor(mostComparisons / comparisonsWith(names)));
	const textsOf = listedTexts();
	const rules = fields.map((field) => new FieldRule(field, textsOf(field.enum), operation !== 'runFunction'));

	const ruleOf = new Map(rules.map((rule) => [rule.field.name, rule]));
	const required = fields.filter((field) => field.required).length;

	function misfitsOf(record: JsonObject, origin: JsonObject): readonly Misfit[] {
		const keys = Object.keys(record).filter((key) => record[key] !== undefined);
		const missing = new Set<string>();
		const wrong: Misfit[] = [];
		for (const rule of rules) {
			const { name: field, type, enum: listed } = rule.field;
			const value = rule.valueIn(record);
			const kind = rule.verdictOn(value);
			if (kind === 'missing') missing.add(field);
			if (kind === 'type') wrong.push({ kind, field, value, type: type! });
			if (kind === 'enum') wrong.push({ kind, field, value, enum: listed! });
		}
		// A field that the record leaves out under its correct name is not misspelled.
		const isMeant = (name: string) =>
			missing.has(name) && (record === origin || ruleOf.get(name)!.verdictOn(own(origin, name)) === 'missing');
		const named = origin === record ? keys : [...new Set([...keys, ...Object.keys(origin)])];
		const strange = complete && missing.size <= mostMissing ? named.filter((key) => !known.has(key)) : [];
		const unknown = strange.flatMap((field, n) => {
			const suggestion = closeTo(field, n < mostCompared).find(isMeant);
			return suggestion === undefined ? [] : [{ kind: 'unknown' as const, field, suggestion }];
		});
		const isForeign = complete && !keys.some((key) => known.has(key)) && !(mayBeEmpty && keys.length === 0);
		if (isForeign) return [{ kind: 'none', fields: names }, ...unknown];
		const meant = new Set(unknown.map(({ suggestion }) => suggestion));
		const lacking = fields.filter(({ name, required }) => required && missing.has(name) && !meant.has(name));
		return [...lacking.map(({ name: field }) => ({ kind: 'missing' as const, field })), ...wrong, ...unknown];
	}

	/** The names of the latest record and the latest item. Most of a run have the same names, so that each is looked up once. */
	const latest = { record: lookUp({}), origin: lookUp({}) };

	function lookUp(json: JsonObject) {
		const keys: string[] = [];
		for (const key in json) keys.push(key);
		const others = keys.filter((key) => !known.has(key));
		const hasClose = others.some((key, n) => closeTo(key, n < mostCompared).length > 0);
		return { keys, rules: keys.map((key) => ruleOf.get(key)), hasClose };
	}

	/** Most records match. Walking their own fields is several times faster than looking up each documented field. */
	function mayHaveMisfits(record: JsonObject, origin: JsonObject): boolean {
		if (!hasKeys(record, latest.record.keys)) latest.record = lookUp(record);
		if (origin !== record && !hasKeys(origin, latest.origin.keys)) latest.origin = lookUp(origin);
		const ruleAt = latest.record.rules;
		let [n, filled, filledRequired] = [0, 0, 0];
		for (const key in record) {
			const rule = ruleAt[n++];
			if (rule === undefined) continue;
			const verdict = rule.verdictOn(record[key]);
			if (verdict === 'missing') continue;
			if (verdict !== undefined) return true;
			filled++;
			if (rule.field.required) filledRequired++;
		}
		if (filled === 0 || filledRequired < required) return true;
		if (filled === rules.length) return false;
		if (filled + mostMissing < rules.length) return false;
		return latest.record.hasClose || (origin !== record && latest.origin.hasClose);
	}

	return (record, origin = record) => (mayHaveMisfits(record, origin) ? misfitsOf(record, origin) : none);
}
