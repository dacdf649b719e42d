import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	columnPrefixOption,
	commonDescription,
	dispatchOptions,
	endpointProperties,
	identifierColumnsProperty,
	onceChosen,
	optionsProperty,
	outputProperty,
	recordProperties,
	subtitle,
	toolDescription,
	withKey,
	withOAuth2,
	seriesPerRequestOption,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { forecastItems } from './forecastItems';

export class DataikuForecast implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Forecast',
		name: 'dataikuForecast',
		icon: { light: 'file:../../icons/forecast.svg', dark: 'file:../../icons/forecast.dark.svg' },
		subtitle,
		usableAsTool: true,
		builderHint: {
			searchHint:
				'Forecast time series with a Dataiku model. Together, the input items form the history, one item per series and date. Set the identifier columns if there are several series.',
		},
		description: 'Forecast time series with a Dataiku model',
		defaults: { name: 'Dataiku Forecast' },
		credentials: [
			{ name: 'dataikuApiNodeApi', required: true, testedBy: 'dataikuApiNodeTest', displayOptions: withKey },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: withOAuth2 },
		],
		properties: [
			...toolDescription(
				'Forecasts the next values of a time series from its history. Send the whole history in one call.',
			),
			...endpointProperties,
			...recordProperties('Records', 'The history of the series: a JSON list of records, each with its date', {
				fields: 'columns',
				forTool: 'json',
			}),
			...onceChosen(identifierColumnsProperty, outputProperty('flat', 'perStep', 'perSeries', 'fullResponse')),
			optionsProperty([...callOptions, ...dispatchOptions, seriesPerRequestOption, columnPrefixOption]),
		],
	};

	methods = methodsOf('forecast');

	async execute(this: IExecuteFunctions) {
		return await forecastItems(this);
	}
}
