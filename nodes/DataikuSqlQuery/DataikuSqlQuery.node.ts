import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	committedOption,
	commonDescription,
	endpointProperties,
	onceChosen,
	optionsProperty,
	outputProperty,
	recordProperties,
	rowOptions,
	subtitle,
	toolDescription,
	withKey,
	withOAuth2,
	repeatableOption,
	retryNotice,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { callItems } from '../shared/callItems';
import { queryCall } from './queryCall';

export class DataikuSqlQuery implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku SQL Query',
		name: 'dataikuSqlQuery',
		icon: { light: 'file:../../icons/sqlQuery.svg', dark: 'file:../../icons/sqlQuery.dark.svg' },
		subtitle,
		usableAsTool: true,
		builderHint: {
			searchHint:
				'For each item, run a parameterized SQL query of a Dataiku API service. Each row of the result becomes an item.',
		},
		description: 'Run a parameterized SQL query in Dataiku',
		defaults: { name: 'Dataiku SQL Query' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription('Runs a predefined SQL query and returns the rows.'),
			...endpointProperties,
			...recordProperties('Parameters', 'The parameters of the query by name, as a JSON object'),
			...onceChosen(outputProperty('perRow', 'perQuery', 'fullResponse')),
			optionsProperty([...callOptions, repeatableOption, committedOption, ...rowOptions]),
			retryNotice,
		],
	};

	methods = methodsOf('sqlQuery');

	async execute(this: IExecuteFunctions) {
		return await callItems(this, 'sqlQuery', queryCall);
	}
}
