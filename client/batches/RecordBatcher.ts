import {
	ApiNodeError,
	CancelledError,
	InvalidCallError,
	ResponseError,
	StatusError,
	thrownText,
	TimeoutError,
} from '../errors';
import { resultsBySeries, seriesKey } from '../forecastSeries';
import { isObject, isResult } from '../json';
import { type Operation, operations } from '../operations';
import { jsonText, notForJson, recordBody, recordsBody } from '../requestBody';
import type { SessionState } from '../SessionState';
import { notify } from '../notify';
import { mayBeCausedByRequest } from '../traffic/retryPolicy';
import type { Transport } from '../traffic/Transport';
import type { JsonObject, ResponseContext } from '../types';
import type { ApiResponse } from '../wire/exchangeJson';
import type { BatchTarget } from './batchTarget';
import type { Finding, Part, SearchOwner } from './RecordSearch';
import type { BatchOptions, RecordOperation, RecordOutcome, SettledRecords, SettledResults } from './types';

export interface Item {
	readonly origin: Origin;
	/** JSON of the record. For a series, the JSON of its rows, separated by commas. */
	readonly text: string;
	/** Key of the series within its batch. */
	readonly series: string;
	readonly onOutcome: (outcome: RecordOutcome) => void;
}

/** What the items of a batch share. */
interface Origin {
	readonly target: BatchTarget;
	/** The position in the work of the session, once it is sent. */
	order: number;
}

interface OpenBatch {
	/** Separate from the items, so that an item set aside does not keep the others of its batch in memory. */
	readonly origin: Origin;
	readonly items: Item[];
	readonly series: Set<string>;
	/** Length of the items' texts, with the commas between them. */
	length: number;
	/** Bytes of the first `counted` items. */
	bytes: number;
	counted: number;
}

/** Records that wait for their batches to fill. Beyond this number, the oldest batches are sent early. */
const mostWaiting = 10_000;
/** Characters of all records without an outcome. Records may contain files. */
const mostUnsettled = 32 * 1024 * 1024;
/** Bytes in UTF-8 of one code unit of a JavaScript string. */
const mostBytesPerUnit = 3;

/** Statuses that a single bad record of the batch may have caused. */
const blamesARecord = ({ status }: StatusError) => status === 400 || status === 422 || status === 500;

/**
 * Takes records one by one and returns outcomes one by one. It builds batches, sends them, and sends failed batches again
 * in parts, as the session's search decides. A response that does not match its request is never assigned to records.
 */
export class RecordBatcher implements SearchOwner {
	active = 0;
	private readonly open = new Map<string, OpenBatch>();
	private waiting = 0;
	private inFlight = 0;
	private unsettled = 0;
	private unsettledLength = 0;
	private stopped: ApiNodeError | undefined;
	private readonly wakers = new Set<() => void>();
	private leave: () => void;

	constructor(
		private readonly transport: Transport,
		private readonly session: SessionState,
		private readonly signal?: AbortSignal,
	) {
		const { stopping, end } = transport.begin(session.caller, signal);
		const forget = stopping.onCancel((reason) => this.stop(reason));
		this.stopped = stopping.reason;
		this.leave = () => {
			this.leave = () => {};
			forget();
			end();
		};
	}

