import { request } from 'undici';
import type { ApiNode } from '../../../demo/api-node';

export interface ApiAnswer<T> {
	status: number;
	headers: Record<string, string | string[] | undefined>;
	text: string;
	body: T;
}

/** Asks `<service>/<endpoint>/<action>`, as a client does; a text goes out as it is. */
export async function ask<T = Record<string, never>>(
	node: ApiNode,
	path: string,
	body: object | string,
	headers: Record<string, string> = {},
): Promise<ApiAnswer<T>> {
	const answer = await request(`${node.url}/public/api/v1/${path}`, {
		method: 'POST',
		body: typeof body === 'string' ? body : JSON.stringify(body),
		headers,
	});
	return read<T>(answer);
}

export async function read<T>({
	statusCode,
	headers,
	body,
}: Awaited<ReturnType<typeof request>>): Promise<ApiAnswer<T>> {
	const text = await body.text();
	const json = String(headers['content-type']).startsWith('application/json');
	return { status: statusCode, headers, text, body: (json ? JSON.parse(text) : undefined) as T };
}

export interface ErrorBody {
	errorType: string;
	message: string;
	detailedMessage: string;
}

export const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` });
