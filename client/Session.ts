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
	 * session ends that, too.
	 */
	stop(): void {
		this.#state.caller.stopping.cancel(new CancelledError('The session was stopped'));
	}

	/** Waits until fewer than `most` calls and batches of the session are under way: prepares no more than is sent. */
	async room(most: number): Promise<void> {
		await this.#state.room(most);
	}

	/**
	 * Does what adds calls to the session. While it goes on, no batch is given up for want of others to show it wrong, so that
	 * `add` must not wait for the outcomes of what it adds.
	 */
	async during<Value>(add: () => Promise<Value>): Promise<Value> {
		return await this.#state.during(add);
	}

	protected override sessionOfCall(): SessionState {
		return this.#state;
	}
}
