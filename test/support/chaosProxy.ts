import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TlsOptions } from 'node:tls';
import { Agent } from 'undici';
import { askUpstream, toWire, type Answer } from './chaos/answer';
import type { ChaosRequest, ConnectionFault, ConnectionFaultScript, Fault, FaultScript } from './chaos/faults';
import { reset, sendFault } from './chaos/sendFault';

export { inOrder, type ChaosRequest, type ConnectionFault, type Fault, type FaultScript } from './chaos/faults';
export type { Answer } from './chaos/answer';

export interface ChaosOptions {
	/** The real server behind; without one, `respond` answers. */
	upstream?: string;
	/** The healthy answer without an upstream; by default an empty list of results. */
	respond?: (request: ChaosRequest) => Answer | Promise<Answer>;
	faults?: Fault | FaultScript;
	connectionFaults?: ConnectionFault | ConnectionFaultScript;
	/** Serves https with these options. */
	tls?: TlsOptions;
}

export interface ChaosProxy {
	readonly url: string;
	readonly port: number;
	/** Every request whose headers arrived, in that order. */
	readonly requests: ChaosRequest[];
	/** Connections accepted so far. */
	readonly connections: number;
	openSockets(): number;
	setFault(fault: Fault | FaultScript | undefined): void;
	setConnectionFault(fault: ConnectionFault | ConnectionFaultScript | undefined): void;
	/** Resolves when this many requests have arrived since the start. */
	requestsArrived(count: number): Promise<void>;
	/** The instance dies: every connection is reset and the port refuses. */
	kill(): Promise<void>;
	/** The instance comes back on the same port. */
	revive(): Promise<void>;
	close(): Promise<void>;
}

const NO_RESULTS: Answer = { body: { results: [] } };

/** A server that misbehaves to order, before a real server or on its own. */
export async function chaosProxy(options: ChaosOptions = {}): Promise<ChaosProxy> {
	const { upstream, respond = () => NO_RESULTS, tls } = options;
	let fault = options.faults;
	let connectionFault = options.connectionFaults;

	const requests: ChaosRequest[] = [];
	// by the client's port: over TLS, http hands out another socket object than the one accepted
	const open = new Map<number, { tcp: Socket; connection: number; requests: number; closeOnNext: boolean }>();
	const arrivals = new Set<() => void>();
	const toUpstream = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
	let connections = 0;
	let outstanding = 0;

	const onRequest = (message: IncomingMessage, response: ServerResponse) => {
		const state = open.get(message.socket.remotePort ?? 0);
		if (!state) return;
		const { tcp } = state;
		state.requests++;
		outstanding++;
		response.once('close', () => outstanding--);
		const asked: ChaosRequest = {
			n: requests.length + 1,
			connection: state.connection,
			nOnConnection: state.requests,
			outstanding,
			method: message.method ?? '',
			path: message.url ?? '',
			headers: message.headers,
			body: '',
			at: performance.now(),
		};
		requests.push(asked);
		arrivals.forEach((arrived) => arrived());

		if (state.closeOnNext) return void tcp.destroy();

		const gone = new AbortController();
		response.once('close', () => gone.abort());

		const healthy = async () =>
			upstream ? await askUpstream(upstream, asked, toUpstream, gone.signal) : toWire(await respond(asked));

		const play = async () => {
			asked.body = await text(message);
			const chosen = (typeof fault === 'function' ? await fault(asked) : fault) ?? { kind: 'pass' };
			await sendFault(chosen, {
				response,
				tcp,
				healthy,
				closeOnNextRequest: () => (state.closeOnNext = true),
			});
		};
		play().catch((error: unknown) => {
			// nobody is left to tell when the client went away first
			if (!gone.signal.aborted) tcp.destroy(error instanceof Error ? error : undefined);
		});
	};

	const http = tls ? createHttpsServer(tls, onRequest) : createHttpServer(onRequest);
	// the client's time-outs are under test, not this server's
	Object.assign(http, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0, timeout: 0 });
	http.on('clientError', (_error, socket) => socket.destroy());
	http.on('tlsClientError', (_error: Error, socket: Socket) => socket.destroy());

	const onConnection = (socket: Socket) => {
		const { remotePort } = socket;
		if (remotePort === undefined) return;
		const connection = ++connections;
		open.set(remotePort, { tcp: socket, connection, requests: 0, closeOnNext: false });
		socket.on('error', () => socket.destroy());
		socket.once('close', () => open.delete(remotePort));
		socket.setNoDelay(true);

		const chosen = typeof connectionFault === 'function' ? connectionFault(connection) : connectionFault;
		if (chosen === 'reset') reset(socket);
		else if (chosen === 'silent') socket.resume();
		else http.emit('connection', socket);
	};

	let listener = await listen(0, onConnection);
	const { port } = listener.address() as AddressInfo;

	const kill = async () => {
		if (!listener.listening) return;
		// not events.once, which fails on an error that the socket already had
		const closed = [listener, ...[...open.values()].map(({ tcp }) => tcp)].map(
			async (each) => await new Promise((resolve) => each.once('close', resolve)),
		);
		listener.close();
		for (const { tcp } of open.values()) reset(tcp);
		await Promise.all(closed);
	};

	return {
		url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
		port,
		requests,
		get connections() {
			return connections;
		},
		openSockets: () => open.size,
		setFault: (next) => (fault = next),
		setConnectionFault: (next) => (connectionFault = next),
		requestsArrived: async (count) =>
			await new Promise((resolve) => {
				const check = () => {
					if (requests.length < count) return;
					arrivals.delete(check);
					resolve();
				};
				arrivals.add(check);
				check();
			}),
		kill,
		async revive() {
			if (!listener.listening) listener = await listen(port, onConnection);
		},
		async close() {
			await kill();
			await toUpstream.destroy();
		},
	};
}

async function listen(port: number, onConnection: (socket: Socket) => void): Promise<Server> {
	const server = createTcpServer(onConnection);
	server.listen(port, '127.0.0.1');
	await once(server, 'listening');
	return server;
}
