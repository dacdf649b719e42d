/// <reference lib="esnext.disposable" preserve="true" />
import { ApiNodeMethods } from './ApiNodeMethods';
import { Session } from './Session';
import { SessionState } from './SessionState';
import type { CallerOptions } from './traffic/Caller';
import { Transport, type TransportOptions } from './traffic/Transport';
import { parseEndpointUrl } from './wire/location';

export interface ApiNodeClientOptions extends TransportOptions {
	/** The service whose endpoints are called. */
	serviceId: string;
}

/** What the calls of a session have in common. */
export type SessionOptions = CallerOptions;

/**
 * Client of the user API of a Dataiku API node: the methods of `dataikuapi.APINodeClient` 14.3.3 in camel case, with the
 * same bodies on the wire and the whole response as the result. Beyond it: connections kept and shared, retries where they
 * are safe, several instances, an adaptive limit on requests in flight, cancelling. A call of the client itself is a session
 * of its own; {@link session} groups calls.
 *
 * Every method throws an {@link ApiNodeError}: InvalidCallError before anything is sent, ConnectionError, TimeoutError,
 * StatusError, ResponseError, CancelledError. Integers beyond 2^53 in a response arrive as strings of their digits.
 *
 * Source: Dataiku DSS documentation, "API node user API", and the API reference of the API node.
 */
export class ApiNodeClient extends ApiNodeMethods {
	readonly #transport: Transport;
	readonly #serviceId: string;
	readonly #onEvent: TransportOptions['onEvent'];

	/** @throws InvalidCallError when the URL, a certificate or a key cannot be read */
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

	/** Whether a call is under way. */
	get isBusy(): boolean {
		return this.#transport.isBusy;
	}

	/**
	 * The service and the endpoint that a URL names, such as `https://host/public/api/v1/<service>/<endpoint>/predict`.
	 *
	 * @throws InvalidCallError when it names none, or leads to another API node
	 */
	locate(url: string): { serviceId: string; endpointId: string } {
		return parseEndpointUrl(url, this.#transport.locations);
	}

	/** Groups the calls of one execution. */
	session(options: SessionOptions = {}): Session {
		return new Session(this.#transport, this.#serviceId, new SessionState(options, this.#onEvent));
	}

	/** Takes no new calls, waits for those under way, and closes all connections. `await using` does so, too. */
	async close(): Promise<void> {
		await this.#transport.close();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.close();
	}

	/** Ends all calls, those that wait included, with a CancelledError, and closes all connections. */
	async destroy(): Promise<void> {
		await this.#transport.destroy();
	}

	protected override sessionOfCall(): SessionState {
		return new SessionState({}, this.#onEvent);
	}
}
