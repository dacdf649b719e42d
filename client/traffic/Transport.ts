import { kMaxLength } from 'node:buffer';
import { checkRange, longestTimer } from '../checkRange';
import { ApiNodeError, CancelledError, StatusError, thrownText } from '../errors';
import { isObject } from '../json';
import { notify } from '../notify';
import type { CallOptions, TransportOptions } from '../options';
import { keyAuthorization, noAuthorization, tokenAuthorization } from '../wire/authorization';
import { Connections } from '../wire/Connections';
import { type ApiResponse, type ExchangedRequest, exchangeJson } from '../wire/exchangeJson';
import { type Location, parseLocations } from '../wire/location';
import { redactor, type SecretHeaders } from '../wire/secretHeaders';
import type { AttemptContext } from '../wire/toClientError';
import { Call, type CallRequest, noToken } from './Call';
import type { Caller, CallScope, ClientEvent, Credential, TokenSource } from './Caller';
import { systemClock } from './clock';
import { EndpointMemory } from './EndpointMemory';
import type { Slot } from './EndpointQueue';
import { type Instance, Instances, type Liveness } from './Instances';

export interface ApiRequest extends CallRequest {
	path: string;
	endpoint: EndpointMemory;
	body: string;
	headers: SecretHeaders;
	/** Whether responses that are not JSON and any status are valid, because a function can choose both. */
	ofFunction?: boolean;
	/** Number of records, if the response has one result for each. Limits the size of the response. */
	records?: number;
}

/** Idle endpoints that are remembered. There must be a limit, because IDs can come from expressions. */
const mostEndpoints = 1_000;

/** How often a call gives its slot back for another token. */
const mostLooks = 20;

/** Sends one request to the API node and returns its response. All requests of the client go through this class. */
export class Transport {
	readonly locations: readonly Location[];
	private readonly instances: Instances;
	/** Endpoints by path, as long as something refers to them. */
	private readonly endpoints = new Map<string, WeakRef<EndpointMemory>>();
	private readonly forgotten = new FinalizationRegistry((path: string) => {
		if (!this.endpoints.get(path)?.deref()) this.endpoints.delete(path);
	});
	/** The endpoints used last, the latest at the end. This set keeps them in memory. */
	private readonly recent = new Set<EndpointMemory>();
	private readonly access: Access;
	private readonly onEvent?: (event: ClientEvent) => void;
	private readonly clock = systemClock;
	private readonly callers = new Set<Caller>();
	private ended: CancelledError | undefined;
	private readonly onDrained: Array<() => void> = [];

	constructor(options: TransportOptions) {
		const { url, apiKey, bearerToken, tokens, onEvent, connectTimeout = 5_000, ...connection } = options;
		checkRange('connectTimeout', connectTimeout, 1, longestTimer);
		this.locations = parseLocations(url);
		const connections = this.locations.map((each) => new Connections(each, { ...connection, connectTimeout }));
		this.instances = new Instances(connections, this.clock, {
			checkAlive: async ({ connections }) => await checkAlive(connections),
			onOut: ({ host }, breakMs) => this.notifyAll({ type: 'instanceOut', instance: host, breakMs }),
			onBack: ({ host }) => {
				this.notifyAll({ type: 'instanceBack', instance: host });
				for (const endpoint of this.endpoints.values()) endpoint.deref()?.queue.admit();
			},
		});
		this.access = accessOf({ apiKey, bearerToken, tokens }) ?? { authorization: noAuthorization };
		this.onEvent = onEvent;
	}

	get isBusy(): boolean {
		return this.callers.size > 0;
	}

	mostInFlight(maxConcurrency = 8): number {
		return maxConcurrency * this.instances.all.length;
	}

	/** @throws ApiNodeError describing the last attempt */
	async send(request: ApiRequest, options: CallOptions, caller: Caller): Promise<ApiResponse> {
		const limits = limitsOf(options, request.records);
		const { tokens, authorization } = accessOf(options) ?? accessOf(caller.credential) ?? this.access;
		const { endpoint } = request;
		const scope = this.begin(caller, options.signal);
		const call = new Call(endpoint, this.instances, caller, scope, request, { ...limits, tokens }, this.clock);
		const bodySize = Buffer.byteLength(request.body);
		let renewed = false;
		try {
			for (;;) {
				const { slot, token } = await this.enter(call, endpoint);
				const timeout = call.start(slot, limits.timeout);
				const { attempts } = call;
				const attemptLimits = { ...limits, timeout, attempts };
				const attempt = await this.attempt(slot.pool.instance, request, attemptLimits, token ?? authorization, scope);
				const { failure, response } = attempt;
				const { ofFunction = false } = request;
				const { instance } = slot.pool;
				caller.emit({
					type: 'request',
					endpoint: endpoint.name,
					instance: instance.host,
					attempt: attempts,
					durationMs: this.clock.now() - slot.startedAt,
					...(failure && { error: failure }),
				});
				endpoint.report(call, slot, {
					failure,
					timeout,
					bodySize,
					ofFunction,
					waitedMs: waitedMs(response?.value, ofFunction),
				});
				if (!failure) {
					if (token !== undefined) tokens!.accepted?.(token);
					return response!;
				}
				if (!(failure instanceof ApiNodeError) || failure instanceof CancelledError) throw failure;
				if (token !== undefined && !renewed && failure instanceof StatusError && failure.status === 401) {
					renewed = true;
					const next = await call.waitForToken(tokens!.renew(token));
					// A function may have chosen the 401 after acting, so it is not called again. The next call uses the new token.
					if (request.rule.repeatable && next !== token) {
						call.renewed();
						continue;
					}
				}
				const pause = call.pauseBeforeRetry(failure, slot);
				if (pause > 0) await scope.stopping.sleep(pause, this.clock);
			}
		} finally {
			scope.end();
		}
	}

