import type { IDataObject } from 'n8n-workflow';
import type { CallOptions } from '../../client';
import { isObject } from './isObject';
import type { Reader } from './parameters';

type Headers = Record<string, string>;

/** Whether any item may get the full response, of which the headers are a part. */
export const mayBeFull = (output: Reader<string>) => !output.constant || output(0) === 'fullResponse';

/** Headers that are there once the call has resolved to which `onResponse` is given; none where the output has none. */
export function headersFor(output: string): { headers: Headers; onResponse: CallOptions['onResponse'] } {
	const headers: Headers = {};
	const keep: CallOptions['onResponse'] = (head) => void Object.assign(headers, head.headers);
	return { headers, onResponse: output === 'fullResponse' ? keep : undefined };
}

/** A response and its headers; one that is no object, or has `headers` of its own, as the `result` beside them. */
export function fullResponse(response: unknown, headers: Headers): IDataObject {
	const spread = isObject(response) && !('headers' in response);
	return { ...((spread ? response : { result: response }) as IDataObject), headers };
}
