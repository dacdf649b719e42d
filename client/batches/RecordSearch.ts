/** Number of refused records after which an endpoint that has served nothing counts as refusing everything. */
const refusalsBeforeSampling = 200;
/** Number of records that must have been refused alone with the same message, the last one among them. */
const sameRefusals = 3;
/** Representatives per batch. A single one would too often be the only bad record of the batch. */
const representativesPerBatch = 2;
/** Batches searched at a time while nothing was served yet, because each of them costs requests. */
const mostSearched = 4;
/** Limit on the records set aside, so that memory does not grow with the input. */
export const mostAside = 10_000;
/** Requests per session that search for the records that a firewall blocks. */
const mostBehindFirewall = 200;
const mostGroups = 1_000;
const mostMessages = 1_000;

export type Finding =
	| { kind: 'served' }
	| { kind: 'refused'; words: string }
	/** The request may have crashed a worker at this time. `respondedAt`: when the endpoint last responded to any caller. */
	| { kind: 'crashed'; at: number; respondedAt: number }
	/**
	 * The body is too large; the response does not match it; a firewall blocked it; or the endpoint cannot serve any of its
	 * records.
	 */
	| { kind: 'tooLarge' | 'misfit' | 'blocked' | 'failed' }
	| { kind: 'cancelled' };

export interface SearchOwner {
	/** Batches that are searched or waiting, without those set aside. Updated by the search. */
	active: number;
}

/** What is known about requests with the same path, settings and headers. */
interface RequestGroup {
	/** Whether any record was served. From then on, no record is given up untested. */
	served: boolean;
	refused: number;
	timesByMessage: Map<string, number>;
	lastMessage?: string;
	readonly searched: Set<unknown>;
	batches: number;
}

/** One batch, with the parts that are still to be sent. The next part is the last entry. */
interface SearchedBatch<Item, Owner> {
	readonly number: number;
	readonly group: RequestGroup;
	readonly owner: Owner;
	open: Array<Part<Item, Owner>>;
	inFlight: number;
	split: boolean;
	/** Representatives that were refused with a known message. */
	represented: number;
	/** The firewall's refusal of the whole batch. */
	blockedBy?: unknown;
	dropped: boolean;
}

export interface Part<Item, Owner> {
	readonly batch: SearchedBatch<Item, Owner>;
	readonly items: readonly Item[];
	/** The failure of the request that this part was split from, if it matters for the search. */
	readonly after?: 'misfit' | 'blocked';
	/** When a request with these records may have crashed a worker. */
	readonly crashedAt?: number;
	readonly representative?: boolean;
}

/**
 * The search for the bad records of a session's batches. It decides which part to send next and receives the outcome of
 * each part. It does no I/O and reads no clock.
 *
 * A part that fails in a way that one record can cause is halved, left half first, until the bad records are alone. So
 * every record is tested, with one exception. If nothing with the same path, settings and headers was ever served and
 * {@link refusalsBeforeSampling} records were refused alone, two random records represent each batch. If both are
 * refused with a known message, the rest of the batch is set aside. It is searched like any other batch after the first
 * success. It fails when no request in progress can bring a success, or when too many records are set aside.
 */
export class RecordSearch<Item, Owner extends SearchOwner, Failure> {
	private readonly groups = new Map<string, RequestGroup>();
	private readonly active = new Set<SearchedBatch<Item, Owner>>();
	/** Active batches with open parts and no part in flight. */
	private readonly ready = new Set<SearchedBatch<Item, Owner>>();
	private readonly aside = new Map<SearchedBatch<Item, Owner>, Failure>();
	/** Owners that will add no more records for now, each with the number of the first batch that does not matter for them. */
	private readonly concludedAt = new Map<Owner, number>();
	private itemsAside = 0;
	private batchCount = 0;
	private blockedLeft = mostBehindFirewall;
	/** The batch that is searched for records that the firewall blocks. Only one batch is, until its end. */
	private searchedForBlocked: SearchedBatch<Item, Owner> | undefined;

	/**
	 * @param fail called for each record that fails; `untried` if the record was never sent alone
	 * @param random returns a number from 0 to below 1
	 */
	constructor(
		private readonly fail: (owner: Owner, item: Item, failure: Failure, untried: boolean) => void,
		private readonly random = () => Math.random(),
	) {}

	/** @param shared key of the requests for which one success is evidence */
	add(items: readonly Item[], shared: string, owner: Owner): void {
		const group = this.groupOf(shared);
		const number = this.batchCount++;
		const state = { open: [], inFlight: 0, split: false, represented: 0, dropped: false };
		const batch: SearchedBatch<Item, Owner> = { number, group, owner, ...state };
		batch.open.push({ batch, items });
		group.batches++;
		this.activate(batch);
	}

