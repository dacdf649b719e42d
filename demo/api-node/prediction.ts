import type { Endpoint, Field } from './endpoint';
import { ApiNodeError, badRequest } from './errors';
import { isObject, itemsOf, type Json, type JsonObject, objectOf } from './json';
import type { Lookup } from './lookup';
import { countUpTo, type LinearModel, scorer, sigmoid, softmax } from './models/linear-model';

export interface Explanations {
	enabled: boolean;
	/** Both methods give the same result for these models: they are additive, so the contribution of each feature is exact. */
	method: 'ICE' | 'SHAPLEY';
	nExplanations: number;
	nMonteCarloSteps: number;
}

export type Predict = (features: JsonObject, explanations: Explanations) => object;

interface PredictionOptions {
	id: string;
	summary: string;
	description?: string;
	documented?: boolean;
	fields: Field[];
	predict: Predict;
	/** Used when the features include its keys. Its columns do not replace values that were sent. */
	enrichment?: Lookup;
	/** The endpoint's own setting. Without one, the model cannot be explained. */
	explanations?: Explanations;
}

export function predictionEndpoint(options: PredictionOptions): Endpoint {
	const { predict, enrichment, explanations: own, ...about } = options;
	const result = (features: JsonObject, explanations: Explanations) => {
		const enriched = enrichment?.find(features);
		if (enriched?.ignored) return enriched;
		if (enriched) complete(features, enriched.data);
		return predict(features, explanations);
	};
	return {
		...about,
		actions: {
			predict: (body) => ({ result: result(objectOf(body, 'features'), settle(own, body.explanations)) }),
			'predict-multi': (body) => {
				const explanations = settle(own, body.explanations);
				return { results: eachItem(itemsOf(body, 'features'), (features) => result(features, explanations)) };
			},
		},
	};
}

/** One invalid record fails the whole batch, as on a real API node. The message has the index of the record. */
export function eachItem<T>(items: JsonObject[], work: (item: JsonObject) => T): T[] {
	return items.map((item, index) => {
		try {
			return work(item);
		} catch (error) {
			throw error instanceof ApiNodeError ? badRequest(`Item ${index}: ${error.message}`) : error;
		}
	});
}

export function linearPrediction(model: LinearModel): Predict {
	const score = scorer(model);
	return (features, explanations) => {
		const { parts, values } = score(features);
		const result = decide(model, values);
		if (!explanations.enabled) return result;
		// If there are several classes, the predicted one is explained.
		const output = values.indexOf(Math.max(...values));
		return { ...result, explanations: largest(model, parts, output, explanations.nExplanations) };
	};
}

function decide({ kind, classes, threshold, percentiles }: LinearModel, values: number[]) {
	if (kind === 'REGRESSION') return { ignored: false, prediction: values[0]! };
	if (kind === 'MULTICLASS') {
		const probas: Record<string, number> = {};
		softmax(values).forEach((proba, index) => (probas[classes[index]!] = proba));
		return { ignored: false, prediction: classes[values.indexOf(Math.max(...values))], probas };
	}
	const proba = sigmoid(values[0]!);
	const [negative, positive] = classes as [string, string];
	return {
		ignored: false,
		prediction: proba >= threshold ? positive : negative,
		probas: { [negative]: 1 - proba, [positive]: proba },
		probaPercentile: countUpTo(percentiles, proba),
	};
}

function largest(model: LinearModel, parts: number[][], output: number, count: number): Record<string, number> {
	const influences = model.features.map(({ name }, index): [string, number] => [name, parts[index]![output]!]);
	influences.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
	return Object.fromEntries(influences.slice(0, count));
}

/** Settings that the request leaves out, or sends as null, are the endpoint's own. */
function settle(own: Explanations | undefined, asked: Json | undefined): Explanations {
	const defaults = own ?? { enabled: false, method: 'ICE', nExplanations: 3, nMonteCarloSteps: 100 };
	if (asked === null || asked === undefined) return defaults;
	if (!isObject(asked)) throw badRequest("'explanations' must be an object");
	const enabled = asked.enabled ?? defaults.enabled;
	const method = asked.method ?? defaults.method;
	if (typeof enabled !== 'boolean') throw badRequest("'explanations.enabled' must be true or false");
	if (method !== 'ICE' && method !== 'SHAPLEY') throw badRequest("'explanations.method' must be ICE or SHAPLEY");
	if (enabled && !own) throw badRequest('The model of this endpoint cannot be explained');
	return {
		enabled,
		method,
		nExplanations: whole('nExplanations', asked.nExplanations ?? defaults.nExplanations, 1, 1_000),
		nMonteCarloSteps: whole('nMonteCarloSteps', asked.nMonteCarloSteps ?? defaults.nMonteCarloSteps, 25, 1_000),
	};
}

function whole(name: string, value: Json, from: number, to: number): number {
	if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value;
	throw badRequest(`'explanations.${name}' must be an integer between ${from} and ${to}`);
}

/**
 * Replaces nulls with looked-up values, because null is a missing value. It changes the record in place, because copying it
 * would take longer than predicting it.
 */
function complete(features: JsonObject, lookedUp: JsonObject) {
	for (const column in lookedUp) features[column] ??= lookedUp[column]!;
}
