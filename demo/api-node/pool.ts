import { setTimeout as sleep } from 'node:timers/promises';
import { overloaded } from './errors';

export interface PoolOptions {
	/** Pipelines that start with the endpoint. */
	floor: number;
	/** Pipelines that are kept after a burst. */
	cruise: number;
	/** The most pipelines, and therefore simultaneous requests. */
	ceil: number;
	/** Requests that may wait for a pipeline. Further requests are rejected. */
	queue: number;
	queueTimeoutMs: number;
}

export const defaultPool: PoolOptions = { floor: 1, cruise: 2, ceil: 8, queue: 16, queueTimeoutMs: 10_000 };

export class Pool {
	running = 0;
	peak = 0;
	rejected = 0;
	pipelines: number;
	private readonly queue: Array<() => void> = [];

	constructor(
		private readonly name: string,
		private readonly options: PoolOptions,
		private readonly pipelineStartMs: number,
	) {
		this.pipelines = options.floor;
	}

	get waiting() {
		return this.queue.length;
	}

	async run<T>(work: () => T | Promise<T>): Promise<T> {
		if (this.running < this.options.ceil) this.occupy();
		else await this.wait();
		try {
			if (this.running > this.pipelines) {
				this.pipelines++;
				if (this.pipelineStartMs > 0) await sleep(this.pipelineStartMs, undefined, { ref: false });
			}
			return await work();
		} finally {
			this.release();
		}
	}

	private occupy() {
		this.running++;
		this.peak = Math.max(this.peak, this.running);
	}

	private release() {
		const next = this.queue.shift();
		// The pipeline goes directly to the request that has waited longest, without becoming free.
		if (next) return next();
		this.running--;
		if (this.pipelines > this.options.cruise && this.running < this.pipelines) this.pipelines--;
	}

	private async wait() {
		const { queue, queueTimeoutMs } = this.options;
		if (this.queue.length >= queue) throw this.rejection(`its queue of ${queue} is full`);
		await new Promise<void>((resolve, reject) => {
			const start = () => {
				clearTimeout(timer);
				resolve();
			};
			const timer = setTimeout(() => {
				this.queue.splice(this.queue.indexOf(start), 1);
				reject(this.rejection(`no pipeline was free for ${queueTimeoutMs} ms`));
			}, queueTimeoutMs);
			timer.unref();
			this.queue.push(start);
		});
	}

	private rejection(reason: string) {
		this.rejected++;
		return overloaded(`Endpoint ${this.name} is overloaded: ${reason}`);
	}
}
