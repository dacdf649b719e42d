import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	type BatchOptions,
	type BatchTarget,
	ConnectionError,
	type JsonObject,
	type PredictionResult,
	type RecordBatcher,
	type RecordOutcome,
	setOwn,
	StatusError,
	TimeoutError,
} from '../../client/internal';
import { callTo } from '../shared/callSettings';
import { keysOf } from '../shared/columns';
import { Execution } from '../shared/Execution';
import { mayBeFull } from '../shared/fullResponse';
import { explain } from '../shared/nodeErrors';
import type { RecordSuccess } from '../shared/recordOutputs';
import { contextReader } from '../shared/records';
import { ignoredWords, ruleIn } from '../shared/settleItems';
import { type Aim, aimFor } from './goals';
import { axesFor } from './variations';
import { type Changes, VariantSearch } from './VariantSearch';
import { type Finding, outputReader, type Suggested } from './whatIfOutputs';
import { type ItemTarget, itemTargetReader } from './whatIfParameters';

/** Items whose variants are scored together. They share requests, and all their data are kept in memory. */
const mostTogether = 1_000;

interface SearchedItem {
	readonly itemIndex: number;
	readonly target: ItemTarget;
	readonly record: JsonObject;
	readonly context: JsonObject | undefined;
	/** The response to the original record; undefined if it failed. */
	own?: RecordSuccess;
	search?: Search;
	/** Set when the item has failed, so that nothing more of it is sent. */
	hasFailed?: true;
}

interface Search extends Finding {
	readonly aim: Aim;
	readonly variants: VariantSearch<Suggested>;
	/** The generation that scored the original record, if known. */
	readonly generation: string | undefined;
	spent: number;
	/** Whether the item's time is over at a given time in the present round. */
	isOverAt: (at: number) => boolean;
	refusal?: ApiNodeError;
}

export async function whatIfItems(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	return await Execution.run(context, 'predict', async (execution) => {
		const run = new WhatIfRun(execution);
		await execution.forEach(itemTargetReader(execution), run.ask, { recordOf: execution.records.of });
		await run.conclude();
	});
}

/** Scores records, then their variants in rounds that all items share. */
class WhatIfRun {
	private waiting: SearchedItem[] = [];
	/** Number of records and variants without an outcome, per batcher. */
	private readonly open = new Map<RecordBatcher, number>();
	private readonly contextOf: (itemIndex: number) => JsonObject | undefined;
	private readonly itemsOf: ReturnType<typeof outputReader>;
	private readonly responseHeaders: boolean;

	constructor(private readonly execution: Execution) {
		this.contextOf = contextReader(execution.parameters);
		this.itemsOf = outputReader(execution);
		this.responseHeaders = mayBeFull(execution.parameters.reader('output', 'perSuggestion'));
	}

	readonly ask = async (itemIndex: number, target: ItemTarget, record: JsonObject): Promise<void> => {
		const item: SearchedItem = { itemIndex, target, record, context: this.contextOf(itemIndex) };
		this.waiting.push(item);
		const room = this.send(
			item,
			record,
			this.batchTarget(item, { responseHeaders: this.responseHeaders }),
			(outcome) => {
				if (outcome.error) this.fail(item, outcome.error, outcome.untried);
				else item.own = { ...outcome, result: keysOf(outcome.result) };
			},
		);
		if (room) await room;
		if (this.waiting.length >= mostTogether) await this.conclude();
	};

	/** Runs the search for all sent records and outputs the results. */
	async conclude(): Promise<void> {
		await this.outcomes();
		const { waiting } = this;
		this.waiting = [];
		for (const each of waiting) await this.begin(each);
		for (let active = waiting; active.length > 0;) active = await this.round(active);
		for (const each of waiting) {
			const turn = this.execution.turn();
			if (turn) await turn;
			const { own, search } = each;
			if (search?.refusal && search.scored === 0) this.fail(each, search.refusal);
			if (own && !each.hasFailed)
				this.execution.attempt(each, () => this.execution.emit(each.itemIndex, this.itemsOf({ ...each, own })));
		}
	}

