import type { IExecuteFunctions, INodeProperties, INodeType, INodeTypeDescription } from 'n8n-workflow';
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
	withToolVariant,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { settleItems } from '../shared/settleItems';

const whenExplained = { show: { explanations: ['on'] } };

const explanationProperties: INodeProperties[] = [
	{
		displayName: 'Explanations',
		name: 'explanations',
		type: 'options',
		options: [
			{ name: 'Use Endpoint Setting', value: 'endpointDefault' },
			{ name: 'On', value: 'on' },
			{ name: 'Off', value: 'off' },
		],
		default: 'endpointDefault',
		description: 'Whether to return the features that most influenced each prediction',
	},
	{
		displayName: 'Explanation Method',
		name: 'explanationMethod',
		type: 'options',
		options: [
			{ name: 'Use Endpoint Setting', value: '' },
			{ name: 'ICE', value: 'ICE', description: 'Faster' },
			{ name: 'Shapley', value: 'SHAPLEY', description: 'More precise but slower' },
		],
		default: '',
		displayOptions: whenExplained,
	},
	...withToolVariant(
		{
			displayName: 'Number of Explanations',
			name: 'nExplanations',
			type: 'string',
			default: '',
			placeholder: 'Endpoint setting',
			description: 'How many features to explain per prediction',
			displayOptions: whenExplained,
		},
		{ default: '3' },
	),
	{
		displayName: 'Monte Carlo Steps',
		name: 'nMonteCarloSteps',
		type: 'string',
		default: '',
		placeholder: 'Endpoint setting',
		description: 'Number of steps for Shapley (25 to 1,000). More steps are more precise but slower.',
		displayOptions: { show: { explanations: ['on'], explanationMethod: ['SHAPLEY'] } },
	},
];

export class DataikuPredict implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Predict',
		name: 'dataikuPredict',
		icon: { light: 'file:../../icons/predict.svg', dark: 'file:../../icons/predict.dark.svg' },
		subtitle,
		usableAsTool: true,
		hints: dispatchHints,
		builderHint: {
			searchHint:
				'Score items with a Dataiku model: predictions, class probabilities and explanations. Choose the endpoint. The features are taken from the items by name.',
		},
		description: 'Get predictions from a Dataiku model',
		defaults: { name: 'Dataiku Predict' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription(
				'Scores one record with a trained model. Returns the prediction and the probability of each class.',
			),
			...endpointProperties,
			...recordProperties('Features', 'The features of one record by name, as a JSON object'),
			...onceChosen(...explanationProperties, outputProperty('flat', 'withInput', 'resultOnly', 'fullResponse')),
			ignoredRecordsProperty,
			optionsProperty([...callOptions, ...batchOptions, ...dispatchOptions, resultFieldOption, columnPrefixOption]),
		],
	};

	methods = methodsOf('predict');

	async execute(this: IExecuteFunctions) {
		return await settleItems(this, 'predict');
	}
}
