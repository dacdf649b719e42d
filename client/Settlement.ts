import {
	type ApiNodeError,
	CancelledError,
	InvalidCallError,
	ResponseError,
	StatusError,
	TimeoutError,
} from './errors';
import { isObject } from './json';
import type { Operation } from './operations';
import type { Refusals } from './Refusals';
import { type RequestSettings, recordBody, recordsBody } from './requestBody';
import type { SessionState } from './SessionState';
import { mayBeCausedByRecord } from './traffic/retryPolicy';
import type { ApiResponse, CallOptions, Transport } from './traffic/Transport';
import type { JsonObject, ResponseContext, ResponseHead } from './types';
import type { SecretHeaders } from './wire/secretHeaders';

/** What became of one record: its result with the part of the response that its whole request shares, or its error. */
export type RecordOutcome =
	| { result: JsonObject; response: ResponseContext & Partial<Pick<ResponseHead, 'headers'>>; error?: undefined }
	/** `untried`: the record was never sent alone, since the endpoint refused all others in the same words. */
	| { error: ApiNodeError; untried?: true };

/** What `results` of a response is to these records: one object for each; undefined if it does not fit. */
export type Distribute = (results: JsonObject[], records: readonly number[]) => JsonObject[] | undefined;

/** What is sent in one request if all goes well, and in several if not. */
interface Batch {
	operation: Operation;
	/** The endpoint's. */
	path: string;
	/** Whether to use the action for one record. */
	single: boolean;
	/** JSON of each record, or of what must stay together: the lines of a series, separated by commas. */
	records: readonly string[];
	settings: RequestSettings;
	headers: SecretHeaders;
	/** Whether outcomes have the headers of their response. */
	responseHeaders?: boolean;
	distribute: Distribute;
	/** Bytes of the records in one request. */
	maxBodyBytes: number;
	/** Called once for each record, by its place in the batch, as soon as its outcome is known. */
	onOutcome: (record: number, outcome: RecordOutcome) => void;
}

/** Some of a batch's records, by their places, that are sent together. */
interface Part {
	records: readonly number[];
	/** Half of a request whose response did not fit. */
	afterMisfit?: boolean;
	/** Half of a request that may have made the worker die, and when that was. */
	crashedAt?: number;
}

const wordsOf = (error: ApiNodeError) => error.serverMessage ?? error.message;

/** A record in the batch may be what the API node could not bear. */
const blamesARecord = (error: ApiNodeError) => error instanceof StatusError && [400, 422, 500].includes(error.status);

/**
 * Sends a batch and tells each record's outcome. Where a request fails in a way that one record can cause, its halves are
 * sent again until the bad records stand alone and fail alone. A body that is too large is halved, too. A response that
 * does not fit its request is never assigned: its halves are tried once.
 *
 * An endpoint that refuses everything is not asked about each record. Once three records in a row failed alone in the same
 * words, a part that fails in these words is represented by two of its records, chosen at random: if both fail so, too, the
 * rest is held back until anything with the same path, settings and headers succeeds, and fails only with the end of its session's
 * work. One representative would meet the one bad record of many too often.
 *
 * @throws CancelledError and InvalidCallError, nothing else
 */
export async function settleBatch(
	batch: Batch,
	transport: Transport,
	session: SessionState,
	options: CallOptions,
): Promise<void> {
	const settlement = new Settlement(batch, transport, session, options);
	const [first, ...others] = settlement.fittingParts().map((part) => () => settlement.settle(part));
	if (others.length === 0) return await session.work(first!);
	await Promise.all([first!, ...others].map(async (settle) => await session.work(settle)));
}

class Settlement {
	private readonly refusals: Refusals;
	private readonly order: number;
	private splitting = false;

	constructor(
		private readonly batch: Batch,
		private readonly transport: Transport,
		private readonly session: SessionState,
		private readonly options: CallOptions,
	) {
		this.order = session.nextOrder();
		const { path, settings, headers } = batch;
		const { apiKey, bearerToken } = options;
		this.refusals = session.refusalsOf(JSON.stringify([path, settings, headers.headers, apiKey, bearerToken]));
	}

