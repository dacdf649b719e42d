import { createHash } from 'node:crypto';
import type { JsonObject } from '../../client/internal';
import { keysOf } from '../shared/columns';
import { isObject } from '../shared/isObject';

export const eventNames = ['generation', 'fields', 'drift', 'down', 'up'] as const;
export type EventName = (typeof eventNames)[number];

/** How a score is compared with its baseline: by difference, by share of the baseline, or by class. */
export const driftMeasures = ['number', 'share', 'class'] as const;

export interface Rules {
	measure: (typeof driftMeasures)[number];
	tolerance: number;
	/** Consecutive failed polls after which an endpoint counts as down. */
	failures: number;
}

type Scalar = string | number | boolean | null;

export interface DocumentedField {
	name: string;
	type: string;
	required: boolean;
}

/** The observations of one poll of one instance. */
export interface Seen {
	/** ISO 8601. */
	at: string;
	failure?: string;
	/** Responses to the test records: the generation of each response, and one result per record. */
	responses: ReadonlyArray<{ generation: string; results: readonly JsonObject[] }>;
	/** Whether most of the additional requests that should find all generations failed. */
	isPartial?: boolean;
	/** The endpoint's fields; undefined if its document was not read. */
	fields?: readonly DocumentedField[];
}

/**
 * A score without its record. `label` is the prediction, or a digest of a long one. `proba` is the probability of that class.
 */
interface Score {
	label: Scalar;
	proba?: number;
}

interface KnownGeneration {
	id: string;
	since: string;
	/** Responses of other generations since its own last response. */
	unseen: number;
	scores: readonly Score[];
	scoredAt: string;
}

/** The memory of one instance between polls. */
export interface Memory {
	isDown: boolean;
	/** Since when it has been down or up; null before its first response. */
	since: string | null;
	failures: number;
	failingSince?: string;
	generations: readonly KnownGeneration[];
	/**
	 * Number of responses so far in a search for all live generations; undefined outside of a search. A generation found by a
	 * search may have been live before, so it is recorded without an event.
	 */
	searched?: number;
	fields?: { since: string; list: readonly DocumentedField[] };
}

/** A record or a field that changed, or the reason why an endpoint is down. */
type Detail = Record<string, Scalar>;

export interface Change {
	event: EventName;
	generation: string | null;
	before: Scalar;
	after: Scalar;
	/** When a poll first observed `after`. */
	since: string;
	/** When a poll first observed `before`; null if no poll did. */
	beforeSince: string | null;
	details: Detail[];
}

/**
 * Consecutive responses without a generation after which it counts as gone, so that its return is an event. A generation with
 * 1% of the requests of an A/B test misses this many by chance once in 20,000 times.
 */
const mostUnseen = 1_000;

export const enoughResponses = 15;

/** Longer labels are kept as digests. */
const longestLabel = 100;

/** Compares the memory of an instance with a new observation. What is seen for the first time is not a change. */
export function compare(memory: Memory | undefined, seen: Seen, rules: Rules): { memory: Memory; changes: Change[] } {
	const before = memory ?? { isDown: false, since: null, failures: 0, generations: [] };
	const health = compareHealth(before, seen, rules);
	const { changes: models, ...generations } = compareGenerations(before, seen, rules);
	const documented = compareFields(before.fields, seen);
	return {
		memory: { ...health.memory, ...generations, fields: documented.fields },
		changes: [...health.changes, ...models, ...documented.changes],
	};
}

type Generations = Pick<Memory, 'generations' | 'searched'>;
type Health = Omit<Memory, keyof Generations | 'fields'>;

function compareHealth(before: Health, { at, failure }: Seen, rules: Rules): { memory: Health; changes: Change[] } {
	const { isDown, since: beforeSince } = before;
	const turned = { generation: null, beforeSince, details: [] };
	if (failure === undefined) {
		const memory = { isDown: false, since: isDown ? at : (beforeSince ?? at), failures: 0 };
		return { memory, changes: isDown ? [{ ...turned, event: 'up', before: 'down', after: 'up', since: at }] : [] };
	}
	const failures = before.failures + 1;
	const since = before.failingSince ?? at;
	if (isDown || failures < rules.failures) {
		return { memory: { isDown, since: beforeSince, failures, failingSince: since }, changes: [] };
	}
	const was = beforeSince === null ? null : 'up';
	const details = [{ reason: failure }];
	return {
		memory: { isDown: true, since, failures, failingSince: since },
		changes: [{ ...turned, event: 'down', before: was, after: 'down', since, details }],
	};
}

