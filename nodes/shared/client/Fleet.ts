import type { Instance } from './Instance';

/** An instance is left out after this many connection errors, time-outs, 502 or 504 in a row. */
const failuresToEject = 3;
const checkEveryMs = 5_000;
const firstBreakMs = 5_000;
const longestBreakMs = 60_000;

interface Health {
	failures: number;
	/** Times put out since the last success; sets the length of the break. */
	breaks: number;
	/** 0 while the instance is in. */
	outUntil: number;
	/** Back for one real request at a time. */
	onTrial: boolean;
	/** Asked for no more requests: that those it still has succeed does not bring it back. */
	draining: boolean;
	checkedAt: number;
	checking: boolean;
}

/** What `GET /isAlive/` showed: 5xx asks for no more requests; 401, 403 and 404 say nothing. */
export type Liveness = 'alive' | 'draining' | 'unreachable';

/**
 * The instances of one API node and what is known of their health. Client-side dispatch as Dataiku documents it: every
 * instance serves the same services, and the client spreads its requests and leaves out the dead.
 */
export class Fleet {
	private readonly health = new Map<Instance, Health>();

	constructor(
		readonly instances: readonly Instance[],
		private readonly checkAlive: (instance: Instance) => Promise<Liveness>,
		private readonly onReturn: () => void,
	) {
		for (const instance of instances) {
			this.health.set(instance, {
				failures: 0,
				breaks: 0,
				outUntil: 0,
				onTrial: false,
				draining: false,
				// The first checks come while the first answers do, not before them.
				checkedAt: Date.now(),
				checking: false,
			});
		}
	}

	/** The instances that may be given a request now; never none. */
	available(): Instance[] {
		if (this.instances.length === 1) return [this.instances[0]];
		this.checkDue(Date.now());
		const usable = this.instances.filter((instance) => {
			const { outUntil, onTrial } = this.health.get(instance)!;
			return outUntil === 0 && !(onTrial && instance.inFlight > 0);
		});
		if (usable.length > 0) return usable;
		const soonest = (a: Instance, b: Instance) => this.health.get(a)!.outUntil - this.health.get(b)!.outUntil;
		return [[...this.instances].sort(soonest)[0]];
	}

	succeeded(instance: Instance): void {
		const health = this.health.get(instance)!;
		health.failures = 0;
		if (health.onTrial || (health.outUntil > 0 && !health.draining)) this.takeBack(health);
	}

	/** @returns whether the instance was put out for it */
	failed(instance: Instance): boolean {
		const health = this.health.get(instance)!;
		health.failures++;
		if (health.outUntil > 0 || (health.failures < failuresToEject && !health.onTrial)) return false;
		if (!this.othersLeft(instance)) return false;
		this.putOut(health);
		return true;
	}

	private othersLeft(instance: Instance): boolean {
		return this.instances.some((other) => other !== instance && this.health.get(other)!.outUntil === 0);
	}

	private putOut(health: Health): void {
		const pause = Math.min(longestBreakMs, firstBreakMs * 2 ** health.breaks);
		health.outUntil = Date.now() + pause * (0.75 + Math.random() / 2);
		health.breaks++;
		health.onTrial = false;
	}

	private takeBack(health: Health): void {
		Object.assign(health, { breaks: 0, outUntil: 0, onTrial: false });
		this.onReturn();
	}

	private checkDue(now: number): void {
		for (const [instance, health] of this.health) {
			const due = health.outUntil > 0 ? now >= health.outUntil : now - health.checkedAt >= checkEveryMs;
			if (due && !health.checking) void this.check(instance, health);
		}
	}

	private async check(instance: Instance, health: Health): Promise<void> {
		health.checking = true;
		const liveness = await this.checkAlive(instance);
		health.checking = false;
		health.checkedAt = Date.now();
		health.draining = liveness === 'draining' && (health.outUntil > 0 || this.othersLeft(instance));
		if (health.draining || (liveness === 'unreachable' && health.outUntil > 0)) this.putOut(health);
		else if (liveness === 'unreachable') this.failed(instance);
		else if (liveness === 'draining') return;
		else if (health.outUntil > 0) {
			health.outUntil = 0;
			health.onTrial = true;
			this.onReturn();
		}
	}
}
