import { setTimeout as wait } from 'node:timers/promises';
import { type ApiNode, type ApiNodeOptions, startApiNode } from '../../demo/api-node';
import { ApiNodeClient, type ApiNodeClientOptions, ApiNodeError } from '../../nodes/shared/client';
import { type ChaosOptions, type ChaosProxy, chaosProxy } from '../support/chaosProxy';
import { type ForwardProxy, type ForwardProxyOptions, forwardProxy } from '../support/forwardProxy';

/** Starts what a test needs and takes it down after the test, the last first. */
export class Stage {
	private readonly cleanUps: Array<() => unknown> = [];

	constructor() {
		afterEach(async () => {
			for (const cleanUp of this.cleanUps.splice(0).reverse()) await cleanUp();
		});
	}

	/** A client of the service `open`, unless told otherwise. */
	client(options: Partial<ApiNodeClientOptions> & Pick<ApiNodeClientOptions, 'url'>): ApiNodeClient {
		const client = new ApiNodeClient({ serviceId: 'open', ...options });
		this.cleanUps.push(async () => await client.destroy());
		return client;
	}

	async chaos(options: ChaosOptions = {}): Promise<ChaosProxy> {
		const chaos = await chaosProxy(options);
		this.cleanUps.push(async () => await chaos.close());
		return chaos;
	}

	/** A server that misbehaves to order, and a client of it. */
	async chaosAndClient(options: ChaosOptions = {}, clientOptions: Partial<ApiNodeClientOptions> = {}) {
		const chaos = await this.chaos(options);
		return { chaos, client: this.client({ url: chaos.url, ...clientOptions }) };
	}

	async node(options: ApiNodeOptions = {}): Promise<ApiNode> {
		const node = await startApiNode(options);
		this.cleanUps.push(async () => await node.close());
		return node;
	}

	async forwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
		const proxy = await forwardProxy(options);
		this.cleanUps.push(async () => await proxy.close());
		return proxy;
	}

	/** Sets environment variables until the end of the test; undefined removes one. */
	environment(variables: Record<string, string | undefined>): void {
		const set = (values: Record<string, string | undefined>) => {
			for (const [name, value] of Object.entries(values)) {
				if (value === undefined) delete process.env[name];
				else process.env[name] = value;
			}
		};
		const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]));
		set(variables);
		this.cleanUps.push(() => set(before));
	}

	/** Retries without pauses: their jitter is random up to a limit, and may be nothing. */
	withoutPauses(): void {
		const random = jest.spyOn(Math, 'random').mockReturnValue(0);
		this.cleanUps.push(() => random.mockRestore());
	}
}

/** What a call that fails threw: an error of the client's, and nothing else. */
export async function failureOf(call: Promise<unknown>): Promise<ApiNodeError> {
	const outcome = await call.then(
		(answer: unknown) => ({ answer }),
		(error: unknown) => ({ error }),
	);
	if (!('error' in outcome)) throw new Error(`The call succeeded: ${JSON.stringify(outcome.answer)}`);
	expect(outcome.error).toBeInstanceOf(ApiNodeError);
	return outcome.error as ApiNodeError;
}

/** Polls until the value is there or a second is over, and returns the last one. */
export async function eventually<T>(read: () => T, wanted: T): Promise<T> {
	for (let waited = 0; read() !== wanted && waited < 1_000; waited += 5) await wait(5);
	return read();
}
