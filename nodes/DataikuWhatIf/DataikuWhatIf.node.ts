import type { IExecuteFunctions, INodeProperties, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	batchOptions,
	callOptions,
	columnPrefixOption,
	commonDescription,
	dispatchHints,
	dispatchOptions,
	endpointProperties,
	filledByModel,
	onceChosen,
	optionsProperty,
	outputProperty,
	recordProperties,
	subtitle,
	toolDescription,
	withKey,
	withOAuth2,
	withToolVariant,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { whatIfItems } from './whatIfItems';

const onlyHere = { hide: { '@tool': [true] } };

const goalProperties: INodeProperties[] = [
	{
		displayName: 'Goal',
		name: 'goal',
		type: 'options',
		options: [
			{
				name: 'Above a Value',
				value: 'above',
				description: 'The probability of a class, or the predicted number, must be above the value that you enter',
			},
			{
				name: 'As High as Possible',
				value: 'highest',
				description:
					'The highest probability of a class, or the highest predicted number, that the allowed changes can reach',
			},
			{
				name: 'As Low as Possible',
				value: 'lowest',
				description:
					'The lowest probability of a class, or the lowest predicted number, that the allowed changes can reach',
			},
			{
				name: 'Below a Value',
				value: 'below',
				description: 'The probability of a class, or the predicted number, must be below the value that you enter',
			},
			{ name: 'Different Class', value: 'otherClass', description: 'Any class other than the current prediction' },
			{ name: 'Given Class', value: 'class', description: 'The class that you enter' },
		],
		default: 'otherClass',
		description: 'What the prediction should become',
		displayOptions: onlyHere,
	},
	{
		displayName: 'Class',
		name: 'goalClass',
		type: 'string',
		default: '',
		placeholder: 'e.g. approved',
		description:
			'With "Given Class", the class to predict. With any other goal, the class whose probability should rise or fall. Leave empty if the model predicts a number.',
		displayOptions: { show: { goal: ['class', 'above', 'below', 'highest', 'lowest'] }, ...onlyHere },
	},
	{
		displayName: 'Value',
		name: 'goalValue',
		type: 'string',
		default: '',
		placeholder: 'e.g. 0.8',
		description: 'The probability (0 to 1) or number that the prediction should be above or below',
		displayOptions: { show: { goal: ['above', 'below'] }, ...onlyHere },
	},
	{
		displayName: 'Goal',
		name: 'goalJson',
		type: 'json',
		default: `={{ ${filledByModel} $fromAI('goal', \`What the prediction should become, as a JSON object: goal is one of otherClass, class, above, below, highest, lowest; class is the class to predict, or the class whose probability counts (leave it out if the model predicts a number); value is the number that the prediction should be above or below\`, 'json', '{"goal":"otherClass"}') }}`,
		required: true,
		description: 'Filled in by the AI model as JSON',
		displayOptions: { show: { '@tool': [true] } },
	},
];

const limitProperties: INodeProperties[] = [
	{
		displayName: 'What May Change',
		name: 'vary',
		type: 'options',
		options: [
			{
				name: 'Documented Features',
				value: 'documented',
				description:
					'Features for which the OpenAPI document gives allowed values or a range, plus the features listed in "Features to Vary"',
			},
			{ name: 'Only Listed Features', value: 'defined', description: 'Only the features listed in "Features to Vary"' },
		],
		default: 'documented',
	},
	{
		displayName: 'Features to Vary',
		name: 'variedFeatures',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add Feature',
		default: {},
		description:
			'The features to change, each with values or a range. The node takes whatever you leave empty (values, minimum, maximum or step) from the OpenAPI document.',
		options: [
			{
				displayName: 'Feature',
				name: 'feature',
				values: [
					{ displayName: 'Feature', name: 'name', type: 'string', default: '', placeholder: 'e.g. amount' },
					{ displayName: 'Max', name: 'max', type: 'string', default: '', placeholder: 'e.g. 500' },
					{ displayName: 'Min', name: 'min', type: 'string', default: '', placeholder: 'e.g. 0' },
					{
						displayName: 'Step',
						name: 'step',
						type: 'string',
						default: '',
						placeholder: 'e.g. 10',
						description:
							'Steps are counted from Min. Default: 1 for whole numbers. For other numbers: the largest power of 10 that is not greater than a thousandth of the range.',
					},
					{
						displayName: 'Values',
						name: 'values',
						type: 'string',
						default: '',
						placeholder: 'e.g. FR, DE',
						description: 'Comma-separated values, or an expression that returns a list. Used instead of a range.',
					},
					{
						displayName: 'Which Way',
						name: 'direction',
						type: 'options',
						options: [
							{ name: 'Both', value: 'any' },
							{ name: 'Only Downwards', value: 'down' },
							{ name: 'Only Upwards', value: 'up' },
						],
						default: 'any',
						description:
							'Direction in which the value is allowed to change. For text values, "Only Upwards" means toward the end of the list in "Values". If "Values" is empty, the list in the OpenAPI document is used.',
					},
				],
			},
		],
	},
	{
		displayName: 'Locked Features',
		name: 'lockedFeatures',
		type: 'string',
		default: '',
		placeholder: 'e.g. age, chargebacks',
		description: 'Comma-separated features that must not change',
	},
];

const searchOptions: INodeProperties[] = [
	{
		displayName: 'Deadline',
		name: 'deadline',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 60000,
		description: 'How long to search per item (in milliseconds). Suggestions found before the deadline are returned.',
	},
	{
		displayName: 'Max Suggestions',
		name: 'maxSuggestions',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 3,
		description: 'Maximum number of suggestions per record',
	},
	{
		displayName: 'Max Variants',
		name: 'maxVariants',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 200,
		description: 'Maximum number of variants (changed copies) to score per record',
	},
];

export class DataikuWhatIf implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku What-If',
		name: 'dataikuWhatIf',
		icon: { light: 'file:../../icons/whatIf.svg', dark: 'file:../../icons/whatIf.dark.svg' },
		subtitle,
		usableAsTool: true,
		hints: dispatchHints,
		builderHint: {
			searchHint:
				'Find the smallest changes to a record that lead to a different prediction by a Dataiku model, e.g. changes that would let a refused payment through.',
		},
		description: 'Find changes that lead to another prediction',
		defaults: { name: 'Dataiku What-If' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription(
				'Finds the smallest changes to one record that change the prediction of a trained model. A suggestion shows only what the model predicts. It does not prove that the change would cause the outcome.',
			),
			...endpointProperties,
			...recordProperties('Features', 'The features of one record by name, as a JSON object'),
			...onceChosen(
				...goalProperties,
				...limitProperties,
				...withToolVariant(outputProperty('perSuggestion', 'perRecord', 'fullResponse'), { default: 'perRecord' }),
			),
			optionsProperty([...callOptions, ...batchOptions, ...dispatchOptions, ...searchOptions, columnPrefixOption]),
		],
	};

	methods = methodsOf('predict');

	async execute(this: IExecuteFunctions) {
		return await whatIfItems(this);
	}
}
