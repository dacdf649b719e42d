import type { IExecuteFunctions, INodeType, INodeTypeDescription } from 'n8n-workflow';
import {
	callOptions,
	commonDescription,
	dispatchOptions,
	endpointProperties,
	optionsProperty,
	outputProperty,
	recordProperties,
	seriesOptions,
} from '../shared/description/nodeProperties';
import { methodsOf } from '../shared/nodeMethods';
import { forecastItems } from './forecastItems';

export class DataikuForecast implements INodeType {
	description: INodeTypeDescription = {
		...commonDescription,
		displayName: 'Dataiku Forecast',
		name: 'dataikuForecast',
		description:
			'Forecast time series with a model on a Dataiku API node: give the history of one or more series, one record per series and date, get their next values with quantiles',
		defaults: { name: 'Dataiku Forecast' },
		properties: [
			...endpointProperties,
			...recordProperties('Records'),
			outputProperty('perStep', 'perSeries', 'fullResponse'),
			optionsProperty([...callOptions, ...dispatchOptions, ...seriesOptions]),
		],
	};

	methods = methodsOf('forecast');

	async execute(this: IExecuteFunctions) {
		return await forecastItems(this);
	}
}
