import type { Item, RecordBatcher } from './batches/RecordBatcher';
import { RecordSearch } from './batches/RecordSearch';
import type { ApiNodeError } from './errors';
import { Caller } from './traffic/Caller';

/** What one execution owns: who it is to the queues, the order of its work, and the search for its bad records. */
export class SessionState {
	readonly caller: Caller;
	readonly search = new RecordSearch<Item, RecordBatcher, ApiNodeError>((batcher, item, error, untried) =>
		batcher.settle(item, untried ? { error, untried } : { error }),
	);
	private pieces = 0;

	constructor(...options: ConstructorParameters<typeof Caller>) {
		this.caller = new Caller(...options);
	}

	/** Numbers the pieces of the session's work in their order. */
	nextOrder(): number {
		return this.pieces++;
	}

	/** Sends the parts that the search wants to be sent now, no matter whose they are. */
	sendNext(): void {
		for (let part = this.search.next(); part; part = this.search.next()) void part.line.owner.attempt(part);
	}
}
