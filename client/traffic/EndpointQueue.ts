import type { Caller } from './Caller';
import type { Cancellation } from './cancellation';
import type { Clock } from './clock';
import type { Instance, Instances } from './Instances';
import { LinkedList, type Place } from './LinkedList';
import { PipelinePool } from './PipelinePool';
import { patienceMs } from './retryPolicy';

export interface QueuedCall {
	readonly caller: Caller;
	readonly stopping: Cancellation;
	/** The caller's requests in flight per instance. */
	readonly maxConcurrency: number;
	/** Instances that already failed this call. They are used again only when no other instance has room. */
	readonly tried: ReadonlySet<Instance>;
	/** Milliseconds left of the call's deadline. */
	readonly left: number;
	/** The position of its batch or call in the work of the caller. */
	readonly order: number;
	/**
	 * The error when it gives up waiting for an endpoint that does not respond.
	 *
	 * @param pauseMs milliseconds left of a pause that the endpoint asked for
	 */
	noResponse(silentMs: number, pauseMs: number): Error;
}

export interface Slot {
	readonly pool: PipelinePool;
	readonly turn: Turn;
	readonly startedAt: number;
	/** Whether it is the single request that a failing pool admits. */
	readonly probe: boolean;
	/** Milliseconds that the call waited while the endpoint responded to no request. */
	readonly silentMs: number;
}

interface Waiter {
	readonly call: QueuedCall;
	readonly since: number;
	readonly enter: (slot: Slot) => void;
	/** Gives up if the call cannot wait as long as it would have to. */
	readonly check: () => void;
}

/** One caller at one endpoint: its waiting calls, its requests in flight, and since when all of its requests have failed. */
class Turn {
	readonly waiting = new LinkedList<Waiter>();
	readonly inFlight = new Map<PipelinePool, number>();
	place: Place<Turn> | undefined;
	leftAt = -Infinity;
	/** Retries that a new caller has even if the budget is empty. */
	ownRetries = 3;
	/** Failures that the caller has not seen yet. After seeing them, it may not want to send more. */
	unseenFailures = 0;
	private failing: { since: number; last: number; longest: number } | undefined;

	/**
	 * Queues a call behind older work and in front of newer work. So a batch that is split or retried is finished before
	 * new batches start, and what it reveals about the endpoint helps them.
	 */
	queue(waiter: Waiter): Place<Waiter> {
		const { order } = waiter.call;
		const { last } = this.waiting;
		let behind = last && last.value.call.order > order ? this.waiting.first : undefined;
		while (behind && behind.value.call.order <= order) behind = behind.behind;
		return this.waiting.append(waiter, behind);
	}

	/**
	 * A request sent at `startedAt` failed because the endpoint did not respond.
	 *
	 * @param pauseMs a pause that must be waited for
	 */
	failed(startedAt: number, now: number, respondedAt: number, pauseMs = 0): void {
		const isSameOutage = this.failing && respondedAt < this.failing.since && startedAt - this.failing.last < patienceMs;
		const { since, longest } = isSameOutage ? this.failing! : { since: now, longest: 0 };
		this.failing = { since, last: now, longest: Math.max(longest, now - startedAt + pauseMs) };
	}

	gaveUp(silentMs: number, now: number): void {
		if (this.failing) this.failing.last = now;
		else if (silentMs >= patienceMs) this.failing = { since: now - silentMs, last: now, longest: 0 };
	}

	/** When the caller stops waiting for the endpoint; undefined while the endpoint responds to any caller. */
	patienceEnds(respondedAt: number): number | undefined {
		if (!this.failing || respondedAt >= this.failing.since) return undefined;
		// The longest attempt or pause is added: after a timeout that one record may have caused, there must be time for
		// another attempt.
		return this.failing.since + patienceMs + this.failing.longest;
	}

	/** A failure of long ago says nothing about a new call. */
	forgetOldFailure(now: number): void {
		const idle = this.waiting.first === undefined && [...this.inFlight.values()].every((count) => count === 0);
		if (idle && this.failing && now - this.failing.last >= patienceMs) this.failing = undefined;
	}
}

/**
 * The queue of the calls to one endpoint. Callers take turns with one request each, no matter how many calls each of them
 * has waiting. The calls of one caller are served in the order of its work. A caller with as many requests in flight as
 * it allows keeps its place and is skipped.
 */
