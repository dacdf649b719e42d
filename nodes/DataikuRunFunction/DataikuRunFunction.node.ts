import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	commonDescription,
	endpointProperties,
	optionsProperty,
	outputProperty,
	recordProperties,
	repeatableOption,
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
		description: 'Run a Python or R function of a Dataiku API node: give its named arguments, get its value',
		defaults: { name: 'Dataiku Run Function' },
		properties: [
			...endpointProperties,
			...recordProperties('Arguments'),
			outputProperty('withInput', 'resultOnly', 'fullResponse'),
			optionsProperty([...callOptions, repeatableOption, splitArrayOption]),
		],
	};

	methods = methodsOf('runFunction');

	async execute(this: IExecuteFunctions) {
		return await callItems(this, functionCall(this));
	}
}
