import {
	type ApiNodeError,
	CancelledError,
	ConnectionError,
	type ErrorDetails,
	ResponseError,
	StatusError,
	thrownText,
	TimeoutError,
} from '../errors';
import { isObject, parseResponse } from '../json';
import type { Connections } from './Connections';
import { bodyText, firstOf, type DecodeError } from './decode';
import { errorSentence } from './errorWords';
import {
	type ExchangeFailure,
	ExchangeTimeout,
	ExchangeTooLarge,
	LookupRefused,
	maxHeaderBytes,
	type WireResponse,
} from './exchange';
import { shortened } from '../shortened';
import type { TooMuchError } from './parseBody';
import { parseHttpDate, parseRetryAfter } from './retryAfter';
import type { Redact } from './secretHeaders';

const longestDetail = 500;

export interface AttemptContext {
	connections: Connections;
	/** Requests sent for this call, this one included. */
	attempts: number;
	timeout: number;
	maxResponseBytes: number;
	redact: Redact;
}

const unreachable: Record<string, string> = {
	ECONNREFUSED: 'refused the connection: nothing is listening on this port',
	ENOTFOUND: 'could not be found: the host name cannot be resolved',
	EAI_AGAIN: 'could not be resolved because DNS did not respond',
	EHOSTUNREACH: 'cannot be reached: there is no route to it',
	ENETUNREACH: 'cannot be reached: there is no route to it',
	EADDRNOTAVAIL: 'cannot be reached from the machine that sends the request',
	UND_ERR_CONNECT_TIMEOUT: 'did not accept a connection in time',
	ETIMEDOUT: 'did not accept a connection in time',
};

const certificateCodes =
	/^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ALERT_))/;

const certificateAdvice: Record<string, string> = {
	ERR_TLS_CERT_ALTNAME_INVALID: 'Use the host name that the certificate was issued for.',
	CERT_HAS_EXPIRED: 'Renew the certificate of the API node or of its certificate authority (CA).',
	CERT_NOT_YET_VALID: 'Check the clocks of this machine and of the API node.',
};

export function fromExchangeFailure({ cause: error, sent }: ExchangeFailure, context: AttemptContext): ApiNodeError {
	const { timeout, maxResponseBytes } = context;
	const { host, proxied, responded } = context.connections;
	const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
	const details: ErrorDetails = { instance: host, attempts: context.attempts, code };
	const proxyAdvice = proxied
		? 'A proxy is set in the environment of this process (HTTP_PROXY, HTTPS_PROXY) and may be the cause. To bypass it, add the host to NO_PROXY.'
		: undefined;

	if (error instanceof CancelledError) {
		const words = thrownText(error.reason);
		return context.redact(words) === words ? error : new CancelledError(error.message);
	}
	const cause = { cause: withoutSecrets(error, context.redact) };
	if (code === 'UND_ERR_HEADERS_OVERFLOW') {
		const message = `The response headers from ${host} are larger than the allowed ${maxHeaderBytes / 1024} KiB`;
		return new ResponseError(message, details, 'tooLarge');
	}
	if (error instanceof ExchangeTooLarge) {
		const mebibytes = Math.round(maxResponseBytes / 2 ** 20);
		const allowed = mebibytes > 0 ? `${mebibytes} MiB` : `${maxResponseBytes} bytes`;
		return new ResponseError(
			`The response from ${host} is larger than the allowed ${allowed}`,
			{ ...details, advice: 'Request fewer records or rows at a time.' },
			'tooLarge',
		);
	}
	if (error instanceof ExchangeTimeout) {
		const message = sent
			? `${host} did not respond within ${Math.round(timeout)} ms`
			: `No connection to ${host} within the time allowed`;
		const advice = sent
			? 'Raise the timeout, or lower the batch size or the number of concurrent requests.'
			: (proxyAdvice ?? 'Check host, port and firewall.');
		return new TimeoutError(message, { ...details, advice }, sent, cause);
	}
	const fromProxy = /Proxy response \((\d+)\)|Proxy Authentication Required \((407)\)/.exec(error.message);
	if (fromProxy) {
		const status = fromProxy[1] ?? fromProxy[2];
		const advice = `${status === '407' ? 'The proxy requires a username and a password in HTTPS_PROXY or HTTP_PROXY. ' : ''}${proxyAdvice ?? ''}`;
		const message = `The proxy refused to connect to ${host} (${status})`;
		return new ConnectionError(message, { ...details, advice }, false, true, cause);
	}
	if (code && certificateCodes.test(code)) {
		const detail = shortened(context.redact(error.message), longestDetail);
		// The server sent an alert, so it refused this client.
		const refused = code.includes('ALERT');
		const message = refused ? `${host} refused the TLS connection` : `The certificate of ${host} was not accepted`;
		const advice = refused
			? 'Check whether the host requires a client certificate, and whether the correct certificate is sent.'
			: (certificateAdvice[code] ??
				'Add the certificate of the private certificate authority (CA) to the trusted certificates.');
		return new ConnectionError(message, { ...details, detail, advice }, false, true, cause);
	}
	if (code && unreachable[code]) {
		const advice = proxyAdvice ?? 'Check the URL, and that the API node is running.';
		return new ConnectionError(`${host} ${unreachable[code]}`, { ...details, advice }, sent, false, cause);
	}
	if (error instanceof LookupRefused) {
		const detail = shortened(context.redact(error.message), longestDetail);
		return new ConnectionError(
			`${host} is blocked because its address is not allowed`,
			{ ...details, detail },
			false,
			true,
			cause,
		);
	}
	// A missing client certificate in TLS 1.3 and http to a TLS port look exactly the same.
	const advice = responded
		? undefined
		: 'The host has never responded. Check whether the URL must begin with http or https, and whether the host requires a client certificate.';
	const message = `${host} closed the connection without a complete response`;
	// https to a port without TLS cannot succeed later, either.
	const noTls = !responded && /^(EPROTO|ERR_SSL_)/.test(code ?? '');
	return new ConnectionError(message, { ...details, advice }, sent, noTls, cause);
}

