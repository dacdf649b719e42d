import type { ILoadOptionsFunctions, INodeListSearchResult } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';
import { ApiNodeError, type JsonObject, type Operation, operations, StatusError } from '../../client';
import { connect } from './connection';

export type NodeOperation = keyof typeof operations;

interface DocumentedEndpoint {
	id: string;
	summary?: string;
}

function idOf(segment: string): string {
	try {
		return decodeURIComponent(segment);
	} catch {
		return segment;
	}
}

/** The endpoints with a given action in a service's OpenAPI 2 document, whose paths end in `/<endpoint>/<action>`. */
function endpointsOf(openApi: JsonObject, actions: readonly string[]): DocumentedEndpoint[] {
	const found = new Map<string, DocumentedEndpoint>();
	for (const [path, methods] of Object.entries((openApi.paths ?? {}) as Record<string, JsonObject>)) {
		const [action, segment] = path.split('/').reverse();
		if (!segment || !action || !actions.includes(action)) continue;
		const id = idOf(segment);
		const { summary } = (methods?.post ?? {}) as { summary?: unknown };
		found.set(id, { id, summary: found.get(id)?.summary ?? (typeof summary === 'string' ? summary : undefined) });
	}
	return [...found.values()].sort((a, b) => a.id.localeCompare(b.id));
}

/** The method behind "From List" of a node's endpoint. */
export function endpointSearch(operation: NodeOperation) {
	const { action, batchAction = action }: Operation = operations[operation];
	return async function searchEndpoints(this: ILoadOptionsFunctions, filter = ''): Promise<INodeListSearchResult> {
		try {
			const { client, tokens } = await connect(this);
			const endpoints = endpointsOf(await client.session({ tokens }).openApi(), [action, batchAction]);
			const wanted = endpoints.filter(({ id, summary }) =>
				`${id} ${summary ?? ''}`.toLowerCase().includes(filter.toLowerCase()),
			);
			return { results: wanted.map(({ id, summary }) => ({ name: id, value: id, description: summary })) };
		} catch (error) {
			const missing = error instanceof StatusError && error.status === 404;
			const message = missing
				? 'This service has no list of its endpoints (no OpenAPI document). Choose "By ID" and type the endpoint.'
				: `The list of endpoints could not be read: ${(error as Error).message}`;
			const { description } = error as { description?: string };
			throw new NodeOperationError(this.getNode(), message, {
				description: error instanceof ApiNodeError ? error.advice : description,
			});
		}
	};
}
