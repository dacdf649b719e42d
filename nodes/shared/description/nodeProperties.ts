import {
	type INodeProperties,
	type INodePropertyOptions,
	type INodeTypeDescription,
	NodeConnectionTypes,
	type NodeHint,
	type ResourceMapperTypeOptions,
} from 'n8n-workflow';

/** What is the same of every node. Icon, subtitle, usableAsTool and credentials stand in each: n8n's lint wants them there. */
export const commonDescription = {
	group: ['transform'],
	version: 1,
	inputs: [NodeConnectionTypes.Main],
	outputs: [NodeConnectionTypes.Main],
	// Labels of features and their values do not fit into the standard width.
	parameterPane: 'wide',
} satisfies Partial<INodeTypeDescription>;

/** Before a run: settings that will hurt with the items at hand. */
export const batchHints: NodeHint[] = [
	{
		message:
			'With Batch Size 1 each item is a request of its own: for so many items, a larger batch is many times as fast',
		type: 'info',
		location: 'inputPane',
		whenToDisplay: 'beforeExecution',
		displayCondition: '={{ $parameter["options"]["batchSize"] === 1 && $input.all().length >= 1000 }}',
	},
];
export const dispatchHints: NodeHint[] = [
	...batchHints,
	{
		message: 'Items with different dispatch keys share no request: with a key for each item, no batch is formed',
		type: 'info',
		location: 'inputPane',
		whenToDisplay: 'beforeExecution',
		displayCondition: '={{ Boolean($parameter["options"]["dispatchKey"]) && $input.all().length >= 1000 }}',
	},
];

/** What n8n's editor marks a value with that a model fills in. */
export const filledByModel = '/*n8n-auto-generated-fromAI-override*/';

/** Below a node's name on the canvas: its endpoint. */
export const subtitle = '={{ $parameter["endpointId"]["value"] || $parameter["endpointId"] }}';

/** When each of the credentials is asked for. */
export const withKey = { show: { authentication: ['apiKey'] } };
export const withOAuth2 = { show: { authentication: ['oAuth2'] } };

/** What every node begins with. */
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
		description: 'The endpoint of the service to call',
		// Without a `validation`: n8n would run it before each execution, in a context of its own and with a limit of 250 ms, which
		// a busy machine exceeds. The node itself says what is wrong with an ID or a URL.
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
				hint: 'The endpoint ID in the API service in Dataiku',
			},
			{
				displayName: 'By URL',
				name: 'url',
				type: 'string',
				placeholder: 'e.g. https://apinode.example.com:12000/public/api/v1/cards/fraud/predict',
				hint: 'Copy it from the API Deployer. The host must match the credential.',
			},
		],
	},
];

/** A property that is another one in the variant of a node that AI agents use. */
export function withToolVariant(property: INodeProperties, changes: Partial<INodeProperties>): INodeProperties[] {
	const { displayOptions } = property;
	const asTool = { '@tool': [true] };
	return [
		{ ...property, displayOptions: { ...displayOptions, hide: { ...displayOptions?.hide, ...asTool } } },
		{ ...property, ...changes, displayOptions: { ...displayOptions, show: { ...displayOptions?.show, ...asTool } } },
	];
}

/**
 * Where records come from.
 *
 * @param what what a record is called in a node, for labels
 * @param forModel what a model is told to make of it, and the name of the argument
 */