	private async begin(item: SearchedItem): Promise<void> {
		const { own, target, itemIndex, record } = item;
		const { features } = this.execution;
		if (!own || own.result.ignored === true) return;
		const turn = this.execution.turn();
		if (turn) await turn;
		const aim = this.attempt(item, () => aimFor(target.goal, own.result));
		if (!aim || aim.own.reached) return;
		const reading = features.documentRead(target);
		if (reading) await reading;
		const { maxVariants, maxSuggestions, limits } = target;
		const fits = features.changeCheck(itemIndex, target, record);
		const fields = features.fieldsOf(target);
		const remark = (what: string) => this.execution.remark(what, itemIndex);
		const axes = this.attempt(item, () => axesFor(record, limits, fields, fits, remark));
		if (!axes) return;
		const { wantsBest } = aim;
		const { value } = aim.own;
		item.search = {
			aim,
			variants: new VariantSearch<Suggested>(axes, { maxVariants, maxSuggestions, value, wantsBest }),
			generation: own.response.apiContext?.serviceGeneration,
			spent: 0,
			isOverAt: () => false,
			scored: 0,
			unscored: 0,
			rules: new Set(),
			ruled: 0,
			isLate: false,
		};
	}

	/** Scores the next variants of all items. @returns the items whose search continues */
	private async round(active: readonly SearchedItem[]): Promise<SearchedItem[]> {
		const going: Array<{ search: Search; target: ItemTarget; own: number }> = [];
		const next: SearchedItem[] = [];
		const startedAt = performance.now();
		let sent = 0;
		/** The share of a time that counts against an item while others use the API node, too. */
		const shareOf = ({ connection, maxConcurrency, batchSize }: ItemTarget, own: number) =>
			Math.min(1, Math.max(own, connection.instances * maxConcurrency * batchSize) / Math.max(1, sent));
		for (const item of active) {
			const { search, target, record, context } = item;
			if (!search || item.hasFailed || search.isLate) continue;
			const turn = this.execution.turn();
			if (turn) await turn;
			const most = Math.floor(target.batchSize / active.length);
			const wanted = this.attempt(item, () => search.variants.next(most));
			if (!wanted?.length) continue;
			const left = target.searchTime - search.spent;
			search.isLate = left <= 0;
			if (search.isLate) continue;
			next.push(item);
			const one = { search, target, own: 0 };
			going.push(one);
			const { generation } = search;
			const to = this.batchTarget(item, {
				// A dispatch key could choose another generation for a variant.
				...(generation !== undefined && { forcedGeneration: generation, dispatchKey: undefined }),
				withExplanations: false,
				deadline: Math.max(1, Math.min(left, 4 * target.timeout)),
				control: { features: record, ...(context && { context }) },
			});
			// An item's time starts with its first variant, because sending may have waited for other items.
			const since = performance.now();
			search.isOverAt = (at) => (at - since) * shareOf(target, one.own) >= left;
			for (const changes of wanted) {
				const pause = this.execution.turn();
				if (pause) await pause;
				if (search.isOverAt(performance.now())) search.isLate = true;
				if (search.isLate) break;
				const changed = { ...record };
				for (const { axis, step } of changes) setOwn(changed, axis.feature, axis.valueAt(step));
				sent++;
				one.own++;
				const room = this.send(item, changed, to, (outcome) => this.note(item, search, changes, outcome));
				if (room) await room;
			}
		}
		await this.outcomes();
		const took = performance.now() - startedAt;
		for (const { search, target, own } of going) search.spent += took * shareOf(target, own);
		return next;
	}

