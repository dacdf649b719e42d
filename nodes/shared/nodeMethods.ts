import type { INodeType } from 'n8n-workflow';
import { credentialTest } from './credentialTest';
import { endpointSearch, type NodeOperation } from './endpointSearch';

/** What a node offers to the editor. */
export const methodsOf = (operation: NodeOperation) =>
	({ credentialTest, listSearch: { searchEndpoints: endpointSearch(operation) } }) satisfies INodeType['methods'];
