import { setTimeout as wait } from 'node:timers/promises';
import { type ApiNode, type ApiNodeOptions, startApiNode } from '../../demo/api-node';
import {
	ApiNodeClient,
	type ApiNodeClientOptions,
	ApiNodeError,
	type ClientEvent,
	type FeaturesRecord,
} from '../../client';
import type { Clock } from '../../client/traffic/clock';
import { type Answer, type ChaosOptions, type ChaosProxy, chaosProxy, type ChaosRequest } from '../support/chaosProxy';
import { type ForwardProxy, type ForwardProxyOptions, forwardProxy } from '../support/forwardProxy';

/** The endpoint's judgement of one record, by the id that the record carries; undefined scores it. */
export type Refuses = (id: number) => Answer | undefined;

export interface ScoringOptions extends Omit<ChaosOptions, 'respond'> {
	refuses?: Refuses;
}

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
		this.atEnd(async () => await client.destroy());
		return client;
	}

	/** A client of one instance, or of several. */
	clientOf(
		servers: { url: string } | ReadonlyArray<{ url: string }>,
		options: Partial<ApiNodeClientOptions> = {},
	): ApiNodeClient {
		return this.client({ url: [servers].flat().map(({ url }) => url), ...options });
	}

	async chaos(options: ChaosOptions = {}): Promise<ChaosProxy> {
		const chaos = await chaosProxy(options);
		this.atEnd(async () => await chaos.close());
		return chaos;
	}

	/** A server that misbehaves to order, and a client of it. */
	async chaosAndClient(options: ChaosOptions = {}, clientOptions: Partial<ApiNodeClientOptions> = {}) {
		const chaos = await this.chaos(options);
		return { chaos, client: this.client({ url: chaos.url, ...clientOptions }) };
	}

	/** A server whose endpoints score, as {@link scored} does. */
	async scoring({ refuses, ...options }: ScoringOptions = {}): Promise<ChaosProxy> {
		return await this.chaos({ ...options, respond: (request) => scored(request, refuses) });
	}

	async node(options: ApiNodeOptions = {}): Promise<ApiNode> {
		const node = await startApiNode(options);
		this.atEnd(async () => await node.close());
		return node;
	}

	async forwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
		const proxy = await forwardProxy(options);
		this.atEnd(async () => await proxy.close());
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
		this.atEnd(() => set(before));
	}

	/** Retries without pauses: their jitter is random up to a limit, and may be nothing. */
	withoutPauses(): void {
		this.jitter(0);
	}

	/** All that is random, such as the jitter of pauses and the choice among equals, at this part of its range. */
	jitter(part: number): void {
		const random = jest.spyOn(Math, 'random').mockReturnValue(part);
		this.atEnd(() => random.mockRestore());
	}

	/** Time on real sockets, moved on by hand: a break of 5 s need not be waited out. Timers run as ever. */
	movableClock() {
		let ahead = 0;
		this.mockClock((now) => now + ahead);
		return { skip: (ms: number) => void (ahead += ms) };
	}

	/** So many times as fast, but for timers: for what counts the seconds rather than waiting for them. */
	fastClock(factor: number): void {
		const startedAt = performance.now();
		this.mockClock((now) => startedAt + (now - startedAt) * factor);
	}

	private mockClock(shown: (now: number) => number): void {
		const realNow = performance.now.bind(performance);
		const clock = jest.spyOn(performance, 'now').mockImplementation(() => shown(realNow()));
		this.atEnd(() => clock.mockRestore());
	}

	atEnd(cleanUp: () => unknown): void {
		this.cleanUps.push(cleanUp);
	}
}

/** For calls of an endpoint that responds to no request. The client would wait for it otherwise. */
export const brief = { maxAttempts: 2 };

/** Time that stands still unless it is moved on. */
export class ManualClock implements Clock {
	private time = 1_000_000;
	private readonly timers = new Set<{ at: number; callback: () => void }>();

	now(): number {
		return this.time;
	}

	soon = (callback: () => void) => void this.after(0, callback);

	after(ms: number, callback: () => void): () => void {
		const timer = { at: this.time + ms, callback };
		this.timers.add(timer);
		return () => this.timers.delete(timer);
	}

	/** Moves time on, and rings what is due at its moment. */
	advance(ms: number): void {
		const end = this.time + ms;
		for (;;) {
			const [next] = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
			if (!next) break;
			this.timers.delete(next);
			this.time = Math.max(this.time, next.at);
			next.callback();
		}
		this.time = end;
	}
}

/** Counts what a client or a session does by default; its `onEvent` is what to give them. */
export function countEvents() {
	const counts = {
		retries: 0,
		splits: 0,
		instancesOut: [] as string[],
		onEvent: (event: ClientEvent) => {
			if (event.type === 'retry') counts.retries++;
			else if (event.type === 'split') counts.splits++;
			else if (event.type === 'instanceOut') counts.instancesOut.push(event.instance);
		},
	};
	return counts;
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

/** What a call came to. */
export async function outcomeOf<T>(call: Promise<T>): Promise<{ value?: T; error?: Error }> {
	try {
		return { value: await call };
	} catch (error) {
		return { error: error as Error };
	}
}

/** Polls until the value is there or a second is over, and returns the last one. */
export async function eventually<T>(read: () => T, wanted: T): Promise<T> {
	for (let waited = 0; read() !== wanted && waited < 1_000; waited += 5) await wait(5);
	return read();
}

/** What a Dataiku API node says of a request that it cannot use. */
export const dssError = (status: number, message: string): Answer => ({
	status,
	body: { errorType: 'com.dataiku.dip.exceptions.DataikuException', message },
});

/** The records with these ids, or with the ids from 0 to before `ids`. */
export const recordsOf = (ids: number | readonly number[]): FeaturesRecord[] =>
	(typeof ids === 'number' ? Array.from({ length: ids }, (_, id) => id) : ids).map((id) => ({ features: { id } }));

/** The ids of the records in a request, in their order. */
export function idsIn({ body }: Pick<ChaosRequest, 'body'>): number[] {
	const { items, features } = JSON.parse(body) as {
		items?: Array<{ features: { id: number } }>;
		features?: { id: number };
	};
	return (items?.map((item) => item.features) ?? [features ?? { id: NaN }]).map(({ id }) => id);
}

/** Answers as an endpoint would whose result for each record is the id of that record. */
export function scored(request: ChaosRequest, refuses: Refuses = () => undefined): Answer {
	if (request.path === '/isAlive/') return { body: 'OK' };
	if (request.path.endsWith('/query')) return { body: { columns: [], rows: [[request.body]] } };
	if (request.path.endsWith('/run')) return { body: { response: request.body } };
	const ids = idsIn(request);
	for (const id of ids) {
		const refusal = refuses(id);
		if (refusal) return refusal;
	}
	const results = ids.map((id) => ({ id }));
	return { body: request.path.endsWith('-multi') ? { results } : { result: results[0] } };
}

/** The requests to endpoints, without the client's questions whether an instance is alive. */
export const asked = ({ requests }: ChaosProxy): ChaosRequest[] => requests.filter(({ path }) => path !== '/isAlive/');
