import type { Dispatcher } from 'undici';

/** Of bodies of responses, in a process: four of the largest that are allowed by default. */
const mostBytes = 256 * 2 ** 20;

type Flow = Pick<Dispatcher.DispatchController, 'pause' | 'resume'>;

/** One response, from its first byte until it is parsed. */
export class Reading {
	private bytes = 0;
	private paused: Flow | undefined;
	private pausedAt = 0;
	private pausedMs = 0;

	constructor(private readonly readings: Readings) {}

	/** It waits for others to be parsed: the server is not to blame. */
	get waits(): boolean {
		return this.paused !== undefined;
	}

	/** Milliseconds in which it waited. The server is not to blame for them. */
	get waitedMs(): number {
		return this.pausedMs + (this.paused ? performance.now() - this.pausedAt : 0);
	}

	/** @param flow where the bytes come from, unless they are here already */
	took(bytes: number, flow?: Flow): void {
		this.bytes += bytes;
		const hasRoom = this.readings.hold(this, bytes) || this.bytes <= this.readings.always;
		if (hasRoom || !flow) return;
		this.pausedAt = performance.now();
		(this.paused = flow).pause();
	}

	resume(): void {
		const flow = this.paused;
		this.pausedMs = this.waitedMs;
		// It may bring bytes at once, for which there is no room.
		this.paused = undefined;
		flow?.resume();
	}

	end(): void {
		this.paused = undefined;
		this.readings.drop(this, this.bytes);
	}
}

/** The responses that are being read: where they are too large together, all but the oldest wait. */
export class Readings {
	private held = 0;
	private readonly open = new Set<Reading>();

	/** @param always bytes of each response that always have room, so that a small one waits for no other: 64 KiB by default */
	constructor(
		private readonly most = mostBytes,
		readonly always = most / 4096,
	) {}

	/** @returns whether there is room for more */
	hold(reading: Reading, bytes: number): boolean {
		this.held += bytes;
		this.open.add(reading);
		return this.held <= this.most || this.open.values().next().value === reading;
	}

	drop(reading: Reading, bytes: number): void {
		this.held -= bytes;
		this.open.delete(reading);
		for (const each of this.open) {
			each.resume();
			if (this.held > this.most) break;
		}
	}
}

/** Of this process, whatever the client. */
export const readings = new Readings();
