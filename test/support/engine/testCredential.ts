import {
	createRunExecutionData,
	Workflow,
	type ICredentialDataDecryptedObject,
	type ICredentialsDecrypted,
	type ICredentialTestFunction,
	type ICredentialTestRequest,
	type INode,
	type INodeCredentialTestResult,
	type INodeType,
} from 'n8n-workflow';
import { additionalDataFor } from './additionalData';
import { core, type Core } from './core';
import { nodePackage, OUR_PACKAGE, type NodePackage } from './nodePackage';
import { StoredCredentials } from './storedCredentials';

export interface TestCredential {
	/** The credential type. */
	type: string;
	data: ICredentialDataDecryptedObject;
	packageRoot?: string;
}

/** Tests a credential as the button in n8n's credential window does, finding the test where n8n looks for it. */
export async function testCredential(options: TestCredential): Promise<INodeCredentialTestResult> {
	const { type, data, packageRoot = OUR_PACKAGE } = options;
	const n8n = await core();
	const nodes = await nodePackage(packageRoot);
	const stored = new StoredCredentials(n8n, nodes, { [type]: data });
	const credential: ICredentialsDecrypted = { id: type, name: type, type, data: stored.withDefaults(type, data) };

	const test = findTest(nodes, stored, type);
	if (!test) return { status: 'Error', message: 'No testing function found for this credential.' };
	if (typeof test === 'function') return await test.call(new n8n.CredentialTestContext(), credential);
	return await request(n8n, nodes, stored, credential, test);
}

function findTest(
	nodes: NodePackage,
	stored: StoredCredentials,
	type: string,
): ICredentialTestFunction | ICredentialTestRequest | undefined {
	const { test } = nodes.credentialType(type);
	if (test) return test;

	for (const { name: node, version, credentials = [] } of nodes.nodes) {
		const used = credentials.find(({ name }) => name === type);
		if (!used) continue;
		// n8n asks no server about OAuth2: a token is enough
		if (stored.getParentTypes(type).includes('oAuth2Api')) {
			return async ({ data }) =>
				typeof data?.oauthTokenData === 'object' && 'access_token' in data.oauthTokenData
					? { status: 'OK', message: 'Account connected' }
					: { status: 'Error', message: 'Account not connected' };
		}
		if (typeof used.testedBy === 'object') return used.testedBy;
		if (used.testedBy) {
			const { methods } = nodes.types.getByNameAndVersion(node, [version].flat().at(-1));
			return methods?.credentialTest?.[used.testedBy];
		}
	}
	return undefined;
}

/** A declarative test is the one parameter of a node made for it, sent by n8n's own HTTP stack. */
async function request(
	n8n: Core,
	nodes: NodePackage,
	stored: StoredCredentials,
	credential: ICredentialsDecrypted,
	test: ICredentialTestRequest,
): Promise<INodeCredentialTestResult> {
	const nodeType: INodeType = {
		description: {
			name: 'credentialTest',
			displayName: 'Credential Test',
			description: '',
			group: ['output'],
			version: 1,
			defaults: {},
			inputs: ['main'],
			outputs: ['main'],
			credentials: [{ name: credential.type, required: true }],
			properties: [
				{ displayName: 'Temp', name: 'temp', type: 'string', default: '', routing: { request: test.request } },
			],
		},
	};
	const node: INode = {
		id: '1',
		name: 'Node',
		type: nodeType.description.name,
		typeVersion: 1,
		position: [0, 0],
		parameters: {},
		credentials: stored.references(),
	};
	const workflow = new Workflow({
		nodes: [node],
		connections: {},
		active: false,
		nodeTypes: { ...nodes.types, getByName: () => nodeType, getByNameAndVersion: () => nodeType },
	});
	const context = new n8n.ExecuteContext(
		workflow,
		node,
		additionalDataFor(n8n, stored),
		'internal',
		createRunExecutionData({}),
		0,
		[],
		{ main: [[{ json: {} }]] },
		{ node, data: {}, source: null },
		[],
	);

	try {
		await workflow.expression.acquireIsolate();
		await new n8n.RoutingNode(context, nodeType, credential).runNode();
		return { status: 'OK', message: 'Connection successful!' };
	} catch (error) {
		return { status: 'Error', message: messageFor(error, test) };
	} finally {
		await workflow.expression.releaseIsolate();
	}
}

interface HttpFailure extends Error {
	cause?: { response?: { status: number; statusText?: string }; code?: string };
}

function messageFor(error: unknown, { rules = [] }: ICredentialTestRequest): string {
	const { cause, message } = error as HttpFailure;
	const { status, statusText } = cause?.response ?? {};
	if (status === undefined) return cause?.code ?? message;
	for (const rule of rules) {
		if (rule.type === 'responseCode' && rule.properties.value === status) return rule.properties.message;
	}
	return statusText || `Received HTTP status code: ${status}`;
}
