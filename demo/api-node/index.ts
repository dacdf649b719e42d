import type { AddressInfo } from 'node:net';
import { defaultPool, type PoolOptions } from './pool';
import { RequestLog } from './request-log';
import { createServer, type Observe } from './server';
import type { Redeployment } from './service';
import { type AcceptsToken, demoServices } from './services';

export { jwtCheck, type JwtRules } from './jwt';
export type { PoolOptions } from './pool';
export type { RequestLog } from './request-log';

export interface ApiNodeOptions {
	/** Default: 0, any free port. */
	port?: number;
	/** Default: 127.0.0.1. */
	host?: string;
	tls?: {
		key: string | Buffer;
		cert: string | Buffer;
		ca?: string | Buffer;
		requestCert?: boolean;
		rejectUnauthorized?: boolean;
	};
	/** Milliseconds of work per request, inside the endpoint's pool. Default: 0. */
	latencyMs?: number;
	/** Settings per endpoint. Default: floor 1, cruise 2, ceil 8, queue 16, queueTimeoutMs 10,000. */
	pool?: Partial<PoolOptions>;
	/** Milliseconds to start a pipeline, for the request that needs it. Default: 0. */
	pipelineStartMs?: number;
	/** Path of a reverse proxy, such as `/dataiku`. Default: none. */
	pathPrefix?: string;
	/** In bytes. Default: 64 MiB. */
	bodyLimit?: number;
	/** Whether services serve their OpenAPI document. Default: true. */
	swagger?: boolean;
	/** Default: accepts `demo-token`. {@link jwtCheck} accepts JWTs of an OAuth2 server. */
	acceptsToken?: AcceptsToken;
	/** Requests that the log keeps. Default: 1,000. */
	keptRequests?: number;
	/**
	 * Called when a request has been received, and when the operating system has its response, which it delivers even if the
	 * process is killed.
	 */
	observe?: Observe;
}

export interface PoolState {
	readonly running: number;
	readonly waiting: number;
	readonly peak: number;
	readonly rejected: number;
	readonly pipelines: number;
}

export interface ApiNode {
	/** With the path prefix, without a trailing slash. */
	url: string;
	port: number;
	requests: RequestLog;
	pool(service: string, endpoint: string): PoolState;
	/** Lets `/isAlive/` respond with 5xx. The node still serves requests. */
	setAlive(alive: boolean): void;
	setLatency(ms: number): void;
	/** Simulates the activation of a new generation of every service: `v1` or `v2` gets all requests. */
	activate(generation: string): void;
	/** Simulates a new deployment of an endpoint of the service `demo` without a new generation. */
	redeploy(endpoint: string, changes: Redeployment): void;
	/** Closes open sockets immediately. */
	close(): Promise<void>;
}

export async function startApiNode(options: ApiNodeOptions = {}): Promise<ApiNode> {
	const { host = '127.0.0.1', tls, pathPrefix = '' } = options;
	const state = { alive: true, latencyMs: options.latencyMs ?? 0 };
	const requests = new RequestLog(options.keptRequests ?? 1_000);
	const services = await demoServices(options.acceptsToken);
	const { app, pool } = createServer({
		services,
		requests,
		observe: options.observe,
		pool: { ...defaultPool, ...options.pool },
		pipelineStartMs: options.pipelineStartMs ?? 0,
		pathPrefix,
		bodyLimit: options.bodyLimit ?? 64 * 1024 * 1024,
		swagger: options.swagger ?? true,
		tls,
		state,
	});
	await app.listen({ host, port: options.port ?? 0 });
	const { port } = app.server.address() as AddressInfo;
	return {
		url: `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${pathPrefix}`,
		port,
		requests,
		pool,
		setAlive: (alive) => void (state.alive = alive),
		setLatency: (ms) => void (state.latencyMs = ms),
		activate: (generation) => services.forEach((service) => service.activate(generation)),
		redeploy: (endpoint, changes) => services.get('demo')!.redeploy(endpoint, changes),
		close: () => app.close(),
	};
}
