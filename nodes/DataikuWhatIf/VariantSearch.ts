/**
 * One way in which a feature may change: upwards, downwards, or to a value without an order. Steps lead away from the feature's
 * own value, starting with 0. A variant takes at most one step per feature.
 */
export interface Axis {
	readonly feature: string;
	/** Number of steps, at least 1. */
	readonly size: number;
	readonly valueAt: (step: number) => unknown;
	/** Distance from the feature's own value, relative to the range of the feature. It grows with the step. */
	readonly distanceAt: (step: number) => number;
}

export interface Change {
	readonly axis: Axis;
	readonly step: number;
}

/** The changes of a variant, at most one per feature, in the order of the axes. */
export type Changes = readonly Change[];

export interface Score {
	readonly reached: boolean;
	/** Grows towards the goal. */
	readonly value: number;
}

export interface Tried<Result> extends Score {
	readonly changes: Changes;
	readonly distance: number;
	readonly result: Result;
}

export interface SearchOptions {
	readonly maxVariants: number;
	readonly maxSuggestions: number;
	readonly value: number;
	/** Whether no variant can reach the goal, so that the best value is wanted. */
	readonly wantsBest: boolean;
}

const mostChanges = 3;
/** The steps of an axis that are tried first, in tenths of the axis. The far end shows best where the axis leads. */
const tenths = [10, 5, 8, 2, 7, 3, 9, 4, 6, 1];
/** Steps tried at once between two that were tried before. */
const betweenAtOnce = 3;
const mostCombined = 30;

/**
 * Finds the smallest changes that reach a goal, without I/O and clock. {@link next} returns the variants to score next, and
 * {@link report} is called for each of them. If all changes to at most three features fit into the allowed number of variants, it
 * tries all of them. Otherwise, it tries a few steps of each axis, narrows down where the goal is reached, and continues with
 * pairs and triples of the most promising changes.
 */
export class VariantSearch<Result> {
	/** Whether all changes to at most three features can be tried. */
	readonly isExhaustive: boolean;
	private readonly features: ReadonlyArray<readonly Axis[]>;
	private readonly axes: readonly Axis[];
	private readonly numbers: ReadonlyMap<Axis, number>;
	private readonly proposed = new Set<string>();
	private readonly tried = new Map<string, Tried<Result> | undefined>();
	private level = 0;

	constructor(
		axes: readonly Axis[],
		private readonly options: SearchOptions,
	) {
		const features = new Map<string, Axis[]>();
		for (const axis of axes) {
			const others = features.get(axis.feature);
			if (others) others.push(axis);
			else features.set(axis.feature, [axis]);
		}
		this.features = [...features.values()];
		this.axes = this.features.flat();
		this.numbers = new Map(this.axes.map((axis, n) => [axis, n]));
		const all = countsOf(this.features).reduce((sum, count) => sum + count, 0);
		this.isExhaustive = all <= options.maxVariants;
	}

	get count(): number {
		return this.proposed.size;
	}

	/**
	 * Returns the variants to score next, none of them twice, and none when the search is over. All previous variants must have
	 * been reported.
	 *
	 * @param free number of variants that cost no more than one
	 */
	next(free = 0): Changes[] {
		return this.isExhaustive ? this.nextLevels(free) : this.nextPromising();
	}

	/** Records the outcome of a variant. Without a score, it could not be scored. */
	report(changes: Changes, score?: Score, result?: Result): void {
		const tried = score && { ...score, changes, distance: distanceOf(changes), result: result as Result };
		this.tried.set(this.keyOf(changes), tried);
	}

	/** The best variants, best first. None of them changes more than another one needs. */
	get suggestions(): Array<Tried<Result>> {
		return this.best(this.options.maxSuggestions);
	}

	private best(most: number): Array<Tried<Result>> {
		const found: Array<Tried<Result>> = [];
		for (const one of this.candidates.sort((a, b) => this.compare(a, b))) {
			if (found.length >= most) break;
			if (!found.some(({ changes }) => isWithin(changes, one.changes))) found.push(one);
		}
		return found;
	}

	private get candidates(): Array<Tried<Result>> {
		const { wantsBest, value } = this.options;
		return this.scored.filter((one) => (wantsBest ? one.value > value : one.reached));
	}

	private get scored(): Array<Tried<Result>> {
		return [...this.tried.values()].filter((one) => one !== undefined);
	}

	private compare(a: Tried<Result>, b: Tried<Result>): number {
		return (
			(this.options.wantsBest ? b.value - a.value : 0) ||
			a.changes.length - b.changes.length ||
			a.distance - b.distance ||
			this.orderOf(a.changes, b.changes)
		);
	}

	/** The order of the axes breaks ties, so that the same record always gets the same suggestions. */
	private orderOf(a: Changes, b: Changes): number {
		for (const [n, { axis, step }] of a.entries()) {
			const other = b[n]!;
			const order = this.numbers.get(axis)! - this.numbers.get(other.axis)! || step - other.step;
			if (order !== 0) return order;
		}
		return 0;
	}

	/** Whether changing more features at a time cannot improve the suggestions. */
	private get isSettled(): boolean {
		const { wantsBest, maxSuggestions } = this.options;
		return !wantsBest && this.suggestions.length >= maxSuggestions;
	}

	private nextLevels(free: number): Changes[] {
		const round: Changes[] = [];
		const counts = countsOf(this.features);
		while (this.level < mostChanges && !this.isSettled) {
			if (round.length > 0 && round.length + counts[this.level]! > free) break;
			for (const changes of this.ask(combinations(this.features, ++this.level))) round.push(changes);
		}
		return round;
	}

