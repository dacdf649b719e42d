import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	batchHints,
	batchOptions,
	callOptions,
	columnPrefixOption,
	commonDescription,
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

export class DataikuLookup implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Lookup',
		name: 'dataikuLookup',
		icon: { light: 'file:../../icons/lookup.svg', dark: 'file:../../icons/lookup.dark.svg' },
		subtitle,
		usableAsTool: true,
		hints: batchHints,
		builderHint: {
			searchHint: 'Add columns from a Dataiku dataset to items by key, often before Dataiku Predict.',
		},
		description: 'Add columns from a Dataiku dataset by key',
		defaults: { name: 'Dataiku Lookup' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription('Looks up a dataset row by key and returns its columns.'),
			...endpointProperties,
			...recordProperties('Lookup Keys', 'The key of one row: its columns by name, as a JSON object', {
				argument: 'keys',
				fields: 'columns',
			}),
			...onceChosen(outputProperty('enrich', 'withInput', 'resultOnly', 'fullResponse')),
			ignoredRecordsProperty,
			optionsProperty([...callOptions, ...batchOptions, resultFieldOption, columnPrefixOption]),
		],
	};

	methods = methodsOf('lookup');

	async execute(this: IExecuteFunctions) {
		return await settleItems(this, 'lookup');
	}
}