function compareGenerations(
	{ generations: known, searched }: Generations,
	{ at, responses, isPartial = false }: Seen,
	rules: Rules,
): Generations & { changes: Change[] } {
	const changes: Change[] = [];
	const first = new Map(responses.toReversed().map(({ generation, results }) => [generation, results.map(keysOf)]));
	const present = [...first].map(([id, results]): KnownGeneration => {
		const old = known.find((each) => each.id === id);
		const drift = old && driftOf(old, results, at, rules);
		if (drift) changes.push(drift);
		const scored = old && !drift ? old : { scores: results.map(scoreOf), scoredAt: at };
		return { id, since: old?.since ?? at, unseen: 0, scores: scored.scores, scoredAt: scored.scoredAt };
	});
	const others = known.filter(({ id }) => !first.has(id));
	const waning = others.map((each) => ({ ...each, unseen: each.unseen + responses.length }));
	const all = [...present, ...waning.filter(({ unseen }) => unseen < mostUnseen)];
	const met = present.filter(({ id }) => id !== '' && !known.some((each) => each.id === id));
	if (known.length > 0 && searched === undefined && met.length > 0) {
		const after = namesOf(present);
		const beforeSince = known.map((each) => each.since).sort()[0]!;
		changes.unshift({
			...{ event: 'generation', generation: namesOf(met), before: namesOf(known) || null, after },
			...{ since: at, beforeSince, details: [] },
		});
	}
	if (responses.length === 0 || (met.length === 0 && searched === undefined)) {
		return { generations: all, searched, changes };
	}
	const count = (searched ?? 0) + responses.length;
	if (isPartial && count < enoughResponses) return { generations: all, searched: count, changes };
	// Generations without a response are forgotten, because otherwise their return would not be an event.
	const most = isPartial ? enoughResponses : responses.length;
	return { generations: all.filter(({ unseen }) => unseen < most), searched: undefined, changes };
}

const namesOf = (generations: readonly KnownGeneration[]) =>
	generations
		.flatMap(({ id }) => id || [])
		.sort()
		.join(', ');

/** A record's score before and now, if the difference exceeds the tolerance. */
interface Deviation {
	before: Scalar;
	after: Scalar;
	by: number;
}

function driftOf(old: KnownGeneration, results: readonly JsonObject[], at: string, rules: Rules): Change | undefined {
	const details: Detail[] = [];
	let worst: Deviation | undefined;
	results.forEach((result, n) => {
		const deviation = deviationOf(old.scores[n]!, result, rules);
		if (!deviation) return;
		const { before, after, by } = deviation;
		details.push({ record: n + 1, before, after });
		if (!worst || by > worst.by) worst = deviation;
	});
	if (!worst) return undefined;
	const { before, after } = worst;
	return { event: 'drift', generation: old.id || null, before, after, since: at, beforeSince: old.scoredAt, details };
}

function deviationOf(old: Score, result: JsonObject, { measure, tolerance }: Rules): Deviation | undefined {
	const label = labelOf(result);
	// A class may also be a number.
	const isNumber = typeof old.label === 'number' && old.proba === undefined;
	const before = isNumber ? (old.label as number) : old.proba;
	const after = isNumber ? label : probaOf(result, old.label);
	if (measure !== 'class' && before !== undefined && typeof after === 'number') {
		const by = Math.abs(after - before);
		return by > tolerance * (measure === 'share' ? Math.abs(before) : 1) ? { before, after, by } : undefined;
	}
	return old.label === label ? undefined : { before: old.label, after: label, by: Infinity };
}

