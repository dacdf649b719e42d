import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
	type ICredentialType,
	type INodeExecutionData,
	type INodeParameters,
	type INodeProperties,
	type INodePropertyCollection,
	type INodePropertyOptions,
	type INodeTypeDescription,
	NodeHelpers,
	Workflow,
} from 'n8n-workflow';
import { startApiNode } from '../../demo/api-node';
import { nodePackage, type NodePackage } from '../support/engine';
import { OUR_PACKAGE } from '../support/engine/nodePackage';
import { allNodeTypes, callOf, endpoint, nodeTypes, run } from './demo';

let nodes: NodePackage;
beforeAll(async () => (nodes = await nodePackage()));

const descriptionOf = (type: string): INodeTypeDescription =>
	nodes.types.getByNameAndVersion(nodes.fullName(type)).description;
const isProperty = (
	option: INodePropertyOptions | INodeProperties | INodePropertyCollection,
): option is INodeProperties => 'type' in option;
const optionsOf = ({ options = [] }: INodeProperties) => options.filter(isProperty);
const valuesOf = ({ options = [] }: INodeProperties) =>
	options.map((option) => ('value' in option ? option.value : ''));

/** What the node has, or its variant for AI agents. */
const inVariant = (asTool: boolean, properties: INodeProperties[]): INodeProperties[] =>
	properties
		.filter(({ displayOptions: { show, hide } = {} }) => !(asTool ? hide : show)?.['@tool'])
		.map((property) =>
			property.type === 'collection' ? { ...property, options: inVariant(asTool, optionsOf(property)) } : property,
		);

/** Every parameter at any depth. */
const allParameters = (properties: INodeProperties[]): INodeProperties[] =>
	properties.flatMap((property) => [property, ...allParameters(optionsOf(property))]);

// The names and defaults that saved workflows rely on.
const common = {
	authentication: 'apiKey',
	endpointId: { mode: 'list', value: '' },
	recordSource: 'mapping',
	mapping: { mappingMode: 'autoMapInputData', value: null },
	include: 'all',
	includeFields: '',
	excludeFields: '',
	fields: {},
	recordJson: '={{ $json }}',
	options: {},
};
const commonOptions = {
	checkFeatures: 'warn',
	serviceId: '',
	timeout: 30000,
	maxConcurrency: 8,
	headers: {},
	files: {},
};
const dispatch = { forcedGeneration: '', dispatchKey: '' };
const batch = { batchSize: 100, contextJson: '' };
const names = { resultField: 'result', columnPrefix: '' };
const repeatable = { repeatable: false };

const contract: Record<string, { parameters: object; options: object; outputs: string[] }> = {
	dataikuPredict: {
		parameters: {
			output: 'flat',
			ignoredRecords: 'keep',
			explanations: 'endpointDefault',
			explanationMethod: '',
			nExplanations: '',
			nMonteCarloSteps: '',
		},
		options: { ...batch, ...dispatch, ...names },
		outputs: ['flat', 'withInput', 'resultOnly', 'fullResponse'],
	},
	dataikuPredictEffect: {
		parameters: { output: 'flat', ignoredRecords: 'keep' },
		options: { ...batch, ...dispatch, ...names },
		outputs: ['flat', 'withInput', 'resultOnly', 'fullResponse'],
	},
	dataikuWhatIf: {
		parameters: {
			goal: 'otherClass',
			goalClass: '',
			goalValue: '',
			vary: 'documented',
			variedFeatures: {},
			lockedFeatures: '',
			output: 'perSuggestion',
		},
		options: { ...batch, ...dispatch, columnPrefix: '', deadline: 60000, maxSuggestions: 3, maxVariants: 200 },
		outputs: ['perSuggestion', 'perRecord', 'fullResponse'],
	},
	dataikuLookup: {
		parameters: { output: 'enrich', ignoredRecords: 'keep' },
		options: { ...batch, ...names },
		outputs: ['enrich', 'withInput', 'resultOnly', 'fullResponse'],
	},
	dataikuForecast: {
		parameters: { identifierColumns: '', output: 'flat' },
		options: { ...dispatch, columnPrefix: '', seriesPerRequest: 100 },
		outputs: ['flat', 'perStep', 'perSeries', 'fullResponse'],
	},
	dataikuSqlQuery: {
		parameters: { output: 'perRow', retryNotice: '' },
		options: { ...repeatable, committed: false, convertNumbers: false, keepInput: false },
		outputs: ['perRow', 'perQuery', 'fullResponse'],
	},
	dataikuRunFunction: {
		parameters: { output: 'withInput', retryNotice: '' },
		options: { ...repeatable, parseJson: false, splitArray: false, resultField: 'result' },
		outputs: ['withInput', 'resultOnly', 'fullResponse'],
	},
};
const values: Record<string, unknown[]> = {
	authentication: ['apiKey', 'oAuth2'],
	recordSource: ['mapping', 'inputItem', 'fields', 'json'],
	include: ['all', 'selected', 'except'],
	ignoredRecords: ['keep', 'error', 'drop'],
	explanations: ['endpointDefault', 'on', 'off'],
	explanationMethod: ['', 'ICE', 'SHAPLEY'],
	goal: ['above', 'highest', 'lowest', 'below', 'otherClass', 'class'],
	vary: ['documented', 'defined'],
};

