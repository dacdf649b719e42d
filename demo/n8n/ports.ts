import { createServer } from 'node:net';

/** The port that the system gives when `port` is asked for (0: any), or undefined if another process has it. */
async function listenOnce(port: number): Promise<number | undefined> {
	const server = createServer();
	return await new Promise((resolve, reject) => {
		server.once('error', (error: NodeJS.ErrnoException) => {
			if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
			else reject(error);
		});
		server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
			const address = server.address();
			server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
		});
	});
}

export const isPortFree = async (port: number): Promise<boolean> => (await listenOnce(port)) !== undefined;

export async function freePort(): Promise<number> {
	const port = await listenOnce(0);
	if (port === undefined) throw new Error('This machine has no free port on 127.0.0.1');
	return port;
}
