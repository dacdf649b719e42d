import type { INodeExecutionData } from 'n8n-workflow';
import type { JsonObject } from '../../client/internal';
import { prefixed } from '../shared/columns';
import type { Execution } from '../shared/Execution';
import { counted, listed } from '../shared/hints';
import { sentence } from '../shared/nodeErrors';
import { outputNamed } from '../shared/outputItems';
import { textOf } from '../shared/parameters';
import { flatPrediction, recordOutputs, type RecordSuccess } from '../shared/recordOutputs';
import { remarkOn } from '../shared/settleItems';
import { type Aim, type Goal, goalWords } from './goals';
import { ownIn } from './variations';
import type { Changes, Tried, VariantSearch } from './VariantSearch';

export interface Suggested {
	readonly prediction: unknown;
	/** Probability of the class that counts for the goal. */
	readonly probability: number | undefined;
	readonly rule: string | undefined;
}

export interface Finding {
	readonly aim: Aim;
	readonly variants: VariantSearch<Suggested>;
	scored: number;
	/** Number of variants that were refused or ignored, and the reason for the first one. */
	unscored: number;
	whyUnscored?: string;
	/** Rules that decided variants, and the number of these variants. */
	readonly rules: Set<string>;
	ruled: number;
	isLate: boolean;
	/** The failure because of which variants had to wait until the deadline. */
	outage?: string;
}

/** An item whose record was scored. There is no search if there was nothing to search for. */
interface ScoredRecord {
	readonly itemIndex: number;
	readonly record: JsonObject;
	readonly own: RecordSuccess;
	readonly search?: Finding;
	readonly target: { readonly goal: Goal };
}

const words = {
	reached: 'The record already reaches the goal',
	ignored: 'The API node ignored the record',
	nothing: 'No change within these limits reaches the goal',
	notBetter: 'No change within these limits improves the prediction',
	notFound: 'No change that reaches the goal was found within these limits, but not all possible changes were tried',
	allTried: 'All changes to one, two or three features were considered',
	late: 'The search stopped at the deadline',
	outage: (why: string) => `The last variants that were sent before the deadline could not be scored: ${why}`,
	unscored: (count: number, why: string) =>
		`${counted(count, 'variant was', 'variants were')} not scored. ${count === 1 ? 'Reason' : 'Reason for the first'}: ${why}`,
	bestOf:
		'This is the best of the variants that were tried. Some combinations of one, two or three changed features were not tried',
	bestOfTried: (tried: number) => `The best of ${tried.toLocaleString('en')} variants tried`,
	tried: (tried: number) => `${tried.toLocaleString('en')} variants tried`,
	ruledAll: (rules: ReadonlySet<string>) =>
		`For every variant that was tried, a business rule decided the prediction (${listed([...rules])})`,
	ruled: (rule: string) => `A business rule decides the new prediction (${rule})`,
	cause:
		'A suggestion shows what the model predicts for a changed input. It does not prove that the change would cause this outcome',
};

export function outputReader(execution: Execution): (scored: ScoredRecord) => INodeExecutionData[] {
	const { parameters, sources, columns, outputNames } = execution;
	const outputOf = parameters.reader<string>('output', parameters.asTool ? 'perRecord' : 'perSuggestion');
	return ({ itemIndex, record, own, search, target }) => {
		const goal = parameters.asTool ? { what_if_goal: goalWords(target.goal) } : {};
		const rows = outputNamed(outputs, outputOf(itemIndex))(record, own, search);
		remarkOn(execution, itemIndex, own.result);
		for (const remark of remarksOn(search)) execution.remark(remark, itemIndex);
		if (parameters.asTool) execution.remark(words.cause, itemIndex);
		const names = outputNames(itemIndex);
		const common = { itemIndex, source: sources[itemIndex]!, record, names, columns };
		const { result, response } = own;
		return rows.map((row) =>
			outputOf(itemIndex) === 'fullResponse'
				? recordOutputs.fullResponse!({ ...common, outcome: { result, response: { ...response, ...goal, ...row } } })
				: flat({ ...common, outcome: { result: { ...result, ...goal, ...row }, response } }),
		);
	};
}

type Output = (record: JsonObject, own: RecordSuccess, search: Finding | undefined) => JsonObject[];

