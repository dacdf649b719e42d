import { badRequest } from '../errors';
import type { Field } from '../endpoint';
import type { JsonObject } from '../json';

interface NumberFeature extends Field {
	encoding: 'number' | 'log';
	/** The training mean of the encoded value: what a missing value is imputed with. */
	mean: number;
	/** One weight per output. */
	weights: number[];
}

interface CategoryFeature extends Field {
	encoding: 'category' | 'bins';
	/** For `bins`: the number at which each bin but the first begins. */
	edges?: number[];
	/** Per value, one weight per output, centred on the training data: a missing or unseen value weighs nothing. */
	weights: Record<string, number[]>;
}

export type Feature = NumberFeature | CategoryFeature;

/** A linear, logistic or softmax model. It is centred, so that each feature's part is its exact Shapley value. */
export interface LinearModel {
	kind: 'BINARY' | 'MULTICLASS' | 'REGRESSION';
	target: string;
	/** The negative class first, in a binary classification. */
	classes: string[];
	/** Of the positive class's probability. */
	threshold: number;
	/** One per output: of the average record. A binary classification has one output, the log-odds of its last class. */
	base: number[];
	features: Feature[];
	/** The 1st to 99th percentile of the positive class's probability in training. */
	percentiles: number[];
	data: string;
	metrics: Record<string, number>;
}

interface Score {
	/** What each feature adds to the model's base, per output. */
	parts: number[][];
	/** One per output: the base and all parts. */
	values: number[];
}

/** The score of a model with one output. */
export const scoreOf = ({ values }: Score): number => values[0]!;

/** A model made ready to score records, so that each of them costs little: batches bring many. */
export function scorer({ base, features }: LinearModel): (record: JsonObject) => Score {
	const none = base.map(() => 0);
	const partOf = features.map((feature) => ({ name: feature.name, part: partOfFeature(feature) }));
	return (record) => {
		const parts: number[][] = [];
		const values = base.slice();
		for (const { name, part } of partOf) {
			const value = record[name];
			const missing = value === null || value === undefined || value === '';
			const added = (missing ? undefined : part(value)) ?? none;
			parts.push(added);
			for (let output = 0; output < values.length; output++) values[output]! += added[output]!;
		}
		return { parts, values };
	};
}

function partOfFeature(feature: Feature): (value: unknown) => number[] | undefined {
	if ('mean' in feature) {
		const { encoding, mean, weights } = feature;
		return (value) => {
			const number = numberOf(feature, value);
			const distance = (encoding === 'log' ? Math.log1p(number) : number) - mean;
			return weights.map((weight) => weight * distance);
		};
	}
	const { encoding, edges = [] } = feature;
	const weights = new Map(Object.entries(feature.weights));
	if (encoding === 'category') return (value) => weights.get(categoryOf(feature, value));
	const bins = Array.from({ length: edges.length + 1 }, (_, bin) => weights.get(String(bin)));
	return (value) => bins[countUpTo(edges, numberOf(feature, value))];
}

/** How many of the ascending numbers are not above the value. */
export function countUpTo(ascending: readonly number[], value: number): number {
	let from = 0;
	let to = ascending.length;
	while (from < to) {
		const middle = (from + to) >> 1;
		if (ascending[middle]! <= value) from = middle + 1;
		else to = middle;
	}
	return from;
}

export function sigmoid(logOdds: number): number {
	return 1 / (1 + Math.exp(-logOdds));
}

export function softmax(values: number[]): number[] {
	const max = Math.max(...values);
	const exponentials = values.map((value) => Math.exp(value - max));
	const total = exponentials.reduce((sum, value) => sum + value, 0);
	return exponentials.map((value) => value / total);
}

function categoryOf({ name }: Feature, value: unknown): string {
	if (typeof value === 'object') throw badRequest(`Feature '${name}' must be a single value`);
	return String(value);
}

function numberOf({ name, encoding }: Feature, value: unknown): number {
	// Numbers often arrive as text, from CSV files for instance: the node takes what reads as a number.
	const number = typeof value === 'string' ? Number(value) : value;
	if (typeof number !== 'number' || !Number.isFinite(number)) {
		throw badRequest(`Feature '${name}' must be a number, not ${JSON.stringify(value)}`);
	}
	if (encoding === 'log' && number < 0) throw badRequest(`Feature '${name}' must not be negative: ${number}`);
	return number;
}
