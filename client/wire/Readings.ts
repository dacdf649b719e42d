import type { Dispatcher } from 'undici';

/** Bytes of response bodies in the process: four responses of the largest size allowed by default. */
const mostBytes = 256 * 2 ** 20;

type Flow = Pick<Dispatcher.DispatchController, 'pause' | 'resume'>;

export class Reading {
	private bytes = 0;
	private paused: Flow | undefined;
	private pausedAt = 0;
	private pausedMs = 0;

	constructor(private readonly readings: Readings) {}

	/** Whether it waits until other responses are parsed, which the server is not to blame for. */
	get waits(): boolean {
		return this.paused !== undefined;
	}

	/** Milliseconds for which it waited, which the server is not to blame for. */
	get waitedMs(): number {
		return this.pausedMs + (this.paused ? performance.now() - this.pausedAt : 0);
	}

	/** @param flow the source of the bytes, if more may come */
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
		// Resuming may deliver bytes at once, before there is room for them.
		this.paused = undefined;
		flow?.resume();
	}

	end(): void {
		this.paused = undefined;
		this.readings.drop(this, this.bytes);
	}
}

/** The responses that are being read. When they are too large together, all but the oldest wait. */
export class Readings {
	private held = 0;
	private readonly open = new Set<Reading>();

	/** @param always bytes of each response that always have room, so that small responses never wait. Default: 64 KiB */
	constructor(
		private readonly most = mostBytes,
		readonly always = most / 4096,
	) {}

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

export const readings = new Readings();