const perRecord: Output = (record, own, search) => {
	const suggestions = search?.variants.suggestions ?? [];
	return [
		{
			what_if: outcomeOf(own, search, suggestions),
			suggestions: suggestions.map((one) => suggestionOf(record, one)),
			variants_tried: search?.scored ?? 0,
			what_if_note: noteOn(own, search, suggestions),
		},
	];
};

/** What each `output` adds to the response to the original record. */
const outputs: Record<string, Output> = {
	perSuggestion: (record, own, search) => {
		const suggestions = search?.variants.suggestions ?? [];
		const rows = suggestions.length > 0 ? suggestions : [undefined];
		return rows.map((one, n) => ({
			what_if: outcomeOf(own, search, suggestions),
			suggestion: one ? n + 1 : null,
			...prefixed(one ? suggestionOf(record, one) : none, 'suggested_'),
			variants_tried: search?.scored ?? 0,
			what_if_note: noteOn(own, search, suggestions, one?.result.rule),
		}));
	},
	perRecord,
	fullResponse: perRecord,
};

const none = {
	...{ change: null, changes: null, prediction: null, probability: null },
	...{ features: null, distance: null, rule: null },
};

/** Columns of an earlier run are removed, whatever its output was. */
const flat = flatPrediction([
	...['what_if', 'what_if_goal', 'what_if_note', 'variants_tried', 'suggestion', 'suggestions'],
	...Object.keys(prefixed(none, 'suggested_')),
]);

function suggestionOf(record: JsonObject, { changes, distance, result }: Tried<Suggested>): JsonObject {
	const changed = changesOf(record, changes);
	return {
		change: changed.map(({ feature, from, to }) => `${feature}: ${textOf(from) || 'none'} → ${textOf(to)}`).join(', '),
		changes: changed,
		prediction: result.prediction,
		probability: result.probability ?? null,
		features: changes.length,
		distance: Number(distance.toPrecision(6)),
		rule: result.rule ?? null,
	};
}

const changesOf = (record: JsonObject, changes: Changes) =>
	changes.map(({ axis: { feature, valueAt }, step }) => ({
		feature,
		from: ownIn(record, feature) ?? null,
		to: valueAt(step),
	}));

/** For a Switch or an If node: what to do with the item. */
function outcomeOf(own: RecordSuccess, search: Finding | undefined, suggestions: readonly unknown[]): string {
	if (search) return suggestions.length > 0 ? 'suggestion' : search.isLate ? 'unfinished' : 'nothing';
	return own.result.ignored === true ? 'ignored' : 'reached';
}

function noteOn(
	{ result }: RecordSuccess,
	search: Finding | undefined,
	suggestions: readonly unknown[],
	rule?: string,
): string {
	if (!search) return `${result.ignored === true ? words.ignored : words.reached}.`;
	const { scored } = search;
	const isFound = suggestions.length > 0;
	const parts = [
		!isFound && nothingWords(search),
		isWhole(search) ? words.allTried : isFound ? words.bestOfTried(scored) : words.tried(scored),
		...troubleWords(search),
		isRuled(search) ? words.ruledAll(search.rules) : rule !== undefined && words.ruled(rule),
	];
	return parts
		.filter(Boolean)
		.map((part) => sentence(part as string))
		.join(' ');
}

/** Whether all changes to at most three features were considered, or all that could lead to better suggestions. */
const isWhole = ({ variants, isLate, unscored }: Finding) => variants.isExhaustive && !isLate && unscored === 0;

function troubleWords({ isLate, outage, unscored, whyUnscored = '' }: Finding): string[] {
	return [
		...(unscored > 0 ? [words.unscored(unscored, whyUnscored)] : []),
		...(isLate ? [words.late] : []),
		...(outage === undefined ? [] : [words.outage(outage)]),
	];
}

const nothingWords = (search: Finding) =>
	!isWhole(search) ? words.notFound : search.aim.wantsBest ? words.notBetter : words.nothing;

const isRuled = ({ scored, ruled }: Finding) => scored > 0 && ruled === scored;

function remarksOn(search: Finding | undefined): string[] {
	if (!search) return [];
	const isFound = search.variants.suggestions.length > 0;
	return [
		...(isFound ? [] : [nothingWords(search)]),
		...(isFound && !isWhole(search) ? [words.bestOf] : []),
		...troubleWords(search),
		...(isRuled(search) ? [words.ruledAll(search.rules)] : []),
	];
}