export class EndpointQueue {
	readonly pools: readonly PipelinePool[];
	/** When the endpoint last responded to any session. */
	respondedAt = -Infinity;
	private readonly poolOf = new Map<Instance, PipelinePool>();
	private readonly turns = new WeakMap<Caller, Turn>();
	/** Callers with waiting calls, in the order of their turns. */
	private readonly callersInOrder = new LinkedList<Turn>();
	/** Number of present calls by the number of requests that each allows at a time. */
	private readonly allowances = new Map<number, number>();
	private most = 0;
	private stopTimer: (() => void) | undefined;

	constructor(
		private readonly instances: Instances,
		private readonly clock: Clock,
	) {
		this.pools = instances.all.map((instance) => new PipelinePool(instance));
		for (const pool of this.pools) this.poolOf.set(pool.instance, pool);
	}

	/**
	 * Waits for the caller's turn and for room, and takes the room.
	 *
	 * @throws the error of the call when the endpoint does not respond for too long; CancelledError when its caller stops
	 */
	enter(call: QueuedCall): Slot | Promise<Slot> {
		const { reason } = call.stopping;
		if (reason) throw reason;
		const now = this.clock.now();
		const turn = this.turnOf(call.caller);
		turn.forgetOldFailure(now);
		if (this.hasGivenUp(call.caller, now)) throw this.noResponse(call, patienceMs, now);
		this.allow(call.maxConcurrency, 1);
		if (!this.callersInOrder.first) {
			const pool = this.choose(call, turn, this.withRoom(now));
			if (pool) return this.take(turn, pool, now, now);
		}
		return this.wait(call, turn, now);
	}

	/**
	 * Gives the room back.
	 *
	 * @param failed whether the caller's next request waits until the caller has seen the failure
	 */
	leave(call: QueuedCall, { pool, turn }: Slot, failed = false): void {
		turn.inFlight.set(pool, turn.inFlight.get(pool)! - 1);
		turn.leftAt = this.clock.now();
		this.allow(call.maxConcurrency, -1);
		if (failed) {
			turn.unseenFailures++;
			this.clock.soon(() => {
				turn.unseenFailures--;
				this.admit();
			});
		}
		this.admit();
	}

	/** Calls that cannot wait until the end of a full pause give up at once. */
	pauseBegan(): void {
		const waiters: Waiter[] = [];
		for (let turn = this.callersInOrder.first; turn; turn = turn.behind) {
			for (let place = turn.value.waiting.first; place; place = place.behind) waiters.push(place.value);
		}
		for (const { check } of waiters) check();
	}

	turnOf(caller: Caller): Turn {
		let turn = this.turns.get(caller);
		if (!turn) this.turns.set(caller, (turn = new Turn()));
		return turn;
	}

	hasGivenUp(caller: Caller, now: number): boolean {
		return (this.turnOf(caller).patienceEnds(this.respondedAt) ?? Infinity) <= now;
	}

	readonly admit = (): void => {
		while (this.callersInOrder.first) {
			// One time for both calls: if a pause ended between two readings of the clock, nothing would wake the waiting
			// calls.
			const now = this.clock.now();
			if (!this.admitOne(now)) return this.admitLater(now);
		}
	};

	private admitOne(now: number): boolean {
		const open = this.withRoom(now);
		if (open.length === 0) return false;
		for (let place = this.callersInOrder.first; place; place = place.behind) {
			const turn = place.value;
			const waiter = turn.waiting.first!;
			const pool = this.choose(waiter.value.call, turn, open);
			if (!pool) continue;
			this.withdraw(turn, waiter);
			if (turn.place) {
				this.callersInOrder.remove(turn.place);
				turn.place = this.callersInOrder.append(turn);
			}
			const { since, enter } = waiter.value;
			enter(this.take(turn, pool, now, since));
			return true;
		}
		return false;
	}

	private wait(call: QueuedCall, turn: Turn, since: number): Promise<Slot> {
		return new Promise((resolve, reject) => {
			const end = () => {
				stopTimer();
				forget();
			};
			const giveUp = (error: Error) => {
				end();
				this.withdraw(turn, place);
				this.allow(call.maxConcurrency, -1);
				reject(error);
			};
			const enter = (slot: Slot) => {
				end();
				resolve(slot);
			};
			const check = () => {
				stopTimer();
				const now = this.clock.now();
				const ms = this.givesUpAt(waiter, turn) - now;
				if (ms > 0) {
					stopTimer = this.clock.after(Math.min(ms, patienceMs), check);
					return;
				}
				const silentMs = now - Math.max(since, this.respondedAt);
				turn.gaveUp(silentMs, now);
				giveUp(this.noResponse(call, silentMs, now));
			};
			let stopTimer = () => {};
			const waiter: Waiter = { call, since, enter, check };
			const place = turn.queue(waiter);
			turn.place ??= this.callersInOrder.append(turn);
			const forget = call.stopping.onCancel(giveUp);
			stopTimer = this.clock.after(Math.min(this.givesUpAt(waiter, turn) - since, patienceMs), check);
			this.admit();
		});
	}