	/**
	 * Takes a record. `onOutcome` is called once, as soon as the outcome is known.
	 *
	 * @returns a promise to wait for before adding the next record, so that records are not prepared faster than they are
	 *   sent. It never depends on a record that is still to be added.
	 * @throws InvalidCallError for series that cannot be told apart; CancelledError once the batcher has stopped
	 */
	add<Name extends RecordOperation>(
		record: SettledRecords[Name],
		target: BatchTarget<Name>,
		onOutcome: (outcome: RecordOutcome<SettledResults[Name]>) => void,
	): Promise<void> | undefined {
		if (this.stopped) throw this.stopped;
		let text: string;
		try {
			text = recordText(target.operation, record);
			if (target.operation === 'forecast')
				checkSeries(record as readonly JsonObject[], target.options.identifierColumns);
		} catch (error) {
			// A getter of the record may throw anything.
			const failure = error instanceof ApiNodeError ? error : notForJson(thrownText(error), { cause: error });
			notify(onOutcome, { error: failure });
			// Without this call, the code that waits for outcomes may never wake, because no request may be in progress.
			this.wake();
			return undefined;
		}
		const { key, endpoint, batchSize, maxBodyBytes, options } = target;
		const most = Math.min(maxBodyBytes, endpoint.bodySize.bytes);
		let open = this.open.get(key);
		let sent = false;
		if (open && !hasSpace(open, most, text)) {
			this.send(key, open);
			sent = true;
			open = undefined;
		}
		if (!open) this.open.set(key, (open = openBatch(target)));
		const series = target.operation === 'forecast' ? seriesIn(open, record as readonly JsonObject[]) : '';
		open.items.push({ origin: open.origin, text, series, onOutcome: onOutcome as Item['onOutcome'] });
		open.length += text.length + 1;
		this.unsettled++;
		this.unsettledLength += text.length;
		this.waiting++;
		if (open.items.length >= batchSize || !hasSpace(open, most)) this.send(key, open);
		else if (this.waiting >= mostWaiting) this.send(...this.open.entries().next().value!);
		else if (!sent && this.unsettledLength <= mostUnsettled) return undefined;
		// Without this, the caller would wait forever for incomplete batches and for records set aside.
		if (this.unsettledLength > mostUnsettled) this.flush();
		return this.hasRoom(options) ? undefined : this.until(() => this.hasRoom(options));
	}

	/** Sends incomplete batches, and lets the search decide on the records set aside once the requests in progress have ended. */
	flush(): void {
		for (const [key, batch] of this.open) this.send(key, batch);
		this.session.search.conclude(this);
	}

	/**
	 * Resolves when every record has its outcome.
	 *
	 * @throws CancelledError when some records will have no outcome
	 */
	async end(): Promise<void> {
		this.flush();
		const isOver = () => this.unsettled === 0 || (this.stopped !== undefined && this.inFlight === 0);
		if (!isOver()) await this.until(isOver);
		this.leave();
		if (this.unsettled > 0) throw this.stopped!;
	}

	/** Stops sending. Requests in progress may finish. */
	stop(reason: ApiNodeError): void {
		this.stopped ??= reason;
		this.open.clear();
		this.session.search.drop(this);
		this.wake();
	}

	/** Sends a part and reports its outcome. Called by the session's search. */
	async attempt(part: Part<Item, RecordBatcher>): Promise<void> {
		const { search, caller } = this.session;
		this.inFlight++;
		let error: ApiNodeError | undefined;
		try {
			this.assign(part.items, await this.sendPart(part));
		} catch (failure) {
			error = failure as ApiNodeError;
			if (error instanceof CancelledError) this.stop(error);
		}
		const finding: Finding = error ? await this.controlled(this.findingOf(error, part), part) : { kind: 'served' };
		this.inFlight--;
		if (search.report(part, finding, error)) {
			const { name } = part.items[0]!.origin.target.endpoint;
			caller.emit({ type: 'split', endpoint: name, records: part.items.length, error: error! });
		}
		this.session.sendNext();
		this.wake();
	}

	/** Reports the outcome of a record. Called by the session's search. */
	settle({ text, onOutcome }: Item, outcome: RecordOutcome): void {
		this.unsettled--;
		this.unsettledLength -= text.length;
		notify(onOutcome, outcome);
		// The part of another batcher may have decided this outcome.
		this.wake();
	}

	private send(key: string, { origin, items }: OpenBatch): void {
		this.open.delete(key);
		this.waiting -= items.length;
		origin.order = this.session.nextOrder();
		this.session.search.add(items, origin.target.shared, this);
		this.session.sendNext();
	}

	private hasRoom({ maxConcurrency }: BatchOptions): boolean {
		return this.unsettledLength <= mostUnsettled && this.active < this.transport.mostInFlight(maxConcurrency);
	}

