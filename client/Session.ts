import { ApiNodeMethods } from './ApiNodeMethods';
import { CancelledError } from './errors';
import type { SessionState } from './SessionState';
import type { Transport } from './traffic/Transport';

/**
 * Calls that belong together, such as those of one execution: they take turns with other sessions as one, share what ends
 * them and where their token comes from, and find out together whether an endpoint refuses everything. Made by
 * `client.session()`; needs no closing.
 */
export class Session extends ApiNodeMethods {
	readonly #state: SessionState;

	constructor(transport: Transport, serviceId: string, state: SessionState) {
		super(transport, serviceId);
		this.#state = state;
	}

	/**
	 * Sends nothing new: what waits ends with a CancelledError, what is on the wire may come to its end. The `signal` of the
	 * session ends the wait, too.
	 */
	stop(): void {
		this.#state.caller.stopping.cancel(new CancelledError('The session was stopped'));
	}

	protected override sessionOfCall(): SessionState {
		return this.#state;
	}
}
