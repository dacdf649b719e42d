import { Agent } from 'undici';

export interface Calls {
	served: number;
	/** What was answered otherwise than with 200 and a prediction. */
	failed: string[];
	/** Generations of the service, by how many calls they answered, in the order in which they first did. */
	generations: Map<string, number>;
	/** Generation of the latest call. */
	latest: string;
	seconds: number;
}

/** Callers of a webhook, each with one call after the other, until they are stopped. */
export class Load {
	readonly calls: Calls = { served: 0, failed: [], generations: new Map(), latest: '', seconds: 0 };
	private readonly agent: Agent;
	private readonly began = performance.now();
	private readonly callers: Promise<void[]>;
	private running = true;

	constructor(
		private readonly url: string,
		callers: number,
	) {
		// A call that n8n has lost is a failed one, and holds nobody up.
		this.agent = new Agent({ connections: callers, headersTimeout: 60_000 });
		this.callers = Promise.all(Array.from({ length: callers }, async () => await this.caller()));
	}

	get served(): number {
		return this.calls.served;
	}

	/** Lets calls under way come to their end. */
	async stop(): Promise<void> {
		this.running = false;
		await this.callers;
		await this.agent.close();
		this.calls.seconds = (performance.now() - this.began) / 1_000;
	}

	private async caller(): Promise<void> {
		while (this.running) await this.call().catch((error: Error) => this.calls.failed.push(error.message));
	}

	private async call(): Promise<void> {
		const { origin, pathname } = new URL(this.url);
		const { statusCode, body } = await this.agent.request({
			origin,
			path: pathname,
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics' }),
		});
		const text = await body.text();
		const generation = statusCode === 200 ? generationOf(text) : undefined;
		if (generation === undefined) return void this.calls.failed.push(`${statusCode}: ${text.slice(0, 300)}`);
		const { generations } = this.calls;
		generations.set(generation, (generations.get(generation) ?? 0) + 1);
		this.calls.latest = generation;
		this.calls.served++;
	}
}

/** The generation that made the prediction; undefined where there is none. */
function generationOf(text: string): string | undefined {
	const { result, apiContext } = (text.startsWith('{') ? JSON.parse(text) : {}) as {
		result?: { prediction?: string };
		apiContext?: { serviceGeneration: string };
	};
	return result?.prediction === undefined ? undefined : apiContext?.serviceGeneration;
}
