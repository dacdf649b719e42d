import { InvalidCallError, type JsonObject } from '../../client/internal';
import { batchSizeReader, positive, type Target, targetReader } from '../shared/callSettings';
import type { Execution } from '../shared/Execution';
import { choice, combine, type Parameters, type Reader, textOf } from '../shared/parameters';
import { columnNames, objectIn } from '../shared/records';
import { directions, numberIn } from './axes';
import { type Goal, goalNames, type GoalName, goalWords } from './goals';
import type { Limits, VariedFeature } from './variations';

export interface ItemTarget extends Target {
	readonly batchSize: number;
	readonly goal: Goal;
	readonly limits: Limits;
	readonly maxVariants: number;
	readonly maxSuggestions: number;
	/** Milliseconds for an item's variants. */
	readonly searchTime: number;
}

export function itemTargetReader(execution: Execution): Reader<ItemTarget> {
	const { parameters } = execution;
	const target = targetReader(execution);
	const batchSize = batchSizeReader(parameters);
	const goal = parameters.asTool ? goalOfModel(parameters) : goalReader(parameters);
	const limits = limitsReader(parameters);
	const count = (name: string, label: string, fallback: number) => {
		const given = parameters.reader<unknown>(`options.${name}`, fallback);
		return combine([given], positive(given, label));
	};
	const maxVariants = count('maxVariants', 'Max Variants', 200);
	const maxSuggestions = count('maxSuggestions', 'Max Suggestions', 3);
	const deadline = count('deadline', 'Deadline', 60_000);
	return combine([target, batchSize, goal, limits, maxVariants, maxSuggestions, deadline], (i) => ({
		...target(i),
		batchSize: batchSize(i),
		goal: goal(i),
		limits: limits(i),
		maxVariants: maxVariants(i),
		maxSuggestions: maxSuggestions(i),
		searchTime: deadline(i),
	}));
}

function goalReader(parameters: Parameters): Reader<Goal> {
	const name = choice(parameters.reader('goal', 'otherClass'), 'Goal', goalNames);
	const className = parameters.reader<unknown>('goalClass', '');
	const value = parameters.reader<unknown>('goalValue', '');
	return combine([name, className, value], (i) => goalOf(name(i), textOf(className(i)), value(i)));
}

/** Reads the goal that a model gives: `{ "goal": "above", "class": "approved", "value": 0.8 }`. */
function goalOfModel(parameters: Parameters): Reader<Goal> {
	const given = parameters.reader<unknown>('goalJson', '');
	return combine([given], (i) => {
		const { goal, ...parts } = objectIn(given(i), 'goal', true);
		const { class: className, value } = parts;
		const name = textOf(goal ?? ((className ?? '') === '' ? 'otherClass' : 'class'));
		if (!goalNames.includes(name as GoalName)) {
			throw new InvalidCallError(`The goal must be one of ${goalNames.join(', ')}, not '${name}'`, {
				advice: 'For example: {"goal": "class", "class": "approved"}.',
			});
		}
		const read = goalOf(name as GoalName, textOf(className), value);
		const used = goalWords(read);
		// The model would believe that the suggestions considered this part.
		for (const part of Object.keys(parts)) {
			if ((parts[part] ?? '') !== '' && !Object.hasOwn(used, part)) throw unusedPart(name, part);
		}
		return read;
	});
}

function unusedPart(name: string, part: string): InvalidCallError {
	const meant: JsonObject = {
		class: 'The goal for a given class is "class"',
		value: 'The goals with a value are "above" and "below"',
	};
	const correct = Object.hasOwn(meant, part) ? meant[part] : 'A goal consists of "goal", "class" and "value"';
	return new InvalidCallError(`The goal "${name}" does not use "${part}". ${correct as string}`);
}

/** @throws InvalidCallError if a part of the goal is missing */
function goalOf(name: GoalName, className: string, given: unknown): Goal {
	if (name === 'otherClass') return { name };
	if (name === 'class' && className === '') throw new InvalidCallError('The goal needs a class, but none was given');
	const ofClass = className === '' ? {} : { class: className };
	if (name !== 'above' && name !== 'below') return { name, ...ofClass };
	const value = numberIn(given);
	if (value === undefined) throw new InvalidCallError(`The goal '${name}' needs a number, not '${textOf(given)}'`);
	if (className !== '' && (value < 0 || value > 1)) {
		throw new InvalidCallError(`The goal must be a probability between 0 and 1, not ${value}`, {
			advice: 'Write 80% as 0.8.',
		});
	}
	return { name, ...ofClass, value };
}

interface FeatureRows {
	feature?: Array<{
		name?: unknown;
		values?: unknown;
		min?: unknown;
		max?: unknown;
		step?: unknown;
		direction?: unknown;
	}>;
}

function limitsReader(parameters: Parameters): Reader<Limits> {
	const vary = choice(parameters.reader('vary', 'documented'), 'What May Change', ['documented', 'defined']);
	const rows = parameters.reader<FeatureRows>('variedFeatures', {});
	const locked = parameters.reader<unknown>('lockedFeatures', '');
	return combine([vary, rows, locked], (i) => ({
		documented: vary(i) === 'documented',
		features: (rows(i).feature ?? []).map(variedFeature),
		locked: columnNames(locked(i)),
	}));
}

function variedFeature(row: NonNullable<FeatureRows['feature']>[number]): VariedFeature {
	const name = textOf(row.name).trim();
	// If the rows are a single expression, n8n passes a nameless row per character.
	if (name === '') throw new InvalidCallError('A row of "Features to Vary" has no feature name');
	const number = (label: 'Min' | 'Max' | 'Step', given: unknown) => {
		const value = numberIn(given);
		if (value === undefined && textOf(given).trim() !== '')
			throw new InvalidCallError(`"${label}" of '${name}' must be a number, not '${textOf(given)}'`);
		return value;
	};
	const step = number('Step', row.step);
	if (step !== undefined && step <= 0) throw new InvalidCallError(`"Step" of '${name}' must be positive`);
	const direction = directions.find((each) => each === (row.direction ?? 'any'));
	if (!direction)
		throw new InvalidCallError(
			`"Which Way" of '${name}' must be one of ${directions.join(', ')}, not '${textOf(row.direction)}'`,
		);
	const [min, max] = [number('Min', row.min), number('Max', row.max)];
	return { name, values: row.values, min, max, step, direction };
}
