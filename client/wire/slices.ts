import { setImmediate } from 'node:timers';

/** Bytes processed without a break. JSON of empty objects alone takes 20 ms. */
export const sliceBytes = 64 * 1024;
const copiedBytes = 2 ** 20;

const waiting: Array<() => void> = [];

/** Waits for a turn of the event loop in which no other response is processed. */
export async function ownTurn(): Promise<void> {
	await new Promise<void>((resolve) => {
		if (waiting.push(resolve) === 1) setImmediate(giveTurn);
	});
}

function giveTurn(): void {
	waiting.shift()!();
	if (waiting.length > 0) setImmediate(giveTurn);
}

/** Like Buffer.concat, which can block for 0.4 s to join 64 MiB. */
export async function joined(chunks: readonly Buffer[], bytes: number): Promise<Buffer> {
	if (chunks.length === 1) return chunks[0]!;
	if (bytes <= copiedBytes) return Buffer.concat(chunks);
	const whole = Buffer.allocUnsafe(bytes);
	let length = 0;
	let copied = 0;
	for (const chunk of chunks) {
		length += chunk.copy(whole, length);
		if (length - copied < copiedBytes) continue;
		copied = length;
		await ownTurn();
	}
	return whole;
}
