import { badRequest } from '../errors';
import type { Field } from '../endpoint';
import type { JsonObject } from '../json';

interface NumberFeature extends Field {
	encoding: 'number' | 'log';
	/** Mean of the encoded value in training, which replaces missing values. */
	mean: number;
	/** One weight per output. */
	weights: number[];
}

interface CategoryFeature extends Field {
	encoding: 'category' | 'bins';
	/** For `bins`: the lower bound of each bin except the first. */
	edges?: number[];
	/** For each value, one weight per output, centered on the training data. Missing and unknown values have weight zero. */
	weights: Record<string, number[]>;
}

export type Feature = NumberFeature | CategoryFeature;

/** A linear, logistic or softmax model. It is centered, so that the contribution of each feature is its exact Shapley value. */
export interface LinearModel {
	kind: 'BINARY' | 'MULTICLASS' | 'REGRESSION';
	target: string;
	/** In a binary classification, the negative class is first. */
	classes: string[];
	/** Threshold on the positive class's probability. */
	threshold: number;
	/** The average record's value per output. A binary classification has one output, the log-odds of its last class. */
	base: number[];
	features: Feature[];
	/** The 1st to 99th percentile of the positive class's probability in training. */
	percentiles: number[];
	data: string;
	metrics: Record<string, number>;
}

interface Score {
	/** The contribution of each feature per output. */
	parts: number[][];
	/** The base plus all contributions, per output. */
	values: number[];
}

export const scoreOf = ({ values }: Score): number => values[0]!;

/** Prepares a model for scoring many records. */
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

/** Counts the ascending numbers up to and including the value. */
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
	// CSV files and others contain numbers as text, so a text that reads as a number counts as one.
	const number = typeof value === 'string' ? Number(value) : value;
	if (typeof number !== 'number' || !Number.isFinite(number)) {
		throw badRequest(`Feature '${name}' must be a number, not ${JSON.stringify(value)}`);
	}
	if (encoding === 'log' && number < 0) throw badRequest(`Feature '${name}' must not be negative: ${number}`);
	return number;
}