/** Replaces an error of Node.js or undici whose message contains a secret. */
function withoutSecrets(error: Error, redact: (text: string) => string): Error {
	const message = redact(error.message);
	return message === error.message ? error : new Error(message);
}

const longestBody = 64 * 1024;
/** Characters of an error page that are inspected, enough for its title and first sentences. */
const longestPage = 4 * 1024;

/** Returns the text of a page without its tags. A regular expression such as `<[^>]*>` takes 7 s for 64 KiB of `<`. */
function textOf(page: string): string {
	const title = page.toLowerCase().indexOf('<title>');
	const from = title < 0 ? 0 : title + '<title>'.length;
	const end = title < 0 ? -1 : page.indexOf('<', from);
	if (end >= 0) return page.slice(from, end);
	let text = '';
	for (let at = 0; at < page.length;) {
		const tag = page.indexOf('<', at);
		text += `${page.slice(at, tag < 0 ? undefined : tag)} `;
		const close = tag < 0 ? -1 : page.indexOf('>', tag);
		at = close < 0 ? page.length : close + 1;
	}
	return text;
}

/** Whether JSON contains no values, such as `{}` or `{ "message": null }`. */
const isEmpty = (json: unknown): boolean =>
	typeof json === 'object' ? Object.values(json ?? {}).every(isEmpty) : json === '';

/**
 * Describes a failed response: the sentence of a JSON error, the beginning of a text, or the title of a page. Secrets are
 * removed before the text is cut, because a cut secret could not be found.
 */
function wordsOf(response: WireResponse, redact: Redact): { errorType?: string; detail?: string } {
	let text = bodyText({ ...response, body: response.body.subarray(0, longestBody) }).trim();
	try {
		const json = parseResponse(text);
		const shown = (value: unknown) => (typeof value === 'string' ? redact(value) : undefined);
		const errorType = shown(isObject(json) ? json.errorType : undefined);
		const detail = shown(errorSentence(json));
		if (detail !== undefined || errorType !== undefined) return { errorType, detail };
		// Escapes may hide a secret, so the JSON is spelled in one way.
		text = isEmpty(json) ? '' : JSON.stringify(json);
	} catch {
		// Not JSON, but a page of a proxy or a function's text.
	}
	const clean = redact(text, response.body.length > longestBody);
	if (!clean.startsWith('<')) return { detail: clean || undefined };
	return { detail: textOf(clean.slice(0, longestPage)).replace(/\s+/g, ' ').trim() || undefined };
}

function meaningOf(response: WireResponse, host: string, redact: Redact): { message: string; advice?: string } {
	const { status } = response;
	if (status >= 300 && status < 400 && status !== 304) {
		// Redacted before parsing, which would encode a secret in yet another way.
		const to = redact(firstOf(response.headers, 'location'));
		const target = to && URL.canParse(to, 'http://relative') ? new URL(to, 'http://relative') : undefined;
		const shown = target && (target.host === 'relative' ? target.pathname : target.origin + target.pathname);
		return {
			message: `${host} redirects${shown ? ` to ${shown}` : ''} (${status})`,
			advice: 'Redirects are not followed, so the key is not sent to a different host. Use the final URL.',
		};
	}
	const meanings: Record<number, { message: string; advice?: string }> = {
		400: { message: `${host} refused the request (400)` },
		422: { message: `${host} refused the request (422)` },
		500: { message: `${host} failed to process the request (500)` },
		401: {
			message: `${host} refused the key or token (401)`,
			advice: 'Check the key: it must belong to this service.',
		},
		403: {
			message: `${host} does not allow this call (403)`,
			advice: 'Check that the key or token is allowed to use this service.',
		},
		404: {
			message: `${host} does not know this service or endpoint (404)`,
			advice:
				'Check the service ID, the endpoint ID and the path of the URL. The ID of a deployed service can differ from its ID in the API Designer.',
		},
		413: {
			message: `${host} refused the request as too large (413)`,
			advice: 'The record is too large for the API node or for a proxy in front of it.',
		},
		429: { message: `${host} is too busy (429)`, advice: 'Lower the number of concurrent requests.' },
		503: {
			message: `${host} is too busy or out of service (503)`,
			advice: 'Lower the number of concurrent requests.',
		},
	};
	return meanings[status] ?? { message: `${host} responded with status ${status}` };
}