it('the manifest names exactly the nodes that have a contract', () => {
	expect(nodes.name).toBe('n8n-nodes-dataiku');
	expect(nodes.nodes.map(({ name }) => name)).toEqual(allNodeTypes);
	expect([...nodeTypes].sort()).toEqual(Object.keys(contract).sort());
});

describe.each(allNodeTypes)('%s', (type) => {
	it('has a name, a description and a subtitle for the editor', async () => {
		const { displayName, description, defaults, subtitle = '' } = descriptionOf(type);
		expect(displayName).toMatch(/^Dataiku [A-Z]/);
		expect(displayName.replaceAll(/[ -]/g, '').toLowerCase()).toBe(type.toLowerCase());
		expect(defaults.name).toBe(displayName);
		// One line in the panel of nodes, whose width is fixed.
		expect(description).toMatch(/^.{30,44}$/);

		for (const endpointId of [endpoint('fraud'), { ...endpoint('fraud'), mode: 'list' }, 'fraud']) {
			expect(await evaluated(type, subtitle, { endpointId })).toBe('fraud');
		}
	});

	it('has its own icons for light and for dark, which are built', () => {
		expectIcons(descriptionOf(type));
		const same = nodes.nodes.filter(({ iconUrl }) => isDeepStrictEqual(iconUrl, descriptionOf(type).iconUrl));
		expect(same.map(({ name }) => name)).toEqual([type]);
	});

	it('is found under "dataiku" by its codex, which has links', () => {
		const { codex } = descriptionOf(type);
		// n8n leaves a node of the category AI out of the panel: its tool variant is there instead.
		expect(codex?.categories).not.toContain('AI');
		expect(codex?.alias).toContain('dataiku');
		expect(codex?.resources?.primaryDocumentation?.[0]?.url).toMatch(/\/docs\/nodes\.md#/);
		expect(codex?.resources?.credentialDocumentation?.[0]?.url).toMatch(/\/docs\/credentials\.md$/);
	});

	it('requires the credential that its authentication names, and tests it', () => {
		const { credentials = [] } = descriptionOf(type);
		expect(credentials).toMatchObject([
			{ name: 'dataikuApiNodeApi', required: true, displayOptions: { show: { authentication: ['apiKey'] } } },
			{ name: 'dataikuApiNodeOAuth2Api', required: true, displayOptions: { show: { authentication: ['oAuth2'] } } },
		]);
		const { methods } = nodes.types.getByNameAndVersion(nodes.fullName(type));
		const { testedBy } = credentials[0]!;
		expect(Object.keys(methods?.credentialTest ?? {})).toEqual([testedBy]);
	});

	it('has no field that the editor marks as an error because it is empty', () => {
		const all = allParameters(descriptionOf(type).properties);
		const marked = all.filter((each) => each.type === 'json' && !each.default);
		expect(marked).toEqual([]);
	});

	// n8n before 2.41 runs no workflow with such a node: "Cannot convert undefined or null to object".
	it('leaves no condition for showing a parameter undefined', () => {
		const conditions = allParameters(descriptionOf(type).properties).map(({ displayOptions }) => displayOptions ?? {});
		expect(conditions.filter((each) => Object.values(each).includes(undefined))).toEqual([]);
	});

	it('finds its endpoint in a list, by ID or by URL, and lets n8n check none of them before each execution', () => {
		const { modes = [] } = descriptionOf(type).properties.find(({ name }) => name === 'endpointId') ?? {};
		expect(modes.map(({ name, type: kind, validation }) => [name, kind, validation])).toEqual([
			['list', 'list', undefined],
			['id', 'string', undefined],
			['url', 'string', undefined],
		]);
		const { methods } = nodes.types.getByNameAndVersion(nodes.fullName(type));
		expect(Object.keys(methods?.listSearch ?? {})).toEqual([modes[0]!.typeOptions?.searchListMethod]);
	});
});

describe.each(nodeTypes)('%s', (type) => {
	it('can be a tool, and no parameter has a name that n8n reserves for tools', () => {
		const { usableAsTool, properties, inputs, outputs } = descriptionOf(type);
		expect({ usableAsTool, inputs, outputs }).toEqual({ usableAsTool: true, inputs: ['main'], outputs: ['main'] });
		const names = allParameters(properties).map(({ name }) => name);
		for (const taken of ['resource', 'operation', 'descriptionType']) expect(names).not.toContain(taken);
		// n8n adds one of its own unless there is one.
		expect(inVariant(false, properties).map(({ name }) => name)).not.toContain('toolDescription');
		expect(inVariant(true, properties)[0]).toMatchObject({ name: 'toolDescription', type: 'string' });
	});

	it('is filled in by the model without a setting when it is a tool', () => {
		const properties = inVariant(true, descriptionOf(type).properties);
		const by = Object.fromEntries(properties.map((each) => [each.name, each]));
		// A form has no place for the history of a forecast.
		expect(by.recordSource!.default).toBe(type === 'dataikuForecast' ? 'json' : 'mapping');
		expect(by.recordJson!.default).toMatch(
			/^=\{\{ \/\*.*\*\/ \$fromAI\('[a-z_]+', `[^`]+`, 'json', '\[\{\}\]'\) \}\}$/,
		);
		expect(by.mapping!.default).toEqual({ mappingMode: 'defineBelow', value: null });
		const options = Object.fromEntries(optionsOf(by.options!).map((each) => [each.name, each.default]));
		expect(options).toMatchObject({ checkFeatures: 'error', maxRows: 50, maxCharacters: 20000 });
		if (type === 'dataikuPredict') expect(by.nExplanations!.default).toBe('3');
	});

	it('has exactly the parameters of the contract, with their defaults', () => {
		const properties = inVariant(false, descriptionOf(type).properties);
		const defaults = (all: INodeProperties[]) => Object.fromEntries(all.map((each) => [each.name, each.default]));
		const options = properties.find(({ name }) => name === 'options');

		expect(defaults(properties)).toEqual({ ...common, ...contract[type]!.parameters });
		expect(defaults(optionsOf(options!))).toEqual({ ...commonOptions, ...contract[type]!.options });
		// A name that stands twice, for two sets of conditions, would hide behind the other.
		const shown = properties.filter((each) => each.type !== 'hidden');
		expect(shown).toHaveLength(Object.keys({ ...common, ...contract[type]!.parameters }).length);
	});

	/** What n8n keeps of what a node holds, and what of it the panel shows. */
	const kept = (fullName: string, values: INodeParameters) => {
		const { description } = nodes.types.getByNameAndVersion(fullName);
		const of = {
			id: 'n',
			name: 'n',
			type: fullName,
			typeVersion: 1,
			position: [0, 0] as [number, number],
			parameters: {},
		};
		const all = NodeHelpers.getNodeParameters(description.properties, values, true, false, of, description) ?? {};
		const visible = description.properties.filter((each) => each.type !== 'hidden');
		const shown = visible.filter((each) => NodeHelpers.displayParameter(all, each, of, description));
		const panel = shown.filter((each) => !each.isNodeSetting);
		return { all, shown: shown.map(({ name }) => name), panel: panel.map(({ name }) => name) };
	};
	const filled = {
		mappingMode: 'defineBelow',
		value: { amount: '={{ $json.amount }}' },
		schema: [{ id: 'amount', displayName: 'amount', required: false, display: true }],
	};

	const ofPredict = { explanations: 'on', explanationMethod: 'ICE', nExplanations: '2' };
	const ofWhatIf = {
		goal: 'above',
		goalClass: 'yes',
		goalValue: '0.8',
		vary: 'defined',
		lockedFeatures: 'age',
		variedFeatures: { feature: [{ name: 'amount', min: '1' }] },
	};

	it('shows only what leads to the endpoint before one is chosen, and keeps the rest while another credential clears the endpoint', () => {
		const name = nodes.fullName(type);
		const own = { dataikuPredict: ofPredict, dataikuWhatIf: ofWhatIf, dataikuForecast: { identifierColumns: 'store' } }[
			type
		];
		const hidden = { mapping: filled, output: 'fullResponse', ...own };
		const chosen = { endpointId: endpoint('e'), recordSource: 'mapping', ...hidden };
		for (const endpointId of [endpoint('e'), '={{ $json.endpoint }}']) {
			expect(kept(name, { ...chosen, endpointId }).shown).toEqual(expect.arrayContaining(Object.keys(hidden)));
		}
		for (const mode of ['list', 'id', 'url']) {
			const emptied = kept(name, { ...chosen, endpointId: { __rl: true, mode, value: '' } });
			expect(emptied.panel).toEqual(['authentication', 'endpointId', 'recordSource', 'options']);
			expect(kept(name, { ...emptied.all, endpointId: endpoint('e') }).all).toEqual(kept(name, chosen).all);
		}
	});

	it('describes itself with the endpoint and its documentation when it is a tool', async () => {
		const by = Object.fromEntries(descriptionOf(type).properties.map((each) => [each.name, each]));
		const { purpose, toolDescription } = by;
		expect(purpose!.default).toMatch(/^[A-Z][^={}]+\.$/);
		const described = async (mapping: object) =>
			await evaluated(`${type}Tool`, toolDescription!.default as string, {
				...{ endpointId: endpoint('e'), recordSource: 'mapping', mapping },
				purpose: 'Says whether a payment is fraud.',
			});
		const after =
			' If the response contains "error", there is no result. Fix the input as described and call again. Never invent values.';
		const before = 'Says whether a payment is fraud. Endpoint: e';
		expect(await described({ mappingMode: 'defineBelow', value: null })).toBe(`${before}.${after}`);
		expect(await described({ mappingMode: 'defineBelow', value: {}, schema: [] })).toBe(`${before}.${after}`);
		const [field] = filled.schema;
		const schema = [{ ...field, endpointSummary: 'Is a payment fraud?' }];
		expect(await described({ ...filled, schema })).toBe(`${before} (Is a payment fraud?).${after}`);
	});

	it('uses its own defaults, and none of a tool, when an expression chooses the endpoint or the source', () => {
		const name = nodes.fullName(type);
		const chosen = { endpointId: { ...endpoint('={{ $json.at }}'), mode: 'url' } };
		expect(kept(name, chosen).all.mapping).toEqual(common.mapping);
		expect(kept(name, { ...chosen, recordSource: '={{ $json.source }}' }).all).toMatchObject({
			...{ mapping: common.mapping, recordJson: common.recordJson },
		});
	});

	it('has one argument when it is a tool whose form has no fields, and one per field otherwise', () => {
		const name = `${nodes.fullName(type)}Tool`;
		const shown = (mapping: object) =>
			kept(name, { endpointId: endpoint('e'), recordSource: 'mapping', ...mapping }).shown.filter((each) =>
				['mapping', 'recordJson'].includes(each),
			);
		expect(shown({})).toEqual(['mapping', 'recordJson']);
		expect(shown({ mapping: { mappingMode: 'defineBelow', value: {}, schema: [] } })).toEqual([
			'mapping',
			'recordJson',
		]);
		expect(shown({ mapping: filled })).toEqual(['mapping']);
		const json = kept(name, { endpointId: endpoint('e'), recordSource: 'json', mapping: filled }).shown;
		expect(json.filter((each) => ['mapping', 'recordJson'].includes(each))).toEqual(['recordJson']);
	});

	it('accepts the values of the contract, and no others', () => {
		const properties = inVariant(false, descriptionOf(type).properties);
		for (const property of properties.filter((each) => each.type === 'options')) {
			const { name } = property;
			expect([name, valuesOf(property)]).toEqual([name, name === 'output' ? contract[type]!.outputs : values[name]]);
		}
	});
});

it.each(nodeTypes.filter((type) => !['dataikuPredict', 'dataikuForecast'].includes(type)))(
	'%s previews no fields, because its columns depend on the endpoint or are not public',
	(type) => {
		const folder = type.charAt(0).toUpperCase() + type.slice(1);
		expect(existsSync(join(OUR_PACKAGE, 'dist/nodes', folder, '__schema__'))).toBe(false);
	},
);

it.each(['dataikuPredict', 'dataikuForecast'])(
	'%s previews fields that its default output has, with their types',
	async (type) => {
		const folder = type.charAt(0).toUpperCase() + type.slice(1);
		const file = join(OUR_PACKAGE, 'dist/nodes', folder, '__schema__/v1.0.0.json');
		const schema = JSON.parse(readFileSync(file, 'utf8')) as { properties: Record<string, { type: string }> };
		const node = await startApiNode();
		const { unit, parameters } = callOf(type);
		const { output } = await run(type, {
			url: node.url,
			items: unit(0),
			parameters: { ...parameters, output: undefined },
		});
		await node.close();

		const { json } = output[0]!;
		const types = Object.fromEntries(Object.entries(schema.properties).map(([name, { type: given }]) => [name, given]));
		expect(types).not.toEqual({});
		expect(types).toEqual(Object.fromEntries(Object.keys(types).map((name) => [name, typeof json[name]])));
	},
);

it.each(['dataikuPredict', 'dataikuLookup'])('%s warns before the run when a setting makes it slow', async (type) => {
	const [hint] = descriptionOf(type).hints ?? [];
	const items = (count: number) => Array.from({ length: count }, () => ({ json: {} }));
	for (const [count, batchSize, shown] of [
		[1_000, 1, true],
		[999, 1, false],
		[1_000, 100, false],
	] as const) {
		expect(await evaluated(type, hint!.displayCondition!, { options: { batchSize } }, items(count))).toBe(shown);
	}
});

describe('the credentials', () => {
	it('are the two of the contract', () => {
		expect(nodes.credentials.map(({ name, displayName }) => [name, displayName])).toEqual([
			['dataikuApiNodeApi', 'Dataiku API'],
			['dataikuApiNodeOAuth2Api', 'Dataiku JWT OAuth2 API'],
		]);
		nodes.credentials.forEach(expectIcons);
	});

	const tls = { allowUnauthorizedCerts: false, ca: '', cert: '', key: '', passphrase: '' };
	const document = { openApiFrom: 'apiNode', deployerUrl: '', deploymentId: '', deployerApiKey: '', openApi: '' };
	it.each<[string, string[] | undefined, object]>([
		[
			'dataikuApiNodeApi',
			undefined,
			{
				...{ url: '', serviceId: '', authentication: 'apiKey', apiKey: '', bearerToken: '' },
				...{ showTlsSettings: false, ...tls, ...document },
			},
		],
		[
			'dataikuApiNodeOAuth2Api',
			['oAuth2Api'],
			{ grantType: 'clientCredentials', url: '', serviceId: '', ...tls, ...document },
		],
	])('%s has exactly the fields of the contract', (name, parents, fields) => {
		const credential = nodes.credentialType(name);
		expect(credential.extends).toEqual(parents);
		expect(Object.fromEntries(credential.properties.map((each) => [each.name, each.default]))).toEqual(fields);
	});

	it.each(['dataikuApiNodeApi', 'dataikuApiNodeOAuth2Api'])('%s hides its secrets', (name) => {
		const secret = nodes.credentialType(name).properties.filter(({ typeOptions }) => typeOptions?.password);
		const own = name === 'dataikuApiNodeApi' ? ['apiKey', 'bearerToken'] : [];
		expect([...new Set(secret.map((each) => each.name))]).toEqual([
			...[...own, 'ca', 'cert', 'key', 'passphrase', 'deployerApiKey'],
		]);
		const lines = secret.filter(({ typeOptions }) => (typeOptions?.rows ?? 1) > 1);
		expect([...new Set(lines.map((each) => each.name))]).toEqual(['ca', 'cert', 'key']);
	});

	it.each<[string, string[]]>([
		['apiNode', []],
		['deployer', ['deployerUrl', 'deploymentId', 'deployerApiKey']],
		['text', ['openApi']],
	])("show only the fields that the document's source %s needs", (openApiFrom, fields) => {
		for (const { properties } of nodes.credentials) {
			const visible = properties.filter((each) => NodeHelpers.displayParameter({ openApiFrom }, each, null, null));
			const names = visible.map(({ name }) => name);
			expect(names.filter((name) => name in document)).toEqual(['openApiFrom', ...fields]);
		}
	});

	it('dataikuApiNodeApi folds rarely used fields, and keeps their values', () => {
		const { properties } = nodes.credentialType('dataikuApiNodeApi');
		const shown = (toggles: object) => {
			const values = NodeHelpers.getNodeParameters(properties, { ...toggles }, true, true, null, null) ?? {};
			const visible = properties.filter(({ type }) => type !== 'hidden');
			return visible.flatMap((each) => (NodeHelpers.displayParameter(values, each, null, null) ? each.name : []));
		};
		const first = ['url', 'serviceId', 'authentication', 'apiKey', 'showTlsSettings'];
		expect(shown({})).toEqual([...first, 'openApiFrom']);
		expect(shown({ showTlsSettings: true })).toEqual([...first, ...Object.keys(tls), 'openApiFrom']);

		const filled = { allowUnauthorizedCerts: true, ca: 'a', cert: 'b', key: 'c', passphrase: 'd' };
		for (const toggle of [true, false, undefined]) {
			const saved = { ...filled, ...(toggle !== undefined && { showTlsSettings: toggle }) };
			// As n8n saves it, and as n8n passes it on.
			for (const withDefaults of [false, true]) {
				const kept = NodeHelpers.getNodeParameters(properties, saved, withDefaults, false, null, null);
				expect(kept).toMatchObject(filled);
			}
		}
	});
});

function expectIcons({ iconUrl }: INodeTypeDescription | ICredentialType): void {
	const files = typeof iconUrl === 'object' ? [iconUrl.light, iconUrl.dark] : [];
	expect(new Set(files).size).toBe(2);
	for (const file of files) {
		expect(file).toMatch(/^icons\/n8n-nodes-dataiku\/dist\/.+\.svg$/);
		expect(existsSync(join(OUR_PACKAGE, file.replace('icons/n8n-nodes-dataiku/', '')))).toBe(true);
	}
}

/** A text of the description as the editor evaluates it. */
async function evaluated(
	type: string,
	text: string,
	parameters: object,
	input: INodeExecutionData[] = [],
): Promise<unknown> {
	const node = {
		id: '1',
		name: 'Node',
		type: nodes.fullName(type),
		typeVersion: 1,
		position: [0, 0] as [number, number],
		parameters: { ...parameters },
	};
	const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes: nodes.types });
	await workflow.expression.acquireIsolate();
	try {
		return workflow.expression.getParameterValue(text, null, 0, 0, 'Node', input, 'internal', {});
	} finally {
		await workflow.expression.releaseIsolate();
	}
}
