import { kMaxLength } from 'node:buffer';
import { sleep, unlessAborted } from './abort';
import { type Access, keyAccess, noAccess, tokenAccess } from './access';
import { decoded } from './decode';
import { EndpointTraffic } from './EndpointTraffic';
import { AnswerError, type ApiNodeError, CancelledError, ConnectionError, StatusError, TimeoutError } from './errors';
import type { ExchangeFailure, ExchangeLimits, WireAnswer } from './exchange';
import { contentType, type FailureContext, fromExchangeFailure, fromStatus, notJson } from './failures';
import { Fleet, type Liveness } from './Fleet';
import { type ConnectionOptions, Instance } from './Instance';
import { parseJson } from './json';
import type { Lane } from './Lane';
import { parseLocations } from './location';
import { checkRange, longestTimer } from './ranges';
import { backoff, type CallHistory, mayRetry } from './retry';

/** A bearer token that can be renewed, as OAuth2 access tokens can. */
export interface TokenSource {
	/** The token to send. */
	get(): Promise<string>;
	/** Called after the API node refused a token; answers another one. */
	renew(refused: string): Promise<string>;
}

export interface TransportOptions extends ConnectionOptions {
	/** URL of the API node, with a path prefix or not; several instances as a list, or separated by commas. */
	url: string | readonly string[];
	/** API key of the service: HTTP Basic, user name the key, password empty. */
	apiKey?: string;
	/** Token of a service secured by JWT/OAuth2. */
	bearerToken?: string;
}

/** How one call behaves; every value has a default that suits an API node as it comes. */
export interface CallOptions {
	/** Milliseconds for one attempt. Default: 30,000; it should exceed the API node's 10 s in queue. */
	timeout?: number;
	/** Milliseconds for all attempts and the pauses between them, waiting for room aside. Default: four times `timeout`. */
	deadline?: number;
	/** Requests in flight per endpoint and instance. Default: 8, an API node's default pool. */
	maxConcurrency?: number;
	/** Bytes of a decoded answer. Default: 64 MiB. */
	maxAnswerBytes?: number;
	/** Ends the call with a CancelledError, wherever it is. */
	signal?: AbortSignal;
	/** Another service of the same API node. */
	serviceId?: string;
	/** Where the token comes from, in place of the client's own key or token. */
	tokens?: TokenSource;
	/** Counts what the call needed beyond one request. */
	statistics?: CallStatistics;
}

/** What was done so that calls succeed; one object may serve many calls. */
export class CallStatistics {
	/** Requests made again. */
	retries = 0;
	/** Batches sent again in parts, to find the records that fail. */
	splits = 0;
	/** host:port of instances left out. */
	readonly leftOut = new Set<string>();
}

export interface ApiRequest {
	path: string;
	/** Path of the endpoint, whose limits the request shares with all others to it. */
	endpoint: string;
	body: string;
	/** Times that the API node answered 500 to this request already, as a part of a larger one. */
	serverErrors?: number;
	/** Whether the API node may get the request twice. */
	repeatable: boolean;
	/** Whether an answer that is not JSON is an answer, too. */
	acceptAny?: boolean;
}

/** A function's answer that is not JSON. */
export class RawAnswer {
	constructor(
		/** Without parameters, in lower case; empty when the function named none. */
		readonly contentType: string,
		readonly data: Buffer,
		private readonly charset = 'utf-8',
	) {}

	/** The data as text. @throws RangeError for a charset that does not exist */
	text(): string {
		return new TextDecoder(this.charset).decode(this.data);
	}
}

/** One for each endpoint; ids can come from expressions, so their number has an end. */
const mostEndpoints = 1_000;

/**
 * Brings one request to the API node and its answer back: picks an instance, waits for room there, sends, judges what
 * came, tries again where that is allowed. Every request of the client passes here.
 */
export class Transport {
	private readonly fleet: Fleet;
	private readonly endpoints = new Map<string, EndpointTraffic>();
	private readonly access: Access;

	constructor(options: TransportOptions) {
		const { url, apiKey, bearerToken, connectTimeout = 5_000, ...connection } = options;
		checkRange('connectTimeout', connectTimeout, 1, longestTimer);
		const instances = parseLocations(url).map((location) => new Instance(location, { ...connection, connectTimeout }));
		this.fleet = new Fleet(
			instances,
			(instance) => this.checkAlive(instance),
			() => this.endpoints.forEach((traffic) => traffic.admit()),
		);
		this.access = apiKey ? keyAccess(apiKey) : bearerToken ? tokenAccess(bearerToken) : noAccess;
	}

