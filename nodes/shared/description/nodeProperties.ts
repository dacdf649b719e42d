import {
	type DisplayCondition,
	type INodeProperties,
	type INodePropertyOptions,
	type INodeTypeDescription,
	NodeConnectionTypes,
	type NodeHint,
	type ResourceMapperTypeOptions,
} from 'n8n-workflow';
import { keptWhileHidden } from './keptWhileHidden';

/**
 * Properties of all nodes. Icon, subtitle, usableAsTool and credentials are in each node, because n8n's lint requires them
 * there.
 */
export const commonDescription = {
	group: ['transform'],
	version: 1,
	inputs: [NodeConnectionTypes.Main],
	outputs: [NodeConnectionTypes.Main],
	// Feature names and values do not fit into the standard width.
	parameterPane: 'wide',
} satisfies Partial<INodeTypeDescription>;

/**
 * Hints before a run about settings that are slow for the given items. n8n shows the hints of the previous node in the input
 * pane.
 */
export const batchHints: NodeHint[] = [
	{
		message: 'A batch size of 1 sends one request per item. A larger batch size makes a run like this faster',
		type: 'info',
		location: 'outputPane',
		whenToDisplay: 'beforeExecution',
		displayCondition:
			'={{ $parameter["options"]["batchSize"] === 1 && !$parameter["options"]["files"] && $input.all().length >= 1000 }}',
	},
];
export const dispatchHints: NodeHint[] = [
	...batchHints,
	{
		message: 'Items with different dispatch keys cannot be in the same batch',
		type: 'info',
		location: 'outputPane',
		whenToDisplay: 'beforeExecution',
		displayCondition: '={{ Boolean($parameter["options"]["dispatchKey"]) && $input.all().length >= 1000 }}',
	},
];

/** The mark of n8n's editor for a value that a model fills in. */
export const filledByModel = '/*n8n-auto-generated-fromAI-override*/';

/** Shows the endpoint below the node's name on the canvas. */
export const subtitle = '={{ $parameter["endpointId"]["value"] || $parameter["endpointId"] }}';

export const withKey = { show: { authentication: ['apiKey'] } };
export const withOAuth2 = { show: { authentication: ['oAuth2'] } };

export const endpointProperties: INodeProperties[] = [
	{
		displayName: 'Connect Using',
		name: 'authentication',
		type: 'options',
		options: [
			{ name: 'API Key, Bearer Token or None', value: 'apiKey' },
			{ name: 'OAuth2', value: 'oAuth2' },
		],
		default: 'apiKey',
	},
	{
		displayName: 'Endpoint',
		name: 'endpointId',
		type: 'resourceLocator',
		default: { mode: 'list', value: '' },
		required: true,
		description: 'The endpoint to call',
		// No `validation`: n8n would run it before each execution with a limit of 250 ms, which a busy machine exceeds. The node
		// itself reports invalid IDs and URLs.
		modes: [
			{
				displayName: 'From List',
				name: 'list',
				type: 'list',
				placeholder: 'Choose an endpoint...',
				typeOptions: { searchListMethod: 'searchEndpoints', searchable: true },
			},
			{
				displayName: 'By ID',
				name: 'id',
				type: 'string',
				placeholder: 'e.g. fraud',
				hint: "The endpoint's ID in the Dataiku API service",
			},
			{
				displayName: 'By URL',
				name: 'url',
				type: 'string',
				placeholder: 'e.g. https://apinode.example.com:12000/public/api/v1/cards/fraud/predict',
				hint: "Copy the URL from the API Deployer. It must begin with one of the credential's API Node URLs.",
			},
		],
	},
];

/** Replaces a property with one or several others in the variant of a node that AI agents use. */
export function withToolVariant(
	property: INodeProperties,
	...variants: Array<Partial<INodeProperties>>
): INodeProperties[] {
	const { displayOptions } = property;
	const asTool = { '@tool': [true] };
	return [
		{ ...property, displayOptions: { ...displayOptions, hide: { ...displayOptions?.hide, ...asTool } } },
		...variants.map((changes) => {
			const variant = { ...property, ...changes };
			// The first condition, because n8n ignores all conditions behind one whose parameter is an expression.
			const show = { ...asTool, ...variant.displayOptions?.show };
			return { ...variant, displayOptions: { ...variant.displayOptions, show } };
		}),
	];
}

