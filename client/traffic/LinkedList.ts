export interface Place<Value> {
	readonly value: Value;
	before?: Place<Value>;
	behind?: Place<Value>;
	listed: boolean;
}

/** A queue that removes an entry from the middle in constant time, because 100,000 calls may be cancelled at once. */
export class LinkedList<Value> {
	first: Place<Value> | undefined;
	last: Place<Value> | undefined;

	/** @param behind the entry to insert before; by default, the end of the list */
	append(value: Value, behind?: Place<Value>): Place<Value> {
		const before = behind ? behind.before : this.last;
		const place: Place<Value> = { value, before, behind, listed: true };
		if (before) before.behind = place;
		else this.first = place;
		if (behind) behind.before = place;
		else this.last = place;
		return place;
	}

	remove(place: Place<Value>): void {
		if (!place.listed) return;
		place.listed = false;
		if (place.before) place.before.behind = place.behind;
		else this.first = place.behind;
		if (place.behind) place.behind.before = place.before;
		else this.last = place.before;
	}
}
