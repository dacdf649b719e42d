import { ApiNodeMethods } from './ApiNodeMethods';
import { CancelledError } from './errors';
import type { SessionState } from './SessionState';
import type { Transport } from './traffic/Transport';

/**
 * Calls that belong together, such as those of one execution. They share one turn in the queues, their cancellation,
 * their credential, and the search for bad records. Created by `client.session()`. A session need not be closed.
 */
export class Session extends ApiNodeMethods {
	readonly #state: SessionState;

	/** @internal */
	constructor(transport: Transport, serviceId: string, state: SessionState) {
		super(transport, serviceId);
		this.#state = state;
	}

	/**
	 * Sends nothing new. Waiting calls fail with a CancelledError, and requests on the wire may finish. Aborting the
	 * `signal` of the session ends those, too.
	 */
	stop(): void {
		this.#state.caller.stopping.cancel(new CancelledError('The session was stopped'));
	}

	/** @internal */
	protected override sessionOfCall(): SessionState {
		return this.#state;
	}
}
