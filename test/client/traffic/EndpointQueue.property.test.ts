import fc from 'fast-check';
import { CancelledError } from '../../../client';
import type { Connections } from '../../../client/wire/Connections';
import { Caller } from '../../../client/traffic/Caller';
import { Cancellation } from '../../../client/traffic/cancellation';
import type { Clock } from '../../../client/traffic/clock';
import { EndpointQueue, type QueuedCall, type Slot } from '../../../client/traffic/EndpointQueue';
import { type Instance, Instances } from '../../../client/traffic/Instances';

/** Time that passes when it is told to: timers fire in their order. */
class Simulation implements Clock {
	private time = 0;
	private timers: Array<{ at: number; callback: () => void }> = [];

	now = () => this.time;

	soon = (callback: () => void) => void this.after(0, callback);

	after(ms: number, callback: () => void): () => void {
		const timer = { at: this.time + Math.max(0, ms), callback };
		this.timers.push(timer);
		return () => void (this.timers = this.timers.filter((each) => each !== timer));
	}

	/** Lets time pass until nothing is left to happen, or until a time. */
	async run(until = Infinity): Promise<void> {
		for (let steps = 0; ; steps++) {
			if (steps > 100_000) throw new Error('It does not come to an end');
			await settled();
			const next = this.timers.reduce<(typeof this.timers)[number] | undefined>(
				(first, each) => (first && first.at <= each.at ? first : each),
				undefined,
			);
			if (!next || next.at > until) break;
			this.time = Math.max(this.time, next.at);
			this.timers = this.timers.filter((each) => each !== next);
			next.callback();
		}
		if (until !== Infinity) this.time = Math.max(this.time, until);
	}
}

/** Until no promise is left to be resolved. */
async function settled(): Promise<void> {
	for (let n = 0; n < 4; n++) await Promise.resolve();
}

type Outcome = 'served' | 'busy' | 'down' | 'none';

interface CallPlan {
	at: number;
	takes: number;
	outcome: Outcome;
	/** Cancelled so many ms after it was made. */
	cancelledAfter?: number;
}

interface SessionPlan {
	maxConcurrency: number;
	calls: CallPlan[];
	/** The session stops then. */
	stopsAt?: number;
}

interface Plan {
	instances: number;
	sessions: SessionPlan[];
}

const callPlan = fc.record(
	{
		at: fc.integer({ min: 0, max: 200 }),
		takes: fc.integer({ min: 1, max: 100 }),
		outcome: fc.constantFrom<Outcome>('served', 'served', 'served', 'served', 'busy', 'down', 'none'),
		cancelledAfter: fc.integer({ min: 0, max: 300 }),
	},
	{ requiredKeys: ['at', 'takes', 'outcome'] },
);
const planOf = (call: fc.Arbitrary<CallPlan>): fc.Arbitrary<Plan> =>
	fc.record({
		instances: fc.integer({ min: 1, max: 3 }),
		sessions: fc.array(
			fc.record(
				{
					maxConcurrency: fc.integer({ min: 1, max: 6 }),
					calls: fc.array(call, { maxLength: 25 }),
					stopsAt: fc.integer({ min: 0, max: 300 }),
				},
				{ requiredKeys: ['maxConcurrency', 'calls'] },
			),
			{ minLength: 1, maxLength: 6 },
		),
	});

/** What happened to one call. */
interface Fate {
	session: number;
	call: number;
	/** When it joined the queue. */
	joined: number;
	stopped?: boolean;
	served?: { at: number; order: number; pool: number };
	left?: number;
	error?: Error;
}

class World {
	readonly clock = new Simulation();
	readonly instances: Instances;
	readonly queue: EndpointQueue;
	readonly fates: Fate[] = [];
	/** What must hold at every moment and did not. */
	readonly violations: string[] = [];
	private readonly callers: Caller[];
	private readonly inFlight: number[][];
	private readonly present = new Map<number, number>();
	private order = 0;

	constructor(private readonly plan: Plan) {
		const connections = Array.from({ length: plan.instances }, (_, n) => ({ host: `instance-${n}` }) as Connections);
		this.instances = new Instances(connections, this.clock, {
			checkAlive: async () => await Promise.resolve('alive'),
			onOut: () => {},
			onBack: () => this.queue.admit(),
		});
		this.queue = new EndpointQueue(this.instances, this.clock);
		this.callers = plan.sessions.map(() => new Caller({}));
		this.inFlight = plan.sessions.map(() => this.queue.pools.map(() => 0));
	}

