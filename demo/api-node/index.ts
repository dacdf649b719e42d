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
	/** Default 0: any free port. */
	port?: number;
	/** Default 127.0.0.1. */
	host?: string;
	tls?: {
		key: string | Buffer;
		cert: string | Buffer;
		ca?: string | Buffer;
		requestCert?: boolean;
		rejectUnauthorized?: boolean;
	};
	/** Work time of each request, inside the endpoint's pool. Default 0. */
	latencyMs?: number;
	/** Per endpoint. Default: floor 1, cruise 2, ceil 8, queue 16, queueTimeoutMs 10,000. */
	pool?: Partial<PoolOptions>;
	/** What starting a pipeline costs the request that needs it. Default 0. */
	pipelineStartMs?: number;
	/** As behind a reverse proxy, for instance `/dataiku`. Default none. */
	pathPrefix?: string;
	/** In bytes. Default 64 MiB. */
	bodyLimit?: number;
	/** Whether services have their OpenAPI. Default true. */
	swagger?: boolean;
	/** Default: the token is `demo-token`. {@link jwtCheck} makes one that takes the JWTs of an OAuth2 server. */
	acceptsToken?: AcceptsToken;
	/** Requests that the log keeps. Default 1,000. */
	keptRequests?: number;
	/**
	 * Called when a request has been received, and when its response is with the operating system, which delivers it even if
	 * the process is killed.
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
	/** With the path prefix, without a slash at the end. */
	url: string;
	port: number;
	requests: RequestLog;
	pool(service: string, endpoint: string): PoolState;
	/** Forces `/isAlive/` to 5xx; the node still serves. */
	setAlive(alive: boolean): void;
	setLatency(ms: number): void;
	/** As when a new generation of every service is activated: `v1` or `v2` takes all requests. */
	activate(generation: string): void;
	/** As when somebody deploys an endpoint of the service `demo` anew, without a new generation. */
	redeploy(endpoint: string, changes: Redeployment): void;
	/** Ends open sockets at once. */
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
