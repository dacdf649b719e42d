import { type RequestSettings, recordBody, recordsBody } from './bodies';
import { AnswerError, type ApiNodeError, CancelledError, InvalidCallError, StatusError } from './errors';
import { isObject } from './json';
import type { Operation } from './operations';
import type { CallOptions, Transport } from './Transport';
import type { AnswerContext, JsonObject } from './types';

/** Bytes of a request's records by default: half of the 1 MB at which reverse proxies commonly refuse a body. */
const defaultMaxBodyBytes = 512 * 1024;

/** What became of one record: its result, with the part of the answer that counts for its whole request, or its error. */
export type RecordOutcome =
	{ result: JsonObject; answer: AnswerContext; error?: undefined } | { error: ApiNodeError; untried?: true };

export interface SettleOptions extends CallOptions {
	/** Bytes of the records in one request. Default: 512 KiB. */
	maxBodyBytes?: number;
	/** Shared by the batches of one run, so that an endpoint that refuses everything is found out once. */
	verdict?: EndpointVerdict;
}

/** The words with which the endpoint refused record after record; a success takes them back. */
export class EndpointVerdict {
	words?: string;
}

/** What `results` of an answer is to the records from `start` to before `end`: one object for each; undefined if it does not fit. */
export type Distribute = (results: JsonObject[], start: number, end: number) => JsonObject[] | undefined;

export const oneResultPerRecord: Distribute = (results, start, end) =>
	results.length === end - start ? results : undefined;

/** What is sent in one request if all goes well, and in several if not. */
export interface RecordRequest {
	operation: Operation;
	/** The endpoint's. */
	path: string;
	/** Whether to use the action for one record. */
	single: boolean;
	/** JSON of each record, or of what must stay together: the lines of a series, separated by commas. */
	records: readonly string[];
	settings: RequestSettings;
	distribute: Distribute;
}

const wordsOf = (error: ApiNodeError) => error.said ?? error.message;

/** A record in the batch may be what the API node could not bear. */
const blamesARecord = (error: ApiNodeError) => error instanceof StatusError && [400, 422, 500].includes(error.status);

/**
 * Sends records and tells each one's outcome, in order. Where a request fails in a way that one record can cause, its
 * halves are sent again until the bad records stand alone and fail alone. A body that is too large is halved, too. An
 * answer that does not fit its request is never assigned: its halves are tried once.
 *
 * @throws CancelledError and InvalidCallError, nothing else
 */
export async function settleRecords(
	transport: Transport,
	request: RecordRequest,
	options: SettleOptions = {},
): Promise<RecordOutcome[]> {
	return await new Settlement(transport, request, options).run();
}

/** Records from `start` to before `end`. */
interface Range {
	start: number;
	end: number;
	/** Half of a request whose answer did not fit. */
	afterMisfit?: boolean;
}

class Settlement {
	private readonly outcomes: RecordOutcome[];
	private readonly verdict: EndpointVerdict;
	private succeeded = false;
	private splitting = false;
	/** Single records that failed in a row, and their words. */
	private alone: { count: number; words?: string } = { count: 0 };
	/** This batch's own verdict, which counts for others only when nothing of it has succeeded in the end. */
	private ownVerdict?: string;

	constructor(
		private readonly transport: Transport,
		private readonly request: RecordRequest,
		private readonly options: SettleOptions,
	) {
		this.outcomes = new Array<RecordOutcome>(request.records.length);
		this.verdict = options.verdict ?? new EndpointVerdict();
	}

	async run(): Promise<RecordOutcome[]> {
		await Promise.all(this.fittingRanges().map(async (range) => await this.settle(range)));
		if (this.ownVerdict !== undefined) this.verdict.words = this.ownVerdict;
		return this.outcomes;
	}

	/** Cuts the records where a body would get too large; nearly always there is nothing to cut. */
	private fittingRanges(): Range[] {
		const { records } = this.request;
		const limit = Math.min(
			this.options.maxBodyBytes ?? defaultMaxBodyBytes,
			this.transport.maxBodyBytes(this.request.path),
		);
		let characters = 0;
		for (const record of records) characters += record.length;
		// At most three bytes of UTF-8 for each character of a string.
		if (characters * 3 <= limit) return [{ start: 0, end: records.length }];
		const ranges: Range[] = [];
		let bytes = 0;
		let start = 0;
		for (let i = 0; i < records.length; i++) {
			const size = Buffer.byteLength(records[i]) + 1;
			if (i > start && bytes + size > limit) {
				ranges.push({ start, end: i });
				start = i;
				bytes = 0;
			}
			bytes += size;
		}
		ranges.push({ start, end: records.length });
		return ranges;
	}

