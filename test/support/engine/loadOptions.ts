import {
	NodeHelpers,
	Workflow,
	type IDataObject,
	type ILoadOptionsFunctions,
	type INode,
	type INodeListSearchResult,
	type INodeParameters,
	type INodePropertyOptions,
	type ResourceMapperFields,
} from 'n8n-workflow';
import { additionalDataFor } from './additionalData';
import { core } from './core';
import { nodePackage, OUR_PACKAGE } from './nodePackage';
import { StoredCredentials, type CredentialData } from './storedCredentials';

interface LoadedOptions {
	listSearch: INodeListSearchResult;
	resourceMapping: ResourceMapperFields;
	loadOptions: INodePropertyOptions[];
}

type Method<Result> = (this: ILoadOptionsFunctions, filter?: string, paginationToken?: string) => Promise<Result>;

export interface LoadOptions<Kind extends keyof LoadedOptions> {
	type: string;
	kind: Kind;
	/** The method's name in the node's `methods[kind]`. */
	method: string;
	typeVersion?: number;
	parameters?: IDataObject;
	credentials?: CredentialData;
	/** The parameter that asks; matters only to methods that look at its siblings. */
	path?: string;
	/** What the user typed into a list search. */
	filter?: string;
	paginationToken?: string;
	packageRoot?: string;
}

/** Calls a method that fills a list or a form in the editor, as n8n does for an open node. */
export async function loadOptions<Kind extends keyof LoadedOptions>(
	options: LoadOptions<Kind>,
): Promise<LoadedOptions[Kind]> {
	const { kind, method, path = 'parameters', filter, paginationToken, packageRoot = OUR_PACKAGE } = options;
	const n8n = await core();
	const nodes = await nodePackage(packageRoot);
	const credentials = new StoredCredentials(n8n, nodes, options.credentials);

	const type = nodes.fullName(options.type);
	const { description, methods } = nodes.types.getByNameAndVersion(type, options.typeVersion);
	const typeVersion = options.typeVersion ?? [description.version].flat().at(-1) ?? 1;
	const parameters = (options.parameters ?? {}) as INodeParameters;
	const node: INode = {
		id: '1',
		name: 'Node',
		type,
		typeVersion,
		position: [0, 0],
		parameters,
		credentials: credentials.references(),
	};
	const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes: nodes.types });

	const additionalData = additionalDataFor(n8n, credentials);
	// the editor sends what the form shows, defaults included
	additionalData.currentNodeParameters =
		NodeHelpers.getNodeParameters(description.properties, parameters, true, false, node, description) ?? parameters;

	const found = methods?.[kind]?.[method] as Method<LoadedOptions[Kind]> | undefined;
	if (!found) throw new Error(`"${type}" has no method "${method}" in methods.${kind}`);
	const context = new n8n.LoadOptionsContext(workflow, node, additionalData, path);
	return await found.call(context, filter, paginationToken);
}
