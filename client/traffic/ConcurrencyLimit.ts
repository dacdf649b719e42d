import { MeanWait } from './MeanWait';

/** Share of the response time spent waiting for a pipeline above which the pool counts as contended. */
const contendedShare = 0.3;
/** Above this share, two requests in flight become one when their turn is over. Below it, one becomes two again. */
const alternatingShare = 0.585;
/** Above this share, an API node's default pool is about to refuse requests. */
const nearlyFullShare = 0.62;
/** Above this share, the queue is longer than that of a default pool, or something else causes the wait. */
const beyondFullShare = 0.7;
/** A shorter wait counts as noise. */
const leastWaitMs = 5;
const lowest = 0.1;
const longestPauseMs = 5_000;
/** Refusals within this time count as one incident. */
const incidentMs = 2_000;

/** Length of a turn, in windows of responses: with two requests in flight, with one, and with one after a refusal. */
const turns = { two: 20, one: 6, refused: 40 };
/** Windows before the first trial; at most before a later one; and before a successful trial is repeated. */
const trials = { first: 4, longest: 512, success: 200 };

/** A trial sends more requests than the wait seems to allow, to see whether the wait depends on their number. */
interface Trial {
	from: number;
	waitMs: number;
	ends: number;
}

/** A random factor from 0.5 to 1.5 keeps processes that started together from acting in step forever. */
const about = (count: number) => count * (0.5 + Math.random());

/**
 * How many requests an endpoint on one instance takes at a time. The limit starts at 2, the default `cruise` of an
 * endpoint's pool, and grows by one after a full window of responses. It shrinks at most once per round trip: by half
 * after a refusal, and to the number that the pool serves without waiting after a wait, but then not below two. So
 * processes that do not know of each other settle on equal shares of a pool before it refuses requests, and callers
 * without such a rule do not displace them. Twelve processes with two requests in flight each fill a pool. Near that,
 * they alternate between one and two.
 *
 * A wait that is the same at every limit says nothing about the pool. Therefore, more requests are tried from time to
 * time.
 *
 * A limit below one is a pause between requests. Only refusals reduce it that far; while they continue, waits do, too.
 *
 * test/client/traffic/fairShare.test.ts shows the effect of the rule and compares it with others.
 */
export class ConcurrencyLimit {
	/** When the next request may be sent, if there is a pause between requests. */
	resumesAt: number | undefined;
	private current = 2;
	private step = 1;
	/** The limit before the last incident. Until there, it grows by full steps. */
	private goal = 0;
	private windows = 0;
	private responsesInWindow = 0;
	private tookMs = 0;
	private readonly lately = new MeanWait(16);
	/** Waits of requests sent since the limit changed. */
	private sinceChange = new MeanWait(32);
	private changedAt = -Infinity;
	private turnEnds = about(turns.two);
	private trial: Trial | undefined;
	private nextTrial = 0;
	private trialPause = trials.first;
	private refusedAt = -Infinity;
	/** Refusals with a single request in flight. Old ones count less. */
	private refusals = 0;
	private refusingUntil = -Infinity;

	get value(): number {
		return Math.max(1, Math.floor(this.current));
	}

	/**
	 * A request sent at `startedAt` got a response.
	 *
	 * @param inFlight requests in flight at that time, itself included
	 * @param waitedMs its wait for a pipeline, if the API node reports it
	 */
	responded(inFlight: number, startedAt: number, now: number, waitedMs = 0): void {
		this.tookMs = now - startedAt;
		this.refusals *= 0.98;
		const waited = waitedMs >= leastWaitMs && waitedMs <= this.tookMs ? waitedMs : 0;
		this.lately.note(waited, this.tookMs);
		if (startedAt >= this.changedAt) this.sinceChange.note(waited, this.tookMs);
		// A window that was not full is no evidence for a larger one.
		const windowEnds = inFlight >= this.value && ++this.responsesInWindow >= this.current;
		if (windowEnds) {
			this.responsesInWindow = 0;
			this.windows++;
		}
		if (this.trial) this.continueTrial(this.trial, windowEnds, now);
		else if (waited > contendedShare * this.tookMs)
			this.reduceForWait(waited / this.tookMs, startedAt, windowEnds, now);
		else if (windowEnds) {
			this.current += Math.min(1, (this.current < this.goal ? 1 : this.step) / Math.min(1, this.current));
		}
		this.pause(now);
	}

