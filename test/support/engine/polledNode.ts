import {
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type INodeParameters,
	NodeHelpers,
	Workflow,
	type WorkflowActivateMode,
	type WorkflowExecuteMode,
} from 'n8n-workflow';
import { additionalDataFor } from './additionalData';
import { core } from './core';
import { nodePackage } from './nodePackage';
import { type CredentialData, StoredCredentials } from './storedCredentials';

interface Options {
	type: string;
	parameters?: IDataObject;
	credentials?: CredentialData | StoredCredentials;
}

/**
 * A polling trigger in a workflow, as n8n keeps it: the static data are saved when the workflow is activated and when the
 * trigger starts it, and read again when n8n starts.
 */
export class PolledNode {
	parameters: IDataObject;
	/** What n8n has saved. */
	saved: IDataObject = {};
	/** The workflow in memory, while it is active. */
	private workflow: Workflow | undefined;
	private activation: WorkflowActivateMode = 'activate';

	constructor(private readonly options: Options) {
		this.parameters = options.parameters ?? {};
	}

	/** Activates the workflow, which polls at once. @throws what keeps it from being activated */
	async activate(mode: WorkflowActivateMode = 'activate'): Promise<IDataObject[]> {
		this.activation = mode;
		this.workflow = await this.load();
		const items = await this.poll();
		this.save();
		return items;
	}

	/** n8n stops and starts again: what it has not saved is lost. */
	async restart(): Promise<IDataObject[]> {
		return await this.activate('init');
	}

	/** @returns the items that the workflow starts with; none where it does not start */
	async poll(): Promise<IDataObject[]> {
		const items = await this.run(this.workflow!, 'trigger', this.activation);
		if (items) this.save();
		return (items ?? []).map(({ json }) => json);
	}

	/** "Fetch Test Event". */
	async test(): Promise<IDataObject[]> {
		return ((await this.run(await this.load(), 'manual', 'manual')) ?? []).map(({ json }) => json);
	}

	private save(): void {
		this.saved = JSON.parse(JSON.stringify(this.workflow!.staticData)) as IDataObject;
	}

	private async load(): Promise<Workflow> {
		const nodes = await nodePackage();
		const type = nodes.fullName(this.options.type);
		const node = { id: '1', name: 'Node', type, typeVersion: 1, position: [0, 0] as [number, number], parameters: {} };
		const staticData = JSON.parse(JSON.stringify(this.saved)) as IDataObject;
		return new Workflow({ nodes: [node], connections: {}, active: true, nodeTypes: nodes.types, staticData });
	}

	private async run(
		workflow: Workflow,
		mode: WorkflowExecuteMode,
		activation: WorkflowActivateMode,
	): Promise<INodeExecutionData[] | undefined> {
		const n8n = await core();
		const nodes = await nodePackage();
		const { credentials: given } = this.options;
		const stored = given instanceof StoredCredentials ? given : new StoredCredentials(n8n, nodes, given);
		const [node] = Object.values(workflow.nodes) as [INode];
		const nodeType = nodes.types.getByNameAndVersion(node.type);
		const { properties } = nodeType.description;
		const parameters = this.parameters as INodeParameters;
		node.parameters =
			NodeHelpers.getNodeParameters(properties, parameters, true, false, node, nodeType.description) ?? {};
		node.credentials = stored.references();
		const context = new n8n.PollContext(workflow, node, additionalDataFor(n8n, stored), mode, activation);
		await workflow.expression.acquireIsolate();
		try {
			return (await nodeType.poll!.call(context))?.[0];
		} finally {
			await workflow.expression.releaseIsolate();
		}
	}
}
