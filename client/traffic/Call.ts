import { type ApiNodeError, ConnectionError, StatusError, TimeoutError } from '../errors';
import type { Caller, CallScope, Credential, TokenSource } from './Caller';
import type { Cancellation } from './cancellation';
import type { Clock } from './clock';
import type { EndpointMemory } from './EndpointMemory';
import type { QueuedCall, Slot } from './EndpointQueue';
import type { Instance, Instances } from './Instances';
import {
	backoff,
	type CallHistory,
	isRetryable,
	maxAttempts,
	mayBeCausedByRequest,
	patienceMs,
	type RetryRule,
} from './retryPolicy';

interface CallLimits {
	maxAttempts: number;
	maxConcurrency: number;
	/** Milliseconds for all attempts, the pauses between them, and the wait for an endpoint that does not respond. */
	deadline: number;
}

export interface CallRequest {
	rule: RetryRule;
	/** The position of its batch or call in the work of the caller. */
	order: number;
}

/** One call with all of its attempts. Decides whether it is attempted again. */
export class Call implements QueuedCall {
	readonly maxConcurrency: number;
	readonly order: number;
	readonly tried = new Set<Instance>();
	readonly stopping: Cancellation;
	readonly tokens?: TokenSource;
	attempts = 0;
	left: number;
	private readonly rule: RetryRule;
	private maxAttempts: number;
	private readonly history: CallHistory;
	/** Failures for which this call, and not the endpoint, is to blame. */
	private ownFailures = 0;
	private failedAt = Infinity;
	private isLast = false;
	private failure: ApiNodeError | undefined;

	constructor(
		private readonly endpoint: EndpointMemory,
		private readonly instances: Instances,
		readonly caller: Caller,
		scope: CallScope,
		request: CallRequest,
		limits: CallLimits & Pick<Credential, 'tokens'>,
		private readonly clock: Clock,
	) {
		this.maxConcurrency = limits.maxConcurrency;
		this.order = request.order;
		this.rule = request.rule;
		this.left = limits.deadline;
		this.maxAttempts = limits.maxAttempts;
		this.tokens = limits.tokens;
		const { repeatsTimeout = true, repeatsServerError = true } = request.rule;
		this.history = { timeouts: repeatsTimeout ? 0 : 1, serverErrors: repeatsServerError ? 0 : 1 };
		this.stopping = scope.stopping;
	}

	/** The last attempt was refused because of its token. An attempt with a new token does not count against `maxAttempts`. */
	renewed(): void {
		this.maxAttempts++;
	}

	/** @returns milliseconds for the attempt that is about to start */
	start(slot: Slot, timeout: number): number {
		this.attempts++;
		this.left -= slot.silentMs;
		return Math.max(1, Math.min(timeout, Math.ceil(this.left)));
	}

	/** The call took a slot and gave it back, because its token expired in the queue. */
	gaveSlotBack(slot: Slot): void {
		this.left -= slot.silentMs;
	}

	/** Waits for a token without a slot. The wait counts only against the call's own deadline. */
	async waitForToken<Token>(coming: Promise<Token>): Promise<Token> {
		const since = this.clock.now();
		const { left, attempts, tokens } = this;
		const late = () => noToken(tokens, left, attempts);
		return await this.stopping.wait(coming, left, this.clock, late).finally(() => {
			this.left -= this.clock.now() - since;
		});
	}

	noResponse(silentMs: number, pauseMs = 0): ApiNodeError {
		if (pauseMs > 0) {
			if (this.failure) return tooLate(this.failure, pauseMs, Math.max(0, this.left));
			const message = `The endpoint asked for a pause of ${seconds(pauseMs)}, which is longer than this call can wait, so this request was not sent`;
			return new TimeoutError(message, { attempts: 0, advice: 'Try again after the pause.' }, false);
		}
		if (this.failure && silentMs < 1_000) return tooLate(this.failure, 0, 0);
		const advice = `The endpoint did not respond to any request for ${seconds(silentMs)}.`;
		if (this.failure) return advised(this.failure, advice);
		const message = `The endpoint has not responded for ${seconds(silentMs)}, so this request was not sent`;
		return new TimeoutError(
			message,
			{ attempts: 0, advice: 'Check that the API node is running and not overloaded.' },
			false,
		);
	}

