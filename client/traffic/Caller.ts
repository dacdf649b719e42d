import { type ApiNodeError, CancelledError } from '../errors';
import { tell } from '../tell';
import { Cancellation, onAbort } from './cancellation';

/** A bearer token that can be renewed, as OAuth2 access tokens can. */
export interface TokenSource {
	/** Host of the identity provider, for errors. */
	readonly provider?: string;
	/**
	 * The token to send. Asked for before an attempt waits for its turn, and again when its turn has come: a token may have
	 * expired meanwhile. One that is at hand is best given as it is, without a promise.
	 */
	get(): string | Promise<string>;
	/**
	 * Called after the API node refused a token with 401. Resolves when `get` has another one, or with the refused one where
	 * there is no other: then nothing is sent again.
	 */
	renew(refused: string): Promise<unknown>;
	/** Called when a request with this token succeeded. */
	accepted?(token: string): void;
}

/** Who calls: one of these, or none for an open service. `tokens` wins over `apiKey`, which wins over `bearerToken`. */
export interface Credential {
	/** API key of the service: HTTP Basic, user name the key, password empty. */
	apiKey?: string;
	/** Token of a service secured by JWT/OAuth2. */
	bearerToken?: string;
	/** Where bearer tokens come from that expire. */
	tokens?: TokenSource;
}

/** What the client does, to log it or measure it. */
export type ClientEvent =
	/** A request to an endpoint has ended, after its wait for its turn. `error` where it failed. */
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
	/** A batch is sent again in two parts, to find the records that fail. */
	| { type: 'split'; endpoint: string; records: number; error: ApiNodeError }
	/** An instance is given no more requests: it failed three times in a row, or isAlive asked for it. */
	| { type: 'instanceOut'; instance: string; breakMs: number }
	/** An instance is given requests again. */
	| { type: 'instanceBack'; instance: string }
	/** An endpoint is not asked on an instance for a while: it failed three times in a row, or asked for the pause. */
	| { type: 'pause'; endpoint: string; instance: string; pauseMs: number };

type Listener = (event: ClientEvent) => void;

/** A credential given here takes the place of the client's. */
export interface CallerOptions extends Credential {
	/** Ends everything with a CancelledError, wherever it is. */
	signal?: AbortSignal;
	/** Told what is done on behalf of the caller. */
	onEvent?: Listener;
}

/** What ends a call before it completes. */
export interface CallScope {
	/** Ends what is not on the wire. */
	readonly stopping: Cancellation;
	/** Ends the request on the wire, too. */
	readonly cancellation: Cancellation;
	readonly end: () => void;
}

/** Who calls: a session, as the traffic code sees it. */
export class Caller {
	readonly credential: Credential;
	/** Ends everything, requests on the wire included. */
	readonly cancellation = new Cancellation();
	/** Ends what is not on the wire. */
	readonly stopping = new Cancellation();
	private readonly signal?: AbortSignal;
	private readonly onEvent?: Listener;
	private calls = 0;
	private leave = () => {};

	/** @param clientListener told, too */
	constructor(
		options: CallerOptions,
		private readonly clientListener?: Listener,
	) {
		({ signal: this.signal, onEvent: this.onEvent } = options);
		this.credential = options;
	}

	/**
	 * A call begins. While there are any, the caller is among `present`, through which a client that is destroyed reaches it.
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

	/** What ends something that the caller does: the caller itself, and a signal if it has one of its own. */
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

	/** For what concerns the caller alone. */
	emit(event: ClientEvent): void {
		this.tell(event);
		tell(this.clientListener, event);
	}

	/** For what concerns others, too. */
	tell(event: ClientEvent): void {
		tell(this.onEvent, event);
	}
}
