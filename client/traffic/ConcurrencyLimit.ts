import { MeanWait } from './MeanWait';

/** Parts of a request's time that it waited for a pipeline. From here on, others want the pool, too. */
const crowded = 0.3;
/** From here on, one request in flight and two take turns. */
const crammed = 0.56;
/** Up to here, a second request is added again. */
const admitting = 0.58;
/** From here on, a pool as an API node has it by default is about to refuse requests. */
const full = 0.62;
/** From here on, the queue is longer than such a pool has it, or the wait has nothing to do with one. */
const beyondFull = 0.7;
/** A shorter wait is noise. */
const leastWaitMs = 5;
const lowest = 0.1;
const longestPauseMs = 5_000;
/** Refusals within this time are one trouble. */
const troubleMs = 2_000;

/** Lengths of a turn with two requests in flight, with one, and with one after a refusal, in windows of responses. */
const turns = { two: 20, one: 6, refused: 40 };
/** Windows before the first trial, before a later one at most, and until a trial is repeated that succeeded. */
const trials = { first: 4, longest: 512, success: 200 };

/** More requests than the wait seems to allow, as long as it is the same with them and without them. */
interface Trial {
	from: number;
	waitMs: number;
	ends: number;
}

/** From half to one and a half times as much: processes that began together do not act together for ever. */
const about = (count: number) => count * (0.5 + Math.random());

/**
 * How many requests an endpoint takes at a time on one instance. Starts at 2, the pool size at which an API node endpoint
 * cruises, and goes up by one after a full window of responses. It goes down at most once per round trip: by half when a
 * request was refused, and to what the pool serves at once when one waited there, but for that to two at least.
 * So processes that do not know of each other settle on equal parts of a pool before it refuses any, and a caller
 * without such a rule does not displace them. With two in flight each, twelve processes fill a pool. Near that, one and two take turns.
 *
 * A wait that stays the same whatever the limit is says nothing about the pool: from time to time, more requests are tried.
 *
 * Below one, the limit is a pause between requests. Only refusals take it there; while they go on, waits do, too.
 *
 * test/client/traffic/fairShare.test.ts shows what the rule does, and compares it with others.
 */
export class ConcurrencyLimit {
	/** When the next request may be sent, where there is a pause between requests. */
	resumesAt: number | undefined;
	private current = 2;
	private step = 1;
	/** What the limit was before the last trouble: it goes back there by full steps. */
	private goal = 0;
	private windows = 0;
	private answeredInWindow = 0;
	private tookMs = 0;
	private readonly lately = new MeanWait(8);
	/** Of requests sent since the limit changed. */
	private sinceChange = new MeanWait(32);
	private changedAt = -Infinity;
	private turnEnds = about(turns.two);
	private trial: Trial | undefined;
	private nextTrial = 0;
	private trialPause = trials.first;
	private refusedAt = -Infinity;
	/** Refusals with one request in flight, of which old ones count less. */
	private refusals = 0;
	private refusingUntil = -Infinity;

	/** Requests that may be in flight. */
	get value(): number {
		return Math.max(1, Math.floor(this.current));
	}

	/**
	 * A request sent at `startedAt` was answered.
	 *
	 * @param inFlight requests in flight then, itself included
	 * @param waitedMs for a pipeline, as far as the API node says
	 */
	answered(inFlight: number, startedAt: number, now: number, waitedMs = 0): void {
		this.tookMs = now - startedAt;
		this.refusals *= 0.98;
		const waited = waitedMs >= leastWaitMs && waitedMs <= this.tookMs ? waitedMs : 0;
		this.lately.note(waited, this.tookMs);
		if (startedAt >= this.changedAt) this.sinceChange.note(waited, this.tookMs);
		// A window that was not full proves nothing about a larger one.
		const windowEnds = inFlight >= this.value && ++this.answeredInWindow >= this.current;
		if (windowEnds) {
			this.answeredInWindow = 0;
			this.windows++;
		}
		if (this.trial) this.goOn(this.trial, windowEnds, now);
		else if (waited > crowded * this.tookMs) this.giveWay(waited / this.tookMs, startedAt, windowEnds, now);
		else if (windowEnds) {
			this.current += Math.min(1, (this.current < this.goal ? 1 : this.step) / Math.min(1, this.current));
		}
		this.pause(now);
	}