	/** @throws ApiNodeError telling what happened to the last attempt */
	async send(request: ApiRequest, options: CallOptions = {}): Promise<unknown> {
		const { maxConcurrency = 8, signal, statistics, tokens } = options;
		const limits = limitsOf(options);
		let left = options.deadline ?? 4 * limits.timeout;
		const traffic = this.traffic(request.endpoint);
		const tried = new Set<Instance>();
		const history: CallHistory = { attempts: 0, timeouts: 0, serverErrors: request.serverErrors ?? 0 };
		let token = tokens && (await unlessAborted(tokens.get(), signal));
		let renewed = false;

		for (;;) {
			const lane = await traffic.enter(maxConcurrency, tried, signal);
			const startedAt = Date.now();
			history.attempts++;
			let failure: ApiNodeError;
			try {
				const attemptLimits = { ...limits, timeout: Math.min(limits.timeout, Math.ceil(left)) };
				const access = this.accessWith(token);
				const answer = await this.attempt(lane.instance, request, attemptLimits, access, history.attempts);
				lane.succeeded();
				this.fleet.succeeded(lane.instance);
				traffic.budget.succeeded();
				return answer;
			} catch (error) {
				failure = error as ApiNodeError;
				if (failure instanceof CancelledError) throw failure;
				if (this.learn(failure, lane, startedAt, request.acceptAny)) statistics?.leftOut.add(lane.instance.host);
			} finally {
				traffic.leave(lane);
			}
			left -= Date.now() - startedAt;

			tried.add(lane.instance);
			if (failure instanceof StatusError && failure.status === 413) {
				traffic.maxBodyBytes = Math.min(traffic.maxBodyBytes, Math.ceil(Buffer.byteLength(request.body) / 2));
			}
			if (failure instanceof TimeoutError) history.timeouts++;
			if (failure instanceof StatusError && failure.status === 500) history.serverErrors++;
			if (token && tokens && !renewed && failure instanceof StatusError && failure.status === 401) {
				renewed = true;
				token = await unlessAborted(tokens.renew(token), signal);
				// A function may have chosen the 401 after acting: then the new token is for the next call.
				if (request.repeatable) continue;
			}
			if (!mayRetry(failure, request.repeatable, history)) throw failure;
			const neverLeft = (failure instanceof ConnectionError || failure instanceof TimeoutError) && !failure.sent;
			const movesOn =
				(neverLeft || failure instanceof ConnectionError) && history.attempts === 1 && this.hasOther(tried);
			// Neither adds to the load: a paced lane lets through single probes, which end the outage, and a request that never
			// left only moves on to another instance.
			const free = lane.paced || (movesOn && neverLeft);
			if (!free && !traffic.budget.take(failure)) throw failure;
			const floor = failure instanceof StatusError ? (failure.retryAfter ?? 0) : 0;
			const pause = movesOn ? 0 : Math.max(floor, backoff(history.attempts));
			if (pause >= left) throw tooLate(failure, pause, left);
			left -= pause;
			if (statistics) statistics.retries++;
			if (pause > 0) await sleep(pause, signal);
		}
	}

	/** A GET to the first instance that answers it. */
	async get(path: string, options: CallOptions & { acceptAny?: boolean } = {}): Promise<unknown> {
		const { tokens, signal, acceptAny } = options;
		const limits = limitsOf(options);
		const access = this.accessWith(tokens && (await unlessAborted(tokens.get(), signal)));
		let failure: unknown;
		for (const instance of this.fleet.available()) {
			try {
				return await this.attempt(instance, { path, acceptAny }, limits, access, 1);
			} catch (error) {
				failure = error;
				if (error instanceof CancelledError) break;
			}
		}
		throw failure;
	}

	/** What a body sent to this endpoint may weigh, as far as is known. */
	maxBodyBytes(endpoint: string): number {
		return this.traffic(endpoint).maxBodyBytes;
	}

	async destroy(): Promise<void> {
		await Promise.all(this.fleet.instances.map(async (instance) => await instance.destroy()));
	}

