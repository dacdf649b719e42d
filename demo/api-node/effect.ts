import type { Endpoint, Field } from './endpoint';
import { itemsOf, type JsonObject, objectOf } from './json';
import { type LinearModel, scoreOf, scorer, sigmoid } from './models/linear-model';
import { eachItem } from './prediction';

/** A T-learner: one model of the outcome per arm. The effect is the difference between their predictions. */
export interface EffectModel {
	control: string;
	treatment: string;
	models: { control: LinearModel; treatment: LinearModel; propensity: LinearModel };
}

export function effectEndpoint(id: string, summary: string, model: EffectModel): Endpoint {
	const controlOf = scorer(model.models.control);
	const treatmentOf = scorer(model.models.treatment);
	const propensityOf = scorer(model.models.propensity);
	const result = (features: JsonObject) => {
		const control = scoreOf(controlOf(features));
		const treatment = scoreOf(treatmentOf(features));
		return {
			ignored: false,
			predictedEffect: treatment - control,
			treatment: model.treatment,
			control: model.control,
			outcomes: { [model.treatment]: treatment, [model.control]: control },
			propensity: sigmoid(scoreOf(propensityOf(features))),
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