	/** Cuts the records where a body would get too large; nearly always there is nothing to cut. */
	fittingParts(): Part[] {
		const { records, maxBodyBytes, path } = this.batch;
		const limit = Math.min(maxBodyBytes, this.transport.maxBodyBytes(path));
		const all = records.map((_, n) => n);
		// At most three bytes of UTF-8 for each character of a string.
		if (records.reduce((characters, { length }) => characters + length, 0) * 3 <= limit) return [{ records: all }];
		const parts: Part[] = [];
		let bytes = 0;
		let start = 0;
		for (const n of all) {
			const size = Buffer.byteLength(records[n]!) + 1;
			if (n > start && bytes + size > limit) {
				parts.push({ records: all.slice(start, n) });
				start = n;
				bytes = 0;
			}
			bytes += size;
		}
		return [...parts, { records: all.slice(start) }];
	}

	/** Depth first, left before right: the records before a bad one are settled before those behind it. */
	async settle(whole: Part): Promise<void> {
		let open = [whole];
		let held: Array<{ part: Part; error: ApiNodeError }> = [];
		let successes = 0;
		for (;;) {
			while (open.length > 0) {
				const parts = this.next(open);
				const errors = await Promise.all(parts.map(async (part) => await this.attempt(part)));
				for (const [n, part] of parts.entries()) {
					const error = errors[n];
					if (!error) continue;
					if (part.records.length === 1) {
						if (this.mayBeDown(part, error)) open.unshift(part);
						else this.failAlone(part, error);
					} else if (!this.maySplit(error, part)) this.fail(part, error);
					else if (wordsOf(error) !== this.refusals.verdict || part.records.length <= 2) {
						open.push(...this.halves(part, error));
					} else {
						const rest = await this.represented(part, error);
						if (rest.held) {
							held.push({ part: rest.part, error });
							({ successes } = this.refusals);
						} else open.push(...this.halves(rest.part, error));
					}
				}
			}
			if (held.length === 0) return;
			if (this.refusals.successes === successes && !(await this.isReopened())) break;
			open = held.flatMap(({ part, error }) => this.halves(part, error));
			held = [];
		}
		for (const { part, error } of held) this.fail(part, error, true);
	}

	/** Waits for a success, or for the end of the session's other work. */
	private async isReopened(): Promise<boolean> {
		const { stopping, end } = this.session.caller.scope(this.options.signal);
		return await this.session.heldBack(this.refusals, stopping).finally(end);
	}

	/** After a crash, both halves at once: when one of them is served, the other is to blame, and not the endpoint. */
	private next(open: Part[]): Part[] {
		const part = open.pop()!;
		const other = part.crashedAt !== undefined && open.at(-1)?.crashedAt === part.crashedAt ? open.pop() : undefined;
		return other ? [part, other] : [part];
	}

	/** A record that seems to make the worker die is tried again later, as long as nobody else was answered since, either. */
	private mayBeDown({ crashedAt }: Part, error: ApiNodeError): boolean {
		if (crashedAt === undefined || !this.isCrash(error)) return false;
		const { path } = this.batch;
		return this.transport.answeredAt(path) < crashedAt && !this.transport.hasGivenUp(path, this.session.caller);
	}

	private failAlone(part: Part, error: ApiNodeError): void {
		if (blamesARecord(error)) this.refusals.refused(wordsOf(error));
		this.fail(part, error);
	}

	/** @returns why the part failed */
	private async attempt(part: Part): Promise<ApiNodeError | undefined> {
		try {
			this.assign(part, await this.send(part));
			this.refusals.succeeded();
			return undefined;
		} catch (failure) {
			const error = failure as ApiNodeError;
			if (error instanceof CancelledError || error instanceof InvalidCallError) throw error;
			return error;
		}
	}

