/** What an error may tell. Nothing else gets into one: no header, no body, no credential. */
export interface ErrorDetails {
	/** HTTP status of the last response, if there was one. */
	status?: number;
	/** `errorType` of the API node's JSON error: a Java class name. */
	errorType?: string;
	/** The API node's own message, at most 500 characters. */
	detail?: string;
	/** host:port of the instance that was asked last. */
	instance?: string;
	/** Requests sent for this call. */
	attempts?: number;
	/** `DSS-Version` header of the last response. */
	dssVersion?: string;
	/** Node's or undici's code for a failure below HTTP. */
	code?: string;
	/** What to do about it, where that is known. */
	advice?: string;
}

/** Base class of everything the client throws. */
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
	/** The message without what the server said. */
	declare readonly summary: string;

	/** @param options what Error takes: `cause` is what Node.js, undici or a function of the user's threw */
	constructor(summary: string, details: ErrorDetails = {}, options?: ErrorOptions) {
		super(details.detail ? `${summary}: ${details.detail}` : summary, options);
		Object.defineProperty(this, 'summary', { value: summary });
		Object.assign(this, Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)));
	}

	/** The API node's own message as Dataiku's Python client shows it: `errorType: detail`. */
	get serverMessage(): string | undefined {
		const { errorType, detail } = this;
		return errorType && detail ? `${errorType}: ${detail}` : (detail ?? errorType);
	}

	/** The same error with other advice; the original is left as it is, since several records may share it. */
	withAdvice(advice: string, attempts = this.attempts): this {
		// A native error, as Object.create() makes none, of the same class.
		const copy = Reflect.construct(Error, [], this.constructor) as this;
		Object.defineProperties(copy, Object.getOwnPropertyDescriptors(this));
		// In Node.js 24 `stack` is an accessor, which would tell where the copy was made.
		return Object.assign(copy, { stack: this.stack, advice, ...(attempts !== undefined && { attempts }) });
	}

	/** For a log or a file of failed records: all but the stack and the cause. */
	toJSON(): Record<string, unknown> {
		return { name: this.name, message: this.message, ...(this as object) };
	}
}

/** The call itself is wrong: an empty id, a value out of range, something JSON cannot hold. Nothing was sent. */
export class InvalidCallError extends ApiNodeError {
	override readonly name = 'InvalidCallError';
}

/** No connection, or one that broke. */
export class ConnectionError extends ApiNodeError {
	override readonly name = 'ConnectionError';

	constructor(
		message: string,
		details: ErrorDetails,
		/** Whether the request may have reached the API node. */
		readonly sent: boolean,
		/** A certificate or a proxy refused: trying again changes nothing. */
		readonly permanent = false,
		options?: ErrorOptions,
	) {
		super(message, details, options);
	}
}

/** No complete response in time: from one attempt, or from an endpoint that stopped answering while the call waited. */
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

/** The API node, a proxy in front of it, or a function of the user's responded with a status other than 2xx. */
export class StatusError extends ApiNodeError {
	override readonly name = 'StatusError';
	declare readonly status: number;

	constructor(
		message: string,
		details: ErrorDetails & { status: number },
		/** `Retry-After` in milliseconds. */
		readonly retryAfter?: number,
		/** Whether it came with a web page, which is not the API node's. */
		readonly isPage?: true,
	) {
		super(message, details);
	}
}

/**
 * A 2xx response that cannot be used. `reason`: `broken` (JSON that was cut off), `notJson` (a web page, another text, or a
 * compression that cannot be undone), `tooLarge`, `misfit` (not the shape that the operation documents).
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

/** The caller's signal was aborted, the session was stopped, or the client was destroyed. */
export class CancelledError extends ApiNodeError {
	override readonly name = 'CancelledError';

	/** @param signal the one that was aborted: its reason is the error's `cause` */
	constructor(message = 'The call was canceled', signal?: AbortSignal) {
		super(message, {}, signal && { cause: signal.reason as unknown });
	}

	/** What the signal was aborted with. */
	get reason(): unknown {
		return this.cause;
	}
}
