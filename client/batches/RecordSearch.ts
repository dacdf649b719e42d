/** While an endpoint has served nothing, so many records are asked about before it is taken to refuse everything. */
const askedToTheEnd = 200;
/** In these words so many records must have been refused alone, the last one among them. */
const refusalsForVerdict = 3;
/** One would meet the one bad record of many too often. */
const representativesAsked = 2;
/** Where nothing was served yet, so many batches are searched at a time: what is open in each costs requests of its own. */
const mostSearched = 4;
/** Records that may be set aside: what is kept must not grow with the input. */
export const mostAside = 10_000;
/** Requests of a session that find the records of which a firewall disapproves. */
const mostBehindFirewall = 200;
const mostLanes = 1_000;
const mostWords = 1_000;

/** What became of a part. */
export type Finding =
	| { kind: 'served' }
	/** Refused as one bad record would make the API node do it. */
	| { kind: 'refused'; words: string }
	/** The request may have made a worker die at this time; when the endpoint last answered, whomever. */
	| { kind: 'crashed'; at: number; answeredAt: number }
	/** Its body is too large; its response does not fit it; a firewall refused it; all of its records failed. */
	| { kind: 'tooLarge' | 'misfit' | 'blocked' | 'failed' }
	/** Nothing became of it: its owner has stopped. */
	| { kind: 'cancelled' };

/** Whose records are searched. */
export interface SearchOwner {
	/** Batches of its that are asked about or wait for it; not those set aside. Kept by the search. */
	active: number;
}

/** What requests have in common that share path, settings and headers. */
interface Lane {
	/** Whether anything was served: from then on, no record is given up. */
	served: boolean;
	/** Records refused alone before. */
	refused: number;
	said: Map<string, number>;
	lastWords?: string;
	readonly searched: Set<unknown>;
	lines: number;
}

/** One batch: the parts of it that are still to be sent, the next one last. */
interface Line<Item, Owner> {
	readonly number: number;
	readonly lane: Lane;
	readonly owner: Owner;
	open: Array<Part<Item, Owner>>;
	inFlight: number;
	/** Whether it was ever sent in parts. */
	split: boolean;
	/** Representatives that were refused as all others were. */
	represented: number;
	/** What the firewall said of the whole. */
	blockedBy?: unknown;
	dropped: boolean;
}

/** Some of a batch's records that are sent together. */
export interface Part<Item, Owner> {
	readonly line: Line<Item, Owner>;
	readonly items: readonly Item[];
	/** The failure of the request that it is a half of, where that matters. */
	readonly after?: 'misfit' | 'blocked';
	/** When a request that it is a part of may have made a worker die. */
	readonly crashedAt?: number;
	readonly representative?: boolean;
}

/**
 * The search for the bad records of a session's batches: it says which part to send next, and is told what became of it.
 * Neither sends anything nor knows the time.
 *
 * A part that fails as one record can make it fail is halved, depth first and left before right, until the bad records stand
 * alone and fail alone. So every record is asked about, with one exception: where nothing with the same path, settings and
 * headers was ever served and {@link askedToTheEnd} records were refused alone, a batch is represented by two of its records,
 * chosen at random. If both are refused in words that are known by then, the rest of it is set aside: searched as any other
 * with the first success, given up when nothing under way can bring one, or when too much is set aside.
 */
export class RecordSearch<Item, Owner extends SearchOwner, Failure> {
	private readonly lanes = new Map<string, Lane>();
	/** Lines with parts that are open or in flight. */
	private readonly active = new Set<Line<Item, Owner>>();
	/** Those of them with open parts and none in flight. */
	private readonly ready = new Set<Line<Item, Owner>>();
	private readonly aside = new Map<Line<Item, Owner>, Failure>();
	/** Owners who wait for nothing but what is under way, and the first line that does not count for them. */
	private readonly decidedAfter = new Map<Owner, number>();
	private itemsAside = 0;
	private lineCount = 0;
	private blockedLeft = mostBehindFirewall;
	/** The line of which the firewall is being asked: one at a time, and to its end. */
	private probed: Line<Item, Owner> | undefined;

	/**
	 * @param fail called for each record that fails; `untried` if the record was never sent on its own
	 * @param random from 0 to below 1
	 */
	constructor(
		private readonly fail: (owner: Owner, item: Item, failure: Failure, untried: boolean) => void,
		private readonly random = () => Math.random(),
	) {}

	/** @param shared what requests have in common whose successes count for each other */
	add(items: readonly Item[], shared: string, owner: Owner): void {
		const lane = this.laneOf(shared);
		const number = this.lineCount++;
		const state = { open: [], inFlight: 0, split: false, represented: 0, dropped: false };
		const line: Line<Item, Owner> = { number, lane, owner, ...state };
		line.open.push({ line, items });
		lane.lines++;
		this.activate(line);
	}

	/** The next part to send; undefined when everything else waits for a report. */
	next(): Part<Item, Owner> | undefined {
		for (const line of this.ready) {
			if (this.blockedLeft <= 0) this.failBlocked(line);
			const part = line.open.length > 0 ? this.take(line) : undefined;
			if (!part) continue;
			line.inFlight++;
			// After a crash, both halves at once: when one of them is served, the other is to blame, and not the endpoint.
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

	/** The owner adds nothing more for now: what it has set aside is given up as soon as nothing older is under way. */
	conclude(owner: Owner): void {
		this.decidedAfter.set(owner, this.lineCount);
		this.decide();
	}

	/** The owner has stopped: nothing more of its is sent. */
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

	/** The firewall was asked often enough. */
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

	/** Whether some of its records may stand for the rest. */
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
				// Nobody was answered since, either: it is tried again when all else of its batch was.
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

	/** @param words in which a record was refused; undefined when it failed in another way */
	private failedAlone(lane: Lane, words: string | undefined): void {
		if (lane.served) return;
		lane.lastWords = words;
		if (words === undefined) return;
		lane.refused++;
		const { said } = lane;
		const times = (said.get(words) ?? 0) + 1;
		// The words heard last stand last, so that those forgotten are those not heard for longest.
		said.delete(words);
		said.set(words, times);
		if (said.size > mostWords) said.delete(said.keys().next().value!);
	}

	/** The second half first, as the last part in is the first one out. */
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

	/** Gives up what no line under way can bring a success to. */
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

/** Whether the endpoint seems to refuse everything, in words that are known by now. */
const isVerdict = ({ served, refused, said, lastWords }: Lane) =>
	!served && refused >= askedToTheEnd && lastWords !== undefined && said.get(lastWords)! >= refusalsForVerdict;

const isBlocked = ({ after }: { after?: unknown }) => after === 'blocked';

const sizeOf = ({ open }: { open: ReadonlyArray<{ items: readonly unknown[] }> }) =>
	open.reduce((sum, { items }) => sum + items.length, 0);