	/** Sends a GET to one instance after the other until one responds. */
	async get(
		request: Pick<ExchangedRequest, 'path' | 'headers' | 'acceptAny'>,
		options: CallOptions,
		caller: Caller,
	): Promise<ApiResponse> {
		const limits = limitsOf(options);
		const { tokens, authorization } = accessOf(options) ?? accessOf(caller.credential) ?? this.access;
		const scope = this.begin(caller, options.signal);
		let failure: Error | undefined;
		try {
			const late = () => noToken(tokens, limits.deadline, 0);
			const inTime = async <T>(coming: Promise<T>) =>
				await scope.stopping.wait(coming, limits.deadline, this.clock, late);
			const current = async () => {
				const coming = tokens?.get();
				return typeof coming === 'object' ? await inTime(coming) : coming;
			};
			let token = await current();
			let renewed = false;
			const left = [...this.instances.available()];
			for (let instance = left.shift(); instance;) {
				const attempt = await this.attempt(
					instance,
					request,
					{ ...limits, attempts: 1 },
					token ?? authorization,
					scope,
				);
				failure = attempt.failure;
				if (!failure) {
					if (token !== undefined) tokens!.accepted?.(token);
					return attempt.response!;
				}
				if (failure instanceof CancelledError) break;
				const mayRenew: boolean =
					token !== undefined && !renewed && failure instanceof StatusError && failure.status === 401;
				renewed ||= mayRenew;
				if (mayRenew && (await inTime(tokens!.renew(token!))) !== token) token = await current();
				else instance = left.shift();
			}
		} finally {
			scope.end();
		}
		throw failure!;
	}

	now(): number {
		return this.clock.now();
	}

	/** Returns the memory of an endpoint, which all of its users share. @param path of the endpoint */
	endpoint(path: string): EndpointMemory {
		let memory = this.endpoints.get(path)?.deref();
		if (!memory) {
			memory = new EndpointMemory(path.split('/').slice(-2).join('/'), this.instances, this.clock);
			this.endpoints.set(path, new WeakRef(memory));
			this.forgotten.register(memory, path);
		}
		this.recent.delete(memory);
		this.recent.add(memory);
		if (this.recent.size > mostEndpoints) this.recent.delete(this.recent.values().next().value!);
		return memory;
	}

	async close(): Promise<void> {
		this.ended ??= new CancelledError('The client was closed');
		if (this.callers.size > 0) await new Promise<void>((resolve) => this.onDrained.push(resolve));
		await this.destroy();
	}

	async destroy(): Promise<void> {
		const reason = new CancelledError('The client was destroyed');
		this.ended ??= reason;
		for (const caller of this.callers) caller.cancel(reason);
		await Promise.all(this.instances.all.map(async ({ connections }) => await connections.destroy()));
	}

	/** Begins work for a caller. Until its end, the caller receives events about instances. */
	begin(caller: Caller, signal: AbortSignal | undefined): CallScope {
		if (this.ended && !this.callers.has(caller)) throw this.ended;
		const scope = caller.begin(this.callers, signal);
		const end = () => {
			scope.end();
			if (this.callers.size === 0) for (const drained of this.onDrained.splice(0)) drained();
		};
		return { ...scope, end };
	}

	/**
	 * Takes a slot for an attempt, with a token that has not expired in the queue. While it waits for a token, it holds no
	 * slot.
	 */
	private async enter(call: Call, endpoint: EndpointMemory): Promise<{ slot: Slot; token?: string }> {
		const { tokens } = call;
		if (!tokens) return { slot: await endpoint.queue.enter(call) };
		let prompt = false;
		for (let looks = 1; ; looks++) {
			const coming = tokens.get();
			prompt ||= typeof coming === 'string';
			const first = typeof coming === 'string' ? coming : await call.waitForToken(coming);
			const entering = endpoint.queue.enter(call);
			const slot = await entering;
			const token = await this.availableToken(tokens);
			if (token !== undefined) return { slot, token };
			// A source that always takes time, or whose tokens always seem to have expired, would never have a better one.
			if (entering === slot || looks > (prompt ? mostLooks : 1)) return { slot, token: first };
			endpoint.release(call, slot);
			call.gaveSlotBack(slot);
		}
	}

