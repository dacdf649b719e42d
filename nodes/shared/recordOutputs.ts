import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { hasKeys, type JsonObject, type RecordOutcome, setOwn } from '../../client/internal';
import { isObject } from './isObject';
import {
	columnPlaces,
	flatResult,
	hasPlainColumns,
	keysOf,
	type Place,
	prefixed,
	withFieldsBehindFirst,
	withRest,
} from './columns';
import { type OutputNames, type RunColumns, successItem } from './outputItems';
import { textOf } from './parameters';

export type RecordSuccess = Extract<RecordOutcome, { error?: undefined }>;

interface Scored {
	itemIndex: number;
	source: INodeExecutionData;
	outcome: RecordSuccess;
	record: JsonObject;
	names: OutputNames;
	columns: RunColumns;
}

/** The ways to make an item from a result, by the node's `output` parameter. */
export type RecordOutputs = Record<string, (scored: Scored) => INodeExecutionData>;

const asJson = (value: unknown) => value as IDataObject;

/** The outputs of all nodes with one result per item. */
export const recordOutputs: RecordOutputs = {
	withInput: ({ itemIndex, source, outcome, names }) =>
		successItem({ ...source.json, [names.resultField]: asJson(outcome.result) }, itemIndex, source),
	resultOnly: ({ itemIndex, outcome }) => successItem({ ...asJson(keysOf(outcome.result)) }, itemIndex),
	fullResponse: ({ itemIndex, outcome: { result, response } }) =>
		successItem({ result: asJson(result), ...asJson(response) }, itemIndex),
};

const ofIgnored = ['ignored', 'ignoreReason'];
const ofPredictions = [...ofIgnored, 'prediction', 'proba_percentile', 'probas', 'explanations', 'override'];
const explanation = 'explanation_';
const noNames: readonly string[] = [];
/** Whether a node wrote the value of `ignored`. Any other value is the user's own. */
const isMark = (value: unknown) => typeof value === 'boolean' || value === null;

/**
 * Finds the probabilities of an earlier model: consecutive fields that add up to 1 and include that of the prediction. Fields
 * that the user added next to them do not count.
 */
function earlierProbas(json: JsonObject, prefix: string): readonly string[] {
	if (!Object.hasOwn(json, `${prefix}prediction`)) return noNames;
	const predicted = `${prefix}proba_${textOf(json[`${prefix}prediction`])}`;
	const names: string[] = [];
	let sum = 0;
	let isWhole = false;
	for (const name of Object.keys(json)) {
		const value = json[name];
		if (typeof value !== 'number' || !name.startsWith(`${prefix}proba_`)) continue;
		if (isWhole && value !== 0) break;
		names.push(name);
		sum += value;
		while (sum > 1 + 1e-6) sum -= json[names.shift()!] as number;
		isWhole = sum > 1 - 1e-6 && names.includes(predicted);
	}
	return isWhole ? names : noNames;
}

/**
 * Finds the columns of an earlier override. A user may keep a model's prediction under one of these names, but hardly under
 * both.
 */
function earlierOverride(json: JsonObject, prefix: string, probas: unknown): readonly string[] {
	const [rule, prediction] = [`${prefix}override_rule`, `${prefix}model_prediction`];
	if (!Object.hasOwn(json, rule) || !Object.hasOwn(json, prediction)) return noNames;
	const classes = isObject(probas) ? Object.keys(probas).map((name) => `${prefix}model_proba_${name}`) : [];
	return [rule, `${prefix}override_changed`, prediction, ...classes, ...earlierProbas(json, `${prefix}model_`)];
}

/** Fields that fit next to the prediction in the editor. */
const mostIdentifying = 2;

const isIdentifier = (value: unknown) => typeof value === 'string' || typeof value === 'number';

/**
 * The first fields of an item that the model did not receive, until enough of them are texts or numbers, which identify the
 * item.
 */
function tellingFields(json: JsonObject, isOther: (name: string, value: unknown) => boolean): string[] {
	const names: string[] = [];
	let identifying = 0;
	for (const name of Object.keys(json)) {
		if (isOther(name, json[name])) continue;
		names.push(name);
		if (isIdentifier(json[name]) && ++identifying === mostIdentifying) break;
	}
	return names;
}

/** The output for results and items with certain names. Most items of a run have the same names. */
interface Shape {
	readonly prefix: string;
	readonly names: Record<'result' | 'probas' | 'explanations' | 'input' | 'record', readonly string[]>;
	/** Whether each of the telling fields identifies the item. */
	readonly telling: ReadonlyArray<{ name: string; identifies: boolean }>;
	readonly own: readonly string[];
	readonly identifying: readonly string[];
	/** Whether the output depends only on these names. */
	readonly isPlain: boolean;
	/** The names of the output, and where each value comes from: from the input if there is no place. */
	readonly columns: readonly string[];
	readonly places: ReadonlyArray<Place | undefined>;
}

const namesIn = (value: unknown) => (isObject(value) ? Object.keys(value) : noNames);

function fits({ prefix, names, telling }: Shape, scored: Scored): boolean {
	const { json } = scored.source;
	const { result } = scored.outcome;
	const { record } = scored;
	if (prefix !== scored.names.columnPrefix || !hasKeys(result, names.result)) return false;
	if (!hasKeys(result.probas, names.probas) || !hasKeys(result.explanations, names.explanations)) return false;
	if (!hasKeys(json, names.input)) return false;
	if (record === json ? names.record !== names.input : !hasKeys(record, names.record)) return false;
	for (const { name, identifies } of telling) if (isIdentifier(json[name]) !== identifies) return false;
	return true;
}