export function recordProperties(what: string, forModel: string, argument = what.toLowerCase()): INodeProperties[] {
	const ofInputItem = { recordSource: ['inputItem'] };
	const fields = what.toLowerCase();
	const form = {
		name: 'Form Below',
		value: 'mapping',
		description: `The ${fields} that the endpoint documents, filled by name or one by one`,
	};
	const json = { name: 'JSON', value: 'json', description: 'A JSON object, as text or from an expression' };
	const others = [
		{ name: 'Input Item', value: 'inputItem', description: "The input item's fields, under their own names" },
		{ name: 'Fields Below', value: 'fields', description: 'Fields named and filled one by one' },
	];
	const resourceMapper: ResourceMapperTypeOptions = {
		resourceMapperMethod: 'getFields',
		mode: 'map',
		fieldWords: { singular: fields.replace(/s$/, ''), plural: fields },
		addAllFields: true,
		supportAutoMap: true,
	};
	const loadOptionsDependsOn = ['endpointId.value'];
	return [
		...withToolVariant(
			{
				displayName: `Take ${what} From`,
				name: 'recordSource',
				type: 'options',
				options: [form, ...others, json],
				default: 'mapping',
			},
			{
				options: [
					{ ...json, description: `All ${fields} are one argument, which the model fills in` },
					{ ...form, description: 'Each field that the endpoint documents is an argument of its own' },
				],
				default: 'json',
			},
		),
		...withToolVariant(
			{
				displayName: what,
				name: 'mapping',
				type: 'resourceMapper',
				noDataExpression: true,
				default: { mappingMode: 'autoMapInputData', value: null },
				typeOptions: { loadOptionsDependsOn, resourceMapper },
				displayOptions: { show: { recordSource: ['mapping'] } },
			},
			{
				default: { mappingMode: 'defineBelow', value: null },
				typeOptions: { loadOptionsDependsOn, resourceMapper: { ...resourceMapper, supportAutoMap: false } },
			},
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
				'Names of fields, separated by commas. Drag them from the input. A nested field, such as body.country, is sent as country.',
			displayOptions: { show: { ...ofInputItem, include: ['selected'] } },
			requiresDataPath: 'multiple',
		},
		{
			displayName: 'Fields to Exclude',
			name: 'excludeFields',
			type: 'string',
			default: '',
			placeholder: 'e.g. comment, name',
			description: 'Names of fields, separated by commas. Drag them from the input.',
			displayOptions: { show: { ...ofInputItem, include: ['except'] } },
			requiresDataPath: 'multiple',
		},
		{
			displayName: 'Fields to Send',
			name: 'fields',
			type: 'assignmentCollection',
			default: {},
			description: 'An empty field is sent as a missing value',
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
			{
				// Where the default is left out, agents before version 3 are told nothing of a call without arguments.
				default: `={{ ${filledByModel} $fromAI('${argument}', \`${forModel}\`, 'json', '[{}]') }}`,
				description: 'One argument of the tool, which the model fills in with a JSON object',
			},
		),
	];
}

/** The description that a model reads, which n8n evaluates: it tells two tools apart by their endpoints. */
export const toolDescription = (does: string): INodeProperties => ({
	displayName: 'Description',
	name: 'toolDescription',
	type: 'string',
	typeOptions: { rows: 4 },
	default: `=${does} Endpoint: {{ ($parameter["endpointId"] || "").split("/public/api/v1/").pop() }}. An answer with "error" has no result: call again with what it says is expected, and never make a value up.`,
	required: true,
	description: 'What the model is told of this tool. It decides by this text when to call it, and with what.',
	displayOptions: { show: { '@tool': [true] } },
});

const outputDescriptions = {
	flat: {
		name: 'Columns',
		description: "The answer as columns, first of all; then the input item's fields, if there is one item for each",
	},
	withInput: { name: 'Input and Result', description: "The input item's fields, and the result beside them" },
	enrich: { name: 'Input, Enriched', description: "The input item's fields, and those that were looked up among them" },
	resultOnly: { name: 'Result Only', description: "The result's fields alone" },
	perStep: { name: 'Item per Series and Step', description: 'The result of each step as the API node gives it' },
	perSeries: { name: 'Item per Series', description: 'Lists of forecasts, quantiles and times' },
	perRow: { name: 'Item per Row', description: "The row's columns as fields" },
	perQuery: { name: 'Item per Query', description: 'Columns and rows as lists' },
	fullResponse: { name: 'Full Response', description: 'The whole response: result, timing, API context and headers' },
} satisfies Record<string, Omit<INodePropertyOptions, 'value'>>;

/** The `output` parameter; the first one named is the default. */
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
		{ name: 'Keep', value: 'keep', description: 'Let them through, with the reason' },
		{ name: 'Treat as Error', value: 'error', description: 'Fail these items' },
		{ name: 'Drop', value: 'drop', description: 'Leave these items out' },
	],
	default: 'keep',
	description: 'What to do with a record that the API node ignored, for example when its lookup found no match',
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

/** The options of every node. */
export const callOptions: INodeProperties[] = [
	...withToolVariant(
		{
			displayName: 'Check Features',
			name: 'checkFeatures',
			type: 'options',
			options: [
				{ name: 'Warn', value: 'warn', description: 'Say after the run what did not fit; never wait for the document' },
				{ name: 'Error', value: 'error', description: 'Fail an item that does not fit before anything of it is sent' },
				{ name: 'Off', value: 'off' },
			],
			default: 'warn',
			description:
				"Whether records are held against the service's OpenAPI document: a missing required field, a wrong type, a value that is not listed, a misspelled name",
		},
		{ default: 'error' },
	),
	{
		displayName: 'Headers',
		name: 'headers',
		type: 'fixedCollection',
		typeOptions: { multipleValues: true },
		placeholder: 'Add Header',
		default: {},
		description:
			'Request headers for functions and custom models that read them. Not the key, which comes from the credential. Items whose headers differ go in different requests.',
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
			'Requests in flight per instance of the API node. Fewer are used while it is busy. By default, an endpoint serves 8 at a time; a SQL query endpoint has 10 connections.',
	},
	{
		displayName: 'Max Characters',
		name: 'maxCharacters',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 20000,
		description: 'Characters of an answer that the model is given at most. It is told what was left out.',
		displayOptions: { show: { '@tool': [true] } },
	},
	{
		displayName: 'Max Rows',
		name: 'maxRows',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 50,
		description: 'Rows of an answer that the model is given at most. It is told what was left out.',
		displayOptions: { show: { '@tool': [true] } },
	},
	{
		displayName: 'Service ID',
		name: 'serviceId',
		type: 'string',
		default: '',
		placeholder: 'e.g. pricing',
		description: "Another service on the same API node, in place of the credential's",
	},
	{
		displayName: 'Timeout',
		name: 'timeout',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 30000,
		description: 'Milliseconds to wait for one response. The timeout applies to each attempt.',
	},
];

