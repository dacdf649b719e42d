import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { ApiNodeError, type OperationName, type ServiceDocument, StatusError } from '../../client';
import { connectEditor } from './connection';
import { readDocument } from './documents';
import { chosenService } from './endpointFields';
import { operationNames } from './operations';

/** The method behind "From List" of a node's endpoint. */
export function endpointSearch(operation: OperationName) {
	return async function searchEndpoints(this: ILoadOptionsFunctions, filter = ''): Promise<INodeListSearchResult> {
		const document = await documentFor(this);
		const endpoints = document.endpoints.filter((endpoint) => endpoint.operation === operation);
		if (endpoints.length === 0) {
			const { kind } = operationNames[operation];
			const message = `The OpenAPI document of this service has no endpoint that is ${kind}`;
			const description = 'One that is not documented can be chosen with "By ID".';
			throw new NodeOperationError(this.getNode(), message, { description });
		}
		const entries = endpoints.map(({ id, summary }) => ({ name: summary ? `${id}: ${summary}` : id, value: id }));
		return { results: entries.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase())) };
	};
}

/** @throws NodeOperationError saying why there is no document */
async function documentFor(context: ILoadOptionsFunctions): Promise<ServiceDocument> {
	let problem: unknown;
	try {
		const known = await readDocument(await connectEditor(context), chosenService(context));
		if (known.document) return known.document;
		problem = known.problem;
	} catch (error) {
		problem = error;
	}
	throw unreadable(context, problem);
}

function unreadable(context: ILoadOptionsFunctions, problem: unknown): NodeOperationError {
	const missing = problem instanceof StatusError && problem.status === 404;
	const message = missing
		? 'No endpoints found. Check the Service ID, or enter the endpoint "By ID"'
		: `The list of endpoints could not be read: ${(problem as Error).message}`;
	const advice = problem instanceof ApiNodeError ? problem.advice : (problem as { description?: string }).description;
	return new NodeOperationError(context.getNode(), message, { description: missing ? undefined : advice });
}
