import type { LookupFunction, Socket } from 'node:net';
import { env } from 'node:process';
import type { buildConnector, Dispatcher, EnvHttpProxyAgent, Pool } from 'undici';
import { InvalidCallError } from '../errors';
import { decoded } from '../decoded';
import {
	exchange,
	type ExchangeLimits,
	LookupRefused,
	maxHeaderBytes,
	type WireRequest,
	type WireResponse,
} from './exchange';
import type { Location } from './location';
import { type TlsOptions, tlsSocketOptions } from './tls';
import { loadBuildConnector, loadPool, loadProxyAgent } from './undici';

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
	maxHeaderSize: maxHeaderBytes,
	// No limit on connections: the limit on requests lies above, and one that waits inside a pool cannot be aborted.
	keepAliveTimeout: keepAliveMs,
	keepAliveMaxTimeout: keepAliveMs,
	// The exchange has its own clock; undici's would only add timers.
	headersTimeout: 0,
	bodyTimeout: 0,
};

/** Idle connections of all clients in this process. Beyond them, those idle longest are closed. */
const mostIdle = 256;
/** Whose connections are all idle, the longest first. */
const idle = new Map<Connections, { count: number; since: number }>();
let idleCount = 0;

/** Tells the logs of servers and proxies who calls. The version is that of package.json, which is not compiled in. */
const userAgent = 'n8n-nodes-dataiku/0.1.0';

const proxyVariables = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/** A shorter user name occurs in any text by chance. */
const shortestName = 8;

/** The user info of a proxy's URL as it stands there, as it is meant, and as it is sent: who is behind the proxy may echo it. */
function userInfo(proxy: string): string[] {
	const { username, password } = URL.canParse(proxy) ? new URL(proxy) : { username: '', password: '' };
	const written = [password, `${username}:${password}`, ...(username.length < shortestName ? [] : [username])];
	const meant = written.map(decoded);
	return [...written, ...meant, Buffer.from(meant[1]!).toString('base64')];
}

/** The connections to one instance of the API node, directly or through a proxy. */
export class Connections {
	readonly host: string;
	/** A proxy is set in the environment. NO_PROXY may still exempt this host. */
	readonly proxied = proxyVariables.some((name) => env[name]);
	/** Secrets of the proxies in the environment. */
	readonly secrets: readonly string[] = proxyVariables.flatMap((name) => userInfo(env[name] ?? ''));
	/** Whether the instance ever responded, with whatever status. */
	responded = false;
	private readonly socketOptions: buildConnector.BuildOptions;
	private dispatcher: Dispatcher | undefined;
	private readonly connecting = new Set<Socket>();
	private exchanges = 0;
	/** The most exchanges at a time within the last {@link keepAliveMs} or so: as many connections are open. */
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
			// A copy of the headers: undici writes the host into those of a request through a proxy.
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

	/** Closes every connection, those in use too. */
	async destroy(): Promise<void> {
		this.destroyed = true;
		this.leaveIdle();
		for (const socket of this.connecting) socket.destroy();
		// Opened if need be: what comes later must fail.
		await (this.dispatcher ??= this.open()).destroy();
	}

	private becomeIdle(): void {
		const since = performance.now();
		idle.set(this, { count: this.sockets, since });
		idleCount += this.sockets;
		for (const [connections, each] of idle) {
			// The others have already closed.
			if (idleCount <= mostIdle && since - each.since < keepAliveMs) return;
			connections.close();
		}
	}

	private leaveIdle(): void {
		idleCount -= idle.get(this)?.count ?? 0;
		idle.delete(this);
	}

	/**
	 * Nothing is under way. Yet for a request that was given up, undici goes on connecting, directly or through a proxy, and
	 * connects once more when the request was on a connection already (https://github.com/nodejs/undici/issues/386). While
	 * other requests are under way, that connection is theirs.
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
				// One that is given up while it connects never calls back: 26 KiB of heap each.
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
			// As curl does: CONNECT for https alone, plain forwarding for http.
			proxyTunnel: false,
		});
	}
}

/** Tells a look-up that refuses an address from one that finds none. */
function refusing(lookup: LookupFunction): LookupFunction {
	return (hostname, options, callback) =>
		lookup(hostname, options, (error, ...result) =>
			callback(error && error.code === undefined ? new LookupRefused(error.message) : error, ...result),
		);
}

/** Without what was thrown: that repeats the URL, password included. */
function unusableProxy(): InvalidCallError {
	return new InvalidCallError(
		'A proxy in the environment of this process (HTTP_PROXY, HTTPS_PROXY) cannot be used: it must look like http://host:port',
	);
}
