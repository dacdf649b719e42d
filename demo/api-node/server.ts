import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerOptions } from 'node:https';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { addDeployer } from './deployer';
import { type Action, actions, type Answer, dispatched, JsonText, RawAnswer } from './endpoint';
import { ApiNodeError, badRequest, notFound } from './errors';
import { type JsonObject, parseBody } from './json';
import { Pool, type PoolOptions } from './pool';
import { LoggedRequest, type RequestLog } from './request-log';
import type { Service } from './service';
import { openApi } from './swagger';

const json = 'application/json;charset=utf-8';

export type Observe = (request: LoggedRequest, phase: 'received' | 'answered') => void;

interface ServerSettings {
	services: Map<string, Service>;
	requests: RequestLog;
	observe?: Observe;
	pool: PoolOptions;
	pipelineStartMs: number;
	pathPrefix: string;
	bodyLimit: number;
	swagger: boolean;
	tls?: ServerOptions;
	/** May change while the node runs. */
	state: { alive: boolean; latencyMs: number };
}

interface ApiNodeServer {
	app: FastifyInstance;
	pool: (service: string, endpoint: string) => Pool;
}

type Params = { service: string; endpoint: string; action: string };

export function createServer(settings: ServerSettings): ApiNodeServer {
	const { services, requests, state } = settings;
	const app = fastify({
		bodyLimit: settings.bodyLimit,
		// Kept-alive sockets of clients would keep the server open.
		forceCloseConnections: true,
		// Dataiku documents its Python client with a URL that ends with a slash, and the client adds another one.
		routerOptions: { maxParamLength: 1_000, ignoreDuplicateSlashes: true },
		https: settings.tls ?? null,
		frameworkErrors: (error, _request, reply) => void fail(error, reply),
	}) as unknown as FastifyInstance;

	// Python's client sends JSON without a content type, so the body is parsed whatever the type is.
	app.removeAllContentTypeParsers();
	app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
	app.setErrorHandler<FastifyError>((error, _request, reply) => fail(error, reply));
	app.setNotFoundHandler((request, reply) => fail(notFound(`No such path: ${request.method} ${request.url}`), reply));
	app.addHook('onRequest', async (_request, reply) => void versions(reply));

	const pools = new Map<string, Pool>();
	const pool = (service: string, endpoint: string) => {
		const name = `${service}/${endpoint}`;
		const existing = pools.get(name) ?? new Pool(name, settings.pool, settings.pipelineStartMs);
		pools.set(name, existing);
		return existing;
	};

	const serviceOf = async (request: FastifyRequest, id: string) => {
		const service = services.get(id);
		if (!service) throw notFound(`No such service: ${JSON.stringify(id)}`);
		await service.authorize(request.headers.authorization);
		return service;
	};

	const answer = async (request: FastifyRequest<{ Params: Params }>, text: string, reply: FastifyReply) => {
		const { service: serviceId, endpoint: endpointId, action } = request.params;
		const service = await serviceOf(request, serviceId);
		if (!isAction(action)) throw notFound(`No such action: ${JSON.stringify(action)}`);
		const received = performance.now();
		const body = parseBody(text);
		const generation = service.dispatch(dispatched.has(action) ? body.dispatch : undefined);
		const endpoint = service.endpoint(generation, endpointId);
		const handler = endpoint.actions[action];
		if (!handler)
			throw badRequest(`Endpoint ${endpointId} cannot ${action}: ${Object.keys(endpoint.actions).join(', ')}`);
		const parsed = performance.now();
		let began = parsed;
		const value = await pool(serviceId, endpointId).run(async () => {
			began = performance.now();
			if (state.latencyMs > 0) await sleep(state.latencyMs, undefined, { ref: false });
			return handler(body, text, request.headers);
		});
		if (value instanceof RawAnswer) {
			return reply.code(value.status).headers(value.headers).type(value.contentType).send(value.body);
		}
		const worked = Math.round((performance.now() - began) * 1_000);
		const timing = {
			preProcessing: Math.round((parsed - received) * 1_000),
			wait: Math.round((began - parsed) * 1_000),
			enrich: 0,
			preparation: 0,
			prediction: worked,
			predictionPredict: worked,
			postProcessing: 0,
		};
		const apiContext = { serviceId, endpointId, serviceGeneration: generation.id };
		return reply.type(json).send(serialise(value, { timing, apiContext }));
	};

	const base = settings.pathPrefix;
	app.post<{ Params: Params }>(`${base}/public/api/v1/:service/:endpoint/:action`, async (request, reply) => {
		const { service, endpoint, action } = request.params;
		const text = typeof request.body === 'string' ? request.body : '';
		const logged = new LoggedRequest(service, endpoint, action, request.headers, text);
		requests.started(logged);
		settings.observe?.(logged, 'received');
		reply.raw.once('finish', () => settings.observe?.(logged, 'answered'));
		try {
			await answer(request, text, reply);
		} catch (error) {
			fail(error, reply);
		} finally {
			requests.ended(logged, reply.statusCode);
		}
		return reply;
	});
	app.get<{ Params: { service: string } }>(`${base}/public/api/v1/:service/swagger`, async (request, reply) => {
		const service = await serviceOf(request, request.params.service);
		if (!settings.swagger) throw notFound(`Service ${service.id} has no OpenAPI`);
		return reply.type(json).send(JSON.stringify(openApi(service, base)));
	});
	addDeployer(app, services, base);
	for (const path of [`${base}/isAlive`, `${base}/isAlive/`]) {
		app.get(path, async (_request, reply) => reply.code(state.alive ? 200 : 503).send(''));
	}
	return { app, pool };
}

function isAction(action: string): action is Action {
	return (actions as readonly string[]).includes(action);
}

function serialise(value: Answer, around: JsonObject): string {
	if (!(value instanceof JsonText)) return JSON.stringify({ ...value, ...around });
	return `{"response":${value.text},${JSON.stringify(around).slice(1)}`;
}

function versions(reply: FastifyReply): FastifyReply {
	return reply.header('DSS-API-Version', '1').header('DSS-Version', '14.3.3');
}

function fail(error: unknown, reply: FastifyReply) {
	const known = error instanceof ApiNodeError ? error : unexpected(error as FastifyError);
	return versions(reply).code(known.status).type(json).send(JSON.stringify(known));
}

function unexpected({ statusCode = 500, code, name, message }: FastifyError): ApiNodeError {
	return new ApiNodeError(statusCode, code ?? name, message);
}
