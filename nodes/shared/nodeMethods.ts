import type { INodeType } from 'n8n-workflow';
import { credentialTest } from './credentialTest';
import type { OperationName } from '../../client/internal';
import { endpointFields } from './endpointFields';
import { endpointSearch } from './endpointSearch';

export const methodsOf = (operation: OperationName) =>
	({
		credentialTest,
		listSearch: { searchEndpoints: endpointSearch(operation) },
		resourceMapping: { getFields: endpointFields(operation) },
	}) satisfies INodeType['methods'];
