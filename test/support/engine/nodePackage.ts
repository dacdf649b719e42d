import { resolve } from 'node:path';
import {
	NodeHelpers,
	type ICredentialType,
	type INodeType,
	type INodeTypeDescription,
	type INodeTypes,
	type IVersionedNodeType,
} from 'n8n-workflow';
import { core } from './core';
import { oAuth2Api } from './oAuth2Api';

/** This repository: its package.json names the built nodes. */
export const OUR_PACKAGE = resolve(__dirname, '../../..');

/** The type of the node that feeds the items: pinned, so that it never runs. */
export const START_TYPE = 'n8n-nodes-base.manualTrigger';

/** What n8n's loader made of a package of nodes. */
export interface NodePackage {
	name: string;
	/** One per node and version. */
	nodes: INodeTypeDescription[];
	credentials: ICredentialType[];
	/** Finds nodes by their full name, `package.node`, as a workflow has it. */
	types: INodeTypes;
	/** The full name for a short or a full one. */
	fullName: (type: string) => string;
	credentialType: (name: string) => ICredentialType;
}

const packages = new Map<string, Promise<NodePackage>>();

/** Loads a package as n8n does at its start; a second call gives the same one. */
export async function nodePackage(root = OUR_PACKAGE): Promise<NodePackage> {
	const known = packages.get(root) ?? load(root);
	packages.set(root, known);
	return await known;
}

async function load(root: string): Promise<NodePackage> {
	const { PackageDirectoryLoader } = await core();
	const loader = new PackageDirectoryLoader(root);
	await loader.loadAll();

	const prefix = `${loader.packageName}.`;
	const known = (type: string) => loader.getNode(type.startsWith(prefix) ? type.slice(prefix.length) : type).type;
	const find = (type: string): INodeType | IVersionedNodeType =>
		type === START_TYPE
			? start
			: type.endsWith('Tool')
				? toolVariant(known(type.slice(0, -4)) as INodeType)
				: known(type);

	return {
		name: loader.packageName,
		nodes: loader.types.nodes,
		credentials: loader.types.credentials,
		types: {
			getByName: find,
			getByNameAndVersion: (type, version) => NodeHelpers.getVersionedNodeType(find(type), version),
			getKnownTypes: () => ({}),
		},
		fullName: (type) => (type.startsWith(prefix) ? type : `${prefix}${type}`),
		credentialType: (name) => (name === oAuth2Api.name ? oAuth2Api : loader.getCredential(name).type),
	};
}

/** What n8n makes of a node for AI agents, but that it is run like any other. */
const toolVariant = (node: INodeType): INodeType =>
	Object.create(node, {
		description: { value: { ...node.description, name: `${node.description.name}Tool` } },
	}) as INodeType;

const start: INodeType = {
	description: {
		name: START_TYPE,
		displayName: 'Start',
		description: 'Feeds the items',
		group: ['trigger'],
		version: 1,
		defaults: {},
		inputs: [],
		outputs: ['main'],
		properties: [],
	},
};
