import {
	ICredentials,
	ICredentialsHelper,
	isExpression,
	NodeHelpers,
	Workflow,
	type ICredentialDataDecryptedObject,
	type ICredentialsEncrypted,
	type ICredentialsExpressionResolveValues,
	type IExecuteData,
	type IHttpRequestHelper,
	type IHttpRequestOptions,
	type INode,
	type INodeCredentials,
	type INodeCredentialsDetails,
	type INodeParameters,
	type INodeProperties,
	type IWorkflowExecuteAdditionalData,
	type WorkflowExecuteMode,
} from 'n8n-workflow';
import { core, type Core } from './core';
import { nodePackage, type NodePackage } from './nodePackage';

/** Data of credentials by their type, as a user would have filled them in. */
export type CredentialData = Record<string, ICredentialDataDecryptedObject>;

// n8n drops what was stored in these where the type hides the field, so that the type's own default holds
const OWNED_WHEN_HIDDEN = ['grantType', 'authUrl', 'accessTokenUrl', 'authentication'];

/** One saved credential. n8n's own class encrypts with keys that only its database holds; this one keeps JSON. */
class StoredCredential extends ICredentials {
	override async getData(): Promise<ICredentialDataDecryptedObject> {
		return JSON.parse(this.data ?? '{}') as ICredentialDataDecryptedObject;
	}

	override getDataToSave(): ICredentialsEncrypted {
		return { name: this.name, type: this.type, data: this.data ?? '{}' };
	}

	override async setData(data: ICredentialDataDecryptedObject): Promise<void> {
		this.data = JSON.stringify(data);
	}

	override async updateData(toUpdate: ICredentialDataDecryptedObject, toDelete: string[] = []): Promise<void> {
		const kept = Object.entries({ ...(await this.getData()), ...toUpdate });
		await this.setData(Object.fromEntries(kept.filter(([name]) => !toDelete.includes(name))));
	}
}

/** Credentials that several runs share. */
export const storedCredentials = async (data: CredentialData) =>
	new StoredCredentials(await core(), await nodePackage(), data);

/**
 * What n8n's server does with credentials: gives them with the defaults of their type and their expressions resolved,
 * adds them to requests, and saves renewed tokens.
 */
export class StoredCredentials extends ICredentialsHelper {
	private readonly byType = new Map<string, ICredentials>();

	constructor(
		private readonly core: Core,
		private readonly nodes: NodePackage,
		data: CredentialData = {},
	) {
		super();
		for (const [type, fields] of Object.entries(data)) {
			this.byType.set(type, new StoredCredential({ id: type, name: type }, type, JSON.stringify(fields)));
		}
	}

	/** How a node refers to all of them. */
	references(): INodeCredentials {
		return Object.fromEntries([...this.byType.keys()].map((type) => [type, { id: type, name: type }]));
	}

	/** What is stored now, renewed tokens included. */
	async read(): Promise<CredentialData> {
		const entries = [...this.byType].map(async ([type, stored]) => [type, await stored.getData()] as const);
		return Object.fromEntries(await Promise.all(entries));
	}

	/** The fields with the defaults of the type: what a node or a credential test is given. */
	withDefaults(type: string, data: ICredentialDataDecryptedObject): ICredentialDataDecryptedObject {
		const properties = this.getCredentialsProperties(type);
		const hidden = properties.filter((property) => property.type === 'hidden').map(({ name }) => name);
		const owned = new Set(OWNED_WHEN_HIDDEN.filter((name) => hidden.includes(name)));
		const filled = NodeHelpers.getNodeParameters(
			properties,
			Object.fromEntries(Object.entries(data).filter(([name]) => !owned.has(name))) as INodeParameters,
			true,
			false,
			null,
			null,
		) as ICredentialDataDecryptedObject;
		const { oauthTokenData } = data;
		return { ...filled, ...(oauthTokenData !== undefined && { oauthTokenData }) };
	}

	override async getDecrypted(
		additionalData: IWorkflowExecuteAdditionalData,
		_nodeCredentials: INodeCredentialsDetails,
		type: string,
		mode: WorkflowExecuteMode,
		executeData?: IExecuteData,
		raw?: boolean,
		values?: ICredentialsExpressionResolveValues,
	): Promise<ICredentialDataDecryptedObject> {
		const stored = await this.stored(type).getData();
		if (raw) return stored;

		const data = this.withDefaults(type, stored);
		const keys = this.core.getAdditionalKeys(additionalData, mode, null, { isCredential: true });
		if (values) {
			return values.workflow.expression.getParameterValue(
				data as INodeParameters,
				values.runExecutionData,
				values.runIndex,
				values.itemIndex,
				values.node.name,
				values.connectionInputData,
				mode,
				keys,
				executeData,
				false,
				data,
			) as ICredentialDataDecryptedObject;
		}
		if (!Object.values(data).some(isExpression)) return data;

		const { workflow, node } = this.workflowOfItsOwn();
		await workflow.expression.acquireIsolate();
		try {
			return workflow.expression.getComplexParameterValue(
				node,
				data as INodeParameters,
				mode,
				keys,
				undefined,
				undefined,
				data,
			) as ICredentialDataDecryptedObject;
		} finally {
			await workflow.expression.releaseIsolate();
		}
	}

