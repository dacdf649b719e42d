import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	batchOptions,
	callOptions,
	commonDescription,
	dispatchOptions,
	endpointProperties,
	ignoredRecordsProperty,
	optionsProperty,
	outputProperty,
	recordProperties,
	subtitle,
	withKey,
	withOAuth2,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { settleItems } from '../shared/settleItems';

const whenExplained = { show: { explanations: ['on'] } };

export class DataikuPredict implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Predict',
		name: 'dataikuPredict',
		icon: { light: 'file:../../icons/apinode.svg', dark: 'file:../../icons/apinode.dark.svg' },
		subtitle,
		usableAsTool: true,
		description:
			'Score records with a model on a Dataiku API node: give the features of a record, get its prediction, probabilities and, on demand, explanations',
		defaults: { name: 'Dataiku Predict' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...endpointProperties,
			...recordProperties('Features'),
			{
				displayName: 'Explanations',
				name: 'explanations',
				type: 'options',
				options: [
					{ name: "Endpoint's Setting", value: 'endpointDefault' },
					{ name: 'On', value: 'on' },
					{ name: 'Off', value: 'off' },
				],
				default: 'endpointDefault',
				description: 'Whether each prediction comes with the influence of the features that matter most to it',
			},
			{
				displayName: 'Explanation Method',
				name: 'explanationMethod',
				type: 'options',
				options: [
					{ name: "Endpoint's Setting", value: '' },
					{ name: 'ICE', value: 'ICE', description: 'Faster' },
					{ name: 'Shapley', value: 'SHAPLEY', description: 'More precise, and slower' },
				],
				default: '',
				displayOptions: whenExplained,
			},
			{
				displayName: 'Number of Explanations',
				name: 'nExplanations',
				type: 'number',
				typeOptions: { minValue: 0 },
				default: 0,
				description: "Explanations per prediction. 0 takes the endpoint's setting.",
				displayOptions: whenExplained,
			},
			{
				displayName: 'Monte Carlo Steps',
				name: 'nMonteCarloSteps',
				type: 'number',
				typeOptions: { minValue: 0, maxValue: 1000 },
				default: 0,
				description: "Precision of Shapley, 25 to 1000: more is slower. 0 takes the endpoint's setting.",
				displayOptions: whenExplained,
			},
			outputProperty('withInput', 'resultOnly', 'fullResponse'),
			ignoredRecordsProperty,
			optionsProperty([...callOptions, ...batchOptions, ...dispatchOptions]),
		],
	};

	methods = methodsOf('predict');

	async execute(this: IExecuteFunctions) {
		return await settleItems(this, 'predict');
	}
}
