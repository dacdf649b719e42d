import { ApiNodeError, type JsonObject, listed, type PredictionResult } from '../../client/internal';
import { textOf } from '../shared/parameters';
import { numberIn } from './axes';
import type { Score } from './VariantSearch';

export const goalNames = ['otherClass', 'class', 'above', 'below', 'highest', 'lowest'] as const;
export type GoalName = (typeof goalNames)[number];

/** The prediction that a changed record should have. */
export interface Goal {
	readonly name: GoalName;
	/** The class to predict, or the class whose probability counts. Undefined if the predicted number counts. */
	readonly class?: string;
	/** The threshold of `above` and `below`. */
	readonly value?: number;
}

/** A goal in the format in which a model requests it. */
export const goalWords = ({ name, ...parts }: Goal): JsonObject => ({ goal: name, ...parts });

/** A goal applied to one record. */
export interface Aim {
	readonly own: Score;
	readonly wantsBest: boolean;
	/** Returns undefined for a result that cannot be scored. */
	readonly scoreOf: (result: PredictionResult) => Score | undefined;
	/** The class whose probability a suggestion shows. */
	readonly classOf: (result: PredictionResult) => string | undefined;
}

/** @throws ApiNodeError for a goal that the endpoint's predictions cannot meet */
export function aimFor(goal: Goal, own: PredictionResult): Aim {
	const { name, value = NaN } = goal;
	if (goal.class !== undefined && own.probas && !Object.hasOwn(own.probas, goal.class))
		throw new ApiNodeError(`The model has no class '${goal.class}'`, {
			advice: `Its classes: ${listed(Object.keys(own.probas))}.`,
		});
	const isClass = name === 'otherClass' || name === 'class';
	const scoreOf = isClass ? byClass(goal, own) : byNumber(goal, value);
	const score = scoreOf(own);
	if (!score) throw cannotHave(goal, own);
	return {
		own: score,
		wantsBest: name === 'highest' || name === 'lowest',
		scoreOf,
		classOf: (result) => (isClass ? textOf(result.prediction) : goal.class),
	};
}

function byClass({ name, class: wanted }: Goal, own: PredictionResult): Aim['scoreOf'] {
	const ownClass = textOf(own.prediction);
	return ({ prediction, probas }) => {
		if ((prediction ?? undefined) === undefined) return undefined;
		// A number without probabilities is an amount, unless the class that is wanted is a number.
		if (typeof prediction === 'number' && !probas && numberIn(wanted) === undefined) return undefined;
		const predicted = textOf(prediction);
		const reached = name === 'class' ? predicted === wanted : predicted !== ownClass;
		const probability = name === 'class' ? probas?.[wanted!] : probas && 1 - (probas[ownClass] ?? 0);
		return { reached, value: probability ?? Number(reached) };
	};
}

function byNumber({ name, class: counted }: Goal, limit: number): Aim['scoreOf'] {
	const sign = name === 'above' || name === 'highest' ? 1 : -1;
	return ({ prediction, probas }) => {
		// Next to probabilities, a number is the name of a class.
		const number = counted !== undefined ? probas?.[counted] : probas ? undefined : prediction;
		if (typeof number !== 'number') return undefined;
		return { reached: sign * number > sign * limit, value: sign * number };
	};
}

function cannotHave({ name, class: counted }: Goal, own: PredictionResult): ApiNodeError {
	if ((own.prediction ?? undefined) === undefined) return new ApiNodeError('The record has no prediction');
	if (name === 'otherClass' || name === 'class')
		return new ApiNodeError('The endpoint predicts a number, not a class', {
			advice: 'Choose a goal that applies to a number: above or below a value, highest or lowest.',
		});
	return counted === undefined
		? new ApiNodeError('The prediction is a class, not a number', {
				advice: 'Name the class whose probability should rise or fall.',
			})
		: new ApiNodeError('The endpoint returns no class probabilities');
}