const isChosen = [{ _cnd: { exists: true } }] satisfies [DisplayCondition];

/** Hides properties until an endpoint is chosen. They keep their values when another credential empties the endpoint. */
export const onceChosen = (...properties: INodeProperties[]): INodeProperties[] =>
	keptWhileHidden({ endpointId: isChosen }, properties);

/**
 * The properties for the source of records.
 *
 * @param what name of a record in labels
 * @param forModel instructions to a model for the record
 * @param argument name of the model's argument
 * @param fields name of the parts of a record
 * @param forTool default source for tools: a form has no place for a list
 */
export function recordProperties(
	what: string,
	forModel: string,
	{
		argument = what.toLowerCase(),
		fields = what.toLowerCase(),
		forTool = 'mapping',
	}: { argument?: string; fields?: string; forTool?: 'mapping' | 'json' } = {},
): INodeProperties[] {
	const ofInputItem = { recordSource: ['inputItem'] };
	const form = {
		name: 'Endpoint Fields',
		value: 'mapping',
		description: "Map input data to the endpoint's fields",
	};
	const json = { name: 'JSON', value: 'json', description: 'Provide the record as a JSON object' };
	const others = [
		{ name: 'Input Item', value: 'inputItem', description: "Send the input item's fields as they are" },
		{ name: 'Define Fields', value: 'fields', description: 'Add fields manually' },
	];
	const resourceMapper: ResourceMapperTypeOptions = {
		resourceMapperMethod: 'getFields',
		mode: 'map',
		fieldWords: { singular: fields.replace(/s$/, ''), plural: fields },
		addAllFields: true,
		supportAutoMap: true,
	};
	const loadOptionsDependsOn = ['endpointId.value'];
	const ofForm = { recordSource: ['mapping'] };
	const mapper: INodeProperties = {
		displayName: what,
		name: 'mapping',
		type: 'resourceMapper',
		noDataExpression: true,
		default: { mappingMode: 'autoMapInputData', value: null },
		typeOptions: { loadOptionsDependsOn, resourceMapper },
	};
	const filledInByModel = {
		// The default is explicit: without it, agents before version 3 fail on a call without arguments.
		default: `={{ ${filledByModel} $fromAI('${argument}', \`${forModel}\`, 'json', '[{}]') }}`,
		description: 'Filled in by the AI model as JSON',
	};
	return [
		...withToolVariant(
			{
				displayName: `${what} Source`,
				name: 'recordSource',
				type: 'options',
				options: [form, ...others, json],
				default: 'mapping',
			},
			{
				options: [
					{
						...form,
						description:
							'The AI model fills in one argument per documented field, or one JSON argument if there is no OpenAPI document',
					},
					{ ...json, description: `The AI model fills in one JSON object that contains all ${fields}` },
				],
				default: forTool,
			},
		),
		...onceChosen(
			...withToolVariant(
				{ ...mapper, displayOptions: { show: ofForm } },
				{
					default: { mappingMode: 'defineBelow', value: null },
					typeOptions: { loadOptionsDependsOn, resourceMapper: { ...resourceMapper, supportAutoMap: false } },
				},
			),
		),
		{
			displayName: 'Include',
			name: 'include',
			type: 'options',
			options: [
				{ name: 'All Fields', value: 'all' },
				{ name: 'Selected Fields', value: 'selected' },
				{ name: 'All Fields Except', value: 'except' },
			],
			default: 'all',
			displayOptions: { show: ofInputItem },
		},
		{
			displayName: 'Fields to Include',
			name: 'includeFields',
			type: 'string',
			default: '',
			placeholder: 'e.g. amount, body.country',
			description:
				'Comma-separated field names. You can drag the fields from the input. A nested field is sent under the last part of its name, e.g. body.country is sent as country.',
			displayOptions: { show: { ...ofInputItem, include: ['selected'] } },
			requiresDataPath: 'multiple',
		},
		{
			displayName: 'Fields to Exclude',
			name: 'excludeFields',
			type: 'string',
			default: '',
			placeholder: 'e.g. comment, name',
			description: 'Comma-separated field names. You can drag the fields from the input.',
			displayOptions: { show: { ...ofInputItem, include: ['except'] } },
			requiresDataPath: 'multiple',
		},
		{
			displayName: 'Fields to Send',
			name: 'fields',
			type: 'assignmentCollection',
			default: {},
			description: 'An empty text field is sent as an empty string. Other empty fields are sent as null.',
			displayOptions: { show: { recordSource: ['fields'] } },
		},
		...withToolVariant(
			{
				displayName: 'JSON',
				name: 'recordJson',
				type: 'json',
				default: '={{ $json }}',
				required: true,
				description: 'One JSON object for each item',
				displayOptions: { show: { recordSource: ['json'] } },
			},
			filledInByModel,
			// The single argument of a form without fields.
			{
				...filledInByModel,
				displayOptions: { show: ofForm, hide: { '/mapping.schema': isChosen } },
			},
		),
	];
}

