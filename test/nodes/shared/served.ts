import type { IDataObject } from 'n8n-workflow';
import type { ChaosProxy, ChaosRequest, Fault } from '../../support/chaosProxy';
import { loadOptions } from '../../support/engine';
import { credentialFor, endpoint } from '../demo';

const isReading = ({ path }: ChaosRequest) => path.endsWith('/swagger');

/** A fault of the requests for an OpenAPI document; every other passes. */
export const whenRead = (fault: Fault) => (request: ChaosRequest) => (isReading(request) ? fault : undefined);

/** Requests for an OpenAPI document, by path. */
export const readings = (proxy: ChaosProxy) => proxy.requests.filter(isReading).map(({ path }) => path);

/** The other requests. */
export const callsTo = (proxy: ChaosProxy) => proxy.requests.filter((request) => !isReading(request));

/** The fields of an endpoint, for the editor: when it has them, the document is known to every run. */
export const fieldsOf = async (
	endpointId: string,
	{ type = 'dataikuPredict', url, ...fields }: IDataObject & { type?: string; url: string },
) =>
	await loadOptions({
		type,
		kind: 'resourceMapping',
		method: 'getFields',
		parameters: { endpointId: endpoint(endpointId) },
		credentials: credentialFor(url, fields),
	});
