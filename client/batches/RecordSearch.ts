/** Number of refused records after which an endpoint that has served nothing counts as refusing everything. */
const askedToTheEnd = 200;
/** Number of records that must have been refused alone with the same message, the last one among them. */
const refusalsForVerdict = 3;
/** Representatives per batch. A single one would too often be the only bad record of the batch. */
const representativesAsked = 2;
/** Batches searched at a time while nothing was served yet, because each of them costs requests. */
const mostSearched = 4;
/** Limit on the records set aside, so that memory does not grow with the input. */
export const mostAside = 10_000;
/** Requests per session that search for the records that a firewall blocks. */
const mostBehindFirewall = 200;
const mostLanes = 1_000;
const mostWords = 1_000;

export type Finding =
	| { kind: 'served' }
	| { kind: 'refused'; words: string }
	/** The request may have crashed a worker at this time. `answeredAt` is when the endpoint last responded to any caller. */
	| { kind: 'crashed'; at: number; answeredAt: number }
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

/** The common knowledge about requests with the same path, settings and headers. */
interface Lane {
	/** Whether any record was served. From then on, no record is given up untested. */
	served: boolean;
	refused: number;
	said: Map<string, number>;
	lastWords?: string;
	readonly searched: Set<unknown>;
	lines: number;
}

/** One batch, with the parts that are still to be sent. The next part is the last entry. */
interface Line<Item, Owner> {
	readonly number: number;
	readonly lane: Lane;
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
	readonly line: Line<Item, Owner>;
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
 * {@link askedToTheEnd} records were refused alone, two random records represent each batch. If both are refused with a
 * known message, the rest of the batch is set aside. It is searched like any other batch after the first success. It
 * fails when no request in progress can bring a success, or when too many records are set aside.
 */
export class RecordSearch<Item, Owner extends SearchOwner, Failure> {
	private readonly lanes = new Map<string, Lane>();
	private readonly active = new Set<Line<Item, Owner>>();
	/** Active batches with open parts and no part in flight. */
	private readonly ready = new Set<Line<Item, Owner>>();
	private readonly aside = new Map<Line<Item, Owner>, Failure>();
	/** Owners that will add no more records for now, each with the number of the first batch that does not matter for them. */
	private readonly decidedAfter = new Map<Owner, number>();
	private itemsAside = 0;
	private lineCount = 0;
	private blockedLeft = mostBehindFirewall;
	/** The batch that is searched for records that the firewall blocks. Only one batch is, until its end. */
	private probed: Line<Item, Owner> | undefined;

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
		const lane = this.laneOf(shared);
		const number = this.lineCount++;
		const state = { open: [], inFlight: 0, split: false, represented: 0, dropped: false };
		const line: Line<Item, Owner> = { number, lane, owner, ...state };
		line.open.push({ line, items });
		lane.lines++;
		this.activate(line);
	}

	/** Returns the next part to send; undefined if a report must come first. */
	next(): Part<Item, Owner> | undefined {
		for (const line of this.ready) {
			if (this.blockedLeft <= 0) this.failBlocked(line);
			const part = line.open.length > 0 ? this.take(line) : undefined;
			if (!part) continue;
			line.inFlight++;
			// After a crash, both halves are sent at once: if one is served, the other is to blame and not the endpoint.
			const pair = part.crashedAt !== undefined && line.open.at(-1)?.crashedAt === part.crashedAt;
			if (!pair || line.inFlight > 1) this.ready.delete(line);
			return part;
		}
		return undefined;
	}

	/** @returns whether the part is sent again in halves */
	report(part: Part<Item, Owner>, finding: Finding, failure?: Failure): boolean {
		const { line } = part;
		line.inFlight--;
		if (finding.kind === 'served') this.served(line.lane);
		const halved = finding.kind !== 'served' && finding.kind !== 'cancelled' && this.failed(part, finding, failure!);
		if (line.inFlight === 0) {
			if (this.probed === line && !line.open.some(isBlocked)) this.probed = undefined;
			if (line.open.length === 0) this.leave(line);
			else if (line.represented >= representativesAsked && this.isRepresented(line)) this.setAside(line, failure!);
			else this.ready.add(line);
		}
		this.decide();
		return halved;
	}