	async play(): Promise<this> {
		this.plan.sessions.forEach((session, s) => {
			const { stopsAt } = session;
			session.calls.forEach((call, c) => this.clock.after(call.at, () => void this.make(s, c)));
			if (stopsAt !== undefined) {
				this.clock.after(stopsAt, () =>
					this.callers[s]!.stopping.cancel(new CancelledError('The session was stopped')),
				);
			}
		});
		await this.clock.run();
		return this;
	}

	private async make(s: number, c: number): Promise<void> {
		const { maxConcurrency, calls } = this.plan.sessions[s]!;
		const plan = calls[c]!;
		const caller = this.callers[s]!;
		const stopping = new Cancellation();
		const forget = caller.stopping.onCancel((reason) => stopping.cancel(reason));
		if (caller.stopping.reason) stopping.cancel(caller.stopping.reason);
		if (plan.cancelledAfter !== undefined) {
			this.clock.after(plan.cancelledAfter, () => stopping.cancel(new CancelledError()));
		}
		const fate: Fate = { session: s, call: c, joined: this.clock.now() };
		this.fates.push(fate);
		const call: QueuedCall = {
			caller,
			stopping,
			maxConcurrency,
			tried: new Set<Instance>(),
			left: 120_000,
			order: this.fates.length,
			noResponse: (ms) => new Error(`no response for ${ms}`),
		};
		this.count(maxConcurrency, 1);
		try {
			const slot = await this.queue.enter(call);
			this.enter(fate, slot, stopping);
			await new Promise<void>((resolve) => this.clock.after(plan.takes, resolve));
			this.leave(fate, call, slot, plan.outcome);
		} catch (error) {
			fate.error = error as Error;
			this.count(maxConcurrency, -1);
		} finally {
			fate.left = this.clock.now();
			forget();
		}
	}

	private enter(fate: Fate, slot: Slot, stopping: Cancellation): void {
		const pool = this.queue.pools.indexOf(slot.pool);
		if (fate.served) this.violations.push(`call ${fate.session}/${fate.call} is served twice`);
		if (stopping.reason) this.violations.push(`call ${fate.session}/${fate.call} is served after it was stopped`);
		fate.served = { at: slot.startedAt, order: this.order++, pool };
		const own = this.inFlight[fate.session]!;
		own[pool]!++;
		const { maxConcurrency } = this.plan.sessions[fate.session]!;
		if (own[pool]! > maxConcurrency) this.violations.push(`session ${fate.session} exceeds its own ${maxConcurrency}`);
		const all = this.inFlight.reduce((sum, each) => sum + each[pool]!, 0);
		const most = Math.max(...this.present.keys());
		if (all > most) this.violations.push(`${all} are in flight where the largest allowance is ${most}`);
	}

	private leave(fate: Fate, call: QueuedCall, slot: Slot, outcome: Outcome): void {
		const now = this.clock.now();
		const { pool, turn, startedAt } = slot;
		this.inFlight[fate.session]![this.queue.pools.indexOf(pool)]!--;
		this.count(call.maxConcurrency, -1);
		const sign = outcome === 'served' ? 'responded' : outcome;
		pool.leave(sign, { ...slot, reduce: outcome === 'busy' }, now);
		if (sign === 'responded') {
			this.queue.respondedAt = now;
			this.instances.succeeded(pool.instance);
		} else if (sign === 'down') this.instances.failed(pool.instance, startedAt);
		if (sign === 'busy' || sign === 'down') turn.failed(startedAt, now, this.queue.respondedAt);
		this.queue.leave(call, slot);
	}

	private count(maxConcurrency: number, change: number): void {
		const calls = (this.present.get(maxConcurrency) ?? 0) + change;
		if (calls > 0) this.present.set(maxConcurrency, calls);
		else this.present.delete(maxConcurrency);
	}

	expectAllEnded(): void {
		expect(this.violations).toEqual([]);
		expect(this.fates).toHaveLength(this.plan.sessions.reduce((sum, { calls }) => sum + calls.length, 0));
		for (const fate of this.fates) {
			if (fate.left === undefined) throw new Error(`Call ${fate.session}/${fate.call} waits for ever`);
		}
		expect(this.queue.pools.map(({ inFlight }) => inFlight)).toEqual(this.queue.pools.map(() => 0));
		expect(this.instances.all.map(({ inFlight }) => inFlight)).toEqual(this.instances.all.map(() => 0));
	}
}