	private nextPromising(): Changes[] {
		const { maxVariants } = this.options;
		if (this.level === 0) {
			this.level = 1;
			return this.ask(this.samples(), Math.max(maxVariants / 2, this.axes.length));
		}
		const closer = this.ask(this.closer());
		if (closer.length > 0) return closer;
		while (this.level < mostChanges && !this.isSettled) {
			this.level++;
			const left = maxVariants - this.count;
			const round = this.ask(this.combined(), this.level === mostChanges ? left : left / 2);
			if (round.length > 0) return round;
		}
		return [];
	}

	private ask(wanted: Iterable<Changes>, most = Infinity): Changes[] {
		const room = Math.min(Math.ceil(most), this.options.maxVariants - this.count);
		const fresh: Changes[] = [];
		if (room <= 0) return fresh;
		for (const changes of wanted) {
			const key = this.keyOf(changes);
			if (this.proposed.has(key)) continue;
			this.proposed.add(key);
			fresh.push(changes);
			if (fresh.length >= room) break;
		}
		return fresh;
	}

	private keyOf(changes: Changes): string {
		return changes.map(({ axis, step }) => `${this.numbers.get(axis)}:${step}`).join();
	}

	private *samples(): Generator<Changes> {
		const byFeature = this.features.map((axes): Changes[] =>
			tenths.flatMap((tenth) => axes.map((axis) => [{ axis, step: Math.ceil((axis.size * tenth) / 10) - 1 }])),
		);
		const longest = Math.max(...byFeature.map((samples) => samples.length));
		for (let n = 0; n < longest; n++) for (const samples of byFeature) if (n < samples.length) yield samples[n]!;
	}

	/** Steps between good variants and tried ones next to them, where better suggestions may be. */
	private *closer(): Generator<Changes> {
		const { wantsBest, maxSuggestions } = this.options;
		const found = this.best(wantsBest ? maxSuggestions : Infinity);
		const last = found[maxSuggestions - 1];
		for (const { changes } of found) {
			for (const [n, { axis, step }] of changes.entries()) {
				const tried = this.stepsLike(changes, n);
				const at = (other: number) => changes.with(n, { axis, step: other });
				const low = Math.max(-1, ...tried.filter((other) => other < step));
				if (wantsBest) {
					yield* between(low, step).map(at);
					yield* between(step, Math.min(axis.size, ...tried.filter((other) => other > step))).map(at);
				} else if (!last || isBefore(at(low + 1), last)) yield* between(low, step).map(at);
			}
		}
	}

	/** Steps of one change that were tried while the other changes were the same. */
	private stepsLike(changes: Changes, n: number): number[] {
		const isLike = (others: Changes) =>
			others.length === changes.length &&
			others.every(({ axis, step }, at) => axis === changes[at]!.axis && (at === n || step === changes[at]!.step));
		return this.scored.flatMap((one) => (isLike(one.changes) ? one.changes[n]!.step : []));
	}

	/** Combinations of single changes that do not reach the goal alone, the most promising first. */
	private *combined(): Generator<Changes> {
		const promising = this.scored
			.filter(({ changes, reached }) => changes.length === 1 && !reached)
			.sort((a, b) => b.value - a.value || this.orderOf(a.changes, b.changes))
			.slice(0, mostCombined)
			.map(({ changes, value }) => ({ change: changes[0]!, value }));
		const byAxis = [...promising].sort((a, b) => this.orderOf([a.change], [b.change]));
		const found: Array<{ changes: Changes; value: number }> = [];
		const extend = (changes: Changes, value: number, from: number) => {
			if (changes.length === this.level) return void found.push({ changes, value });
			for (let n = from; n < byAxis.length; n++) {
				const next = byAxis[n]!;
				if (changes.some(({ axis }) => axis.feature === next.change.axis.feature)) continue;
				extend([...changes, next.change], value + next.value, n + 1);
			}
		};
		extend([], 0, 0);
		found.sort((a, b) => b.value - a.value || this.orderOf(a.changes, b.changes));
		for (const { changes } of found) yield changes;
	}
}

const distanceOf = (changes: Changes) => changes.reduce((sum, { axis, step }) => sum + axis.distanceAt(step), 0);

/** Whether changes are a part of other changes, or go less far. */
const isWithin = (some: Changes, others: Changes) =>
	some.every(({ axis, step }) => others.some((other) => other.axis === axis && other.step >= step));

const isBefore = (changes: Changes, { changes: others, distance }: Pick<Tried<unknown>, 'changes' | 'distance'>) =>
	changes.length < others.length || (changes.length === others.length && distanceOf(changes) <= distance);

function between(low: number, high: number): number[] {
	const count = Math.min(betweenAtOnce, high - low - 1);
	return Array.from({ length: Math.max(0, count) }, (_, n) => Math.round(low + ((n + 1) * (high - low)) / (count + 1)));
}

function countsOf(features: ReadonlyArray<readonly Axis[]>): number[] {
	const counts = Array<number>(mostChanges).fill(0);
	for (const axes of features) {
		const size = axes.reduce((sum, axis) => sum + axis.size, 0);
		for (let n = mostChanges - 1; n >= 0; n--) counts[n]! += size * (n === 0 ? 1 : counts[n - 1]!);
	}
	return counts;
}

function* combinations(features: ReadonlyArray<readonly Axis[]>, count: number, from = 0): Generator<Changes> {
	for (let n = from; n <= features.length - count; n++) {
		for (const axis of features[n]!) {
			for (let step = 0; step < axis.size; step++) {
				if (count === 1) yield [{ axis, step }];
				else for (const others of combinations(features, count - 1, n + 1)) yield [{ axis, step }, ...others];
			}
		}
	}
}