	/** The owner adds nothing more for now. Its records that are set aside fail as soon as no older request is in progress. */
	conclude(owner: Owner): void {
		this.decidedAfter.set(owner, this.lineCount);
		this.decide();
	}

	drop(owner: Owner): void {
		this.decidedAfter.delete(owner);
		for (const line of [...this.active, ...this.aside.keys()].filter((each) => each.owner === owner)) {
			if (this.aside.has(line)) this.takeBack(line);
			line.dropped = true;
			line.open = [];
			this.ready.delete(line);
			if (line.inFlight > 0) continue;
			if (this.probed === line) this.probed = undefined;
			this.leave(line);
		}
		this.decide();
	}

	private laneOf(shared: string): Lane {
		let lane = this.lanes.get(shared);
		if (lane) return lane;
		if (this.lanes.size >= mostLanes) {
			for (const [key, { lines }] of this.lanes) {
				if (lines > 0) continue;
				this.lanes.delete(key);
				break;
			}
		}
		lane = { served: false, refused: 0, said: new Map(), searched: new Set(), lines: 0 };
		this.lanes.set(shared, lane);
		return lane;
	}

	private take(line: Line<Item, Owner>): Part<Item, Owner> | undefined {
		const { lane } = line;
		if (!lane.served) {
			if (this.isRepresented(line)) return this.representative(line);
			if (line.split && !lane.searched.has(line)) {
				if (lane.searched.size >= mostSearched) return undefined;
				lane.searched.add(line);
			}
		}
		if (isBlocked(line.open.at(-1)!)) {
			if ((this.probed ??= line) !== line) return undefined;
			this.blockedLeft--;
		}
		return line.open.pop();
	}

	/** Fails the blocked parts, because the firewall was tried often enough. */
	private failBlocked(line: Line<Item, Owner>): void {
		const blocked = line.open.filter(isBlocked);
		line.open = line.open.filter((part) => !isBlocked(part));
		for (const item of blocked.flatMap(({ items }) => items))
			this.fail(line.owner, item, line.blockedBy as Failure, false);
		if (this.probed === line) this.probed = undefined;
		if (line.open.length > 0 || blocked.length === 0) return;
		this.ready.delete(line);
		this.leave(line);
		this.decide();
	}

	/** Whether two records may represent the rest of the batch. */
	private isRepresented({ lane, open }: Line<Item, Owner>): boolean {
		return isVerdict(lane) && open.every(({ after, crashedAt }) => after === undefined && crashedAt === undefined);
	}

	private representative(line: Line<Item, Owner>): Part<Item, Owner> {
		let n = Math.floor(this.random() * sizeOf(line));
		const at = line.open.findIndex(({ items }) => n < items.length || (n -= items.length) < 0);
		const from = line.open[at]!;
		const rest = from.items.filter((_, i) => i !== n);
		line.open.splice(at, 1, ...(rest.length > 0 ? [{ ...from, items: rest }] : []));
		line.split = true;
		return { line, items: [from.items[n]!], representative: true };
	}

	private served(lane: Lane): void {
		if (lane.served) return;
		lane.served = true;
		lane.said.clear();
		lane.searched.clear();
		for (const line of [...this.aside.keys()].filter((each) => each.lane === lane)) {
			this.takeBack(line);
			this.activate(line);
		}
	}

