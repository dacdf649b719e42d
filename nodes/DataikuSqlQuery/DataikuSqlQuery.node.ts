import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	commonDescription,
	endpointProperties,
	optionsProperty,
	outputProperty,
	recordProperties,
	repeatableOption,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { callItems } from '../shared/callItems';
import { queryCall } from './queryCall';

export class DataikuSqlQuery implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku SQL Query',
		name: 'dataikuSqlQuery',
		description: 'Run a parameterised SQL query of a Dataiku API node: give its named parameters, get its rows',
		defaults: { name: 'Dataiku SQL Query' },
		properties: [
			...endpointProperties,
			...recordProperties('Parameters'),
			outputProperty('perRow', 'perQuery', 'fullResponse'),
			optionsProperty([...callOptions, repeatableOption]),
		],
	};

	methods = methodsOf('sqlQuery');

	async execute(this: IExecuteFunctions) {
		return await callItems(this, queryCall);
	}
}
