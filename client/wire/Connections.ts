import type { LookupFunction, Socket } from 'node:net';
import { env } from 'node:process';
import type { buildConnector, Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { InvalidCallError } from '../errors';
import { decoded } from '../decoded';
import type { ConnectionOptions } from '../options';
import {
	exchange,
	type ExchangeLimits,
	LookupRefused,
	maxHeaderBytes,
	type WireRequest,
	type WireResponse,
} from './exchange';
import type { Location } from './location';
import { tlsSocketOptions } from './tls';
import { loadBuildConnector, loadPool, loadProxyAgent } from './undici';

/** How long idle connections are kept, so that a webhook's next call finds one. Most servers keep them longer. */
const keepAliveMs = 30_000;

const poolOptions = {
	maxHeaderSize: maxHeaderBytes,
	// No limit on connections: requests are limited elsewhere, and undici cannot abort a request that waits inside its
	// pool.
	keepAliveTimeout: keepAliveMs,
	keepAliveMaxTimeout: keepAliveMs,
	// The exchange has its own timer, so those of undici would only cost time.
	headersTimeout: 0,
	bodyTimeout: 0,
};

/** Idle connections of all clients in this process. Beyond this number, the longest idle are closed. */
const mostIdle = 256;
const idle = new Map<Connections, { count: number; since: number }>();
let idleCount = 0;

/** Identifies this client in the logs of servers and proxies. The version is that of package.json, which is not compiled in. */
const userAgent = 'n8n-nodes-dataiku/0.1.0';

const proxyVariables = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/** A shorter user name may occur in any text by chance. */
const shortestName = 8;

/** The credentials of a proxy URL, in all forms that a server may echo: encoded, decoded, and as sent. */
function userInfo(proxy: string): string[] {
	const { username, password } = URL.canParse(proxy) ? new URL(proxy) : { username: '', password: '' };
	const written = [password, `${username}:${password}`, ...(username.length < shortestName ? [] : [username])];
	const meant = written.map(decoded);
	return [...written, ...meant, Buffer.from(meant[1]!).toString('base64')];
}

export class Connections {
	readonly host: string;
	/** Whether the environment configures a proxy. NO_PROXY may still exempt this host. */
	readonly proxied = proxyVariables.some((name) => env[name]);
	readonly secrets: readonly string[] = proxyVariables.flatMap((name) => userInfo(env[name] ?? ''));
	responded = false;
	private readonly socketOptions: buildConnector.BuildOptions;
	private dispatcher: Dispatcher | undefined;
	private readonly connecting = new Set<Socket>();
	private exchanges = 0;
	/** The most simultaneous exchanges within about {@link keepAliveMs}, which is the number of open connections. */
	private sockets = 0;
	private countedAt = -Infinity;
	private destroyed = false;

	constructor(
		private readonly location: Location,
		private readonly options: Required<Pick<ConnectionOptions, 'connectTimeout'>> & ConnectionOptions,
	) {
		this.host = location.host;
		const { tls = {}, lookup, connectTimeout } = options;
		this.socketOptions = {
			...tlsSocketOptions(tls),
			...(lookup && { lookup: refusing(lookup) }),
			timeout: connectTimeout,
		};
		this.dispatcher = this.open();
	}

	async exchange(
		request: Omit<WireRequest, 'origin'>,
		limits: Omit<ExchangeLimits, 'connectTimeout'>,
	): Promise<WireResponse> {
		const now = performance.now();
		this.leaveIdle();
		if (++this.exchanges > this.sockets || now - this.countedAt > keepAliveMs) {
			this.sockets = this.exchanges;
			this.countedAt = now;
		}
		let failed = true;
		try {
			const { origin, prefix } = this.location;
			// A copy, because undici adds the host to the headers of a request through a proxy.
			const headers = { ...request.headers };
			if (!Object.keys(headers).some((name) => name.toLowerCase() === 'user-agent')) headers['user-agent'] = userAgent;
			const wireRequest = { ...request, origin, path: prefix + request.path, headers };
			const { connectTimeout } = this.options;
			this.dispatcher ??= this.open();
			const response = await exchange(this.dispatcher, wireRequest, { ...limits, connectTimeout });
			this.responded = true;
			failed = false;
			return response;
		} finally {
			if (--this.exchanges === 0 && !this.destroyed) {
				if (failed) this.close();
				else this.becomeIdle();
			}
		}
	}

	async destroy(): Promise<void> {
		this.destroyed = true;
		this.leaveIdle();
		for (const socket of this.connecting) socket.destroy();
		// Opens a dispatcher if necessary, so that later requests fail.
		await (this.dispatcher ??= this.open()).destroy();
	}

	private becomeIdle(): void {
		const since = performance.now();
		idle.set(this, { count: this.sockets, since });
		idleCount += this.sockets;
		for (const [connections, each] of idle) {
			// The entries behind this one went idle later, so they are kept.
			if (idleCount <= mostIdle && since - each.since < keepAliveMs) return;
			connections.close();
		}
	}

	private leaveIdle(): void {
		idleCount -= idle.get(this)?.count ?? 0;
		idle.delete(this);
	}

	/**
	 * Closes idle connections. undici keeps connecting for requests that were given up, and reconnects if such a request
	 * was already on a connection (https://github.com/nodejs/undici/issues/386). While other requests are in progress, they
	 * use that connection.
	 */
	private close(): void {
		this.leaveIdle();
		for (const socket of this.connecting) socket.destroy();
		void this.dispatcher?.destroy();
		this.dispatcher = undefined;
		this.sockets = 0;
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
		const connect = loadBuildConnector()(this.socketOptions) as (
			...parameters: Parameters<buildConnector.connector>
		) => Socket;
		return new (loadPool())(this.location.origin, {
			...poolOptions,
			connect: (options, callback) => {
				const socket = connect(options, (...result) => {
					this.connecting.delete(socket);
					callback(...result);
				});
				this.connecting.add(socket);
				// A socket that is destroyed while it connects never calls back, and would leak 26 KiB.
				socket.once('close', () => this.connecting.delete(socket));
			},
		});
	}

	private proxyAgent(): EnvHttpProxyAgent {
		return new (loadProxyAgent())({
			...poolOptions,
			connect: this.socketOptions,
			requestTls: this.socketOptions,
			proxyTls: { timeout: this.options.connectTimeout },
			// Like curl: CONNECT only for https, plain forwarding for http.
			proxyTunnel: false,
		});
	}
}

/** Marks errors of the caller's lookup, to tell a refused address from one that was not found. */
function refusing(lookup: LookupFunction): LookupFunction {
	return (hostname, options, callback) =>
		lookup(hostname, options, (error, ...result) =>
			callback(error && error.code === undefined ? new LookupRefused(error.message) : error, ...result),
		);
}

/** The original error is not the cause, because its message contains the URL with its password. */
function unusableProxy(): InvalidCallError {
	return new InvalidCallError(
		'A proxy in the environment of this process (HTTP_PROXY, HTTPS_PROXY) cannot be used: it must look like http://host:port',
	);
}