	/** Returns the next part to send; undefined if a report must come first. */
	next(): Part<Item, Owner> | undefined {
		for (const batch of this.ready) {
			if (this.blockedLeft <= 0) this.failBlocked(batch);
			const part = batch.open.length > 0 ? this.take(batch) : undefined;
			if (!part) continue;
			batch.inFlight++;
			// After a crash, both halves are sent at once: if one is served, the other is to blame and not the endpoint.
			const pair = part.crashedAt !== undefined && batch.open.at(-1)?.crashedAt === part.crashedAt;
			if (!pair || batch.inFlight > 1) this.ready.delete(batch);
			return part;
		}
		return undefined;
	}

	/** @returns whether the part is sent again in halves */
	report(part: Part<Item, Owner>, finding: Finding, failure?: Failure): boolean {
		const { batch } = part;
		batch.inFlight--;
		if (finding.kind === 'served') this.served(batch.group);
		const halved = finding.kind !== 'served' && finding.kind !== 'cancelled' && this.failed(part, finding, failure!);
		if (batch.inFlight === 0) {
			if (this.searchedForBlocked === batch && !batch.open.some(isBlocked)) this.searchedForBlocked = undefined;
			if (batch.open.length === 0) this.leave(batch);
			else if (batch.represented >= representativesPerBatch && this.isRepresented(batch))
				this.setAside(batch, failure!);
			else this.ready.add(batch);
		}
		this.decide();
		return halved;
	}

	/** The owner adds nothing more for now. Its records that are set aside fail as soon as no older request is in progress. */
	conclude(owner: Owner): void {
		this.concludedAt.set(owner, this.batchCount);
		this.decide();
	}

	drop(owner: Owner): void {
		this.concludedAt.delete(owner);
		for (const batch of [...this.active, ...this.aside.keys()].filter((each) => each.owner === owner)) {
			if (this.aside.has(batch)) this.takeBack(batch);
			batch.dropped = true;
			batch.open = [];
			this.ready.delete(batch);
			if (batch.inFlight > 0) continue;
			if (this.searchedForBlocked === batch) this.searchedForBlocked = undefined;
			this.leave(batch);
		}
		this.decide();
	}

	private groupOf(shared: string): RequestGroup {
		let group = this.groups.get(shared);
		if (group) return group;
		if (this.groups.size >= mostGroups) {
			for (const [key, { batches }] of this.groups) {
				if (batches > 0) continue;
				this.groups.delete(key);
				break;
			}
		}
		group = { served: false, refused: 0, timesByMessage: new Map(), searched: new Set(), batches: 0 };
		this.groups.set(shared, group);
		return group;
	}

	private take(batch: SearchedBatch<Item, Owner>): Part<Item, Owner> | undefined {
		const { group } = batch;
		if (!group.served) {
			if (this.isRepresented(batch)) return this.representative(batch);
			if (batch.split && !group.searched.has(batch)) {
				if (group.searched.size >= mostSearched) return undefined;
				group.searched.add(batch);
			}
		}
		if (isBlocked(batch.open.at(-1)!)) {
			if ((this.searchedForBlocked ??= batch) !== batch) return undefined;
			this.blockedLeft--;
		}
		return batch.open.pop();
	}

	/** Fails the blocked parts, because the firewall was tried often enough. */
	private failBlocked(batch: SearchedBatch<Item, Owner>): void {
		const blocked = batch.open.filter(isBlocked);
		batch.open = batch.open.filter((part) => !isBlocked(part));
		for (const item of blocked.flatMap(({ items }) => items))
			this.fail(batch.owner, item, batch.blockedBy as Failure, false);
		if (this.searchedForBlocked === batch) this.searchedForBlocked = undefined;
		if (batch.open.length > 0 || blocked.length === 0) return;
		this.ready.delete(batch);
		this.leave(batch);
		this.decide();
	}

	/** Whether two records may represent the rest of the batch. */
	private isRepresented({ group, open }: SearchedBatch<Item, Owner>): boolean {
		return (
			seemsToRefuseAll(group) && open.every(({ after, crashedAt }) => after === undefined && crashedAt === undefined)
		);
	}

	private representative(batch: SearchedBatch<Item, Owner>): Part<Item, Owner> {
		let n = Math.floor(this.random() * sizeOf(batch));
		const at = batch.open.findIndex(({ items }) => n < items.length || (n -= items.length) < 0);
		const from = batch.open[at]!;
		const rest = from.items.filter((_, i) => i !== n);
		batch.open.splice(at, 1, ...(rest.length > 0 ? [{ ...from, items: rest }] : []));
		batch.split = true;
		return { batch, items: [from.items[n]!], representative: true };
	}

	private served(group: RequestGroup): void {
		if (group.served) return;
		group.served = true;
		group.timesByMessage.clear();
		group.searched.clear();
		for (const batch of [...this.aside.keys()].filter((each) => each.group === group)) {
			this.takeBack(batch);
			this.activate(batch);
		}
	}

