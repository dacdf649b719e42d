import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** "forbidden" answers 403 to everything, "silent" accepts and says nothing. */
export type ForwardProxyMode = 'normal' | 'forbidden' | 'silent';

export interface ForwardProxyOptions {
	/** Without these in the request: 407. */
	auth?: { username: string; password: string };
	mode?: ForwardProxyMode;
}

export interface ForwardProxy {
	readonly url: string;
	/** The URL with the user and password in it. */
	readonly urlWithAuth: string;
	/** Tunnels asked for, as host:port, refused ones included. */
	readonly tunnels: string[];
	/** URLs asked for without a tunnel, refused ones included. */
	readonly forwarded: string[];
	readonly connections: number;
	openSockets(): number;
	setMode(mode: ForwardProxyMode): void;
	close(): Promise<void>;
}

/** A forward proxy: CONNECT tunnels for https, plain forwarding for http. */
export async function forwardProxy({ auth, mode = 'normal' }: ForwardProxyOptions = {}): Promise<ForwardProxy> {
	const expected = auth && `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
	const tunnels: string[] = [];
	const forwarded: string[] = [];
	const sockets = new Set<Socket>();
	let connections = 0;

	const refusal = (asked: IncomingMessage) => {
		if (expected && asked.headers['proxy-authorization'] !== expected) return 407;
		return mode === 'forbidden' ? 403 : undefined;
	};

	const server = createServer((asked: IncomingMessage, response: ServerResponse) => {
		forwarded.push(asked.url ?? '');
		if (mode === 'silent') return;
		const status = refusal(asked);
		if (status) return void response.writeHead(status, { 'proxy-authenticate': 'Basic realm="proxy"' }).end();

		const { 'proxy-authorization': _secret, 'proxy-connection': _hop, ...headers } = asked.headers;
		const onward = request(asked.url ?? '', { method: asked.method, headers }, (answer) => {
			response.writeHead(answer.statusCode ?? 502, answer.headers);
			answer.pipe(response);
		});
		onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
		response.once('close', () => onward.destroy());
		asked.pipe(onward);
	});

	server.on('connect', (asked: IncomingMessage, client: Socket, head: Buffer) => {
		tunnels.push(asked.url ?? '');
		if (mode === 'silent') return void client.resume();
		const status = refusal(asked);
		if (status) return void client.end(`HTTP/1.1 ${status} Refused\r\nproxy-authenticate: Basic\r\n\r\n`);

		const { hostname, port } = new URL(`http://${asked.url ?? ''}`);
		const target = connect(Number(port || 80), hostname.replace(/^\[|\]$/g, ''), () => {
			client.write('HTTP/1.1 200 Connection established\r\n\r\n');
			target.write(head);
			target.pipe(client).pipe(target);
		});
		target.on('error', () => client.destroy());
		target.on('close', () => client.destroy());
		client.on('close', () => target.destroy());
	});

	server.on('connection', (socket: Socket) => {
		connections++;
		sockets.add(socket);
		socket.on('error', () => socket.destroy());
		socket.once('close', () => sockets.delete(socket));
	});

	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;

	return {
		url: `http://127.0.0.1:${port}`,
		urlWithAuth: auth
			? `http://${encodeURIComponent(auth.username)}:${encodeURIComponent(auth.password)}@127.0.0.1:${port}`
			: `http://127.0.0.1:${port}`,
		tunnels,
		forwarded,
		get connections() {
			return connections;
		},
		openSockets: () => sockets.size,
		setMode: (next) => (mode = next),
		async close() {
			const closed = once(server, 'close');
			server.close();
			sockets.forEach((socket) => socket.destroy());
			await closed;
		},
	};
}