/** The endpoint's documentation, which the form passes to a tool's description. */
export interface AboutEndpoint {
	endpointSummary?: string;
}
const summary: keyof AboutEndpoint = 'endpointSummary';

/**
 * The description that a model reads, evaluated by n8n. It contains the user's text, what distinguishes this tool from others,
 * the endpoint with its documentation, and how to continue after an error.
 */
export const toolDescription = (does: string): INodeProperties[] => [
	{
		displayName: 'Full Description',
		name: 'toolDescription',
		type: 'string',
		typeOptions: { rows: 4 },
		default: `={{ $parameter["purpose"] }} Endpoint: {{ ($parameter["endpointId"] || "").split("/public/api/v1/").pop() }}{{ $parameter["mapping"]?.schema?.[0]?.${summary} ? " (" + $parameter["mapping"].schema[0].${summary} + ")" : "" }}. If the response contains "error", there is no result. Fix the input as described and call again. Never invent values.`,
		required: true,
		description: 'The text that the AI model reads: the description, the endpoint, and what to do after an error',
		isNodeSetting: true,
		displayOptions: { show: { '@tool': [true] } },
	},
	{
		displayName: 'Description',
		name: 'purpose',
		type: 'string',
		typeOptions: { rows: 2 },
		default: does,
		required: true,
		description:
			"Explain to the AI model what this tool does and when to use it. The node adds the endpoint's ID and, if documented, its summary to this text.",
		displayOptions: { show: { '@tool': [true] } },
	},
];

const outputDescriptions = {
	flat: {
		name: 'Columns',
		description: 'Result columns, followed by the input fields if there is exactly one result per input item',
	},
	withInput: { name: 'Input and Result', description: 'Input fields, plus one field that holds the result' },
	enrich: { name: 'Enriched Input', description: 'Input fields plus the columns that were looked up' },
	resultOnly: { name: 'Result Only', description: 'The result without the input fields' },
	perStep: {
		name: 'One Item per Series and Step',
		description: 'One item for each series and forecast step, with the result as returned by the API node',
	},
	perSeries: {
		name: 'One Item per Series',
		description: 'One item for each series, with lists of forecasts, quantiles and times',
	},
	perSuggestion: {
		name: 'One Item per Suggestion',
		description: 'The prediction for the record, one suggestion and the input fields',
	},
	perRecord: { name: 'One Item per Record', description: 'The prediction for the record and a list of suggestions' },
	perRow: { name: 'One Item per Row', description: "The row's columns as fields" },
	perQuery: { name: 'One Item per Query', description: 'The columns and the rows as lists' },
	fullResponse: { name: 'Full Response', description: 'Result, timing, API context and response headers' },
} satisfies Record<string, Omit<INodePropertyOptions, 'value'>>;