	private async attempt(
		instance: Instance,
		request: Pick<ApiRequest, 'path' | 'acceptAny'> & { body?: string },
		limits: RequestLimits,
		{ headers, redact }: Access,
		attempts: number,
	): Promise<unknown> {
		const context: FailureContext = { ...limits, instance, attempts, redact };
		const { path, body } = request;
		const wireRequest = { method: body === undefined ? 'GET' : 'POST', path, headers, body } as const;
		let answer: WireAnswer;
		try {
			answer = await decoded(await instance.exchange(wireRequest, limits), limits.maxAnswerBytes);
		} catch (failure) {
			throw fromExchangeFailure(failure as ExchangeFailure, context);
		}
		if (answer.status < 200 || answer.status > 299) throw fromStatus(answer, context, request.acceptAny);
		if (request.acceptAny && !/json/.test(contentType(answer))) {
			const charset = /charset="?([^";,\s]+)/i.exec(answer.headers['content-type'] ?? '')?.[1];
			return new RawAnswer(contentType(answer), answer.body, charset);
		}
		try {
			return parseJson(answer.body.toString('utf8'));
		} catch {
			throw notJson(answer, context);
		}
	}

	/**
	 * @param ownStatus the status may be a function's own, and then says nothing about the instance
	 * @returns whether the instance was put out for it
	 */
	private learn(failure: ApiNodeError, lane: Lane, startedAt: number, ownStatus = false): boolean {
		const { status, retryAfter } = failure instanceof StatusError ? failure : {};
		const busy = status === 429 || status === 503;
		if (busy || failure instanceof TimeoutError) lane.overloaded(startedAt);
		if (ownStatus && status) return false;
		const broken = failure instanceof ConnectionError || failure instanceof TimeoutError;
		const down = broken || status === 502 || status === 504;
		const permanent = failure instanceof ConnectionError && failure.permanent;
		if ((down || busy) && !permanent) lane.failed(startedAt, retryAfter);
		if (down) return this.fleet.failed(lane.instance);
		if (!busy && !(failure instanceof AnswerError)) this.fleet.succeeded(lane.instance);
		return false;
	}

	private hasOther(tried: ReadonlySet<Instance>): boolean {
		return this.fleet.available().some((instance) => !tried.has(instance));
	}

	private async checkAlive(instance: Instance): Promise<Liveness> {
		const request = { method: 'GET', path: '/isAlive/', headers: {} } as const;
		try {
			const { status } = await instance.exchange(request, { timeout: 5_000, maxAnswerBytes: 2 ** 20 });
			return status >= 500 ? 'draining' : 'alive';
		} catch {
			return 'unreachable';
		}
	}

	private traffic(endpoint: string): EndpointTraffic {
		let traffic = this.endpoints.get(endpoint);
		if (!traffic) {
			if (this.endpoints.size >= mostEndpoints) this.endpoints.delete(this.endpoints.keys().next().value!);
			this.endpoints.set(endpoint, (traffic = new EndpointTraffic(this.fleet)));
		}
		return traffic;
	}

	private accessWith(token: string | undefined): Access {
		return token === undefined ? this.access : tokenAccess(token);
	}
}

type RequestLimits = Omit<ExchangeLimits, 'connectTimeout'>;

/** @throws InvalidCallError for a value with which no call could succeed */
function limitsOf(options: CallOptions): RequestLimits {
	const { timeout = 30_000, maxAnswerBytes = 64 * 2 ** 20, signal } = options;
	checkRange('timeout', timeout, 1, longestTimer);
	checkRange('deadline', options.deadline, 1);
	checkRange('maxConcurrency', options.maxConcurrency, 1);
	checkRange('maxAnswerBytes', maxAnswerBytes, 1, kMaxLength);
	return { timeout, maxAnswerBytes, signal };
}

function tooLate(failure: ApiNodeError, pause: number, left: number): ApiNodeError {
	const seconds = (ms: number) => `${Math.max(0, Math.round(ms / 1000)).toLocaleString('en')} s`;
	const asked = failure instanceof StatusError && failure.retryAfter !== undefined && failure.retryAfter >= left;
	const advice = asked
		? `It asked to wait ${seconds(pause)} before the next try, longer than the ${seconds(left)} left for this call.`
		: 'No time was left for another try.';
	return Object.assign(failure, { facts: { ...failure.facts, advice } });
}
