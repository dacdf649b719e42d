import type { Connections } from '../wire/Connections';
import type { Clock } from './clock';

/** An instance is taken out after this many connection errors, timeouts, 502 or 504 in a row. */
const failuresToPutOut = 3;
const checkEveryMs = 5_000;
const firstBreakMs = 5_000;
const longestBreakMs = 60_000;

/**
 * `in`: gets requests. Ends with the third failure in a row, or when isAlive asks for no more requests.
 * `out`: gets none. Ends when its break is over and isAlive responds, or when one of its remaining requests succeeds.
 * `draining`: gets none because isAlive asked for that, although it may still serve. Ends when isAlive no longer asks for
 * it.
 * `onTrial`: gets one request at a time. Ends with the first outcome: in, or out for longer.
 */
type Health =
	| { name: 'in'; failures: number }
	| { name: 'out' | 'draining'; until: number; breaks: number }
	| { name: 'onTrial'; breaks: number };

/** Result of `GET /isAlive/`. 5xx asks for no more requests. 401, 403 and 404 are no evidence. */
export type Liveness = 'alive' | 'draining' | 'unreachable';

export class Instance {
	inFlight = 0;
	health: Health = { name: 'in', failures: 0 };
	respondedAt = -Infinity;
	checking = false;

	constructor(
		readonly connections: Connections,
		/** Initially the current time, so that the first check does not come before the first requests. */
		public checkedAt: number,
	) {}

	get host(): string {
		return this.connections.host;
	}

	get isOut(): boolean {
		return this.health.name === 'out' || this.health.name === 'draining';
	}
}

interface Callbacks {
	checkAlive: (instance: Instance) => Promise<Liveness>;
	onOut: (instance: Instance, breakMs: number) => void;
	onBack: (instance: Instance) => void;
}

/**
 * The instances of one API node and their health. This is client-side dispatch as Dataiku documents it: every instance
 * serves the same services, and the client spreads its requests and avoids dead instances.
 */
export class Instances {
	readonly all: readonly Instance[];

	constructor(
		connections: readonly Connections[],
		private readonly clock: Clock,
		private readonly callbacks: Callbacks,
	) {
		this.all = connections.map((each) => new Instance(each, clock.now()));
	}

	/** The instances that may get a request now. Never empty. */
	available(): readonly Instance[] {
		if (this.all.length === 1) return this.all;
		this.checkDue(this.clock.now());
		const usable = this.all.filter((each) => !each.isOut && !(each.health.name === 'onTrial' && each.inFlight > 0));
		if (usable.length > 0) return usable;
		const dueAt = ({ health }: Instance) => ('until' in health ? health.until : 0);
		return [[...this.all].sort((a, b) => dueAt(a) - dueAt(b))[0]!];
	}

	succeeded(instance: Instance): void {
		const { health } = instance;
		instance.respondedAt = this.clock.now();
		if (health.name === 'in') health.failures = 0;
		else if (health.name !== 'draining') this.takeBack(instance, { name: 'in', failures: 0 });
	}

	/**
	 * A request sent at `startedAt` got no response.
	 *
	 * @returns whether the instance was taken out because of it
	 */
	failed(instance: Instance, startedAt = this.clock.now()): boolean {
		const { health } = instance;
		if (instance.isOut || instance.respondedAt > startedAt) return false;
		if (health.name === 'in' && ++health.failures < failuresToPutOut) return false;
		if (!this.othersAreIn(instance)) return false;
		this.putOut(instance, 'out');
		return true;
	}

	private othersAreIn(instance: Instance): boolean {
		return this.all.some((other) => other !== instance && !other.isOut);
	}

	private putOut(instance: Instance, name: 'out' | 'draining'): void {
		const breaks = 'breaks' in instance.health ? instance.health.breaks : 0;
		const ms = Math.min(longestBreakMs, firstBreakMs * 2 ** breaks) * (0.75 + Math.random() / 2);
		const wasIn = !instance.isOut;
		instance.health = { name, until: this.clock.now() + ms, breaks: breaks + 1 };
		if (wasIn) this.callbacks.onOut(instance, ms);
	}

	private takeBack(instance: Instance, health: Health): void {
		instance.health = health;
		this.callbacks.onBack(instance);
	}

	private checkDue(now: number): void {
		for (const instance of this.all) {
			const due = 'until' in instance.health ? now >= instance.health.until : now - instance.checkedAt >= checkEveryMs;
			if (due && !instance.checking) void this.check(instance);
		}
	}

	private async check(instance: Instance): Promise<void> {
		instance.checking = true;
		const liveness = await this.callbacks.checkAlive(instance);
		instance.checking = false;
		instance.checkedAt = this.clock.now();
		if (liveness === 'draining') {
			if (instance.isOut || this.othersAreIn(instance)) this.putOut(instance, 'draining');
		} else if (liveness === 'unreachable') {
			if (instance.isOut) this.putOut(instance, 'out');
			else this.failed(instance);
		} else if ('until' in instance.health) {
			this.takeBack(instance, { name: 'onTrial', breaks: instance.health.breaks });
		}
	}
}
