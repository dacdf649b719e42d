/** The details of an error. They never contain headers, bodies or credentials. */
export interface ErrorDetails {
	/** HTTP status of the last response, if any. */
	status?: number;
	/** Java class name from `errorType` of the API node's JSON error. */
	errorType?: string;
	/** The API node's own message, at most 500 characters. */
	detail?: string;
	/** host:port of the last instance that was called. */
	instance?: string;
	/** Requests sent for this call. */
	attempts?: number;
	/** `DSS-Version` header of the last response. */
	dssVersion?: string;
	/** Node's or undici's code for a failure below HTTP. */
	code?: string;
	/** What the user can do about the error, if known. */
	advice?: string;
}

/** Base class of all errors that the client throws. */
export class ApiNodeError extends Error implements ErrorDetails {
	override readonly name: string = 'ApiNodeError';
	declare readonly status?: number;
	declare readonly errorType?: string;
	declare readonly detail?: string;
	declare readonly instance?: string;
	declare readonly attempts?: number;
	declare readonly dssVersion?: string;
	declare readonly code?: string;
	declare readonly advice?: string;
	/** The message without the server's text. */
	declare readonly summary: string;

	/** @param options `cause` is the error of Node.js, of undici or of a function of the caller */
	constructor(summary: string, details: ErrorDetails = {}, options?: ErrorOptions) {
		super(details.detail ? `${summary}: ${details.detail}` : summary, options);
		Object.defineProperty(this, 'summary', { value: summary });
		Object.assign(this, Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)));
	}

	/** The API node's message in the form of Dataiku's Python client: `errorType: detail`. */
	get serverMessage(): string | undefined {
		const { errorType, detail } = this;
		return errorType && detail ? `${errorType}: ${detail}` : (detail ?? errorType);
	}

	/** Copies the error with other advice. The original stays unchanged, because several records may share it. */
	withAdvice(advice: string, attempts = this.attempts): this {
		// Object.create() would not make a native error.
		const copy = Reflect.construct(Error, [], this.constructor) as this;
		Object.defineProperties(copy, Object.getOwnPropertyDescriptors(this));
		// In Node.js 24, `stack` is an accessor that would show where the copy was made.
		return Object.assign(copy, { stack: this.stack, advice, ...(attempts !== undefined && { attempts }) });
	}

	/** For logs and files of failed records: everything except the stack and the cause. */
	toJSON(): Record<string, unknown> {
		return { name: this.name, message: this.message, ...(this as object) };
	}
}

/**
 * The call is invalid: for example an empty ID, a value out of range, or a value that JSON cannot represent. Nothing was
 * sent.
 */
export class InvalidCallError extends ApiNodeError {
	override readonly name = 'InvalidCallError';
}

/** No connection could be opened, or the connection broke. */
export class ConnectionError extends ApiNodeError {
	override readonly name = 'ConnectionError';

	constructor(
		message: string,
		details: ErrorDetails,
		/** Whether the request may have reached the API node. */
		readonly sent: boolean,
		/** A certificate or a proxy refused the connection, so a retry cannot help. */
		readonly permanent = false,
		options?: ErrorOptions,
	) {
		super(message, details, options);
	}
}

/** No complete response arrived in time: for one attempt, or because the endpoint stopped responding while the call waited. */
export class TimeoutError extends ApiNodeError {
	override readonly name = 'TimeoutError';

	constructor(
		message: string,
		details: ErrorDetails,
		/** Whether the request may have reached the API node. */
		readonly sent: boolean,
		options?: ErrorOptions,
	) {
		super(message, details, options);
	}
}

/** The API node, a proxy or a function of the user responded with a status other than 2xx. */
export class StatusError extends ApiNodeError {
	override readonly name = 'StatusError';
	declare readonly status: number;

	constructor(
		message: string,
		details: ErrorDetails & { status: number },
		/** `Retry-After` in milliseconds. */
		readonly retryAfter?: number,
		/** Whether the body is a web page, which an API node never sends. */
		readonly isPage?: true,
	) {
		super(message, details);
	}
}

/**
 * A 2xx response that cannot be used. `reason` is `broken` (incomplete JSON), `notJson` (a web page, another text, or an
 * unknown compression), `tooLarge`, or `misfit` (not the shape that the operation documents).
 */
export class ResponseError extends ApiNodeError {
	override readonly name = 'ResponseError';

	constructor(
		message: string,
		details: ErrorDetails,
		readonly reason: 'broken' | 'notJson' | 'tooLarge' | 'misfit',
	) {
		super(message, details);
	}
}

/** The caller's signal was aborted, the session was stopped, or the client was closed or destroyed. */
export class CancelledError extends ApiNodeError {
	override readonly name = 'CancelledError';

	/** @param signal the aborted signal, whose reason becomes the error's `cause` */
	constructor(message = 'The call was canceled', signal?: AbortSignal) {
		super(message, {}, signal && { cause: signal.reason as unknown });
	}

	/** The reason with which the signal was aborted. */
	get reason(): unknown {
		return this.cause;
	}
}

/** The message of anything that a function of the user threw. Not everything can be converted to text. */
export function thrownText(thrown: unknown): string {
	try {
		return thrown instanceof Error ? thrown.message : String(thrown);
	} catch {
		return `a value of type ${typeof thrown}`;
	}
}
