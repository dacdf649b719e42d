import { setTimeout as wait } from 'node:timers/promises';
import { Stage } from '../harness';
import { type ApiNodeClientOptions, type ClientEvent, type FeaturesRecord, type RecordOutcome } from '../../../client';
import { type Answer, type ChaosOptions, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';

export { failureOf } from '../harness';

/** A request as an endpoint reads it. */
export interface Asked {
	endpoint: string;
	/** The last part of the path. */
	action: string;
	/** Of the records, in their order. */
	ids: number[];
	generation?: string;
	/** Arguments of a function, parameters of a query. */
	body: Record<string, unknown>;
}

/** What an endpoint makes of a request; undefined scores its records. */
export type Judge = (asked: Asked) => Answer | undefined | Promise<Answer | undefined>;

export function read({ path, body }: Pick<ChaosRequest, 'path' | 'body'>): Asked {
	const [action, endpoint] = path.split('/').reverse();
	const json = JSON.parse(body || '{}') as Record<string, unknown>;
	const { items, features, dispatch } = json as {
		items?: Array<{ features?: { id: number } }>;
		features?: { id: number };
		dispatch?: { forcedGeneration?: string };
	};
	const records = items?.map((item) => item.features) ?? (features ? [features] : []);
	return {
		endpoint: endpoint!,
		action: action!,
		ids: records.map((record) => record?.id ?? NaN),
		generation: dispatch?.forcedGeneration,
		body: json,
	};
}

/** Answers each record with its id, as a healthy endpoint would. */
export function score({ action, ids, body }: Asked): Answer {
	if (action === 'query') return { body: { columns: ['id'], rows: [[String(body.id)]] } };
	if (action === 'run') return { body: { response: body, timing: {} } };
	const results = ids.map((id) => ({ id }));
	return { body: action.endsWith('-multi') ? { results } : { result: results[0] } };
}

/** What a Dataiku API node says of a request that it cannot use. */
export const refusal = (message = 'Invalid feature', status = 400): Answer => ({
	status,
	body: { errorType: 'com.dataiku.dip.exceptions.DataikuException', message },
});

/** Refuses a request that has one of these records. */
export const refusing =
	(bad: (id: number) => boolean, answer = refusal()): Judge =>
	({ ids }) =>
		ids.some(bad) ? answer : undefined;

export const recordsOf = (ids: number | readonly number[], more: object = {}): FeaturesRecord[] =>
	(typeof ids === 'number' ? range(ids) : ids).map((id) => ({ features: { id, ...more } }));

export const range = (end: number, start = 0): number[] => Array.from({ length: end - start }, (_, n) => start + n);

export interface Server extends ChaosProxy {
	/** Records that were sent although they had an outcome: scored in a batch, or alone and refused. */
	readonly sentAgain: number[];
	/** Requests to endpoints. */
	asked(): ChaosRequest[];
	/** The most requests that were not answered yet, of those that a filter takes. */
	most(): number;
}

/** Servers that judge each request, whichever sessions it comes from. */
export class Scene extends Stage {
	/** An API node whose endpoints do what the judge says. */
	async server(judge: Judge = () => undefined, options: ChaosOptions = {}): Promise<Server> {
		const settled = new Set<string>();
		const sentAgain: number[] = [];
		const respond = async (request: ChaosRequest): Promise<Answer> => {
			if (request.path === '/isAlive/') return { body: 'OK' };
			const asked = read(request);
			const key = (id: number) => `${asked.endpoint} ${asked.generation ?? ''} ${id}`;
			for (const id of asked.ids) if (settled.has(key(id))) sentAgain.push(id);
			const answer = (await judge(asked)) ?? score(asked);
			const { status = 200 } = answer;
			const final = status === 200 || (asked.ids.length === 1 && [400, 422].includes(status));
			if (final) asked.ids.forEach((id) => settled.add(key(id)));
			return answer;
		};
		const chaos = await this.chaos({ ...options, respond });
		return Object.assign(chaos, {
			sentAgain,
			asked: () => chaos.requests.filter(({ path }) => path !== '/isAlive/'),
			most: () => Math.max(0, ...chaos.requests.map(({ outstanding }) => outstanding)),
		});
	}

	async serverAndClient(judge?: Judge, options: Partial<ApiNodeClientOptions> = {}) {
		const server = await this.server(judge);
		return { server, client: this.clientOf(server, options) };
	}
}

/** The ids of the records that were scored, each with its own result. */
export function scoredIn(
	outcomes: readonly RecordOutcome[],
	ids: readonly number[] = range(outcomes.length),
): number[] {
	expect(outcomes).toHaveLength(ids.length);
	return ids.filter((id, n) => {
		const { result } = outcomes[n] as { result?: { id: number } };
		if (result) expect(result.id).toBe(id);
		return result !== undefined;
	});
}

/** Waits until something holds; fails the test if it does not within ten seconds. */
export async function until(holds: () => boolean): Promise<void> {
	for (let waited = 0; !holds(); waited += 5) {
		if (waited > 10_000) throw new Error(`It never came to this: ${holds.toString()}`);
		await wait(5);
	}
}

/** Remembers the events that it receives: the ends of requests, and all others. */
export function eventLog() {
	const events: ClientEvent[] = [];
	const requests: Array<Extract<ClientEvent, { type: 'request' }>> = [];
	return {
		events,
		requests,
		onEvent: (event: ClientEvent) => void (event.type === 'request' ? requests.push(event) : events.push(event)),
		of: <Type extends ClientEvent['type']>(type: Type) =>
			events.filter((event): event is Extract<ClientEvent, { type: Type }> => event.type === type),
	};
}

/** A generator of numbers from 0 to 1 that gives the same for the same seed. */
export function random(seed: number): () => number {
	let state = seed * 2_654_435_761;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}