/** The `output` parameter. The first output is the default. */
export function outputProperty(...outputs: Array<keyof typeof outputDescriptions>): INodeProperties {
	const property: INodeProperties = {
		displayName: 'Output',
		name: 'output',
		type: 'options',
		options: [],
		default: '',
	};
	return {
		...property,
		options: outputs.map((value) => ({ value, ...outputDescriptions[value] })),
		default: outputs[0]!,
	};
}

export const ignoredRecordsProperty: INodeProperties = {
	displayName: 'Ignored Records',
	name: 'ignoredRecords',
	type: 'options',
	options: [
		{ name: 'Keep', value: 'keep', description: 'Return the item with the reason it was ignored' },
		{ name: 'Throw Error', value: 'error', description: 'Fail the item' },
		{ name: 'Remove', value: 'drop', description: 'Remove the item from the output' },
	],
	default: 'keep',
	isNodeSetting: true,
	description: 'How to handle records that the API node ignored, e.g. because a lookup found no match',
};

export function optionsProperty(options: INodeProperties[]): INodeProperties {
	const byName = [...options].sort((a, b) => a.displayName.localeCompare(b.displayName));
	return {
		displayName: 'Options',
		name: 'options',
		type: 'collection',
		placeholder: 'Add Option',
		default: {},
		options: byName,
	};
}

export const callOptions: INodeProperties[] = [
	...withToolVariant(
		{
			displayName: 'Check Features',
			name: 'checkFeatures',
			type: 'options',
			options: [
				{
					name: 'Warn',
					value: 'warn',
					description: 'Show a hint after the run if a record does not match the endpoint',
				},
				{ name: 'Error', value: 'error', description: 'Fail items that do not match, without sending them' },
				{ name: 'Off', value: 'off' },
			],
			default: 'warn',
			description: "Whether to validate records against the service's OpenAPI document",
		},
		{ default: 'error' },
	),
	{
		displayName: 'Files',
		name: 'files',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add File',
		default: {},
		description: 'Files from the input item to send as base64 text, e.g. a photo for an image model',
		options: [
			{
				displayName: 'File',
				name: 'file',
				values: [
					{
						displayName: 'Send As',
						name: 'feature',
						type: 'string',
						default: '',
						placeholder: 'e.g. input',
						description: 'Name of the feature or argument. Dataiku image models use the name "input".',
					},
					{
						displayName: 'Input Binary Field',
						name: 'binaryProperty',
						type: 'string',
						default: 'data',
						hint: 'The name of the input binary field that holds the file',
					},
				],
			},
		],
	},
	{
		displayName: 'Headers',
		name: 'headers',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add Header',
		default: {},
		description:
			'Additional request headers. Functions and custom models can read them only if an administrator has turned on request metadata in the API node. Items with different headers are sent in separate requests.',
		options: [
			{
				displayName: 'Header',
				name: 'header',
				values: [
					{
						displayName: 'Name',
						name: 'name',
						type: 'string',
						default: '',
						placeholder: 'e.g. X-Tenant',
					},
					{
						displayName: 'Value',
						name: 'value',
						type: 'string',
						default: '',
					},
				],
			},
		],
	},
	{
		displayName: 'Max Concurrency',
		name: 'maxConcurrency',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 8,
		description:
			'Maximum number of parallel requests per API node instance. The node uses fewer when the API node is busy.',
	},
	{
		displayName: 'Max Characters',
		name: 'maxCharacters',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 20000,
		description: 'Maximum length of the response passed to the AI model',
		displayOptions: { show: { '@tool': [true] } },
	},
	{
		displayName: 'Max Rows',
		name: 'maxRows',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Maximum number of rows passed to the AI model',
		displayOptions: { show: { '@tool': [true] } },
	},
	{
		displayName: 'Service ID',
		name: 'serviceId',
		type: 'string',
		default: '',
		placeholder: 'e.g. pricing',
		description: "Overrides the credential's service ID. Enter the deployed ID of the service.",
	},
	{
		displayName: 'Timeout',
		name: 'timeout',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 30000,
		description: 'How long to wait for a response, per attempt (in milliseconds)',
	},
];

