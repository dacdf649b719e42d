import type { IWorkflowExecuteAdditionalData } from 'n8n-workflow';
import type { Core } from './core';
import type { StoredCredentials } from './storedCredentials';

// the engine parses some of these, so that an empty one would throw
const INSTANCE = 'http://localhost:5678/';

const unavailable = (name: string) => async (): Promise<never> => {
	throw new Error(`${name} is not part of the test engine`);
};

/** What n8n's server hands to the engine beside the workflow. */
export function additionalDataFor(
	{ ExternalSecretsProxy }: Core,
	credentialsHelper: StoredCredentials,
): IWorkflowExecuteAdditionalData {
	return {
		credentialsHelper,
		executionId: '1',
		workflowId: '1',
		currentNodeExecutionIndex: 0,
		variables: {},
		externalSecretsProxy: new ExternalSecretsProxy(),
		restApiUrl: `${INSTANCE}rest`,
		instanceBaseUrl: INSTANCE,
		formBaseUrl: `${INSTANCE}form`,
		formWaitingBaseUrl: `${INSTANCE}form-waiting`,
		formTestBaseUrl: `${INSTANCE}form-test`,
		webhookBaseUrl: `${INSTANCE}webhook`,
		webhookWaitingBaseUrl: `${INSTANCE}webhook-waiting`,
		webhookTestBaseUrl: `${INSTANCE}webhook-test`,
		mcpBaseUrl: `${INSTANCE}mcp`,
		mcpTestBaseUrl: `${INSTANCE}mcp-test`,
		logAiEvent: () => {},
		executeWorkflow: unavailable('executeWorkflow'),
		getRunExecutionData: unavailable('getRunExecutionData'),
		getRuntimeCredential: unavailable('getRuntimeCredential'),
		startRunnerTask: unavailable('startRunnerTask'),
	};
}
