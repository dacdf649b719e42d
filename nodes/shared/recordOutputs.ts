import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import type { JsonObject, RecordOutcome } from '../../client';
import { isObject } from './isObject';
import { flatResult, keysOf, prefixed, withFieldsBehindFirst, withRest } from './columns';
import { type OutputNames, type RunColumns, successItem } from './outputItems';
import { textOf } from './parameters';

/** A record's outcome that is a result. */
export type RecordSuccess = Extract<RecordOutcome, { error?: undefined }>;

/** What an output is made of. */
interface Scored {
	itemIndex: number;
	source: INodeExecutionData;
	outcome: RecordSuccess;
	/** What was sent. */
	record: JsonObject;
	names: OutputNames;
	columns: RunColumns;
}

/** The ways to make an item of a result, by the node's `output` parameter. */
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
/** What a node says in `ignored`; anything else is a person's own. */
const isMark = (value: unknown) => typeof value === 'boolean' || value === null;

/** Probabilities of an earlier model: neighbors that add up to 1 and have that of its prediction, whatever a person put beside. */
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

/** The columns of an earlier override; a person may have kept a model's prediction under such a name, but hardly both. */
function earlierOverride(json: JsonObject, prefix: string, probas: unknown): readonly string[] {
	const [rule, prediction] = [`${prefix}override_rule`, `${prefix}model_prediction`];
	if (!Object.hasOwn(json, rule) || !Object.hasOwn(json, prediction)) return noNames;
	const classes = isObject(probas) ? Object.keys(probas).map((name) => `${prefix}model_proba_${name}`) : [];
	return [rule, `${prefix}override_changed`, prediction, ...classes, ...earlierProbas(json, `${prefix}model_`)];
}

/** So many columns are seen beside the prediction. */
const mostIdentifying = 2;

/** The first fields that tell which item it is: a text or number that the model was not given. */
function identifyingFields(json: JsonObject, isOther: (name: string, value: unknown) => boolean): readonly string[] {
	const names: string[] = [];
	for (const name of Object.keys(json)) {
		const value = json[name];
		if (typeof value !== 'string' && typeof value !== 'number') continue;
		if (!isOther(name, value)) names.push(name);
		if (names.length === mostIdentifying) break;
	}
	return names;
}

/** The result as columns, behind the first of them what identifies the item, then the input's other fields without the columns of an earlier response. */
function flat(fixed: readonly string[]): RecordOutputs[string] {
	const fixedNames = new Set(fixed);
	const explains = fixedNames.has('explanations');
	return ({ itemIndex, source, outcome: { result }, record, names: { columnPrefix: prefix }, columns }) => {
		const json = flatResult(keysOf(result), prefix);
		const own = Object.keys(json);
		let overridden: readonly string[] | undefined;
		const isEarlier = (name: string, value: unknown) => {
			if (!name.startsWith(prefix)) return false;
			const plain = name.slice(prefix.length);
			if (plain === 'ignored') return isMark(value);
			if (fixedNames.has(plain)) return true;
			if (!explains) return false;
			if (plain.startsWith(explanation)) return Object.hasOwn(record, plain.slice(explanation.length));
			if (!plain.startsWith('override_') && !plain.startsWith('model_')) return false;
			overridden ??= earlierOverride(source.json, prefix, result.probas);
			return overridden.includes(name);
		};
		const identifying = identifyingFields(
			source.json,
			(name, value) => Object.hasOwn(record, name) || Object.hasOwn(json, name) || isEarlier(name, value),
		);
		const answer = withFieldsBehindFirst(json, source.json, identifying);
		const item = successItem(withRest(answer, source.json, isEarlier), itemIndex, source);
		const earlier = () => (explains ? earlierProbas(source.json, prefix) : noNames);
		columns.add(item, own, { prefix, identifying, earlier: result.ignored === true ? earlier() : undefined });
		return item;
	};
}

/** The looked-up columns go among the input's fields; a record that was ignored says so there. */
const enrich: RecordOutputs[string] = ({ itemIndex, source, outcome, names: { columnPrefix }, columns }) => {
	const { data, ignored, ignoreReason } = outcome.result;
	const found = prefixed((data ?? {}) as JsonObject, columnPrefix);
	const added = ignored === true ? { ...found, ignored, ignoreReason } : found;
	const json = { ...source.json };
	if (isMark(json.ignored)) for (const name of ofIgnored) delete json[name];
	const item = successItem(Object.assign(json, added), itemIndex, source);
	columns.add(item, Object.keys(added), { prefix: '', keepsInput: true });
	return item;
};

/** The outputs of each operation; the first is the default. */
export const outputsOf = {
	predict: { flat: flat(ofPredictions), ...recordOutputs },
	predictEffect: { flat: flat(ofIgnored), ...recordOutputs },
	lookup: { enrich, ...recordOutputs },
} satisfies Record<string, RecordOutputs>;