	/**
	 * A call that waits behind others that are served may wait for as long as it takes. The wait counts against its
	 * deadline while the endpoint responds to no request and none of the caller's own requests end. It counts against the
	 * caller's patience while the endpoint fails.
	 */
	private givesUpAt({ call, since }: Waiter, turn: Turn): number {
		const responded = Math.max(since, this.respondedAt);
		const deadline = Math.max(responded, turn.leftAt) + call.left;
		const patience = turn.patienceEnds(this.respondedAt) ?? Infinity;
		const pauseEnds = Math.min(...this.pools.map(({ keptUntil }) => keptUntil));
		const failing = this.pools.every((pool) => pool.failing) ? Math.max(responded, pauseEnds) + patienceMs : Infinity;
		const ends = Math.min(deadline, patience, failing);
		return ends > pauseEnds ? ends : since;
	}

	private noResponse(call: QueuedCall, silentMs: number, now: number): Error {
		const pauseEnds = Math.min(...this.pools.map(({ askedUntil }) => askedUntil));
		return call.noResponse(silentMs, Math.max(0, pauseEnds - now));
	}

	private withdraw(turn: Turn, waiter: Place<Waiter>): void {
		turn.waiting.remove(waiter);
		if (turn.waiting.first || !turn.place) return;
		this.callersInOrder.remove(turn.place);
		turn.place = undefined;
		if (!this.callersInOrder.first) this.stopTimer?.();
	}

	private take(turn: Turn, pool: PipelinePool, now: number, since: number): Slot {
		turn.inFlight.set(pool, (turn.inFlight.get(pool) ?? 0) + 1);
		const silentMs = Math.max(0, now - Math.max(since, this.respondedAt, turn.leftAt));
		return { pool, turn, startedAt: now, probe: pool.enter(), silentMs };
	}

	private withRoom(now: number): PipelinePool[] {
		const open: PipelinePool[] = [];
		for (const instance of this.instances.available()) {
			const pool = this.poolOf.get(instance)!;
			if (pool.hasRoom(this.most, now)) open.push(pool);
		}
		return open;
	}

	/**
	 * Returns the least loaded pool that the caller may use now, if possible of an instance that was not tried yet. Ties
	 * are decided at random.
	 */
	private choose(call: QueuedCall, turn: Turn, open: readonly PipelinePool[]): PipelinePool | undefined {
		if (turn.unseenFailures > 0) return undefined;
		const { maxConcurrency, tried } = call;
		const allowed = open.filter((pool) => (turn.inFlight.get(pool) ?? 0) < maxConcurrency);
		const fresh = tried.size > 0 ? allowed.filter((pool) => !tried.has(pool.instance)) : allowed;
		const candidates = fresh.length > 0 ? fresh : allowed;
		if (candidates.length <= 1) return candidates[0];
		const least = Math.min(...candidates.map((pool) => pool.inFlight));
		const idlest = candidates.filter((pool) => pool.inFlight === least);
		return idlest[Math.floor(Math.random() * idlest.length)];
	}

	/** A timer must wake the queue, because no request will leave a pool that is empty and paused. */
	private admitLater(now: number): void {
		this.stopTimer?.();
		const pauses = this.pools.map(({ resumesAt }) => (resumesAt ?? 0) - now).filter((pause) => pause > 0);
		this.stopTimer = pauses.length > 0 ? this.clock.after(Math.min(...pauses) + 1, this.admit) : undefined;
	}

	private allow(maxConcurrency: number, change: 1 | -1): void {
		const calls = (this.allowances.get(maxConcurrency) ?? 0) + change;
		if (calls > 0) this.allowances.set(maxConcurrency, calls);
		else this.allowances.delete(maxConcurrency);
		if (calls === 0 || maxConcurrency > this.most) this.most = Math.max(0, ...this.allowances.keys());
	}
}
