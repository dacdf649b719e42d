import type { NotJson } from '../json';
import { RawResponse } from '../RawResponse';
import type { ResponseHead } from '../types';
import { charsetOf, decodedBody, firstOf, DecodeError } from './decode';
import { isErrorInside } from './errorWords';
import { ExchangeFailure, type ExchangeLimits, type WireResponse } from './exchange';
import { parseBody, TooMuchError } from './parseBody';
import { Reading, readings } from './Readings';
import { responseHead } from './responseHead';
import { redactor, type SecretHeaders } from './secretHeaders';
import {
	type AttemptContext,
	errorInside,
	fromExchangeFailure,
	fromStatus,
	notJson,
	tooMuch,
	undecodable,
} from './toClientError';

export interface ExchangedRequest {
	path: string;
	/** Without a body, the request is a GET. */
	body?: string;
	headers: SecretHeaders;
	/** Whether a function responds, which can choose any body and status. */
	ofFunction?: boolean;
	/** Whether the response may be something other than JSON. */
	acceptAny?: boolean;
	/** Number of records sent, which limits the `results` of the response. */
	records?: number;
}

export interface ApiResponse {
	/** The JSON. With `acceptAny`, also a RawResponse, or null for an empty body. */
	value: unknown;
	head: () => ResponseHead;
}

/**
 * Types that contain a single JSON document. Streams of JSON lines (`application/x-ndjson`, `application/jsonl`,
 * `application/json-seq`) are returned as text.
 */
const jsonType = /(^|[/+-])json$/;

/**
 * Sends one request and reads the response as JSON.
 *
 * @throws ApiNodeError
 */
export async function exchangeJson(
	...[request, authorization, limits, context]: Parameters<typeof exchanged>
): Promise<ApiResponse> {
	const reading = new Reading(readings);
	try {
		return await exchanged(request, authorization, { ...limits, reading }, context);
	} finally {
		reading.end();
	}
}

async function exchanged(
	{ path, body, headers: own, ofFunction = false, acceptAny = ofFunction, records }: ExchangedRequest,
	authorization: SecretHeaders,
	limits: Omit<ExchangeLimits, 'connectTimeout'>,
	context: AttemptContext,
): Promise<ApiResponse> {
	const headers = { ...own.headers, ...authorization.headers };
	const wireRequest = { method: body === undefined ? 'GET' : 'POST', path, headers, body } as const;
	let response: WireResponse;
	try {
		response = await context.connections.exchange(wireRequest, limits);
	} catch (failure) {
		throw fromExchangeFailure(failure as ExchangeFailure, context);
	}
	const type = firstOf(response.headers, 'content-type').split(';')[0]!.trim().toLowerCase();
	const failed = response.status < 200 || response.status > 299;
	try {
		const mustBeJson = !acceptAny || jsonType.test(type);
		const { length } = response.body;
		response.body = await decodedBody(response, mustBeJson || failed, limits.maxResponseBytes);
		limits.reading?.took(response.body.length - length);
	} catch (error) {
		// The status of a failed response matters even if its body cannot be decoded.
		if (failed) response.body = Buffer.alloc(0);
		else if (error instanceof DecodeError) throw undecodable(error, response, context);
		else throw fromExchangeFailure(new ExchangeFailure(error as Error, true), context);
	}
	if (failed) throw fromStatus(response, context, { ofFunction, ofRecords: records !== undefined });
	// The response may echo headers of the call, such as a correlation ID. Only the credential's secrets are removed.
	const head = () => responseHead(response, redactor([...authorization.secrets, ...context.connections.secrets]));
	const raw = () => ({ value: new RawResponse(type, response.body, charsetOf(response)), head });
	if (acceptAny) {
		if (!jsonType.test(type)) return raw();
		// The function has run, so an empty response is valid.
		if (response.body.every((byte) => byte <= 0x20)) return { value: null, head };
	}
	let value: unknown;
	try {
		value = await parseBody(response, records);
	} catch (error) {
		if (error instanceof TooMuchError) throw tooMuch(error, response, context);
		const { cutOff } = error as NotJson;
		// The function has run, so text with a JSON content type is returned as it is. An incomplete response is an error.
		if (acceptAny && !cutOff) return raw();
		throw notJson(response, cutOff, context);
	}
	if (!acceptAny && isErrorInside(value)) throw errorInside(response, context);
	return { value, head };
}