	/** @returns whether the part is sent again in halves */
	private failed(part: Part<Item, Owner>, finding: Finding, failure: Failure): boolean {
		const { batch, items, crashedAt, after } = part;
		const { group } = batch;
		const alone = items.length === 1;
		if (alone) this.failedAlone(group, finding.kind === 'refused' ? finding.words : undefined);
		if (part.representative) batch.represented = seemsToRefuseAll(group) ? batch.represented + 1 : 0;
		switch (finding.kind) {
			case 'crashed':
				if (!alone) return this.halve(part, { crashedAt: finding.at });
				// If the endpoint has responded to nothing since the crash, the part is tried again after the rest of its batch.
				if (crashedAt === undefined || finding.respondedAt >= crashedAt) break;
				if (!batch.dropped) batch.open.unshift(part);
				return false;
			case 'misfit':
				if (!alone && after !== 'misfit') return this.halve(part, { after: 'misfit', crashedAt });
				break;
			case 'blocked':
				if (alone || this.blockedLeft <= 0) break;
				batch.blockedBy = failure;
				return this.halve(part, { after: 'blocked' });
			case 'refused':
			case 'tooLarge':
				if (!alone) return this.halve(part, { crashedAt });
		}
		for (const item of items) this.fail(batch.owner, item, failure, false);
		return false;
	}

	/** @param words the message of the refusal; undefined for another failure */
	private failedAlone(group: RequestGroup, words: string | undefined): void {
		if (group.served) return;
		group.lastMessage = words;
		if (words === undefined) return;
		group.refused++;
		const { timesByMessage } = group;
		const times = (timesByMessage.get(words) ?? 0) + 1;
		// Moves the message to the end of the map, so that the oldest message is forgotten first.
		timesByMessage.delete(words);
		timesByMessage.set(words, times);
		if (timesByMessage.size > mostMessages) timesByMessage.delete(timesByMessage.keys().next().value!);
	}

	/** The second half goes first, because the last part in is the first one out. */
	private halve({ batch, items }: Part<Item, Owner>, marks: Pick<Part<Item, Owner>, 'after' | 'crashedAt'>): boolean {
		if (batch.dropped) return false;
		const middle = Math.ceil(items.length / 2);
		for (const half of [items.slice(middle), items.slice(0, middle)]) batch.open.push({ batch, items: half, ...marks });
		return (batch.split = true);
	}

	private activate(batch: SearchedBatch<Item, Owner>): void {
		this.active.add(batch);
		this.ready.add(batch);
		batch.owner.active++;
	}

	private deactivate(batch: SearchedBatch<Item, Owner>): void {
		this.active.delete(batch);
		batch.group.searched.delete(batch);
		batch.owner.active--;
	}

	private leave(batch: SearchedBatch<Item, Owner>): void {
		if (this.active.has(batch)) this.deactivate(batch);
		batch.group.batches--;
	}

	private setAside(batch: SearchedBatch<Item, Owner>, failure: Failure): void {
		this.deactivate(batch);
		batch.represented = 0;
		this.aside.set(batch, failure);
		this.itemsAside += sizeOf(batch);
		for (const oldest of this.aside.keys()) {
			if (this.itemsAside <= mostAside) break;
			this.giveUp(oldest);
		}
	}

	private takeBack(batch: SearchedBatch<Item, Owner>): void {
		this.aside.delete(batch);
		this.itemsAside -= sizeOf(batch);
	}

	/** Gives up records set aside that no request in progress can rescue. */
	private decide(): void {
		for (const [owner, last] of this.concludedAt) {
			const underWay = [...this.active].filter(({ number }) => number < last);
			const held = [...this.aside.keys()].filter((batch) => batch.owner === owner && batch.number < last);
			const hopeless = held.filter(({ group }) => !underWay.some((batch) => batch.group === group));
			if (hopeless.length === held.length && !underWay.some((batch) => batch.owner === owner)) {
				this.concludedAt.delete(owner);
			}
			for (const batch of hopeless) this.giveUp(batch);
		}
	}

	private giveUp(batch: SearchedBatch<Item, Owner>): void {
		const failure = this.aside.get(batch)!;
		this.takeBack(batch);
		this.leave(batch);
		for (const { items } of batch.open) for (const item of items) this.fail(batch.owner, item, failure, true);
	}
}

/** Whether the endpoint seems to refuse everything with a known message. */
const seemsToRefuseAll = ({ served, refused, timesByMessage, lastMessage }: RequestGroup) =>
	!served &&
	refused >= refusalsBeforeSampling &&
	lastMessage !== undefined &&
	timesByMessage.get(lastMessage)! >= sameRefusals;

const isBlocked = ({ after }: { after?: unknown }) => after === 'blocked';

const sizeOf = ({ open }: { open: ReadonlyArray<{ items: readonly unknown[] }> }) =>
	open.reduce((sum, { items }) => sum + items.length, 0);
