import { type INodeType, type INodeTypeDescription, type IPollFunctions, NodeConnectionTypes } from 'n8n-workflow';
import { credentialTest } from '../shared/credentialTest';
import {
	callOptions,
	endpointProperties,
	optionsProperty,
	subtitle,
	withKey,
	withOAuth2,
} from '../shared/description/nodeProperties';
import { endpointSearch } from '../shared/endpointSearch';
import { pollEndpoint } from './pollEndpoint';

const whenScored = { show: { events: ['generation', 'drift', 'down', 'up'] } };
const whenJudged = { show: { events: ['drift'] } };

export class DataikuTrigger implements INodeType {
	description: INodeTypeDescription = {
		displayName: 'Dataiku Trigger',
		name: 'dataikuTrigger',
		icon: { light: 'file:../../icons/trigger.svg', dark: 'file:../../icons/trigger.dark.svg' },
		group: ['trigger'],
		version: 1,
		subtitle,
		description: 'Start when a Dataiku endpoint changes',
		defaults: { name: 'Dataiku Trigger' },
		polling: true,
		inputs: [],
		outputs: [NodeConnectionTypes.Main],
		builderHint: {
			searchHint:
				"Start a workflow when a different generation of an endpoint's service responds, when the endpoint's fields or scores change, or when the endpoint goes down or comes back up.",
		},
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...endpointProperties,
			{
				displayName: 'Events',
				name: 'events',
				type: 'multiOptions',
				options: [
					{
						name: 'Different Generation Responds',
						value: 'generation',
						description:
							'A response comes from a generation of the service that the trigger does not know yet, e.g. because it was activated',
					},
					{ name: 'Endpoint Is Down', value: 'down', description: 'Several consecutive polls of the endpoint failed' },
					{
						name: 'Endpoint Is Up Again',
						value: 'up',
						description:
							'The endpoint responds again after being down. Choose "Endpoint Is Down" as well. Otherwise, this event can be lost when n8n restarts.',
					},
					{
						name: 'Fields Change',
						value: 'fields',
						description:
							'In the OpenAPI document, a field of the endpoint is added or removed, changes its type, or becomes required or optional',
					},
					{
						name: 'Scores Drift',
						value: 'drift',
						description:
							'The score of a test record has drifted from the score that the same generation of the service returned earlier',
					},
				],
				default: ['generation'],
				required: true,
				description: 'What starts the workflow',
			},
			{
				displayName: 'Test Records',
				name: 'testRecords',
				// n8n's JSON field marks an empty value as an error.
				type: 'string',
				typeOptions: { rows: 4 },
				default: '',
				placeholder: 'e.g. [{"amount": 412.5, "country": "US"}]',
				description:
					'JSON object or list of objects to score at each poll. Without test records, the events "Endpoint Is Down" and "Endpoint Is Up Again" depend only on whether the API node is alive.',
				displayOptions: whenScored,
			},
			{
				displayName: 'Compare By',
				name: 'driftMeasure',
				type: 'options',
				options: [
					{
						name: 'Absolute Change',
						value: 'number',
						description: 'Absolute change in the predicted number or probability',
					},
					{ name: 'Class', value: 'class', description: 'Whether the predicted class changes' },
					{
						name: 'Relative Change',
						value: 'share',
						description: 'Relative change in the predicted number or probability',
					},
				],
				default: 'share',
				description: 'How to compare scores with earlier scores of the same generation',
				displayOptions: whenJudged,
			},
			{
				displayName: 'Tolerance',
				name: 'driftTolerance',
				type: 'number',
				typeOptions: { minValue: 0, numberPrecision: 6 },
				default: 0.1,
				description: 'Largest change that does not count as drift. With "Relative Change", 0.1 means 10%.',
				displayOptions: { show: { events: ['drift'], driftMeasure: ['number', 'share'] } },
			},
			{
				displayName: 'Consecutive Failures',
				name: 'failuresInARow',
				type: 'number',
				typeOptions: { minValue: 1 },
				default: 3,
				description: 'Number of consecutive polls that must fail before the endpoint counts as down',
				displayOptions: { show: { events: ['down', 'up'] } },
			},
			optionsProperty(callOptions.filter(({ name }) => ['headers', 'serviceId', 'timeout'].includes(name))),
		],
	};

	methods = { credentialTest, listSearch: { searchEndpoints: endpointSearch('predict') } };

	async poll(this: IPollFunctions) {
		return await pollEndpoint(this);
	}
}
