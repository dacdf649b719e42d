/// <reference lib="esnext.disposable" preserve="true" />
import { ApiNodeMethods } from './ApiNodeMethods';
import type { TransportOptions } from './options';
import { Session } from './Session';
import { SessionState } from './SessionState';
import type { CallerOptions } from './traffic/Caller';
import { Transport } from './traffic/Transport';
import { parseEndpointUrl } from './wire/location';

export interface ApiNodeClientOptions extends TransportOptions {
	/** ID of the service whose endpoints are called. */
	serviceId: string;
}

/** Settings that all calls of a session share. */
export type SessionOptions = CallerOptions;

/**
 * Client of the user API of a Dataiku API node. It has the methods of `dataikuapi.APINodeClient` 14.3.3 in camel case,
 * which send the same bodies and return the whole response. In addition, it keeps connections open, retries requests
 * where that is safe, spreads them over several instances, adapts the number of requests in flight, and can cancel calls.
 * Use {@link session} to group calls.
 *
 * Every method throws a subclass of {@link ApiNodeError}: InvalidCallError (nothing was sent), ConnectionError,
 * TimeoutError, StatusError, ResponseError or CancelledError. Integers beyond 2^53 in a response become strings.
 *
 * Source: Dataiku DSS documentation, "API node user API", and the API reference of the API node.
 */
export class ApiNodeClient extends ApiNodeMethods {
	readonly #transport: Transport;
	readonly #serviceId: string;
	readonly #onEvent: TransportOptions['onEvent'];

	/** @throws InvalidCallError when the URL, a certificate or a key is invalid */
	constructor(options: ApiNodeClientOptions) {
		const transport = new Transport(options);
		super(transport, options.serviceId);
		this.#transport = transport;
		this.#serviceId = options.serviceId;
		this.#onEvent = options.onEvent;
	}

	/** Origins of the instances, such as `https://apinode:12000`. */
	get origins(): readonly string[] {
		return this.#transport.locations.map(({ origin }) => origin);
	}

	/** Whether a call is in progress. */
	get isBusy(): boolean {
		return this.#transport.isBusy;
	}

	/**
	 * Returns the service and the endpoint in a URL such as `https://host/public/api/v1/<service>/<endpoint>/predict`.
	 *
	 * @throws InvalidCallError when the URL names no endpoint, or belongs to another API node
	 */
	locate(url: string): { serviceId: string; endpointId: string } {
		return parseEndpointUrl(url, this.#transport.locations);
	}

	/** Groups the calls of one execution. */
	session(options: SessionOptions = {}): Session {
		return new Session(this.#transport, this.#serviceId, new SessionState(options, this.#onEvent));
	}

	/**
	 * Accepts no new calls, waits for the calls in progress, and closes all connections. `await using` does the same. A loop
	 * over `settleAll` is in progress until it is left, so do not wait for `close` inside it.
	 */
	async close(): Promise<void> {
		await this.#transport.close();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	/** Ends all calls with a CancelledError, also those that wait, and closes all connections. */
	async destroy(): Promise<void> {
		await this.#transport.destroy();
	}

	/** @internal */
	protected override sessionOfCall(): SessionState {
		return new SessionState({}, this.#onEvent);
	}
}
