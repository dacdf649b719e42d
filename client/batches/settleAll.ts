import { clearTimeout, setTimeout } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidCallError } from '../errors';
import type { BatchTarget, RecordOperation, SettledRecords, SettledResults } from './batchTarget';
import type { RecordBatcher, RecordOutcome } from './RecordBatcher';

/** No more records are read while so many outcomes are known that nobody has taken yet. */
const mostUntaken = 1_000;
/** In order, these include outcomes of records behind one that is still under way. */
const mostUntakenInOrder = 10_000;
/** Milliseconds of silence of the source after which a batch goes out that is not full. */
const silenceMs = 1_000;
/** Records that are read without a turn for the event loop: neither source nor consumer may ever wait. */
const readAtOnce = 100;

/** Records that are read one by one. */
export type RecordSource<Name extends RecordOperation> =
	Iterable<SettledRecords[Name]> | AsyncIterable<SettledRecords[Name]>;

/** One of many records, its number in the source, from 0, and what became of it. */
export type SettledRecord<Name extends RecordOperation> = RecordOutcome<SettledResults[Name]> & {
	index: number;
	record: SettledRecords[Name];
};

/**
 * Reads records while their outcomes are taken, so that neither pile up.
 *
 * @param batcher of these records alone
 * @param cancel ends what the batcher has under way
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
	const read = async () => {
		open = false;
		const coming = source.next();
		if (!('then' in coming)) {
			open = !coming.done;
			return coming;
		}
		reading = true;
		const arrived = (step?: { done?: boolean }) => {
			reading = false;
			open = step?.done === false;
			batcher.wake();
		};
		coming.then(arrived, () => arrived());
		const timer = setTimeout(() => batcher.flush(), silenceMs);
		// Once the batcher has stopped, a source that stays silent is not waited for.
		await batcher.until(() => !reading).finally(() => clearTimeout(timer));
		return await coming;
	};

	let known: Array<SettledRecord<Name>> = [];
	let untaken = 0;
	/** Known before one that is due earlier. */
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
				// The one that is due may wait in a batch for records that are not read.
				if (inOrder) batcher.flush();
				await batcher.until(() => untaken < most);
			}
			if (index % readAtOnce === 0) await nextTurn();
			const step = await read();
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
			// Behind a read that stays silent, it may never come to an end.
			if (reading) closed.catch(() => {});
			else await closed;
		}
	}
}

/** @throws InvalidCallError for what gives no records */
export function iteratorOf<Value>(
	values: Iterable<Value> | AsyncIterable<Value>,
): Iterator<Value> | AsyncIterator<Value> {
	if (Symbol.asyncIterator in Object(values)) return (values as AsyncIterable<Value>)[Symbol.asyncIterator]();
	if (Symbol.iterator in Object(values)) return (values as Iterable<Value>)[Symbol.iterator]();
	throw new InvalidCallError('The records must be a list or another iterable');
}
