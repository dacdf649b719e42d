import type { Item, RecordBatcher } from './batches/RecordBatcher';
import { RecordSearch } from './batches/RecordSearch';
import type { ApiNodeError } from './errors';
import { Caller } from './traffic/Caller';

/** The state of one execution: its caller in the queues, the order of its work, and its search for bad records. */
export class SessionState {
	readonly caller: Caller;
	readonly search = new RecordSearch<Item, RecordBatcher, ApiNodeError>((batcher, item, error, untried) =>
		batcher.settle(item, untried ? { error, untried } : { error }),
	);
	private pieces = 0;

	constructor(...options: ConstructorParameters<typeof Caller>) {
		this.caller = new Caller(...options);
	}

	nextOrder(): number {
		return this.pieces++;
	}

	/** Sends the parts that the search releases, of all batchers of the session. */
	sendNext(): void {
		for (let part = this.search.next(); part; part = this.search.next()) void part.batch.owner.attempt(part);
	}
}