/** The options of nodes with one result per item. */
export const batchOptions: INodeProperties[] = [
	{
		displayName: 'Batch Size',
		name: 'batchSize',
		type: 'number',
		typeOptions: { minValue: 1 },
		default: 100,
		description: 'Records in one request. With 1, each record has a request of its own.',
	},
	{
		displayName: 'Context (JSON)',
		name: 'contextJson',
		type: 'json',
		default: '',
		placeholder: 'e.g. {"order": "A-17"}',
		description:
			'A JSON object that the API node logs with the record; it does not change the result. Predict Effect takes it in batches only.',
	},
];

/** The options of endpoints with several generations. */
export const dispatchOptions: INodeProperties[] = [
	{
		displayName: 'Dispatch Key',
		name: 'dispatchKey',
		type: 'string',
		default: '',
		placeholder: 'e.g. {{ $json.customer_id }}',
		description: 'Items with the same key are answered by the same generation of the service',
	},
	{
		displayName: 'Forced Generation',
		name: 'forcedGeneration',
		type: 'string',
		default: '',
		placeholder: 'e.g. v2',
		description: 'The generation of the service that must answer. Takes precedence over the dispatch key.',
	},
];

/** What the fields that a node adds are called. */
export const resultFieldOption: INodeProperties = {
	displayName: 'Result Field',
	name: 'resultField',
	type: 'string',
	default: 'result',
	description: 'With the output "Input and Result": the field that the result goes into',
};

export const columnPrefixOption: INodeProperties = {
	displayName: 'Column Prefix',
	name: 'columnPrefix',
	type: 'string',
	default: '',
	placeholder: 'e.g. fraud_',
	description: 'What the names of the added columns begin with, so that they replace none of the input',
};

/**
 * For endpoints that may write: beside the setting itself, as n8n's hints before a run see parameters and no settings of a
 * node.
 */
export const retryNotice: INodeProperties = {
	displayName:
		'With "Retry On Fail", n8n runs this node again with all items when the first item fails. Calls that succeeded are repeated, including those that write.',
	name: 'retryNotice',
	type: 'notice',
	default: '',
	isNodeSetting: true,
};

/** For endpoints that may write. */
export const repeatableOption: INodeProperties = {
	displayName: 'Safe to Repeat',
	name: 'repeatable',
	type: 'boolean',
	default: false,
	description:
		'Whether the call may safely run twice. If so, a request that broke off is sent again; otherwise only one that cannot have arrived.',
};

export const splitArrayOption: INodeProperties = {
	displayName: 'Split List Into Items',
	name: 'splitArray',
	type: 'boolean',
	default: false,
	description: 'Whether each element of a list that the function returns becomes an item of its own',
};

/** What of a query's rows goes into the items. */
export const rowOptions: INodeProperties[] = [
	{
		displayName: 'Convert Numbers',
		name: 'convertNumbers',
		type: 'boolean',
		default: false,
		description:
			'Whether a value that is text becomes a number where a number holds it exactly: "12.50" and "1.0E-5" do, "007", "1E5" and integers beyond 2^53 do not',
	},
	{
		displayName: 'Keep Input',
		name: 'keepInput',
		type: 'boolean',
		default: false,
		description: "Whether the input item's fields stay beside the columns of each row",
	},
];

/** How the history of several series is told apart. */
export const identifierColumnsProperty: INodeProperties = {
	displayName: 'Identifier Columns',
	name: 'identifierColumns',
	type: 'string',
	default: '',
	placeholder: 'e.g. store, product',
	description:
		'Columns that tell series apart, separated by commas, as in the model. Named here, many series are spread over several requests and fail one by one. Empty: one request for all items.',
	requiresDataPath: 'multiple',
};

export const seriesPerRequestOption: INodeProperties = {
	displayName: 'Series per Request',
	name: 'seriesPerRequest',
	type: 'number',
	typeOptions: { minValue: 1 },
	default: 100,
	description: 'With identifier columns: the most series in one request',
};
