/** What a failure may tell. Nothing else reaches an error: no header, no body, no credential. */
export interface FailureFacts {
	/** HTTP status of the last answer, if there was one. */
	status?: number;
	/** `errorType` of the API node's JSON error. */
	errorType?: string;
	/** What the API node said, at most 500 characters. */
	detail?: string;
	/** host:port of the instance asked last. */
	instance?: string;
	/** How many requests were sent for this call. */
	attempts?: number;
	/** The answer's `DSS-Version` header. */
	dssVersion?: string;
	/** Node's or undici's code for a failure below HTTP. */
	code?: string;
	/** What to do about it, where that is known. */
	advice?: string;
}

/** Base of everything the client throws. */
export class ApiNodeError extends Error {
	override readonly name: string = 'ApiNodeError';
	readonly facts: FailureFacts;

	constructor(message: string, facts: FailureFacts = {}) {
		super(message);
		this.facts = facts;
	}

	/** The API node's own words, as Dataiku's Python client shows them. */
	get said(): string | undefined {
		const { errorType, detail } = this.facts;
		return errorType && detail ? `${errorType}: ${detail}` : (detail ?? errorType);
	}
}

/** The call itself is wrong: an empty id, a parameter out of its range. Nothing was sent. */
export class InvalidCallError extends ApiNodeError {
	override readonly name = 'InvalidCallError';
}

/** No connection, or one that broke. `sent` tells whether the request may have reached the API node. */
export class ConnectionError extends ApiNodeError {
	override readonly name = 'ConnectionError';

	constructor(
		message: string,
		facts: FailureFacts,
		readonly sent: boolean,
		/** A certificate or a proxy refused: trying again changes nothing. */
		readonly permanent = false,
	) {
		super(message, facts);
	}
}

/** No whole answer within the time-out of one attempt. */
export class TimeoutError extends ApiNodeError {
	override readonly name = 'TimeoutError';

	constructor(
		message: string,
		facts: FailureFacts,
		readonly sent: boolean,
	) {
		super(message, facts);
	}
}

/** The API node, a proxy before it, or a function of the user's answered with a status other than 2xx. */
export class StatusError extends ApiNodeError {
	override readonly name = 'StatusError';

	constructor(
		message: string,
		facts: FailureFacts & { status: number },
		/** `Retry-After` in milliseconds. */
		readonly retryAfter?: number,
	) {
		super(message, facts);
	}

	get status(): number {
		return this.facts.status!;
	}
}

/** A 2xx answer that cannot be used: not JSON, cut short, too large, or not the shape of the operation. */
export class AnswerError extends ApiNodeError {
	override readonly name = 'AnswerError';

	constructor(
		message: string,
		facts: FailureFacts,
		readonly reason: 'broken' | 'notJson' | 'tooLarge' | 'misfit',
	) {
		super(message, facts);
	}
}

/** The caller's signal was aborted. */
export class CancelledError extends ApiNodeError {
	override readonly name = 'CancelledError';

	constructor() {
		super('The call was cancelled');
	}
}