	/**
	 * Resolves when the condition holds. It is checked after each outcome and each {@link wake}.
	 *
	 * @throws CancelledError once the batcher has stopped and no request is in progress
	 */
	async until(holds: () => boolean): Promise<void> {
		while (!holds()) {
			if (this.stopped && this.inFlight === 0) throw this.stopped;
			await new Promise<void>((resolve) => this.wakers.add(resolve));
		}
	}

	wake(): void {
		if (this.wakers.size === 0) return;
		for (const wake of this.wakers) wake();
		this.wakers.clear();
	}

	private async sendPart({ batch, items, crashedAt }: Part<Item, RecordBatcher>): Promise<ApiResponse> {
		const { target, order } = items[0]!.origin;
		const { operation: name, path, endpoint, settings, headers, batchSize, options } = target;
		const { action, batchAction = action, repeatable }: Operation = operations[name];
		const single = batchSize === 1 && name !== 'forecast';
		const texts = items.map(({ text }) => text);
		return await this.transport.send(
			{
				path: `${path}/${single ? action : batchAction}`,
				endpoint,
				body: single ? recordBody(texts[0]!, settings) : recordsBody(texts, settings),
				headers,
				order,
				records: name === 'forecast' ? undefined : items.length,
				rule: {
					repeatable,
					// The part may contain the record that crashed a worker, so it gets few attempts.
					attempts: crashedAt === undefined ? undefined : 2,
					// A batch is not repeated after a timeout, because its halves are its second attempt: one record may have taken
					// too long.
					repeatsTimeout: items.length === 1 && crashedAt === undefined,
					// The whole batch was already repeated after a 500, so its parts are not.
					repeatsServerError: !batch.split,
					mayBeToBlame: items.length > 1 || crashedAt !== undefined,
				},
			},
			{ ...options, signal: this.signal },
			this.session.caller,
		);
	}

	/** Sends the control record, because a batch may be refused for something that all its records share. */
	private async controlled(finding: Finding, { batch, items }: Part<Item, RecordBatcher>): Promise<Finding> {
		const { operation, options } = items[0]!.origin.target;
		const { control } = options;
		if (finding.kind !== 'refused' || !control || batch.split || items.length === 1) return finding;
		try {
			await this.sendPart({ batch, items: [{ ...items[0]!, text: recordText(operation, control) }] });
		} catch (error) {
			if (error instanceof StatusError && blamesARecord(error)) return { kind: 'failed' };
		}
		return finding;
	}

	private assign(items: readonly Item[], { value, head }: ApiResponse): void {
		const { operation, batchSize, options } = items[0]!.origin.target;
		const { result, results, timing, apiContext } = (isObject(value) ? value : {}) as Record<string, unknown>;
		// Both lookup actions respond with a list.
		const list = batchSize === 1 && operation !== 'forecast' && results === undefined ? [result] : results;
		const fits = Array.isArray(list) && list.every(operation === 'predict' ? isResult : isObject);
		const own = fits ? distributed(list as JsonObject[], items) : undefined;
		if (!own) {
			const got = fits ? `${list.length} results` : 'no list of results';
			throw new ResponseError(
				`The API node returned ${got} for ${items.length === 1 ? 'one record' : `${items.length} records`}`,
				{ advice: 'No result was used. Check that the endpoint is of the expected kind.' },
				'misfit',
			);
		}
		const { headers } = options.responseHeaders ? head() : {};
		const response = { timing, apiContext, ...(headers && { headers }) } as ResponseContext;
		items.forEach((item, n) => {
			const found = own[n]!;
			this.settle(item, found instanceof ApiNodeError ? { error: found } : { result: found, response });
		});
	}

