import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	commonDescription,
	endpointProperties,
	onceChosen,
	optionsProperty,
	outputProperty,
	parseJsonOption,
	recordProperties,
	resultFieldOption,
	subtitle,
	toolDescription,
	withKey,
	withOAuth2,
	repeatableOption,
	retryNotice,
	splitArrayOption,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { callItems } from '../shared/callItems';
import { functionCall } from './functionCall';

export class DataikuRunFunction implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Run Function',
		name: 'dataikuRunFunction',
		icon: { light: 'file:../../icons/runFunction.svg', dark: 'file:../../icons/runFunction.dark.svg' },
		subtitle,
		usableAsTool: true,
		builderHint: {
			searchHint:
				'For each item, call a Python or R function of a Dataiku API service. The returned value is in `result`.',
		},
		description: 'Run a Python or R function in Dataiku',
		defaults: { name: 'Dataiku Run Function' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription('Calls a function and returns its result.'),
			...endpointProperties,
			// n8n accepts no argument named `arguments`.
			...recordProperties('Arguments', 'The arguments of the function by name, as a JSON object', {
				argument: 'function_arguments',
			}),
			...onceChosen(outputProperty('withInput', 'resultOnly', 'fullResponse')),
			optionsProperty([...callOptions, repeatableOption, resultFieldOption, parseJsonOption, splitArrayOption]),
			retryNotice,
		],
	};

	methods = methodsOf('runFunction');

	async execute(this: IExecuteFunctions) {
		return await callItems(this, 'runFunction', functionCall(this));
	}
}
