import type { IDataObject } from 'n8n-workflow';
import { type JsonObject, setOwn } from '../../client/internal';
import { isObject } from './isObject';

export function prefixed(columns: JsonObject, prefix: string): JsonObject {
	if (prefix === '') return columns;
	const json: JsonObject = {};
	for (const name of Object.keys(columns)) setOwn(json, prefix + name, columns[name]);
	return json;
}

/**
 * Adds the fields of an item behind columns. Columns take precedence over fields of the same name.
 *
 * @param isLeftOut says which fields are not added
 */
export function withRest(
	columns: JsonObject,
	input: JsonObject,
	isLeftOut?: (name: string, value: unknown) => boolean,
): IDataObject {
	for (const name of Object.keys(input)) {
		const value = input[name];
		if (!Object.hasOwn(columns, name) && !isLeftOut?.(name, value)) setOwn(columns, name, value);
	}
	return columns as IDataObject;
}

/** Adds fields of an item behind the first column, where they are visible without scrolling. */
export function withFieldsBehindFirst(columns: JsonObject, input: JsonObject, fields: readonly string[]): JsonObject {
	const [first] = Object.keys(columns);
	if (first === undefined || fields.length === 0) return columns;
	const json: JsonObject = {};
	setOwn(json, first, columns[first]);
	for (const name of fields) setOwn(json, name, input[name]);
	return withRest(json, columns);
}

/** Adds a column. If its name is taken, the earlier column keeps it and this one becomes `result_<name>`. */
export function addColumn(json: JsonObject, name: string, value: unknown, prefix = ''): void {
	if (value === undefined) return;
	let free = name;
	while (Object.hasOwn(json, prefix + free)) free = `result_${free}`;
	setOwn(json, prefix + free, value);
}

/** The raw response of an MLflow model may not be an object. */
export const keysOf = (result: unknown): JsonObject => (isObject(result) ? result : { prediction: result });

/** Maps in a result whose entries become columns, with the prefix of their names. */
const maps = [
	['probas', 'proba_'],
	['explanations', 'explanation_'],
] as const;
const ownPlaces = new Set([
	'ignored',
	'ignoreReason',
	'prediction',
	'probas',
	'explanations',
	'probaPercentile',
	'override',
]);

/** The override of a result, which is what DSS calls the decision of a business rule in place of the model. */
export const overrideOf = ({ override }: JsonObject): JsonObject | undefined =>
	isObject(override) && override.ruleMatched === true ? override : undefined;

/** The rule, and the model's own prediction. Other keys get the prefix `override_` or `model_`. */
function overrideColumns(override: unknown): JsonObject {
	if (!isObject(override) || typeof override.ruleMatched !== 'boolean') return { override };
	const { ruleMatched, appliedRule, predictionChanged, rawResult, ...others } = override;
	if (!ruleMatched) return {};
	const rule = { rule: appliedRule ?? null, changed: predictionChanged, ...others };
	if (!isObject(rawResult)) return prefixed({ ...rule, rawResult }, 'override_');
	const { probabilities, ...raw } = rawResult;
	const probas = isObject(probabilities) ? prefixed(probabilities, 'proba_') : { probabilities };
	return { ...prefixed(rule, 'override_'), ...prefixed({ ...raw, ...probas }, 'model_') };
}

/**
 * Turns a result into columns: `prediction`, `proba_<class>`, `explanation_<feature>`, `proba_percentile`, then all other keys,
 * such as those of a custom model, under their own names. There is a column `ignored` only if the record was ignored, and
 * override columns only if a rule decided.
 *
 * @param prefix prefix of all column names
 */
export function flatResult(result: JsonObject, prefix: string): JsonObject {
	const json: JsonObject = {};
	const add = (name: string, value: unknown) => addColumn(json, name, value, prefix);
	const { ignored = null } = result;
	if (ignored !== null && typeof ignored !== 'boolean') add('ignored', ignored);
	if (ignored === true) {
		add('ignored', true);
		add('ignoreReason', result.ignoreReason);
	}
	add('prediction', result.prediction);
	for (const [map, start] of maps) {
		const entries = result[map];
		if (isObject(entries)) for (const key of Object.keys(entries)) add(start + key, entries[key]);
		else add(map, entries);
	}
	// Named like the probabilities, unless there is a class `percentile`.
	const percentile = Object.hasOwn(json, `${prefix}proba_percentile`) ? 'probaPercentile' : 'proba_percentile';
	add(percentile, result.probaPercentile);
	for (const name of Object.keys(result)) if (!ownPlaces.has(name)) add(name, result[name]);
	if (result.override !== undefined) {
		const override = overrideColumns(result.override);
		for (const name of Object.keys(override)) add(name, override[name]);
	}
	return json;
}

/** Where a column's value is in a result: its name, and the map that contains it, if any. */
export interface Place {
	readonly map?: (typeof maps)[number][0];
	readonly name: string;
}

/** Whether the columns of a result depend only on its names and those in its maps. */
export const hasPlainColumns = (result: unknown): boolean =>
	isObject(result) &&
	(result.ignored ?? false) === false &&
	result.override === undefined &&
	(result.probas === undefined || isObject(result.probas)) &&
	(result.explanations === undefined || isObject(result.explanations));

/** The columns that {@link flatResult} makes of all results with the names of this one, which has plain columns. */
export function columnPlaces(result: JsonObject, prefix: string): Array<[column: string, place: Place]> {
	// Wrapped in lists, which are treated like plain values.
	const places: JsonObject = {};
	for (const name of Object.keys(result)) if (name !== 'ignored') setOwn(places, name, [{ name }]);
	for (const [map] of maps) {
		if (!isObject(result[map])) continue;
		places[map] = Object.fromEntries(Object.keys(result[map]).map((name) => [name, [{ map, name }]]));
	}
	const columns = Object.entries(flatResult(places, prefix)) as Array<[string, [Place]]>;
	return columns.map(([column, [place]]) => [column, place]);
}