	/** Depth first, left before right: the records before a bad one are settled before those behind it. */
	private async settle(whole: Range): Promise<void> {
		const open = [whole];
		const condemned: Array<[Range, ApiNodeError]> = [];
		while (open.length > 0) {
			const range = open.pop()!;
			const size = range.end - range.start;
			let error: ApiNodeError;
			try {
				this.assign(range, await this.send(range));
				this.succeeded = true;
				this.verdict.words = this.ownVerdict = undefined;
				this.alone.count = 0;
				open.push(...condemned.splice(0).map(([range]) => range));
				continue;
			} catch (failure) {
				error = failure as ApiNodeError;
			}
			if (error instanceof CancelledError || error instanceof InvalidCallError) throw error;
			if (size === 1) this.failAlone(range.start, error);
			else if (this.maySplit(error, range)) open.push(...this.halves(range, error));
			else if (this.isVerdict(error)) condemned.push([range, error]);
			else this.outcomes.fill({ error }, range.start, range.end);
		}
		for (const [{ start, end }, error] of condemned) this.outcomes.fill({ error, untried: true }, start, end);
	}

	private async send({ start, end }: Range): Promise<unknown> {
		const { operation, path, single, settings } = this.request;
		const records = this.request.records.slice(start, end);
		const body = single ? recordBody(records[0], settings) : recordsBody(records, settings);
		const action = single ? operation.action : (operation.batchAction ?? operation.action);
		const { repeatable } = operation;
		// A 500 that came back was repeated already; its parts are not, so that finding a bad record stays cheap.
		const serverErrors = this.splitting ? 1 : 0;
		return await this.transport.send(
			{ path: `${path}/${action}`, endpoint: path, body, repeatable, serverErrors },
			this.options,
		);
	}

	private assign({ start, end }: Range, answer: unknown): void {
		const { result, results, timing, apiContext } = (isObject(answer) ? answer : {}) as Record<string, unknown>;
		// Both lookup actions answer a list.
		const list = this.request.single && results === undefined ? [result] : results;
		const fits = Array.isArray(list) && list.every(isObject);
		const distributed = fits ? this.request.distribute(list, start, end) : undefined;
		if (!distributed) {
			const got = fits ? `${list.length} results` : 'no list of results';
			throw new AnswerError(
				`The answer does not fit the request: ${got} for ${end - start === 1 ? 'one record' : `${end - start} records`}`,
				{ advice: 'No result was assigned. Check that the endpoint is of the kind that this node calls.' },
				'misfit',
			);
		}
		const shared = { timing, apiContext } as AnswerContext;
		distributed.forEach((each, i) => (this.outcomes[start + i] = { result: each, answer: shared }));
	}

	private maySplit(error: ApiNodeError, range: Range): boolean {
		if (error instanceof AnswerError) return error.reason === 'misfit' && !range.afterMisfit;
		if (error instanceof StatusError && error.status === 413) return true;
		return blamesARecord(error) && !this.isVerdict(error);
	}

	private isVerdict(error: ApiNodeError): boolean {
		return [this.ownVerdict, this.verdict.words].includes(wordsOf(error));
	}

	private halves({ start, end }: Range, error: ApiNodeError): [Range, Range] {
		const middle = start + Math.ceil((end - start) / 2);
		const afterMisfit = error instanceof AnswerError;
		this.splitting = true;
		if (this.options.statistics) this.options.statistics.splits++;
		return [
			{ start: middle, end, afterMisfit },
			{ start, end: middle, afterMisfit },
		];
	}

	/**
	 * After three single records in a row with the same words and no success so far, the endpoint is taken to be the
	 * cause: what is still open is sent as it stands, and not split when it fails with these words, too. Should any of it
	 * succeed after all, the search for the bad records goes on.
	 */
	private failAlone(index: number, error: ApiNodeError): void {
		this.outcomes[index] = { error };
		const words = wordsOf(error);
		this.alone = { count: this.alone.words === words ? this.alone.count + 1 : 1, words };
		if (this.alone.count >= 3 && !this.succeeded && blamesARecord(error)) this.ownVerdict = words;
	}
}
