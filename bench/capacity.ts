/**
 * What it takes to score so many records per second. docs/capacity.md says what the model leaves out; `npm run bench:capacity`
 * measures the costs, and holds predictions against runs.
 */

/** What one process of n8n spends, in ms of CPU. */
export interface Costs {
	/** In the Predict node and n8n's engine, for each request. */
	request: number;
	/** The same, for each record. */
	record: number;
	/** For each call of a webhook, whatever the node then sends. */
	call: number;
}

export interface Load {
	/** What the API node takes for a request, whatever is in it, in ms. */
	requestMs: number;
	/** What it takes for each record in it, in ms. */
	recordMs: number;
	/** Requests that an instance serves at once: the endpoint's pipelines. */
	pipelines: number;
	/** The node's. */
	batchSize: number;
	/** Records in one call of a webhook; without it, workflows fetch their records themselves. */
	recordsPerCall?: number;
}

export interface Setup {
	/** Of the API node. */
	instances: number;
	/** Processes of n8n that run workflows, with a core each. */
	workers: number;
}

export interface Plan extends Setup {
	/** At all instances together. */
	requestsPerSecond: number;
	/** Requests in flight: as many pipelines are busy and as many connections are open. */
	connections: number;
	/** Of these, those of one worker to one instance: Max Concurrency must not be below it. */
	connectionsEach: number;
}

/** Costs on the machine that docs/capacity.md names. */
export const measured: Costs = { request: 0.087, record: 0.0043, call: 62.4 };

/** How busy a part may be: beyond it, what waits for it waits ever longer. */
export const usable = 0.7;

/** Records in a request: a call of a webhook may bring fewer than a batch. */
const recordsSent = ({ batchSize, recordsPerCall = batchSize }: Load) => Math.min(batchSize, recordsPerCall);

const responseMs = (load: Load) => load.requestMs + load.recordMs * recordsSent(load);

function workerMs(load: Load, { request, record, call }: Costs): number {
	const perCall = load.recordsPerCall === undefined ? 0 : call / load.recordsPerCall;
	return request / recordsSent(load) + record + perCall;
}

/** Records per second at which each part of a setup is fully busy. */
export function ceilings(load: Load, { instances, workers }: Setup, costs = measured): Record<keyof Setup, number> {
	return {
		instances: (instances * load.pipelines * recordsSent(load) * 1000) / responseMs(load),
		workers: (workers * 1000) / workerMs(load, costs),
	};
}

/** What scores so many records per second with every part as busy as it may be, and no busier. */
export function plan(recordsPerSecond: number, load: Load, costs = measured): Plan {
	const one = ceilings(load, { instances: 1, workers: 1 }, costs);
	const instances = Math.ceil(recordsPerSecond / (usable * one.instances));
	const workers = Math.ceil(recordsPerSecond / (usable * one.workers));
	const requestsPerSecond = recordsPerSecond / recordsSent(load);
	const connections = Math.ceil((requestsPerSecond * responseMs(load)) / 1000);
	return {
		instances,
		workers,
		requestsPerSecond,
		connections,
		connectionsEach: Math.ceil(connections / instances / workers),
	};
}

/** The sizes that are worth a look. */
const sizes = [1, 10, 20, 50, 100, 200, 500];

/** The smallest batch that costs neither side a quarter more for each record than the largest one does. */
export function batchSize(load: Omit<Load, 'batchSize'>, costs = measured): number {
	const cost = (size: number) => {
		const { instances, workers } = ceilings({ ...load, batchSize: size }, { instances: 1, workers: 1 }, costs);
		return [1 / instances, 1 / workers] as const;
	};
	const least = cost(sizes.at(-1)!);
	return sizes.find((size) => cost(size).every((each, side) => each <= 1.25 * least[side]!))!;
}

export interface Step extends Setup {
	/** Records per second that it may be given. */
	holds: number;
	/** What is used up first when it is given more. */
	breaks: keyof Setup;
}

/** What has to be raised, and when, on the way from one instance and one worker to a load: the scarcest part, doubled. */
export function steps(recordsPerSecond: number, load: Load, costs = measured): Step[] {
	const all: Step[] = [];
	const goal = plan(recordsPerSecond, load, costs);
	const setup: Setup = { instances: 1, workers: 1 };
	for (;;) {
		const { instances, workers } = ceilings(load, setup, costs);
		const breaks = instances < workers ? 'instances' : 'workers';
		const holds = usable * Math.min(instances, workers);
		all.push({ ...setup, holds, breaks });
		if (holds >= recordsPerSecond) return all;
		setup[breaks] = Math.min(setup[breaks] * 2, goal[breaks]);
	}
}
