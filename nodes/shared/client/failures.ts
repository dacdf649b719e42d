import type { IncomingHttpHeaders } from 'node:http';
import {
	AnswerError,
	type ApiNodeError,
	CancelledError,
	ConnectionError,
	type FailureFacts,
	StatusError,
	TimeoutError,
} from './errors';
import { type ExchangeFailure, ExchangeTimeout, ExchangeTooLarge, type WireAnswer } from './exchange';
import type { Instance } from './Instance';
import { parseRetryAfter } from './retry';

const longestDetail = 500;

/** What a failure is told with, besides the failure itself. */
export interface FailureContext {
	instance: Instance;
	attempts: number;
	timeout: number;
	maxAnswerBytes: number;
	/** Takes the secrets out of a text that came from outside. */
	redact: (text: string) => string;
}

const unreachable: Record<string, string> = {
	ECONNREFUSED: 'refused the connection: nothing listens there',
	ENOTFOUND: 'is not a host name that could be found',
	EAI_AGAIN: 'is not a host name that could be found just now',
	EHOSTUNREACH: 'cannot be reached: there is no route to it',
	ENETUNREACH: 'cannot be reached: there is no route to it',
	EADDRNOTAVAIL: 'cannot be reached from this machine',
	UND_ERR_CONNECT_TIMEOUT: 'did not accept a connection in time',
	ETIMEDOUT: 'did not accept a connection in time',
};

const certificateCodes =
	/^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_|HOSTNAME_MISMATCH|INVALID_CA|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ALERT_))/;

const certificateAdvice: Record<string, string> = {
	ERR_TLS_CERT_ALTNAME_INVALID: 'Use the host name that the certificate was made for.',
	CERT_HAS_EXPIRED: 'Have the certificate of the API node, or of its authority, renewed.',
	CERT_NOT_YET_VALID: 'Check the clocks of this machine and of the API node.',
};

/** Turns what undici and Node throw into the client's few errors. */
export function fromExchangeFailure({ error, sent }: ExchangeFailure, context: FailureContext): ApiNodeError {
	const { instance, timeout, maxAnswerBytes } = context;
	const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
	const facts: FailureFacts = { instance: instance.host, attempts: context.attempts, code };
	const proxyAdvice = instance.proxied
		? 'A proxy is set in the environment of this process (HTTP_PROXY, HTTPS_PROXY): it may be what failed. NO_PROXY names the hosts to reach without it.'
		: undefined;

	if (error instanceof CancelledError) return error;
	if (error instanceof ExchangeTooLarge) {
		const mebibytes = Math.round(maxAnswerBytes / 2 ** 20);
		const allowed = mebibytes > 0 ? `${mebibytes} MiB` : `${maxAnswerBytes} bytes`;
		return new AnswerError(
			`The answer of ${instance.host} is larger than the ${allowed} allowed`,
			{ ...facts, advice: 'Ask for fewer records or rows at a time.' },
			'tooLarge',
		);
	}
	if (error instanceof ExchangeTimeout) {
		const message = sent
			? `${instance.host} did not answer within ${Math.round(timeout)} ms`
			: `No connection to ${instance.host} within the time allowed`;
		const advice = sent
			? 'Raise the time-out, or lower the number of records in a request or of requests in flight.'
			: (proxyAdvice ?? 'Check host, port and firewall.');
		return new TimeoutError(message, { ...facts, advice }, sent);
	}
	const fromProxy = /Proxy response \((\d+)\)|Proxy Authentication Required \((407)\)/.exec(error.message);
	if (fromProxy) {
		const status = fromProxy[1] ?? fromProxy[2];
		const advice = `${status === '407' ? 'It wants a user and a password in HTTPS_PROXY or HTTP_PROXY. ' : ''}${proxyAdvice ?? ''}`;
		return new ConnectionError(
			`The proxy refused to connect to ${instance.host} (${status})`,
			{ ...facts, advice },
			false,
			true,
		);
	}
	if (code && certificateCodes.test(code)) {
		const detail = context.redact(error.message).slice(0, longestDetail);
		// An alert is what the other side says.
		const refused = code.includes('ALERT');
		const message = refused
			? `${instance.host} refused the TLS connection`
			: `The certificate of ${instance.host} was not accepted`;
		const advice = refused
			? 'Check whether it wants a client certificate, and that the one in the credential is right.'
			: (certificateAdvice[code] ?? 'Put the certificate of the private authority into the credential.');
		return new ConnectionError(message, { ...facts, detail, advice }, false, true);
	}
	if (code && unreachable[code]) {
		const advice = proxyAdvice ?? 'Check the URL in the credential, and that the API node runs.';
		return new ConnectionError(`${instance.host} ${unreachable[code]}`, { ...facts, advice }, sent);
	}
	return new ConnectionError(
		`${instance.host} closed the connection without a whole answer`,
		{
			...facts,
			// TLS 1.3 without the client certificate that is wanted, and http to a TLS port, look just the same.
			advice: instance.answered
				? undefined
				: 'It has never answered: check http or https in the URL, and whether it wants a client certificate.',
		},
		sent,
	);
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
	const value = headers[name];
	return Array.isArray(value) ? value[0] : value;
}

