import type { Endpoint, Field } from './endpoint';
import { itemsOf, type JsonObject, objectOf } from './json';
import { contributions, type LinearModel, scores, sigmoid } from './models/linear-model';
import { eachItem } from './prediction';

/** A T-learner: one model of the outcome per arm; the effect is the difference between what they predict. */
export interface EffectModel {
	control: string;
	treatment: string;
	models: { control: LinearModel; treatment: LinearModel; propensity: LinearModel };
}

export function effectEndpoint(id: string, summary: string, model: EffectModel): Endpoint {
	const score = (arm: LinearModel, features: JsonObject) => scores(arm, contributions(arm, features))[0];
	const result = (features: JsonObject) => {
		const control = score(model.models.control, features);
		const treatment = score(model.models.treatment, features);
		return {
			ignored: false,
			predictedEffect: treatment - control,
			treatment: model.treatment,
			control: model.control,
			outcomes: { [model.treatment]: treatment, [model.control]: control },
			propensity: sigmoid(score(model.models.propensity, features)),
		};
	};
	const fields: Field[] = model.models.control.features;
	return {
		id,
		summary,
		fields,
		actions: {
			'predict-effect': (body) => ({ result: result(objectOf(body, 'features')) }),
			'predict-effect-multi': (body) => ({ results: eachItem(itemsOf(body, 'features'), result) }),
		},
	};
}