	/** @returns whether the part is sent again in halves */
	private failed(part: Part<Item, Owner>, finding: Finding, failure: Failure): boolean {
		const { line, items, crashedAt, after } = part;
		const { lane } = line;
		const alone = items.length === 1;
		if (alone) this.failedAlone(lane, finding.kind === 'refused' ? finding.words : undefined);
		if (part.representative) line.represented = isVerdict(lane) ? line.represented + 1 : 0;
		switch (finding.kind) {
			case 'crashed':
				if (!alone) return this.halve(part, { crashedAt: finding.at });
				// If the endpoint has responded to nothing since the crash, the part is tried again after the rest of its batch.
				if (crashedAt === undefined || finding.answeredAt >= crashedAt) break;
				if (!line.dropped) line.open.unshift(part);
				return false;
			case 'misfit':
				if (!alone && after !== 'misfit') return this.halve(part, { after: 'misfit', crashedAt });
				break;
			case 'blocked':
				if (alone || this.blockedLeft <= 0) break;
				line.blockedBy = failure;
				return this.halve(part, { after: 'blocked' });
			case 'refused':
			case 'tooLarge':
				if (!alone) return this.halve(part, { crashedAt });
		}
		for (const item of items) this.fail(line.owner, item, failure, false);
		return false;
	}

	/** @param words the message of the refusal; undefined for another failure */
	private failedAlone(lane: Lane, words: string | undefined): void {
		if (lane.served) return;
		lane.lastWords = words;
		if (words === undefined) return;
		lane.refused++;
		const { said } = lane;
		const times = (said.get(words) ?? 0) + 1;
		// Moves the message to the end of the map, so that the oldest message is forgotten first.
		said.delete(words);
		said.set(words, times);
		if (said.size > mostWords) said.delete(said.keys().next().value!);
	}

	/** The second half goes first, because the last part in is the first one out. */
	private halve({ line, items }: Part<Item, Owner>, marks: Pick<Part<Item, Owner>, 'after' | 'crashedAt'>): boolean {
		if (line.dropped) return false;
		const middle = Math.ceil(items.length / 2);
		for (const half of [items.slice(middle), items.slice(0, middle)]) line.open.push({ line, items: half, ...marks });
		return (line.split = true);
	}

	private activate(line: Line<Item, Owner>): void {
		this.active.add(line);
		this.ready.add(line);
		line.owner.active++;
	}

	private deactivate(line: Line<Item, Owner>): void {
		this.active.delete(line);
		line.lane.searched.delete(line);
		line.owner.active--;
	}

	private leave(line: Line<Item, Owner>): void {
		if (this.active.has(line)) this.deactivate(line);
		line.lane.lines--;
	}

	private setAside(line: Line<Item, Owner>, failure: Failure): void {
		this.deactivate(line);
		line.represented = 0;
		this.aside.set(line, failure);
		this.itemsAside += sizeOf(line);
		for (const oldest of this.aside.keys()) {
			if (this.itemsAside <= mostAside) break;
			this.giveUp(oldest);
		}
	}

	private takeBack(line: Line<Item, Owner>): void {
		this.aside.delete(line);
		this.itemsAside -= sizeOf(line);
	}

	/** Gives up records set aside that no request in progress can rescue. */
	private decide(): void {
		for (const [owner, last] of this.decidedAfter) {
			const underWay = [...this.active].filter(({ number }) => number < last);
			const held = [...this.aside.keys()].filter((line) => line.owner === owner && line.number < last);
			const hopeless = held.filter(({ lane }) => !underWay.some((line) => line.lane === lane));
			if (hopeless.length === held.length && !underWay.some((line) => line.owner === owner)) {
				this.decidedAfter.delete(owner);
			}
			for (const line of hopeless) this.giveUp(line);
		}
	}

	private giveUp(line: Line<Item, Owner>): void {
		const failure = this.aside.get(line)!;
		this.takeBack(line);
		this.leave(line);
		for (const { items } of line.open) for (const item of items) this.fail(line.owner, item, failure, true);
	}
}

/** Whether the endpoint seems to refuse everything with a known message. */
const isVerdict = ({ served, refused, said, lastWords }: Lane) =>
	!served && refused >= askedToTheEnd && lastWords !== undefined && said.get(lastWords)! >= refusalsForVerdict;

const isBlocked = ({ after }: { after?: unknown }) => after === 'blocked';

const sizeOf = ({ open }: { open: ReadonlyArray<{ items: readonly unknown[] }> }) =>
	open.reduce((sum, { items }) => sum + items.length, 0);