/** Uses indexes, because destructuring pairs would take longer than everything else. */
function inShape({ columns, places }: Shape, result: JsonObject, input: JsonObject): IDataObject {
	const json: JsonObject = {};
	for (let n = 0; n < columns.length; n++) {
		const column = columns[n]!;
		const place = places[n];
		if (!place) json[column] = input[column];
		else json[column] = (place.map ? (result[place.map] as JsonObject) : result)[place.name];
	}
	return json as IDataObject;
}

/**
 * The result as columns, with the identifying fields behind the first of them, then the other fields of the input without the
 * columns of an earlier response.
 */
function flat(fixed: readonly string[]): RecordOutputs[string] {
	const fixedNames = new Set(fixed);
	const explains = fixedNames.has('explanations');
	const starts = explains ? [explanation, 'override_', 'model_'] : [];
	/** Whether a field may be a column of an earlier response, depending on its value, the record or other fields. */
	const isDoubtful = (plain: string) => plain === 'ignored' || starts.some((start) => plain.startsWith(start));

	function fromScratch({ source, outcome: { result }, record, names: { columnPrefix: prefix } }: Scored) {
		const columns = flatResult(keysOf(result), prefix);
		let overridden: readonly string[] | undefined;
		const isEarlier = (name: string, value: unknown) => {
			if (!name.startsWith(prefix)) return false;
			const plain = name.slice(prefix.length);
			if (plain === 'ignored') return isMark(value);
			if (fixedNames.has(plain) || !isDoubtful(plain)) return fixedNames.has(plain);
			if (plain.startsWith(explanation)) return Object.hasOwn(record, plain.slice(explanation.length));
			overridden ??= earlierOverride(source.json, prefix, result.probas);
			return overridden.includes(name);
		};
		const telling = tellingFields(
			source.json,
			(name, value) => Object.hasOwn(record, name) || Object.hasOwn(columns, name) || isEarlier(name, value),
		);
		const identifying = telling.filter((name) => isIdentifier(source.json[name]));
		const own = Object.keys(columns);
		const json = withRest(withFieldsBehindFirst(columns, source.json, identifying), source.json, isEarlier);
		return { json, own, identifying, telling };
	}

	function shapeOf(
		{ source, outcome: { result }, record, names: { columnPrefix: prefix } }: Scored,
		made: ReturnType<typeof fromScratch>,
	): Shape {
		const { own, identifying, telling } = made;
		const input = namesIn(source.json);
		const names = {
			result: namesIn(result),
			probas: namesIn(result.probas),
			explanations: namesIn(result.explanations),
			input,
			record: record === source.json ? input : namesIn(record),
		};
		const places = new Map(columnPlaces(result, prefix));
		const columns = Object.keys(made.json);
		const dependsOnMore = [...own, ...names.input].some(
			(name) =>
				name === '__proto__' || (name.startsWith(prefix) && !places.has(name) && isDoubtful(name.slice(prefix.length))),
		);
		return {
			prefix,
			names,
			telling: telling.map((name) => ({ name, identifies: identifying.includes(name) })),
			own,
			identifying,
			isPlain: !dependsOnMore,
			columns,
			places: columns.map((name) => places.get(name)),
		};
	}

	// Shape of the latest item in the process. Executions that alternate learn it again, and it is verified for every item.
	let shape: Shape | undefined;
	return (scored) => {
		const { itemIndex, source, columns } = scored;
		const { result } = scored.outcome;
		const isPlain = hasPlainColumns(result);
		if (isPlain && shape?.isPlain && fits(shape, scored)) {
			const item = successItem(inShape(shape, result, source.json), itemIndex, source);
			columns.add(item, shape.own, shape);
			return item;
		}
		const made = fromScratch(scored);
		if (isPlain) shape = shapeOf(scored, made);
		const { columnPrefix: prefix } = scored.names;
		const item = successItem(made.json, itemIndex, source);
		const earlier = () => (explains ? earlierProbas(source.json, prefix) : noNames);
		const { own, identifying } = isPlain ? shape! : made;
		columns.add(item, own, { prefix, identifying, earlier: result.ignored === true ? earlier() : undefined });
		return item;
	};
}

/** The looked-up columns go among the input's fields. A record that was ignored is marked there. */
const enrich: RecordOutputs[string] = ({ itemIndex, source, outcome, names: { columnPrefix }, columns }) => {
	const { data, ignored, ignoreReason } = outcome.result;
	const found = prefixed(isObject(data) ? data : (data ?? null) === null ? {} : { data }, columnPrefix);
	const added = ignored === true ? { ...found, ignored, ignoreReason } : found;
	const json = { ...source.json };
	if (isMark(json.ignored)) for (const name of ofIgnored) delete json[name];
	for (const name of Object.keys(added)) setOwn(json, name, added[name]);
	const item = successItem(json, itemIndex, source);
	columns.add(item, Object.keys(added), { prefix: '', keepsInput: true });
	return item;
};

/** The columns of a prediction. @param more names of columns that the node adds */
export const flatPrediction = (more: readonly string[] = []): RecordOutputs[string] =>
	flat([...ofPredictions, ...more]);

/** The outputs of each operation. The first one is the default. */
export const outputsOf = {
	predict: { flat: flatPrediction(), ...recordOutputs },
	predictEffect: { flat: flat(ofIgnored), ...recordOutputs },
	lookup: { enrich, ...recordOutputs },
} satisfies Record<string, RecordOutputs>;
