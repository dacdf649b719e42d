import { createRunExecutionData, type IDataObject, type INode, type INodeExecutionData, Workflow } from 'n8n-workflow';
import { type CredentialData, nodePackage, type RunNodeOptions } from '../support/engine';
import { additionalDataFor } from '../support/engine/additionalData';
import { core } from '../support/engine/core';
import { StoredCredentials } from '../support/engine/storedCredentials';

interface Execution extends Pick<RunNodeOptions, 'parameters'> {
	items: IDataObject[];
	credentials?: CredentialData;
}

/** Calls a node's `execute` as n8n does, but whatever its input: the engine itself skips a node without items. */
export async function executeDirectly(
	type: string,
	{ items, credentials, parameters = {} }: Execution,
): Promise<INodeExecutionData[][] | null | undefined> {
	const n8n = await core();
	const nodes = await nodePackage();
	const stored = new StoredCredentials(n8n, nodes, credentials);
	const node: INode = {
		id: '1',
		name: 'Node',
		type: nodes.fullName(type),
		typeVersion: 1,
		position: [0, 0],
		parameters: parameters as INode['parameters'],
		credentials: stored.references(),
	};
	const workflow = new Workflow({ nodes: [node], connections: {}, active: false, nodeTypes: nodes.types });
	const input = items.map((json) => ({ json }));
	const context = new n8n.ExecuteContext(
		workflow,
		node,
		additionalDataFor(n8n, stored),
		'manual',
		createRunExecutionData({}),
		0,
		input,
		{ main: [input] },
		{ node, data: { main: [input] }, source: null },
		[],
	);
	const result = await nodes.types.getByNameAndVersion(node.type).execute?.call(context);
	return result as INodeExecutionData[][] | null | undefined;
}
