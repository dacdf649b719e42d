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

/** What each feature adds to the model's base, per output. */
export function contributions(model: LinearModel, record: JsonObject): number[][] {
	const none = new Array<number>(model.base.length).fill(0);
	return model.features.map((feature) => {
		const value = record[feature.name];
		return value === null || value === undefined || value === '' ? none : (contribution(feature, value) ?? none);
	});
}

function contribution(feature: Feature, value: unknown): number[] | undefined {
	if ('mean' in feature) {
		const number = numberOf(feature, value);
		const distance = (feature.encoding === 'log' ? Math.log1p(number) : number) - feature.mean;
		return feature.weights.map((weight) => weight * distance);
	}
	const category =
		feature.encoding === 'category'
			? categoryOf(feature, value)
			: String(countUpTo(feature.edges ?? [], numberOf(feature, value)));
	return Object.hasOwn(feature.weights, category) ? feature.weights[category] : undefined;
}

export function scores(model: LinearModel, parts: number[][]): number[] {
	return model.base.map((base, output) => {
		let score = base;
		for (const part of parts) score += part[output];
		return score;
	});
}

/** How many of the ascending numbers are not above the value. */
export function countUpTo(ascending: number[], value: number): number {
	let count = 0;
	while (count < ascending.length && ascending[count] <= value) count++;
	return count;
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