const runs = { numRuns: Number(process.env.RUNS ?? 300), endOnFailure: true };

it('In random scenarios, no call waits forever, none is served twice or after a stop, and limits hold', async () => {
	await fc.assert(
		fc.asyncProperty(planOf(callPlan), async (plan) => {
			const world = await new World(plan).play();
			world.expectAllEnded();
			for (const { served, error } of world.fates) {
				// Only what was stopped or what an endpoint that fails does not answer is not served.
				if (!served) expect(error).toBeInstanceOf(Error);
			}
		}),
		runs,
	);
});

it('Every call that is not canceled is served when nothing fails', async () => {
	const served = callPlan.map((plan): CallPlan => ({ ...plan, outcome: 'served' }));
	await fc.assert(
		fc.asyncProperty(planOf(served), async (plan) => {
			const world = await new World(plan).play();
			world.expectAllEnded();
			for (const { served: was, error } of world.fates) {
				if (!was) expect(error).toBeInstanceOf(CancelledError);
			}
		}),
		runs,
	);
});

/** Sessions whose calls all wait from the start, so that each that may be served is waiting. */
const greedy = fc.record({
	instances: fc.integer({ min: 1, max: 2 }),
	sessions: fc.array(
		fc.record({
			maxConcurrency: fc.integer({ min: 1, max: 6 }),
			calls: fc.array(
				fc.record({
					at: fc.constant(0),
					takes: fc.integer({ min: 1, max: 60 }),
					outcome: fc.constant<Outcome>('served'),
				}),
				{ minLength: 1, maxLength: 30 },
			),
		}),
		{ minLength: 2, maxLength: 6 },
	),
});

it('No session waits while another one is served more than one request ahead of its turn', async () => {
	await fc.assert(
		fc.asyncProperty(greedy, async (plan) => {
			const world = await new World(plan).play();
			world.expectAllEnded();
			const events = world.fates
				.map(({ session, served, left }) => ({
					session,
					from: served!.at,
					order: served!.order,
					pool: served!.pool,
					left: left!,
				}))
				.sort((a, b) => a.order - b.order);
			plan.sessions.forEach(({ maxConcurrency, calls }, s) => {
				// How often each other session is served while this one waits and has room on every instance.
				let ahead = new Map<number, number>();
				let own = 0;
				for (const event of events) {
					if (event.session === s) {
						own++;
						ahead = new Map();
						continue;
					}
					if (own === calls.length) break;
					const inFlight = (pool: number) =>
						events.filter(
							(each) => each.session === s && each.pool === pool && each.order < event.order && each.left >= event.from,
						).length;
					// One that has reached its own limit there is skipped.
					if (inFlight(event.pool) >= maxConcurrency) continue;
					// The very first are let in as they come, before the others are there.
					if (event.from === 0) continue;
					const times = (ahead.get(event.session) ?? 0) + 1;
					ahead.set(event.session, times);
					if (times > 2) throw new Error(`Session ${event.session} is served ${times} times while session ${s} waits`);
				}
			});
		}),
		runs,
	);
});

it('The calls of one session are served in their order', async () => {
	await fc.assert(
		fc.asyncProperty(greedy, async (plan) => {
			const world = await new World(plan).play();
			for (const s of plan.sessions.keys()) {
				const order = world.fates
					.filter(({ session }) => session === s)
					.sort((a, b) => a.served!.order - b.served!.order);
				expect(order.map(({ call }) => call)).toEqual(order.map((_, n) => n));
			}
		}),
		runs,
	);
});

it('A call that waits for a silent endpoint fails within its deadline or 30 s', async () => {
	const failing = callPlan.map(({ cancelledAfter: _, ...plan }): CallPlan => ({ ...plan, outcome: 'down' }));
	await fc.assert(
		fc.asyncProperty(planOf(failing), async (plan) => {
			const world = await new World(plan).play();
			world.expectAllEnded();
			for (const { joined, served, left, error } of world.fates) {
				const waited = (served?.at ?? left!) - joined;
				expect(waited).toBeLessThanOrEqual(60_000);
				if (error && !(error instanceof CancelledError)) expect(error.message).toMatch(/^no response/);
			}
		}),
		runs,
	);
});