	private note(item: SearchedItem, search: Search, changes: Changes, outcome: RecordOutcome<PredictionResult>): void {
		const { error } = outcome;
		if (error) {
			if (isRefusal(error)) {
				search.refusal ??= error;
				this.unscored(search, changes, explain(error, {}).message);
			} else if (isOutage(error) && isOver(item.target, search, error)) {
				search.isLate = true;
				if (!(error instanceof TimeoutError)) search.outage ??= explain(error, {}).message;
			} else this.fail(item, error, outcome.untried);
			return;
		}
		const generation = outcome.response.apiContext?.serviceGeneration;
		if (generation !== search.generation) return this.fail(item, anotherGeneration(search.generation, generation));
		const { aim } = search;
		const result: PredictionResult = keysOf(outcome.result);
		const score = result.ignored === true ? undefined : aim.scoreOf(result);
		if (!score) return this.unscored(search, changes, result.ignored === true ? ignoredWords(result) : noPrediction);
		search.scored++;
		const rule = ruleIn(result);
		if (rule !== undefined) {
			search.rules.add(rule);
			search.ruled++;
		}
		const className = aim.classOf(result);
		const probability = className === undefined ? undefined : result.probas?.[className];
		search.variants.report(changes, score, { prediction: result.prediction, probability, rule });
	}

	private unscored(search: Search, changes: Changes, why: string): void {
		search.unscored++;
		search.whyUnscored ??= why;
		search.variants.report(changes);
	}

	private batchTarget({ target }: SearchedItem, how: BatchOptions): BatchTarget<'predict'> {
		const { session } = this.execution.destinationOf(target);
		return session.target('predict', target.endpointId, { ...callTo(target), ...how });
	}

	/** @returns a promise to wait for before the next variant is sent */
	private send(
		{ target, context }: SearchedItem,
		features: JsonObject,
		to: BatchTarget<'predict'>,
		onOutcome: (outcome: RecordOutcome<PredictionResult>) => void,
	): Promise<void> | undefined {
		const { batcher } = this.execution.destinationOf(target);
		this.open.set(batcher, (this.open.get(batcher) ?? 0) + 1);
		return batcher.add(context ? { features, context } : { features }, to, (outcome) => {
			this.open.set(batcher, this.open.get(batcher)! - 1);
			onOutcome(outcome);
		});
	}

	private async outcomes(): Promise<void> {
		for (const batcher of this.open.keys()) batcher.flush();
		for (const batcher of this.open.keys()) await batcher.until(() => this.open.get(batcher) === 0);
	}

	private fail(item: SearchedItem, error: unknown, untried?: boolean): void {
		if (item.hasFailed) return;
		item.hasFailed = true;
		this.execution.attempt(item, () => this.execution.fail(error, item, untried));
	}

	private attempt<Value>(item: SearchedItem, work: () => Value): Value | undefined {
		const value = this.execution.attempt(item, work);
		if (value === undefined) item.hasFailed = true;
		return value;
	}
}

/** Whether the endpoint refused this record, but may accept others. */
const isRefusal = (error: ApiNodeError) => error instanceof StatusError && [400, 422, 500].includes(error.status);

const noPrediction = 'The response has no prediction that can be compared with the goal';

const isOutage = (error: ApiNodeError) =>
	error instanceof TimeoutError ||
	(error instanceof ConnectionError && !error.permanent) ||
	(error instanceof StatusError && [408, 429, 502, 503, 504].includes(error.status));

/**
 * How long before its deadline a call may have its last attempt, in ms: the last pause is half of the remaining time at most.
 */
const lastTry = 2_500;

function isOver({ searchTime }: ItemTarget, { spent, isOverAt }: Search, error: ApiNodeError): boolean {
	const pauseMs = error instanceof StatusError ? (error.retryAfter ?? 0) : 0;
	return isOverAt(performance.now() + Math.max(pauseMs, Math.min(lastTry, (searchTime - spent) / 2)));
}

const anotherGeneration = (wanted = 'none', found = 'none') =>
	new ApiNodeError('A variant was scored by a different generation than its record', {
		advice: `Generation of the record: ${wanted}. Generation of the variant: ${found}.`,
	});
