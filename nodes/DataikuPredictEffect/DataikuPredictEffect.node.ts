import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	dispatchHints,
	batchOptions,
	callOptions,
	columnPrefixOption,
	commonDescription,
	dispatchOptions,
	endpointProperties,
	ignoredRecordsProperty,
	onceChosen,
	optionsProperty,
	outputProperty,
	recordProperties,
	resultFieldOption,
	subtitle,
	toolDescription,
	withKey,
	withOAuth2,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { settleItems } from '../shared/settleItems';

export class DataikuPredictEffect implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Predict Effect',
		name: 'dataikuPredictEffect',
		icon: { light: 'file:../../icons/predictEffect.svg', dark: 'file:../../icons/predictEffect.dark.svg' },
		subtitle,
		usableAsTool: true,
		hints: dispatchHints,
		builderHint: {
			searchHint: 'Estimate how much a treatment changes the outcome for each item, with a Dataiku causal model.',
		},
		description: 'Estimate the effect of a treatment',
		defaults: { name: 'Dataiku Predict Effect' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription(
				'Estimates with a causal model how a treatment would change the outcome of one record. Returns the predicted effect.',
			),
			...endpointProperties,
			...recordProperties('Features', 'The features of one record by name, as a JSON object'),
			...onceChosen(outputProperty('flat', 'withInput', 'resultOnly', 'fullResponse')),
			ignoredRecordsProperty,
			optionsProperty([...callOptions, ...batchOptions, ...dispatchOptions, resultFieldOption, columnPrefixOption]),
		],
	};

	methods = methodsOf('predictEffect');

	async execute(this: IExecuteFunctions) {
		return await settleItems(this, 'predictEffect');
	}
}