	/** Settles two records of a part that was refused in the words of the verdict; what holds for both holds for the rest. */
	private async represented(part: Part, error: ApiNodeError): Promise<{ part: Part; held: boolean }> {
		const words = wordsOf(error);
		const rest = [...part.records];
		let refused = 0;
		for (let n = 0; n < 2 && refused === n; n++) {
			const [record] = rest.splice(Math.floor(Math.random() * rest.length), 1);
			this.splitting = true;
			const alone = { records: [record!] };
			const failure = await this.attempt(alone);
			if (failure) this.failAlone(alone, failure);
			if (failure && wordsOf(failure) === words && this.refusals.verdict === words) refused++;
		}
		return { part: { ...part, records: rest }, held: refused === 2 };
	}

	private async send({ records, crashedAt }: Part): Promise<ApiResponse> {
		const { operation, path, single, settings, headers } = this.batch;
		const texts = records.map((n) => this.batch.records[n]!);
		const body = single ? recordBody(texts[0]!, settings) : recordsBody(texts, settings);
		const action = single ? operation.action : (operation.batchAction ?? operation.action);
		return await this.transport.send(
			{
				path: `${path}/${action}`,
				endpoint: path,
				body,
				headers,
				repeatable: operation.repeatable,
				order: this.order,
				divisible: records.length > 1,
				part: crashedAt !== undefined,
				// A 500 that came back was repeated already; its parts are not, so that finding a bad record stays cheap.
				serverErrors: this.splitting ? 1 : 0,
			},
			this.options,
			this.session.caller,
		);
	}

	private assign({ records }: Part, { value, head }: ApiResponse): void {
		const { result, results, timing, apiContext } = (isObject(value) ? value : {}) as Record<string, unknown>;
		// Both lookup actions respond with a list.
		const list = this.batch.single && results === undefined ? [result] : results;
		const fits = Array.isArray(list) && list.every(isObject);
		const distributed = fits ? this.batch.distribute(list, records) : undefined;
		if (!distributed) {
			const got = fits ? `${list.length} results` : 'no list of results';
			throw new ResponseError(
				`The response does not fit the request: ${got} for ${records.length === 1 ? 'one record' : `${records.length} records`}`,
				{ advice: 'No result was assigned. Check that the endpoint is of the kind that is called.' },
				'misfit',
			);
		}
		const { headers } = this.batch.responseHeaders ? head() : {};
		const shared = { timing, apiContext, ...(headers && { headers }) } as ResponseContext;
		records.forEach((record, n) => this.batch.onOutcome(record, { result: distributed[n]!, response: shared }));
	}

	private fail({ records }: Part, error: ApiNodeError, untried = false): void {
		for (const record of records) this.batch.onOutcome(record, untried ? { error, untried } : { error });
	}

	private maySplit(error: ApiNodeError, { afterMisfit }: Part): boolean {
		if (error instanceof ResponseError) return error.reason === 'misfit' && !afterMisfit;
		if (error instanceof StatusError && error.status === 413) return true;
		if (this.isCrash(error)) return !this.transport.hasGivenUp(this.batch.path, this.session.caller);
		return blamesARecord(error);
	}

	/** What the request may have done to a worker; a deadline shorter than an attempt tells nothing of the kind. */
	private isCrash(error: ApiNodeError): boolean {
		const { timeout = 30_000, deadline = Infinity } = this.options;
		return mayBeCausedByRecord(error) && !(error instanceof TimeoutError && deadline < timeout);
	}

	/** The second half first, as the last part in is the first one out. */
	private halves({ records, crashedAt }: Part, error: ApiNodeError): Part[] {
		const middle = Math.ceil(records.length / 2);
		const marks = {
			afterMisfit: error instanceof ResponseError,
			crashedAt: this.isCrash(error) ? this.transport.now() : crashedAt,
		};
		const endpoint = this.batch.path.split('/').slice(-2).join('/');
		this.splitting = true;
		this.session.caller.emit({ type: 'split', endpoint, records: records.length, error });
		const halves = [records.slice(middle), records.slice(0, middle)].filter(({ length }) => length > 0);
		return halves.map((half) => ({ records: half, ...marks }));
	}
}
