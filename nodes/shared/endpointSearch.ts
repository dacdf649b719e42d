import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { ApiNodeError, type OperationName, type ServiceDocument } from '../../client/internal';
import { connectEditor } from './connection';
import { deployedId } from './description/credentialProperties';
import { type Known, readDocument } from './documents';
import { chosenService } from './endpointFields';
import { operationNames } from './operations';

export function endpointSearch(operation: OperationName) {
	return async function searchEndpoints(this: ILoadOptionsFunctions, filter = ''): Promise<INodeListSearchResult> {
		const document = await documentFor(this);
		const endpoints = document.endpoints.filter((endpoint) => endpoint.operation === operation);
		if (endpoints.length === 0) {
			const { kind } = operationNames[operation];
			const message = `The OpenAPI document of this service has no endpoint that is ${kind}`;
			const description = 'To use an endpoint without documentation, choose "By ID".';
			throw new NodeOperationError(this.getNode(), message, { description });
		}
		const entries = endpoints.map(({ id, summary }) => ({ name: summary ? `${id}: ${summary}` : id, value: id }));
		return { results: entries.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase())) };
	};
}

/** @throws NodeOperationError on why there is no document */
async function documentFor(context: ILoadOptionsFunctions): Promise<ServiceDocument> {
	const known = await connectEditor(context)
		.then(async (connection) => await readDocument(connection, chosenService(context)))
		.catch((problem: Error): Known => ({ problem }));
	if (known.document) return known.document;
	throw unreadable(context, known);
}

function unreadable(context: ILoadOptionsFunctions, { problem, unserved }: Known): NodeOperationError {
	const message = unserved
		? 'No endpoints found. Check the Service ID, or enter the endpoint "By ID"'
		: `The list of endpoints could not be read: ${problem!.message}`;
	const advice = problem instanceof ApiNodeError ? problem.advice : (problem as { description?: string }).description;
	const description = unserved ? `The Service ID is ${deployedId}.` : advice;
	return new NodeOperationError(context.getNode(), message, { description });
}
