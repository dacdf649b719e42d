import type { IDataObject } from 'n8n-workflow';
import type { CallOptions } from '../../client/internal';
import { isObject } from './isObject';
import type { Reader } from './parameters';

type Headers = Record<string, string>;

/** Whether any item may need the response headers, which are part of the full response. */
export const mayBeFull = (output: Reader<string>) => !output.constant || output(0) === 'fullResponse';

/**
 * Headers that are filled in when the call with this `onResponse` resolves. They stay empty if the output does not include
 * headers.
 */
export function headersFor(output: string): { headers: Headers; onResponse: CallOptions['onResponse'] } {
	const headers: Headers = {};
	const keep: CallOptions['onResponse'] = (head) => void Object.assign(headers, head.headers);
	return { headers, onResponse: output === 'fullResponse' ? keep : undefined };
}

/** A response with its headers. If the response is not an object or has its own `headers`, it becomes `result`. */
export function fullResponse(response: unknown, headers: Headers): IDataObject {
	const spread = isObject(response) && !('headers' in response);
	return { ...((spread ? response : { result: response }) as IDataObject), headers };
}