	override async authenticate(
		credentials: ICredentialDataDecryptedObject,
		typeName: string,
		options: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> {
		const { authenticate } = this.nodes.credentialType(typeName);
		if (!authenticate) return options;
		if (typeof authenticate === 'function') return await authenticate(credentials, options);

		const { workflow, node } = this.workflowOfItsOwn();
		const resolved = (text: string) =>
			String(
				workflow.expression.getSimpleParameterValue(
					node,
					text,
					'internal',
					{ $credentials: credentials },
					undefined,
					'',
				) ?? '',
			);
		const additions = Object.entries(authenticate.properties).map(([part, fields]) => {
			const present = (options as unknown as Record<string, object | undefined>)[part];
			const added = Object.entries(fields as Record<string, string>).map(([name, value]) => [
				resolved(name),
				resolved(value),
			]);
			return [part, { ...present, ...(Object.fromEntries(added) as Record<string, string>) }];
		});
		return Object.assign(options, Object.fromEntries(additions) as Record<string, object>);
	}

	override async preAuthentication(
		helpers: IHttpRequestHelper,
		credentials: ICredentialDataDecryptedObject,
		typeName: string,
		_node: INode,
		credentialsExpired: boolean,
	): Promise<ICredentialDataDecryptedObject | undefined> {
		const { properties } = this.nodes.credentialType(typeName);
		const token = properties.find(({ type, typeOptions }) => type === 'hidden' && typeOptions?.expirable);
		if (!token || (credentials[token.name] !== '' && !credentialsExpired)) return undefined;

		const fresh = await this.runPreAuthentication(helpers, credentials, typeName);
		if (fresh?.[token.name] === undefined) return undefined;
		await this.stored(typeName).updateData(fresh);
		return { ...credentials, ...fresh };
	}

	override async runPreAuthentication(
		helpers: IHttpRequestHelper,
		credentials: ICredentialDataDecryptedObject,
		typeName: string,
	): Promise<ICredentialDataDecryptedObject | undefined> {
		const { preAuthentication } = this.nodes.credentialType(typeName);
		return (await preAuthentication?.call(helpers, credentials)) as ICredentialDataDecryptedObject | undefined;
	}

	override getParentTypes(name: string): string[] {
		const parents = this.nodes.credentialType(name).extends ?? [];
		return [...parents, ...parents.flatMap((parent) => this.getParentTypes(parent))];
	}

	override getCredentialsProperties(type: string): INodeProperties[] {
		const { extends: parents, properties } = this.nodes.credentialType(type);
		// Without a parent nothing is merged, and a name may stand twice.
		if (parents === undefined) return properties;
		const merged: INodeProperties[] = [];
		for (const parent of parents) NodeHelpers.mergeNodeProperties(merged, this.getCredentialsProperties(parent));
		NodeHelpers.mergeNodeProperties(merged, properties);
		return merged;
	}

	override isCredentialUsableByNode(credentialType: string, nodeType: string): boolean {
		const { restrictToSupportedNodes, supportedNodes = [] } = this.nodes.credentialType(credentialType);
		return !restrictToSupportedNodes || supportedNodes.some((name) => this.nodes.fullName(name) === nodeType);
	}

	override async getCredentials(_nodeCredentials: INodeCredentialsDetails, type: string): Promise<ICredentials> {
		return this.stored(type);
	}

	override async updateCredentials(
		_nodeCredentials: INodeCredentialsDetails,
		type: string,
		data: ICredentialDataDecryptedObject,
	): Promise<void> {
		await this.stored(type).setData(data);
	}

	override async updateCredentialsOauthTokenData(
		_nodeCredentials: INodeCredentialsDetails,
		type: string,
		{ oauthTokenData }: ICredentialDataDecryptedObject,
	): Promise<void> {
		await this.stored(type).updateData({ oauthTokenData });
	}

	private stored(type: string): ICredentials {
		const credential = this.byType.get(type);
		if (!credential) throw new Error(`The test gave no credential of the type "${type}"`);
		return credential;
	}

	private workflowOfItsOwn(): { workflow: Workflow; node: INode } {
		const node: INode = { id: '', name: '', type: '', typeVersion: 1, position: [0, 0], parameters: {} };
		return { node, workflow: new Workflow({ nodes: [], connections: {}, active: false, nodeTypes: this.nodes.types }) };
	}
}
