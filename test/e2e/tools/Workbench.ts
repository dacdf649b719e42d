import type { IDataObject, INode } from 'n8n-workflow';
import type { N8nRest } from '../../../demo/n8n/rest';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { running } from '../running';
import type { AgentModel } from './AgentModel';

export const key = 'demo-key';

interface CredentialReference {
	id: string;
	name: string;
}

export const node = (name: string, type: string, typeVersion: number, parameters: INode['parameters']): INode => ({
	id: name,
	name,
	type,
	typeVersion,
	position: [0, 0],
	parameters,
});

/** A connection to an agent, or to whatever else has such an input. */
export const into = (name: string, type: 'main' | 'ai_tool' | 'ai_languageModel') => ({
	[type]: [[{ node: name, type, index: 0 }]],
});

/** What workflows are made of that use the nodes as tools, and what these sent to the API node. */
export class Workbench {
	private credential: CredentialReference = { id: '', name: '' };

	private constructor(
		readonly rest: N8nRest,
		/** Between n8n and the API node. */
		readonly wire: ChaosProxy,
	) {}

	static async open(): Promise<Workbench> {
		const { signIn, apiNodeUrl } = running();
		const bench = new Workbench(await signIn(), await chaosProxy({ upstream: apiNodeUrl }));
		bench.credential = await bench.apiNodeCredential({});
		return bench;
	}

	/** A credential, but for some of its data that of all tools. */
	async apiNodeCredential(changes: IDataObject): Promise<CredentialReference> {
		const data = { url: this.wire.url, serviceId: 'demo', authentication: 'apiKey', apiKey: key, ...changes };
		return await this.rest.call('POST', '/credentials', { name: 'Tools', type: 'dataikuApiNodeApi', data });
	}

	async close(): Promise<void> {
		await this.wire.close();
	}

	forget(): void {
		this.wire.requests.splice(0);
	}

	/** What was sent, but for the OpenAPI document: path below the service, and body. */
	get sent(): Array<readonly [path: string, body: IDataObject]> {
		return this.wire.requests
			.filter(({ method }) => method === 'POST')
			.map(({ path, body }) => [path.replace('/public/api/v1/demo/', ''), JSON.parse(body) as IDataObject]);
	}

	/** A tool as it is when dropped: with its credential and its endpoint, unless told otherwise. */
	tool(type: string, endpointId: string, parameters: IDataObject = {}): INode {
		return this.withCredential(
			node(endpointId, `n8n-nodes-dataiku.${type}Tool`, 1, {
				endpointId: { __rl: true, mode: 'id', value: endpointId },
				...(parameters as INode['parameters']),
			}),
		);
	}

	withCredential(node: INode): INode {
		return { ...node, credentials: { dataikuApiNodeApi: this.credential } };
	}

	/** For a chat model that is to be the scripted one. */
	async modelCredential({ url }: AgentModel): Promise<CredentialReference> {
		const data = { apiKey: 'none', url };
		return await this.rest.call('POST', '/credentials', { name: 'Scripted model', type: 'openAiApi', data });
	}

	/** The form of a tool as the editor fills it. */
	async form(type: string, endpointId: string): Promise<IDataObject> {
		const { fields } = await this.rest.call<{ fields: Array<{ id: string; defaultValue?: string }> }>(
			'POST',
			'/dynamic-node-parameters/resource-mapper-fields',
			{
				path: 'parameters.mapping',
				methodName: 'getFields',
				nodeTypeAndVersion: { name: `n8n-nodes-dataiku.${type}Tool`, version: 1 },
				currentNodeParameters: {
					authentication: 'apiKey',
					endpointId: { __rl: true, mode: 'id', value: endpointId },
				},
				credentials: { dataikuApiNodeApi: this.credential },
			},
		);
		const value = Object.fromEntries(fields.map(({ id, defaultValue }) => [id, defaultValue ?? null]));
		const mapping = { mappingMode: 'defineBelow', value, schema: fields, matchingColumns: [] };
		return { recordSource: 'mapping', mapping };
	}

	/** Saves a workflow and returns its ID. */
	async save(nodes: INode[], connections: object): Promise<string> {
		const workflow = { name: 'Tools', nodes, connections, settings: { executionOrder: 'v1' }, active: false };
		const { id } = await this.rest.call<{ id: string }>('POST', '/workflows', workflow);
		return id;
	}
}
