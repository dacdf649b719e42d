import { ProxyAgent, request, type Dispatcher } from 'undici';
import { certificates } from './certificates';
import { chaosProxy } from './chaosProxy';
import { forwardProxy, type ForwardProxyOptions } from './forwardProxy';

describe('forwardProxy', () => {
	const cleanUps: Array<() => Promise<unknown>> = [];
	afterEach(async () => {
		for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
	});

	const ask = async (url: string, dispatcher: Dispatcher) => {
		cleanUps.push(() => dispatcher.destroy());
		const answer = await request(url, { dispatcher, method: 'POST', body: '{"a":1}', headersTimeout: 300 });
		return { status: answer.statusCode, body: await answer.body.text() };
	};

	async function start(options: ForwardProxyOptions = {}) {
		const { ca, server } = await certificates();
		const target = await chaosProxy({ tls: server });
		const plainTarget = await chaosProxy();
		const proxy = await forwardProxy(options);
		cleanUps.push(
			() => target.close(),
			() => plainTarget.close(),
			() => proxy.close(),
		);
		return { target, plainTarget, proxy, ca };
	}

	it('tunnels https with CONNECT', async () => {
		const { target, proxy, ca } = await start();

		const answer = await ask(`${target.url}/predict`, new ProxyAgent({ uri: proxy.url, requestTls: { ca } }));

		expect(answer).toEqual({ status: 200, body: '{"results":[]}' });
		expect(proxy.tunnels).toEqual([`127.0.0.1:${target.port}`]);
		expect(target.requests).toMatchObject([{ path: '/predict', body: '{"a":1}' }]);
		expect(proxy.connections).toBe(1);
	});

	it('forwards plain http without a tunnel', async () => {
		const { plainTarget, proxy } = await start();

		const answer = await ask(`${plainTarget.url}/predict`, new ProxyAgent({ uri: proxy.url, proxyTunnel: false }));

		expect(answer).toEqual({ status: 200, body: '{"results":[]}' });
		expect(proxy.tunnels).toEqual([]);
		expect(proxy.forwarded).toEqual([`${plainTarget.url}/predict`]);
		expect(plainTarget.requests).toMatchObject([{ path: '/predict', body: '{"a":1}' }]);
	});

	it('asks for its own user and password, and does not send them to the target', async () => {
		const { target, plainTarget, proxy, ca } = await start({ auth: { username: 'us er', password: 'p@ss:' } });

		await expect(ask(target.url, new ProxyAgent({ uri: proxy.url, requestTls: { ca } }))).rejects.toThrow('407');
		expect((await ask(target.url, new ProxyAgent({ uri: proxy.urlWithAuth, requestTls: { ca } }))).status).toBe(200);
		await expect(ask(plainTarget.url, new ProxyAgent({ uri: proxy.url, proxyTunnel: false }))).rejects.toThrow('407');
		await ask(plainTarget.url, new ProxyAgent({ uri: proxy.urlWithAuth, proxyTunnel: false }));
		expect(plainTarget.requests).toHaveLength(1);
		expect(plainTarget.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
	});

	it('refuses everything when it is told to forbid', async () => {
		const { target, proxy, ca } = await start({ mode: 'forbidden' });

		await expect(ask(target.url, new ProxyAgent({ uri: proxy.url, requestTls: { ca } }))).rejects.toThrow('403');
		expect(target.connections).toBe(0);
		proxy.setMode('normal');
		expect((await ask(target.url, new ProxyAgent({ uri: proxy.url, requestTls: { ca } }))).status).toBe(200);
	});

	it('accepts a connection and sends nothing when it is silent', async () => {
		const { target, proxy, ca } = await start({ mode: 'silent' });
		const agent = new ProxyAgent({ uri: proxy.url, requestTls: { ca } });

		const outcome = await Promise.race([
			ask(target.url, agent).catch(() => 'failed'),
			new Promise((resolve) => setTimeout(() => resolve('still waiting'), 250)),
		]);

		expect(outcome).toBe('still waiting');
		expect(proxy.tunnels).toHaveLength(1);
		expect(target.connections).toBe(0);
	});

	it('leaves no socket behind when the client has gone', async () => {
		const { target, proxy, ca } = await start();
		const agent = new ProxyAgent({ uri: proxy.url, requestTls: { ca } });
		await ask(target.url, agent);

		await agent.destroy();
		for (let waited = 0; proxy.openSockets() + target.openSockets() > 0 && waited < 1000; waited += 5) {
			await new Promise((resolve) => setTimeout(resolve, 5));
		}

		expect([proxy.openSockets(), target.openSockets()]).toEqual([0, 0]);
	});
});
