import type { JsonObject } from './json';
import type { Predict } from './prediction';

/** A business rule that decides in place of the model. DSS calls it an override. */
export interface Rule {
	name: string;
	matches: (features: JsonObject) => boolean;
	prediction: string;
}

interface Classification {
	prediction: string;
	probas: Record<string, number>;
}

/** Adds overrides to the model's predictions. The first rule that matches a record decides. */
export function withRules(predict: Predict, rules: readonly Rule[]): Predict {
	return (features, explanations) => {
		const result = predict(features, explanations) as Classification;
		const rule = rules.find(({ matches }) => matches(features));
		if (!rule) return { ...result, override: { ruleMatched: false } };
		const { prediction, probas } = result;
		const decided: Record<string, number> = {};
		for (const name of Object.keys(probas)) decided[name] = name === rule.prediction ? 1 : 0;
		return {
			...result,
			prediction: rule.prediction,
			probas: decided,
			override: {
				ruleMatched: true,
				appliedRule: rule.name,
				rawResult: { prediction, probabilities: probas },
				predictionChanged: prediction !== rule.prediction,
			},
		};
	};
}
