import { clearTimeout, setTimeout } from 'node:timers';
import { onAbort } from './abort';
import { CancelledError } from './errors';
import type { Fleet } from './Fleet';
import type { Instance } from './Instance';
import { Lane } from './Lane';
import { RetryBudget } from './retry';

interface Waiter {
	maxConcurrency: number;
	tried: ReadonlySet<Instance>;
	enter: (lane: Lane) => void;
}

/**
 * Everything that is remembered of one endpoint across calls and executions: its lanes, one per instance, the calls
 * that wait for room in them, the retry budget and the body size that the way to it bears.
 */
export class EndpointTraffic {
	readonly budget = new RetryBudget();
	/** Bytes; comes down when a body is refused with 413. */
	maxBodyBytes = Infinity;
	private readonly lanes = new Map<Instance, Lane>();
	private readonly waiters: Waiter[] = [];
	private timer: NodeJS.Timeout | undefined;

	constructor(private readonly fleet: Fleet) {
		for (const instance of fleet.instances) this.lanes.set(instance, new Lane(instance));
	}

	/**
	 * Waits for room, first come first served, and takes it.
	 *
	 * @param tried instances that failed this call already: asked again only when no other has room
	 */
	async enter(maxConcurrency: number, tried: ReadonlySet<Instance>, signal?: AbortSignal): Promise<Lane> {
		if (signal?.aborted) throw new CancelledError();
		const lane = this.waiters.length === 0 ? this.choose(maxConcurrency, tried, Date.now()) : undefined;
		if (lane) return this.take(lane);
		return await new Promise((resolve, reject) => {
			const waiter: Waiter = {
				maxConcurrency,
				tried,
				enter: (entered) => {
					forget?.();
					resolve(entered);
				},
			};
			this.waiters.push(waiter);
			const forget =
				signal &&
				onAbort(signal, () => {
					this.waiters.splice(this.waiters.indexOf(waiter), 1);
					reject(new CancelledError());
				});
			this.admit();
		});
	}

	leave(lane: Lane): void {
		lane.inFlight--;
		lane.instance.inFlight--;
		this.admit();
	}

	/** Lets in whom there is room for. */
	readonly admit = (): void => {
		while (this.waiters.length > 0) {
			// One time for both: a pause that ended in between would leave nobody to wake the waiters.
			const now = Date.now();
			const lane = this.choose(this.waiters[0].maxConcurrency, this.waiters[0].tried, now);
			if (!lane) return this.admitLater(now);
			this.waiters.shift()!.enter(this.take(lane));
		}
	};

	private take(lane: Lane): Lane {
		lane.inFlight++;
		lane.instance.inFlight++;
		return lane;
	}

	/** The least loaded lane with room, of instances not yet tried if there are any; ties at random. */
	private choose(maxConcurrency: number, tried: ReadonlySet<Instance>, now: number): Lane | undefined {
		const open = this.fleet.available().map((instance) => this.lanes.get(instance)!);
		const withRoom = open.filter((lane) => lane.hasRoom(maxConcurrency, now));
		const fresh = tried.size > 0 ? withRoom.filter((lane) => !tried.has(lane.instance)) : withRoom;
		const candidates = fresh.length > 0 ? fresh : withRoom;
		if (candidates.length <= 1) return candidates[0];
		const least = Math.min(...candidates.map((lane) => lane.inFlight));
		const idlest = candidates.filter((lane) => lane.inFlight === least);
		return idlest[Math.floor(Math.random() * idlest.length)];
	}

	/** Nobody leaves a lane that is empty and paused: a timer has to. */
	private admitLater(now: number): void {
		clearTimeout(this.timer);
		const pauses = [...this.lanes.values()].map((lane) => lane.resumesAt - now).filter((pause) => pause > 0);
		if (pauses.length > 0) this.timer = setTimeout(this.admit, Math.min(...pauses) + 1);
	}
}
