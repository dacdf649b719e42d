import { type ApiNodeError, StatusError, TimeoutError } from '../errors';
import { BodySizeLimit } from './BodySizeLimit';
import type { Clock } from './clock';
import { EndpointQueue, type QueuedCall, type Slot } from './EndpointQueue';
import type { Instances } from './Instances';
import { RetryBudget } from './RetryBudget';
import { signOf, meaningfulTimeoutMs } from './retryPolicy';

interface Outcome {
	failure?: ApiNodeError;
	timeout: number;
	bodySize: number;
	/** Its wait for a pipeline, if the API node reports it. */
	waitedMs?: number;
	/** A function may have chosen the status, which then says nothing about the endpoint. */
	ofFunction: boolean;
}

/**
 * Everything that is remembered of one endpoint across calls and callers: its queue, the limit and circuit of its pool on
 * each instance, the retry budget, and the accepted body size. All of it is learned from outcomes in {@link report}.
 */
export class EndpointMemory {
	readonly budget = new RetryBudget();
	readonly bodySize = new BodySizeLimit();
	readonly queue: EndpointQueue;

	constructor(
		/** `service/endpoint`, for events. */
		readonly name: string,
		private readonly instances: Instances,
		private readonly clock: Clock,
	) {
		this.queue = new EndpointQueue(instances, clock);
	}

	release(call: QueuedCall, slot: Slot): void {
		slot.pool.leave('none', { ...slot, reduce: false }, this.clock.now());
		this.queue.leave(call, slot);
	}

	/** Learns from the outcome of an attempt and gives its slot back. Must be called once per attempt. */
	report(call: QueuedCall, slot: Slot, outcome: Outcome): void {
		const { failure, timeout, bodySize, waitedMs, ofFunction } = outcome;
		const { pool, turn, startedAt } = slot;
		const { instance } = pool;
		const now = this.clock.now();
		const sign = signOf(failure, timeout, ofFunction);
		const { status, retryAfter }: { status?: number; retryAfter?: number } =
			failure instanceof StatusError ? failure : {};
		const silent = failure instanceof TimeoutError && timeout >= meaningfulTimeoutMs;
		const reduce = status === 429 || status === 503 || silent;

		const keepPause = status === 429;
		const pauseMs = pool.leave(sign, { ...slot, retryAfter, keepPause, reduce, waitedMs }, now);
		if (pauseMs !== undefined) {
			call.caller.emit({ type: 'pause', endpoint: this.name, instance: instance.host, pauseMs });
		}
		if (sign === 'responded') {
			this.queue.respondedAt = now;
			this.instances.succeeded(instance);
		} else if (sign === 'down') this.instances.failed(instance, startedAt);
		if (sign === 'busy' || sign === 'down' || failure instanceof TimeoutError) {
			turn.failed(startedAt, now, this.queue.respondedAt, Math.max(0, pool.keptUntil - now));
		}
		if (!failure) {
			this.budget.succeeded();
			this.bodySize.accepted(bodySize);
		} else if (status === 413) this.bodySize.refused(bodySize);
		this.queue.leave(call, slot, failure !== undefined);
		if (keepPause && pauseMs !== undefined) this.queue.pauseBegan();
	}
}