/** An API node responds with JSON even to a 403, so a page comes from a firewall. */
const byFirewall = (host: string) => ({
	message: `A firewall in front of ${host} refused the request (403)`,
	advice:
		'The API node does not send web pages. Text in the record may look like an attack to the firewall. Allow this URL in the firewall.',
});

/** Whether a response is a web page, although its text may be only a sentence. */
function isPage(response: WireResponse): boolean {
	const start = bodyText({ ...response, body: response.body.subarray(0, 200) }).trimStart();
	return (
		start.startsWith('<') || (/^text\/html\b/i.test(firstOf(response.headers, 'content-type')) && !/^[[{]/.test(start))
	);
}

function detailsOf(response: WireResponse, { connections, attempts, redact }: AttemptContext) {
	const { errorType, detail } = wordsOf(response, redact);
	const shown = (text: string | undefined) => text && shortened(text, longestDetail);
	const version = firstOf(response.headers, 'dss-version') || undefined;
	return {
		instance: connections.host,
		attempts,
		status: response.status,
		errorType: shown(errorType),
		detail: shown(detail),
		dssVersion: shown(version && redact(version)),
	};
}

/** Statuses that a custom model may have chosen: they neither mean a bad record nor commonly come from gateways. */
const mayBeChosen = (status: number) =>
	status >= 400 && ![400, 401, 403, 413, 422, 429, 500, 502, 503, 504].includes(status);
const chosenByModel = 'A custom model can set this status. Check its code.';

/**
 * Builds the error for a response whose status is not 2xx.
 *
 * @param of the kind of call: functions and custom models can choose a status, and only the API node's own errors have an
 *   `errorType`
 */
export function fromStatus(
	response: WireResponse,
	context: AttemptContext,
	{ ofFunction, ofRecords }: { ofFunction?: boolean; ofRecords?: boolean } = {},
): StatusError {
	const details = detailsOf(response, context);
	const chosen = ofFunction && details.errorType === undefined && response.status >= 400;
	const raised = ofFunction && !chosen && response.status === 500;
	const page = details.errorType === undefined && isPage(response);
	const meaning: { message: string; advice?: string } = chosen
		? { message: `The function responded with status ${response.status}` }
		: raised
			? { message: 'The function raised an error (500)' }
			: page && response.status === 403
				? byFirewall(context.connections.host)
				: meaningOf(response, context.connections.host, context.redact);
	const isOwn = ofRecords && !page && details.errorType === undefined && details.detail !== undefined;
	const advice = [meaning.advice, isOwn && mayBeChosen(response.status) && chosenByModel].filter(Boolean).join(' ');
	// Uses the date of the response, because the clocks of two machines may differ by minutes.
	const sentAt = parseHttpDate(firstOf(response.headers, 'date'));
	const retryAfter = parseRetryAfter(firstOf(response.headers, 'retry-after'), sentAt);
	return new StatusError(meaning.message, { ...details, advice: advice || undefined }, retryAfter, page || undefined);
}

export function errorInside(response: WireResponse, context: AttemptContext): ResponseError {
	const advice = 'No result was used. Check that the endpoint is of the expected kind.';
	const message = 'The response does not match the request';
	return new ResponseError(message, { ...detailsOf(response, context), advice }, 'misfit');
}

export function notJson(response: WireResponse, cutOff: boolean, context: AttemptContext): ResponseError {
	const details = detailsOf(response, context);
	const { host } = context.connections;
	// A status without content came whole.
	const isWhole = response.status === 204 || response.status === 205;
	if (cutOff && !isWhole) return new ResponseError(`The response from ${host} is not complete JSON`, details, 'broken');
	const message = isPage(response)
		? `${host} responded with a web page, not with JSON`
		: `${host} responded with something that is not JSON`;
	const advice = 'Something other than the API node may respond at this URL: check host, port and path.';
	return new ResponseError(message, { ...details, advice }, 'notJson');
}

export function tooMuch(
	{ message, reason }: TooMuchError,
	response: WireResponse,
	context: AttemptContext,
): ResponseError {
	return unread(message, response, context, reason, 'Request fewer records or rows at a time.');
}

export function undecodable(
	{ message, cutOff }: DecodeError,
	response: WireResponse,
	context: AttemptContext,
): ResponseError {
	const advice = 'Check the API node, and any proxy in front of it: the client does not request compression.';
	return unread(message, response, context, cutOff ? 'broken' : 'notJson', advice);
}

/** @param message continues the sentence "The response from <host>" */
function unread(
	message: string,
	response: WireResponse,
	context: AttemptContext,
	reason: ResponseError['reason'],
	advice: string,
): ResponseError {
	const details = { ...detailsOf({ ...response, body: Buffer.alloc(0) }, context), detail: undefined, advice };
	const whole = `The response from ${context.connections.host} ${message}`;
	return new ResponseError(whole, details, reason);
}
