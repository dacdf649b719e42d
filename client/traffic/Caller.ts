import { type ApiNodeError, CancelledError } from '../errors';
import { notify } from '../notify';
import { Cancellation, onAbort } from './cancellation';

/** A source of bearer tokens that expire, such as OAuth2 access tokens. */
export interface TokenSource {
	/** Host of the identity provider, for error messages. */
	readonly provider?: string;
	/**
	 * Returns the token to send. It is called before an attempt waits for its turn and again afterwards, because a token
	 * may expire meanwhile. Return a token that is available as a string, not as a promise.
	 */
	get(): string | Promise<string>;
	/**
	 * Called after the API node refused a token with 401. Resolves when `get` returns another token. If there is no other
	 * token, it resolves with the refused one, and the request is not sent again.
	 */
	renew(refused: string): Promise<unknown>;
	/** Called when a request with this token succeeded. */
	accepted?(token: string): void;
}

/**
 * How a caller authenticates; empty for an open service. `tokens` takes precedence over `apiKey`, and `apiKey` over
 * `bearerToken`.
 */
export interface Credential {
	/** API key of the service, sent as HTTP Basic with the key as user name and an empty password. */
	apiKey?: string;
	/** Token of a service that uses JWT/OAuth2. */
	bearerToken?: string;
	/** Source of bearer tokens that expire. */
	tokens?: TokenSource;
}

/** Events for logs and metrics. */
export type ClientEvent =
	/** A request to an endpoint has ended. `error` is set if it failed. The time does not include the wait for its turn. */
	| {
			type: 'request';
			endpoint: string;
			instance: string;
			attempt: number;
			durationMs: number;
			error?: ApiNodeError;
	  }
	/** A request is sent again after a pause. */
	| { type: 'retry'; endpoint: string; instance: string; attempt: number; pauseMs: number; error: ApiNodeError }
	/** A batch is sent again in two parts to find the records that fail. */
	| { type: 'split'; endpoint: string; records: number; error: ApiNodeError }
	/** An instance gets no more requests, because it failed three times in a row or because isAlive asked for it. */
	| { type: 'instanceOut'; instance: string; breakMs: number }
	/** An instance gets requests again. */
	| { type: 'instanceBack'; instance: string }
	/**
	 * An endpoint on one instance gets no requests for a while, because it failed three times in a row or asked for the
	 * pause.
	 */
	| { type: 'pause'; endpoint: string; instance: string; pauseMs: number };

type Listener = (event: ClientEvent) => void;

/** A credential given here replaces the client's. */
export interface CallerOptions extends Credential {
	/** Ends all calls with a CancelledError, including requests on the wire. */
	signal?: AbortSignal;
	/** Receives the events of the caller. */
	onEvent?: Listener;
}

export interface CallScope {
	/** Ends everything that is not on the wire. */
	readonly stopping: Cancellation;
	/** Also ends the request on the wire. */
	readonly cancellation: Cancellation;
	readonly end: () => void;
}

export class Caller {
	readonly credential: Credential;
	/** Ends everything, including requests on the wire. */
	readonly cancellation = new Cancellation();
	/** Ends everything that is not on the wire. */
	readonly stopping = new Cancellation();
	private readonly signal?: AbortSignal;
	private readonly onEvent?: Listener;
	private calls = 0;
	private leave = () => {};

	/** @param clientListener also receives the events */
	constructor(
		options: CallerOptions,
		private readonly clientListener?: Listener,
	) {
		({ signal: this.signal, onEvent: this.onEvent } = options);
		this.credential = options;
	}

	/**
	 * Begins a call. While it has calls, the caller is in `present`, so that a client that is destroyed can end them.
	 *
	 * @param signal ends this call alone
	 * @throws CancelledError when nothing may be sent any more
	 */
	begin(present: Set<Caller>, signal?: AbortSignal): CallScope {
		if (this.signal?.aborted) this.cancel(new CancelledError(undefined, this.signal));
		if (this.stopping.reason) throw this.stopping.reason;
		if (this.calls++ === 0) {
			present.add(this);
			const forget = this.signal && onAbort(this.signal, () => this.cancel(new CancelledError(undefined, this.signal)));
			this.leave = () => {
				present.delete(this);
				forget?.();
			};
		}
		const scope = this.scope(signal);
		const end = () => {
			scope.end();
			if (--this.calls === 0) this.leave();
		};
		return { ...scope, end };
	}

	/** The cancellations for one action of the caller, which the caller or the given signal may end. */
	scope(signal?: AbortSignal): CallScope {
		const { stopping, cancellation } = this;
		if (!signal) return { stopping, cancellation, end: () => {} };
		const own = { stopping: new Cancellation(), cancellation: new Cancellation() };
		const abort = () => {
			const reason = new CancelledError(undefined, signal);
			own.stopping.cancel(reason);
			own.cancellation.cancel(reason);
		};
		if (signal.aborted) abort();
		const forget = [
			onAbort(signal, abort),
			stopping.onCancel((reason) => own.stopping.cancel(reason)),
			cancellation.onCancel((reason) => own.cancellation.cancel(reason)),
		];
		return { ...own, end: () => forget.forEach((each) => each()) };
	}

	cancel(reason: CancelledError): void {
		this.cancellation.cancel(reason);
		this.stopping.cancel(reason);
	}

	/** Emits an event that only concerns the caller. */
	emit(event: ClientEvent): void {
		this.notify(event);
		notify(this.clientListener, event);
	}

	/** Emits an event that concerns several callers. */
	notify(event: ClientEvent): void {
		notify(this.onEvent, event);
	}
}