function scoreOf(result: JsonObject): Score {
	const label = labelOf(result);
	const proba = probaOf(result, label);
	return proba === undefined ? { label } : { label, proba };
}

function labelOf(result: JsonObject): Scalar {
	if (result.ignored === true) return `ignored (${String(result.ignoreReason)})`;
	// A custom model may return other keys.
	const value = 'prediction' in result ? result.prediction : result;
	const isShort = typeof value === 'string' ? value.length <= longestLabel : typeof value !== 'object';
	return isShort || value === null ? (value as Scalar) : digestOf(value);
}

function probaOf({ probas }: JsonObject, label: Scalar): number | undefined {
	const name = String(label);
	const proba = isObject(probas) && Object.hasOwn(probas, name) ? probas[name] : undefined;
	return typeof proba === 'number' ? proba : undefined;
}

export const digestOf = (value: unknown): string =>
	createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

function compareFields(known: Memory['fields'], { at, fields }: Seen): Pick<Memory, 'fields'> & { changes: Change[] } {
	if (!fields) return { fields: known, changes: [] };
	if (!known) return { fields: { since: at, list: fields }, changes: [] };
	const old = new Map(known.list.map((field) => [field.name, field]));
	const names = new Set(fields.map(({ name }) => name));
	const removed = known.list.filter(({ name }) => !names.has(name));
	const details = [
		...fields.flatMap((field) => changeOf(old.get(field.name), field) ?? []),
		...removed.map((field) => ({ field: field.name, change: 'removed', before: wordsOf(field), after: null })),
	];
	if (details.length === 0) return { fields: known, changes: [] };
	const sideOf = (side: 'before' | 'after') =>
		details.flatMap((each) => (each[side] === null ? [] : `${each.field}: ${each[side]}`)).join(', ') || null;
	const change: Change = {
		...{ event: 'fields', generation: null, before: sideOf('before'), after: sideOf('after') },
		...{ since: at, beforeSince: known.since, details },
	};
	return { fields: { since: at, list: fields }, changes: [change] };
}

interface FieldChange extends Detail {
	field: string;
	change: string;
	before: string | null;
	after: string | null;
}

function changeOf(old: DocumentedField | undefined, field: DocumentedField): FieldChange | undefined {
	const sides = { field: field.name, before: old ? wordsOf(old) : null, after: wordsOf(field) };
	if (!old) return { ...sides, change: 'added' };
	if (old.type !== field.type) return { ...sides, change: 'another type' };
	if (old.required === field.required) return undefined;
	return { ...sides, change: field.required ? 'newly required' : 'no longer required' };
}

const wordsOf = ({ type, required }: DocumentedField) => (required ? `${type}, required` : type);

/** An example of each event, made up except for what the instance shows now. */
export function sample(seen: Seen, rules: Rules): Change[] {
	if (seen.failure !== undefined) return compare(undefined, seen, { ...rules, failures: 1 }).changes;
	const { memory } = compare(undefined, seen, rules);
	const { generations, fields } = memory;
	const [field] = fields?.list ?? [];
	const failure = 'this is a test';
	const earlier = generations.map((each) => ({ ...each, id: 'an earlier generation' }));
	const otherScores = generations.map((each) => ({
		...each,
		scores: each.scores.map((score) => otherScore(score, rules)),
	}));
	const otherFields = fields && { ...fields, list: fields.list.filter((each) => each !== field) };
	const cases: Array<[Memory, Seen, Rules]> = [
		[{ ...memory, generations: earlier.slice(0, 1), fields: otherFields }, seen, rules],
		[{ ...memory, generations: otherScores }, seen, { ...rules, tolerance: 0 }],
		[memory, { ...seen, failure, responses: [], fields: undefined }, { ...rules, failures: 1 }],
		[{ ...memory, isDown: true }, seen, rules],
	];
	return cases.flatMap((each) => compare(...each).changes);
}

function otherScore({ label, proba }: Score, { measure }: Rules): Score {
	if (measure !== 'class' && proba !== undefined) return { label, proba: (proba + 0.5) % 1 };
	return { label: typeof label === 'number' ? 2 * label + 1 : `not ${label}` };
}