	overloaded(startedAt: number, now: number): void {
		if (startedAt >= this.changedAt || this.trial) {
			if (now - this.refusedAt > incidentMs) this.goal = this.current;
			this.refusedAt = now;
			this.trial = undefined;
			if (this.current < 2 && ++this.refusals > 3.5) this.refusingUntil = now + about(1_000) * this.tookMs;
			this.change(Math.max(this.least(now, 1), this.current / 2), now, turns.refused);
		}
		this.pause(now);
	}

	private get isNearlyFull(): boolean {
		return this.lately.part > nearlyFullShare && this.lately.part < beyondFullShare;
	}

	private least(now: number, otherwise: number): number {
		return now < this.refusingUntil ? lowest : otherwise;
	}

	/** @param part share of its time that a request waited */
	private reduceForWait(part: number, startedAt: number, windowEnds: boolean, now: number): void {
		const least = this.least(now, 2);
		this.goal = 0;
		if (least < 2 || this.current > 2) {
			if (startedAt < this.changedAt) return;
			this.change(Math.max(least, this.current * Math.max(0.5, 1 - part)), now, turns.two);
		} else if (windowEnds && this.current < 1) this.current = Math.min(1, this.current + 0.1);
		else if (windowEnds) this.takeTurn(now);
	}

	/** Alternates between one and two requests in flight when the pool is contended. */
	private takeTurn(now: number): void {
		const { part } = this.lately;
		const { waitMs, isCertain } = this.sinceChange;
		const isOver = this.windows >= this.turnEnds;
		const { isNearlyFull } = this;
		if (this.current < 2) {
			if (isOver && part < alternatingShare) return this.change(2, now, turns.two);
		} else if (isNearlyFull || (isOver && part > alternatingShare)) return this.change(1, now, turns.one);
		if (isNearlyFull || !isCertain || this.windows < this.nextTrial) return;
		this.trial = { from: this.current, waitMs, ends: this.windows + about(trials.success) };
		this.change(this.current + 2, now, turns.two);
	}

	private continueTrial(trial: Trial, windowEnds: boolean, now: number): void {
		const { responses, waitMs, workMs, isCertain } = this.sinceChange;
		if (responses < 8) return;
		// In a full pool of eight pipelines, each additional request makes all others wait for another eighth of the work.
		const failed = waitMs - trial.waitMs > Math.max(2, 0.03 * (this.value - trial.from) * workMs);
		if (failed || this.windows >= trial.ends) {
			this.trialPause = failed ? Math.min(trials.longest, 4 * this.trialPause) : trials.first;
			this.nextTrial = this.windows + (failed ? about(this.trialPause) : 0);
			this.trial = undefined;
			this.change(trial.from, now, turns.two);
		} else if (windowEnds && isCertain) this.change(this.current + 2, now, turns.two);
	}

	private change(limit: number, now: number, turn: number): void {
		// Once the pool is known to be shared, full steps of all processes together would overload it.
		if (limit < this.current) this.step = 0.25;
		this.current = limit;
		this.turnEnds = this.windows + about(turn);
		this.responsesInWindow = 0;
		this.changedAt = now;
		this.sinceChange = new MeanWait(32);
	}

	/** Without a pause, a caller that sends on every response would never be refused in a full pool, and all others always. */
	private pause(now: number): void {
		const { current, tookMs } = this;
		const times = current >= 1 && current <= 2 && this.isNearlyFull ? Math.random() / 2 : 1 / current - 1;
		const ms = Math.min(longestPauseMs, tookMs * times);
		this.resumesAt = ms > 0 ? now + ms : undefined;
	}
}
