import type { LookupFunction, Socket } from 'node:net';
import { env } from 'node:process';
import { buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { InvalidCallError } from './errors';
import { exchange, type ExchangeLimits, type WireAnswer, type WireRequest } from './exchange';
import type { Location } from './location';
import { type TlsOptions, tlsSocketOptions } from './tls';

export interface ConnectionOptions {
	/** Milliseconds to open a connection, TLS and proxy included. Default: 5,000. */
	connectTimeout?: number;
	tls?: TlsOptions;
	/** Replaces Node's name look-up, to filter addresses. */
	lookup?: LookupFunction;
}

/** Idle connections are kept this long: a webhook's next call finds one; most servers keep them longer. */
const keepAliveMs = 30_000;

const poolOptions = {
	// No limit on connections: the limit on requests lies above, and one that waits inside a pool cannot be aborted.
	keepAliveTimeout: keepAliveMs,
	keepAliveMaxTimeout: keepAliveMs,
	// The exchange has its own clock; undici's would only add timers.
	headersTimeout: 0,
	bodyTimeout: 0,
};

const proxyVariables = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/** One instance of the API node: its connections, and how many requests are on them. */
export class Instance {
	readonly host: string;
	/** A proxy is set in the environment. It may still be by-passed for this host by NO_PROXY. */
	readonly proxied = proxyVariables.some((name) => env[name]);
	/** Requests that were let in and have not left, over all endpoints. */
	inFlight = 0;
	/** Whether it ever answered, with whatever status. */
	answered = false;
	private readonly socketOptions: buildConnector.BuildOptions;
	private dispatcher: Dispatcher;
	private readonly connecting = new Set<Socket>();
	private exchanges = 0;
	private destroyed = false;

	constructor(
		private readonly location: Location,
		private readonly options: Required<Pick<ConnectionOptions, 'connectTimeout'>> & ConnectionOptions,
	) {
		this.host = location.host;
		const { tls = {}, lookup, connectTimeout } = options;
		this.socketOptions = { ...tlsSocketOptions(tls), ...(lookup && { lookup }), timeout: connectTimeout };
		this.dispatcher = this.open();
	}

	async exchange(
		request: Omit<WireRequest, 'origin'>,
		limits: Omit<ExchangeLimits, 'connectTimeout'>,
	): Promise<WireAnswer> {
		this.exchanges++;
		let failed = true;
		try {
			const { origin, prefix } = this.location;
			// A copy of the headers: undici writes the host into those of a request through a proxy.
			const wireRequest = { ...request, origin, path: prefix + request.path, headers: { ...request.headers } };
			const answer = await exchange(this.dispatcher, wireRequest, {
				...limits,
				connectTimeout: this.options.connectTimeout,
			});
			this.answered = true;
			failed = false;
			return answer;
		} finally {
			if (--this.exchanges === 0 && failed && !this.destroyed) this.startAfresh();
		}
	}

	/** Closes every connection, those in use too. */
	async destroy(): Promise<void> {
		this.destroyed = true;
		await this.dispatcher.destroy();
	}

	/**
	 * For a request that was given up, undici goes on connecting, to a proxy or through it as well, and connects once more
	 * when the request was on a connection already. While others are under way, that connection is theirs.
	 */
	private startAfresh(): void {
		for (const socket of this.connecting) socket.destroy();
		const abandoned = this.dispatcher;
		this.dispatcher = this.open();
		void abandoned.destroy();
	}

	private open(): Dispatcher {
		if (!this.proxied) return this.pool();
		try {
			return this.proxyAgent();
		} catch (error) {
			throw error instanceof InvalidCallError ? error : unusableProxy();
		}
	}

	private pool(): Pool {
		const connect = buildConnector(this.socketOptions) as (
			...parameters: Parameters<buildConnector.connector>
		) => Socket;
		return new Pool(this.location.origin, {
			...poolOptions,
			connect: (options, callback) => {
				const socket = connect(options, (...result) => {
					this.connecting.delete(socket);
					callback(...result);
				});
				this.connecting.add(socket);
			},
		});
	}

	private proxyAgent(): EnvHttpProxyAgent {
		return new EnvHttpProxyAgent({
			...poolOptions,
			connect: this.socketOptions,
			requestTls: this.socketOptions,
			proxyTls: { timeout: this.options.connectTimeout },
			// As curl does: CONNECT for https alone, plain forwarding for http.
			proxyTunnel: false,
		});
	}
}

/** Without what was thrown: that repeats the URL, password included. */
function unusableProxy(): InvalidCallError {
	return new InvalidCallError(
		'A proxy in the environment of this process (HTTP_PROXY, HTTPS_PROXY) cannot be used: it must look like http://host:port',
	);
}
