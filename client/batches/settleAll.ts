import { clearTimeout, setTimeout } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidCallError } from '../errors';
import type { BatchTarget } from './batchTarget';
import type { RecordBatcher } from './RecordBatcher';
import type { RecordOperation, SettledRecord, SettledRecords } from './types';

/** Outcomes that may wait for the caller before reading pauses. */
const mostUntaken = 1_000;
/** In order, these include outcomes that wait for an earlier record. */
const mostUntakenInOrder = 10_000;
/** Milliseconds without a new record after which an incomplete batch is sent. */
const silenceMs = 1_000;
/** Records read before the event loop gets a turn, because neither the source nor the caller may ever wait. */
const readAtOnce = 100;

/**
 * Reads records while the caller takes their outcomes, so that neither pile up.
 *
 * @param batcher used for these records alone
 * @param cancel ends the batcher's requests
 */
export async function* settleAll<Name extends RecordOperation>(
	batcher: RecordBatcher,
	target: BatchTarget<Name>,
	source: Iterator<SettledRecords[Name]> | AsyncIterator<SettledRecords[Name]>,
	inOrder: boolean,
	cancel: () => void,
): AsyncGenerator<SettledRecord<Name>, void, void> {
	let open = true;
	let reading = false;
	const read = () => {
		open = false;
		const coming = source.next();
		if ('then' in coming) return arrival(coming);
		open = !coming.done;
		return coming;
	};
	const arrival = async (coming: ReturnType<AsyncIterator<SettledRecords[Name]>['next']>) => {
		reading = true;
		const arrived = (step?: { done?: boolean }) => {
			reading = false;
			open = step?.done === false;
			batcher.wake();
		};
		coming.then(arrived, () => arrived());
		const timer = setTimeout(() => batcher.flush(), silenceMs);
		// Stop waiting for a silent source once the batcher has stopped.
		await batcher.until(() => !reading).finally(() => clearTimeout(timer));
		return await coming;
	};

	let known: Array<SettledRecord<Name>> = [];
	let untaken = 0;
	/** Outcomes that are known before that of an earlier record. */
	const early = new Map<number, SettledRecord<Name>>();
	let due = 0;
	const learn = (settled: SettledRecord<Name>): void => {
		untaken++;
		if (!inOrder) known.push(settled);
		else early.set(settled.index, settled);
		for (let next = early.get(due); next; next = early.get(++due)) {
			early.delete(due);
			known.push(next);
		}
	};

	let failure: { error: unknown } | undefined;
	let over = false;
	const fail = (error: unknown) => void (failure ??= { error });
	const feed = async () => {
		const most = inOrder ? mostUntakenInOrder : mostUntaken;
		for (let index = 0; ; index++) {
			if (untaken >= most) {
				// The next record in order may wait in an incomplete batch that nothing would fill while reading pauses.
				if (inOrder) batcher.flush();
				await batcher.until(() => untaken < most);
			}
			if (index % readAtOnce === 0) await nextTurn();
			const coming = read();
			// Awaiting each record of a list would take as long as sending it.
			const step = 'then' in coming ? await coming : coming;
			if (step.done) return;
			const record = step.value;
			const room = batcher.add(record, target, (outcome) => learn({ index, record, ...outcome }));
			if (room) await room;
		}
	};
	const fed = feed()
		.catch(fail)
		.then(async () => await batcher.end())
		.catch(fail)
		.then(() => {
			over = true;
			batcher.wake();
		});
	try {
		while (!over || known.length > 0) {
			await batcher.until(() => known.length > 0 || over);
			const taken = known;
			known = [];
			for (const settled of taken) {
				untaken--;
				batcher.wake();
				yield settled;
			}
		}
		if (failure) throw failure.error;
	} finally {
		cancel();
		await fed;
		if (open || reading) {
			const closed = Promise.resolve(source.return?.());
			// A pending read of a silent source may block `return()` forever.
			if (reading) closed.catch(() => {});
			else await closed;
		}
	}
}

/** @throws InvalidCallError when the value is not iterable */
export function iteratorOf<Value>(
	values: Iterable<Value> | AsyncIterable<Value>,
): Iterator<Value> | AsyncIterator<Value> {
	if (Symbol.asyncIterator in Object(values)) return (values as AsyncIterable<Value>)[Symbol.asyncIterator]();
	if (Symbol.iterator in Object(values)) return (values as Iterable<Value>)[Symbol.iterator]();
	throw new InvalidCallError('The records must be a list or another iterable');
}