	private findingOf(error: ApiNodeError, { items }: Part<Item, RecordBatcher>): Finding {
		if (error instanceof CancelledError) return { kind: 'cancelled' };
		const { endpoint, options } = items[0]!.origin.target;
		if (error instanceof ResponseError && error.reason === 'misfit') return { kind: 'misfit' };
		// Halving helps only if the body is too large. Headers (`code`) do not shrink with fewer records.
		if (error instanceof ResponseError && error.reason === 'tooLarge' && !error.code) return { kind: 'tooLarge' };
		if (error instanceof StatusError) {
			if (error.status === 413) return { kind: 'tooLarge' };
			if (error.status === 403 && error.isPage) return { kind: 'blocked' };
			if (blamesARecord(error)) return { kind: 'refused', words: wordsOf(error) };
		}
		const { timeout = 30_000, deadline = Infinity } = options;
		// If the deadline was shorter than an attempt, the timeout says nothing about a crash.
		const isCrash = mayBeCausedByRequest(error) && !(error instanceof TimeoutError && deadline < timeout);
		const now = this.transport.now();
		if (!isCrash || endpoint.queue.hasGivenUp(this.session.caller, now)) return { kind: 'failed' };
		return { kind: 'crashed', at: now, respondedAt: endpoint.queue.respondedAt };
	}
}

/** The API node's message contains the index of the record, which differs from request to request. */
const wordsOf = (error: StatusError) => (error.serverMessage ?? error.message).replace(/\bitem \d+:/i, 'item:');

/** Returns one result or error per record; undefined if the results do not match the records. */
function distributed(results: JsonObject[], items: readonly Item[]): Array<JsonObject | ApiNodeError> | undefined {
	const { operation, options } = items[0]!.origin.target;
	if (operation !== 'forecast') return results.length === items.length ? results : undefined;
	const series = items.map((item) => item.series);
	return resultsBySeries(results, series, options.identifierColumns);
}

const openBatch = (target: BatchTarget): OpenBatch => ({
	origin: { target, order: 0 },
	items: [],
	series: new Set(),
	length: 0,
	bytes: 0,
	counted: 0,
});

/** Whether a batch and another text fit into `most` bytes. It counts bytes only if necessary, because counting is slow. */
function hasSpace(batch: OpenBatch, most: number, text?: string): boolean {
	if (mostBytesPerUnit * (batch.length + (text?.length ?? 0) + 1) < most) return true;
	const { items } = batch;
	while (batch.counted < items.length) batch.bytes += Buffer.byteLength(items[batch.counted++]!.text) + 1;
	return text === undefined ? batch.bytes < most : batch.bytes + Buffer.byteLength(text) + 1 <= most;
}

/** @throws InvalidCallError when a series cannot be told from the others of its batch */
function seriesIn({ origin: { target }, series }: OpenBatch, [first]: readonly JsonObject[]): string {
	const { identifierColumns: columns = [] } = target.options;
	if (columns.length === 0 && series.size > 0) {
		throw new InvalidCallError('Several series require identifier columns');
	}
	const key = seriesKey(columns, first ?? {});
	if (series.has(key)) throw new InvalidCallError(`Two series have the same ${columns.join(', ')}`);
	series.add(key);
	return key;
}

/** @throws InvalidCallError for rows of several series, because one forecast would be returned for all of them */
function checkSeries(lines: readonly JsonObject[], columns: readonly string[] = []): void {
	const key = seriesKey(columns, lines[0]!);
	if (lines.some((line) => seriesKey(columns, line) !== key)) {
		throw new InvalidCallError(`The rows of a series differ in ${columns.join(', ')}`);
	}
}

function recordText(operation: RecordOperation, record: unknown): string {
	if (operation === 'forecast') {
		if (!Array.isArray(record) || record.length === 0) throw new InvalidCallError('A series must be a list of records');
		if (!record.every(isObject)) throw new InvalidCallError('A record of the series is not an object');
		record.forEach(checkJson);
		return jsonText(record).slice(1, -1);
	}
	const key = operations[operation].recordKey;
	if (!isObject(record) || !isObject(record[key])) throw new InvalidCallError(`The record has no '${key}' object`);
	checkJson(record[key]);
	return jsonText(record);
}

/** @throws InvalidCallError for an object whose toJSON returns nothing: JSON would leave it out of a record silently */
function checkJson(value: unknown): void {
	if (isObject(value) && typeof value.toJSON === 'function') jsonText(value);
}