	/** A request sent at `startedAt` found the endpoint overloaded. */
	overloaded(startedAt: number, now: number): void {
		if (startedAt >= this.changedAt || this.trial) {
			if (now - this.refusedAt > troubleMs) this.goal = this.current;
			this.refusedAt = now;
			this.trial = undefined;
			if (this.current < 2 && ++this.refusals > 3.5) this.refusingUntil = now + about(1_000) * this.tookMs;
			this.change(Math.max(this.least(now, 1), this.current / 2), now, turns.refused);
		}
		this.pause(now);
	}

	private get isFull(): boolean {
		return this.lately.part > full && this.lately.part < beyondFull;
	}

	private least(now: number, otherwise: number): number {
		return now < this.refusingUntil ? lowest : otherwise;
	}

	/** @param part of its time that a request waited */
	private giveWay(part: number, startedAt: number, windowEnds: boolean, now: number): void {
		const least = this.least(now, 2);
		this.goal = 0;
		if (least < 2 || this.current > 2) {
			if (startedAt < this.changedAt) return;
			this.change(Math.max(least, this.current * Math.max(0.5, 1 - part)), now, turns.two);
		} else if (windowEnds && this.current < 1) this.current = Math.min(1, this.current + 0.1);
		else if (windowEnds) this.takeTurn(now);
	}

	/** One or two requests are in flight, and they wait. */
	private takeTurn(now: number): void {
		const { part } = this.lately;
		const { waitMs, isCertain } = this.sinceChange;
		const isOver = this.windows >= this.turnEnds;
		const { isFull } = this;
		if (this.current < 2) {
			if (isOver && part < admitting) return this.change(2, now, turns.two);
		} else if (isFull || (isOver && part > crammed)) return this.change(1, now, turns.one);
		if (isFull || !isCertain || this.windows < this.nextTrial) return;
		this.trial = { from: this.current, waitMs, ends: this.windows + about(trials.success) };
		this.change(this.current + 2, now, turns.two);
	}

	private goOn(trial: Trial, windowEnds: boolean, now: number): void {
		const { responses, waitMs, workMs, isCertain } = this.sinceChange;
		if (responses < 8) return;
		// In a full pool of eight pipelines, each request more lets all wait for an eighth of the work longer.
		const failed = waitMs - trial.waitMs > Math.max(2, 0.03 * (this.value - trial.from) * workMs);
		if (failed || this.windows >= trial.ends) {
			this.trialPause = failed ? Math.min(trials.longest, 4 * this.trialPause) : trials.first;
			this.nextTrial = this.windows + (failed ? about(this.trialPause) : 0);
			this.trial = undefined;
			this.change(trial.from, now, turns.two);
		} else if (windowEnds && isCertain) this.change(this.current + 2, now, turns.two);
	}

	private change(limit: number, now: number, turn: number): void {
		// Once the pool is known to be shared, a full step of each process would overrun it.
		if (limit < this.current) this.step = 0.25;
		this.current = limit;
		this.turnEnds = this.windows + about(turn);
		this.answeredInWindow = 0;
		this.changedAt = now;
		this.sinceChange = new MeanWait(32);
	}

	/** Where the pool is full, one that sends whenever a response comes would never be refused, and others always. */
	private pause(now: number): void {
		const { current, tookMs } = this;
		const times = current >= 1 && current <= 2 && this.isFull ? Math.random() / 2 : 1 / current - 1;
		const ms = Math.min(longestPauseMs, tookMs * times);
		this.resumesAt = ms > 0 ? now + ms : undefined;
	}
}