export function contentType(answer: WireAnswer): string {
	return (header(answer.headers, 'content-type') ?? '').split(';')[0].trim().toLowerCase();
}

/** What a failed answer says of itself: the API node's JSON error, or the beginning of a text, or a page's title. */
function wordsOf(answer: WireAnswer): { errorType?: string; detail?: string } {
	const text = answer.body
		.subarray(0, 64 * 1024)
		.toString('utf8')
		.trim();
	try {
		const json: unknown = JSON.parse(text);
		if (typeof json === 'object' && json !== null) {
			const { errorType, message, detailedMessage } = json as Record<string, unknown>;
			const detail = detailedMessage || message;
			if (typeof detail === 'string' || typeof errorType === 'string') {
				return {
					errorType: typeof errorType === 'string' ? errorType : undefined,
					detail: typeof detail === 'string' ? detail : undefined,
				};
			}
		}
	} catch {
		// Not JSON: a proxy's page, or a function's own text.
	}
	if (!/^\s*</.test(text)) return { detail: text || undefined };
	const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1];
	return { detail: (title ?? text.replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ').trim() || undefined };
}

function meaningOf(
	answer: WireAnswer,
	host: string,
	redact: (text: string) => string,
): { message: string; advice?: string } {
	const { status } = answer;
	if (status >= 300 && status < 400) {
		// Before it is parsed: that would spell a secret in yet another way.
		const to = redact(header(answer.headers, 'location') ?? '');
		const target = to && URL.canParse(to, 'http://relative') ? new URL(to, 'http://relative') : undefined;
		const shown = target && (target.host === 'relative' ? target.pathname : target.origin + target.pathname);
		return {
			message: `${host} redirects${shown ? ` to ${shown}` : ''} (${status})`,
			advice: 'Redirects are not followed, so that no key goes elsewhere: put the final URL into the credential.',
		};
	}
	const meanings: Record<number, { message: string; advice?: string }> = {
		400: { message: `${host} refused the request (400)` },
		422: { message: `${host} refused the request (422)` },
		500: { message: `${host} failed on the request (500)` },
		401: {
			message: `${host} refused the key or token (401)`,
			advice: 'Check the key in the credential: it must be one of this very service.',
		},
		403: {
			message: `${host} does not allow this call (403)`,
			advice: 'Check that the key or token may use this service.',
		},
		404: {
			message: `${host} does not know this service or endpoint (404)`,
			advice: 'Check the service id, the endpoint id and the path of the URL.',
		},
		413: {
			message: `${host} refused the request as too large (413)`,
			advice: 'The record is larger than the API node, or a proxy before it, accepts.',
		},
		429: { message: `${host} is too busy (429)`, advice: 'Lower the number of requests in flight.' },
		503: { message: `${host} is too busy or out of service (503)`, advice: 'Lower the number of requests in flight.' },
	};
	return meanings[status] ?? { message: `${host} answered with status ${status}` };
}

function factsOf(answer: WireAnswer, context: FailureContext) {
	const { errorType, detail } = wordsOf(answer);
	const shown = (text: string | undefined) => text && context.redact(text).slice(0, longestDetail);
	return {
		instance: context.instance.host,
		attempts: context.attempts,
		status: answer.status,
		errorType: shown(errorType),
		detail: shown(detail),
		dssVersion: shown(header(answer.headers, 'dss-version')),
	};
}

/**
 * The error for an answer whose status is not 2xx.
 *
 * @param ofFunction the status may be a function's own choice; the API node's own errors carry an `errorType`
 */
export function fromStatus(answer: WireAnswer, context: FailureContext, ofFunction = false): StatusError {
	const facts = factsOf(answer, context);
	const chosen = ofFunction && facts.errorType === undefined && answer.status >= 400;
	const { message, advice }: { message: string; advice?: string } = chosen
		? { message: `The function answered with status ${answer.status}` }
		: meaningOf(answer, context.instance.host, context.redact);
	const retryAfter = parseRetryAfter(header(answer.headers, 'retry-after'));
	return new StatusError(message, { ...facts, advice }, retryAfter);
}

/** The error for a 2xx answer that is not the JSON it should be. */
export function notJson(answer: WireAnswer, context: FailureContext): AnswerError {
	const page = answer.body.subarray(0, 200).toString('utf8').trimStart().startsWith('<');
	const facts = factsOf(answer, context);
	const { host } = context.instance;
	if (page) {
		const advice = 'Something else than the API node answers at this URL: check host, port and path.';
		return new AnswerError(`${host} answered with a web page, not with JSON`, { ...facts, advice }, 'notJson');
	}
	return new AnswerError(`The answer of ${host} is not whole JSON`, { ...facts, detail: undefined }, 'broken');
}