	/** The token if it is available without waiting. */
	private async availableToken(tokens: TokenSource): Promise<string | undefined> {
		const token = tokens.get();
		if (typeof token === 'string') return token;
		const soon = new Promise<undefined>((resolve) => this.clock.soon(() => resolve(undefined)));
		// The next call reports why there is no token.
		return await Promise.race([token.catch(() => undefined), soon]);
	}

	/**
	 * Never throws, because every outcome must be reported.
	 *
	 * @param access a token or headers
	 */
	private async attempt(
		{ connections }: Instance,
		request: ExchangedRequest,
		limits: AttemptLimits,
		access: string | SecretHeaders,
		{ stopping, cancellation }: CallScope,
	): Promise<{ response?: ApiResponse; failure?: ApiNodeError }> {
		try {
			if (stopping.reason) throw stopping.reason;
			const authorization = typeof access === 'string' ? tokenAuthorization(access) : access;
			const { onCancel } = cancellation;
			const response = await exchangeJson(
				request,
				authorization,
				{ ...limits, onCancel },
				{
					...limits,
					connections,
					redact: redactor([...authorization.secrets, ...request.headers.secrets, ...connections.secrets]),
				},
			);
			return { response };
		} catch (error) {
			return { failure: error as ApiNodeError };
		}
	}

	private notifyAll(event: ClientEvent): void {
		notify(this.onEvent, event);
		for (const caller of this.callers) caller.notify(event);
	}
}

/** How a call authenticates: with tokens, which each attempt asks for, or with fixed headers. */
interface Access {
	tokens?: TokenSource;
	authorization: SecretHeaders;
}

/** @throws InvalidCallError for a token that cannot be sent in a header */
function accessOf({ tokens, apiKey, bearerToken }: Credential): Access | undefined {
	if (tokens) return { tokens: withErrors(tokens), authorization: noAuthorization };
	if (apiKey) return { authorization: keyAuthorization(apiKey) };
	return bearerToken ? { authorization: tokenAuthorization(bearerToken) } : undefined;
}

/** @throws InvalidCallError for a token that cannot be sent in a header */
export function checkCredential(credential: Credential): void {
	accessOf(credential);
}

/** Every failure of the source becomes the rejection of a promise, because the call may hold a slot. */
function withErrors(tokens: TokenSource): TokenSource {
	const failed = (cause: unknown): never => {
		if (cause instanceof ApiNodeError) throw cause;
		throw new ApiNodeError(`No access token: ${thrownText(cause)}`, {}, { cause });
	};
	return {
		provider: tokens.provider,
		accepted: (token) => notify((each) => tokens.accepted?.(each), token),
		get: () => {
			try {
				const token = tokens.get();
				return typeof token === 'string' ? given(token) : Promise.resolve(token).then(given).catch(failed);
			} catch (error) {
				return Promise.resolve(error).then(failed);
			}
		},
		renew: async (refused) => {
			try {
				return await tokens.renew(refused);
			} catch (error) {
				return failed(error);
			}
		},
	};
}

/** Without a token, the request would be sent without authentication. */
function given(token: unknown): string {
	if (typeof token === 'string' && token !== '') return token;
	throw new ApiNodeError('No access token: the source returned none');
}

type AttemptLimits = Pick<AttemptContext, 'timeout' | 'maxResponseBytes' | 'attempts'>;

/**
 * How long a request waited for a pipeline, which API nodes report in microseconds (undocumented). 0 if the response does
 * not tell, for example because a function built its own response.
 */
function waitedMs(response: unknown, ofFunction: boolean): number {
	const enveloped = isObject(response) && (!ofFunction || 'response' in response);
	const timing = enveloped ? response.timing : undefined;
	return isObject(timing) && typeof timing.wait === 'number' ? timing.wait / 1_000 : 0;
}

async function checkAlive(connections: Connections): Promise<Liveness> {
	const request = { method: 'GET', path: '/isAlive/', headers: {} } as const;
	try {
		const { status } = await connections.exchange(request, { timeout: 5_000, maxResponseBytes: 2 ** 20 });
		return status >= 500 ? 'draining' : 'alive';
	} catch {
		return 'unreachable';
	}
}

/** @throws InvalidCallError for a value with which no call can succeed */
export function limitsOf(options: CallOptions, records = Infinity) {
	const ofRecords = Math.min(64 * 2 ** 20, 4 * 2 ** 20 + records * 256 * 1024);
	const { timeout = 30_000, maxConcurrency = 8, maxResponseBytes = ofRecords } = options;
	checkRange('timeout', timeout, 1, longestTimer);
	checkRange('deadline', options.deadline, 1);
	checkRange('maxConcurrency', maxConcurrency, 1);
	checkRange('maxAttempts', options.maxAttempts, 1);
	checkRange('maxResponseBytes', maxResponseBytes, 1, kMaxLength);
	const { deadline = 4 * timeout, maxAttempts = Infinity } = options;
	return { timeout, maxConcurrency, maxResponseBytes, deadline, maxAttempts };
}