export const batchOptions: INodeProperties[] = [
	{
		displayName: 'Batch Size',
		name: 'batchSize',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 100,
		description: 'Number of records per request',
	},
	{
		displayName: 'Context (JSON)',
		name: 'contextJson',
		// n8n's JSON field marks an empty value as an error.
		type: 'string',
		typeOptions: { rows: 3 },
		default: '',
		placeholder: 'e.g. {"order": "A-17"}',
		description: "JSON object to store in the API node's log with the record. Does not affect the result.",
	},
];

export const dispatchOptions: INodeProperties[] = [
	{
		displayName: 'Dispatch Key',
		name: 'dispatchKey',
		type: 'string',
		default: '',
		placeholder: 'e.g. {{ $json.customer_id }}',
		description: 'Send items with the same key to the same generation of the service',
	},
	{
		displayName: 'Forced Generation',
		name: 'forcedGeneration',
		type: 'string',
		default: '',
		placeholder: 'e.g. v2',
		description: 'Generation to use. Overrides the dispatch key.',
	},
];

export const resultFieldOption: INodeProperties = {
	displayName: 'Result Field',
	name: 'resultField',
	type: 'string',
	default: 'result',
	description: 'Name of the output field for the result',
};

export const columnPrefixOption: INodeProperties = {
	displayName: 'Column Prefix',
	name: 'columnPrefix',
	type: 'string',
	default: '',
	placeholder: 'e.g. fraud_',
	description: 'Prefix for the added columns, to avoid overwriting input fields',
};

/**
 * A notice for endpoints that may write. It is next to the setting, because n8n's hints before a run can see parameters but no
 * settings of a node.
 */
export const retryNotice: INodeProperties = {
	displayName:
		'With "Retry On Fail", n8n runs this node again with all items if the node fails or its first output item is an error. This repeats calls that succeeded, including calls that write data.',
	name: 'retryNotice',
	type: 'notice',
	default: '',
	isNodeSetting: true,
};

export const repeatableOption: INodeProperties = {
	displayName: 'Safe to Repeat',
	name: 'repeatable',
	type: 'boolean',
	default: false,
	description:
		'Whether the call can be repeated safely. If this option is on, the node retries the call after connection errors and timeouts.',
};

export const committedOption: INodeProperties = {
	displayName: 'Committed by the Endpoint',
	name: 'committed',
	type: 'boolean',
	default: false,
	description:
		'Whether "post-commit" is on in the endpoint\'s settings in DSS. If "Committed by the Endpoint" is on, the node does not warn that changes may be lost.',
};

export const parseJsonOption: INodeProperties = {
	displayName: 'Parse JSON Text',
	name: 'parseJson',
	type: 'boolean',
	default: false,
	description: 'Whether to parse text that contains JSON, e.g. the result of a Python function',
};

export const splitArrayOption: INodeProperties = {
	displayName: 'Split List Into Items',
	name: 'splitArray',
	type: 'boolean',
	default: false,
	description: 'Whether to return one item per element when the function returns a list',
};

export const rowOptions: INodeProperties[] = [
	{
		displayName: 'Convert Numbers',
		name: 'convertNumbers',
		type: 'boolean',
		default: false,
		description:
			'Whether to convert numeric text to numbers. Values such as "007" or "1E5" stay text, and so do integers beyond 2^53.',
	},
	{
		displayName: 'Keep Input',
		name: 'keepInput',
		type: 'boolean',
		default: false,
		description: 'Whether to add the input fields to each row',
	},
];

export const identifierColumnsProperty: INodeProperties = {
	displayName: 'Identifier Columns',
	name: 'identifierColumns',
	type: 'string',
	default: '',
	placeholder: 'e.g. store, product',
	description:
		'Comma-separated names of the columns that identify each series, as defined in the model. Leave empty to send all items in one request.',
	requiresDataPath: 'multiple',
};

export const seriesPerRequestOption: INodeProperties = {
	displayName: 'Series per Request',
	name: 'seriesPerRequest',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: 100,
	description: 'Maximum number of series per request',
};