	/**
	 * Decides what follows after an attempt that failed and was reported.
	 *
	 * @returns milliseconds to wait before the next attempt
	 * @throws the failure if there is no next attempt
	 */
	pauseBeforeRetry(failure: ApiNodeError, slot: Slot): number {
		const now = this.clock.now();
		const { instance } = slot.pool;
		if (failure instanceof TimeoutError) this.history.timeouts++;
		if (failure instanceof StatusError && failure.status === 500) this.history.serverErrors++;
		this.tried.add(instance);
		this.left -= now - slot.startedAt;
		if (this.isOwn(failure)) this.ownFailures++;
		this.failedAt = now;
		// An attempt that the deadline cut short is less informative than the failure before it.
		if (this.left <= 0 && failure instanceof TimeoutError && this.failure)
			throw this.failure.withAdvice('No time was left for another attempt.', this.attempts);
		this.failure = failure;
		if (this.stopping.reason) throw failure;
		if (!isRetryable(failure, this.rule.repeatable, this.history)) throw failure;
		if (this.attempts >= this.maxAttempts) throw failure;
		if (this.ownFailures >= (this.rule.attempts ?? maxAttempts)) throw failure;

		const patience = (slot.turn.patienceEnds(this.endpoint.queue.respondedAt) ?? Infinity) - now;
		if (patience <= 0) throw this.noResponse(patienceMs);
		const movesOn = failure instanceof ConnectionError || (failure instanceof TimeoutError && !failure.sent);
		const atOnce = movesOn && this.attempts === 1 && this.hasOtherInstance();
		if (!this.mayAddLoad(failure, slot, atOnce, now)) throw failure;
		const asked = failure instanceof StatusError ? (failure.retryAfter ?? 0) : 0;
		if (this.isLast || asked >= this.left) throw tooLate(failure, asked, this.left);
		let pause = atOnce ? 0 : Math.max(asked, backoff(this.attempts));
		// If the random pause does not fit into the remaining time, pause for half of it, so that a last attempt has the
		// rest.
		this.isLast = pause >= this.left;
		if (this.isLast) pause = Math.max(asked, this.left / 2);
		if (pause >= patience) throw asked >= patience ? tooLate(failure, asked, patience) : this.noResponse(patienceMs);
		this.left -= pause;
		const event = { endpoint: this.endpoint.name, instance: instance.host, attempt: this.attempts };
		this.caller.emit({ type: 'retry', ...event, pauseMs: pause, error: failure });
		return pause;
	}

	/**
	 * Whether the failure counts against this call's `maxAttempts`. The alternative is that the endpoint responds to no
	 * request, in which case the call waits for it. A host name that does not exist will not appear meanwhile.
	 */
	private isOwn(failure: ApiNodeError): boolean {
		if (this.rule.mayBeToBlame && mayBeCausedByRequest(failure)) return true;
		return this.ownFailures === 0 || failure.code === 'ENOTFOUND' || this.endpoint.queue.respondedAt > this.failedAt;
	}

	private mayAddLoad(failure: ApiNodeError, { pool, turn }: Slot, atOnce: boolean, now: number): boolean {
		// These retries add no load: a failing pool admits only single probes, and a request that was never sent only moves
		// to another instance.
		const unsent = (failure instanceof ConnectionError || failure instanceof TimeoutError) && !failure.sent;
		if (pool.failing || (atOnce && unsent)) return true;
		if (this.endpoint.budget.take(failure, now)) return true;
		const responded = failure instanceof StatusError ? failure.status === 500 : !('sent' in failure);
		return !responded && turn.ownRetries-- > 0;
	}

	private hasOtherInstance(): boolean {
		return this.instances.available().some((instance) => !this.tried.has(instance));
	}
}

export function noToken(tokens: TokenSource | undefined, ms: number, attempts: number): TimeoutError {
	const { provider = 'of this session' } = tokens ?? {};
	const advice = 'Check that the identity provider is running and that this machine can reach it.';
	const message = `The identity provider ${provider} issued no access token within ${seconds(ms)}`;
	return new TimeoutError(message, { attempts, advice }, false);
}

const seconds = (ms: number) =>
	ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${Math.round(ms / 1000).toLocaleString('en')} s`;

function tooLate(failure: ApiNodeError, asked: number, left: number): ApiNodeError {
	return advised(
		failure,
		asked > 0 && asked >= left
			? `The response asked for a pause of ${seconds(asked)}, but only ${seconds(left)} were left for this call.`
			: 'No time was left for another attempt.',
	);
}

/** Adds advice. Connection errors and timeouts keep their own advice in front of it. */
function advised(failure: ApiNodeError, advice: string): ApiNodeError {
	const first = failure instanceof StatusError ? undefined : failure.advice;
	return failure.withAdvice([first, advice].filter(Boolean).join(' '));
}
