import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { CallStatistics, CancelledError } from './client';
import { onAbort } from './client/abort';
import { type Connection, connect } from './connection';
import { errorItem, explain, type Place, toNodeError } from './failures';
import { runHints } from './hints';
import { Parameters } from './parameters';

/** Work done without a break for the event loop, in ms: other workflows run in the same process. */
const longestTurn = 10;

/**
 * One execution of a node: its items, the requests in flight for them, and what comes out, in the order of the input.
 * Preparing goes on while requests are on the wire; nothing else of the run is kept.
 */
export class ItemRun {
	readonly items: INodeExecutionData[];
	readonly parameters: Parameters;
	readonly statistics = new CallStatistics();
	/** Ends the work: the workflow was stopped, or an item failed and the node stops on errors. */
	readonly stop = new AbortController();
	/** The workflow was stopped. */
	readonly cancelled: AbortSignal | undefined;
	private readonly output: Array<INodeExecutionData | INodeExecutionData[] | undefined>;
	private readonly counts = new Map<string, number>();
	private readonly running = new Set<Promise<void>>();
	private readonly continueOnFail: boolean;
	private oneEnded?: () => void;
	private failed = 0;
	private fatal: unknown;
	private turnSince = performance.now();

	private constructor(
		private readonly context: IExecuteFunctions,
		readonly connection: Connection,
	) {
		this.items = context.getInputData();
		this.output = new Array(this.items.length);
		this.parameters = new Parameters(context);
		this.continueOnFail = context.continueOnFail();
		this.cancelled = context.getExecutionCancelSignal?.();
	}

	/** Runs a node's work over its items. */
	static async of(context: IExecuteFunctions, work: (run: ItemRun) => Promise<void>): Promise<INodeExecutionData[][]> {
		if (context.getInputData().length === 0) return [[]];
		let connection: Connection;
		try {
			connection = await connect(context);
		} catch (error) {
			// Thrown under "continue", it would make n8n hand on the input as if it were the result.
			if (context.continueOnFail()) {
				return [context.getInputData().map((_item, i) => errorItem(explain(error, { itemIndex: i }), i))];
			}
			throw toNodeError(
				context.getNode(),
				{ ...explain(error, { itemIndex: 0 }), message: (error as Error).message },
				0,
			);
		}
		const run = new ItemRun(context, connection);
		const { cancelled, stop } = run;
		if (cancelled?.aborted) stop.abort();
		const forget = cancelled && onAbort(cancelled, () => stop.abort());
		try {
			await work(run);
			await Promise.all(run.running);
			return run.finish();
		} catch (error) {
			stop.abort();
			await Promise.allSettled(run.running);
			throw run.fatal ?? error;
		} finally {
			forget?.();
		}
	}

	/**
	 * Waits until fewer than `most` jobs are under way, then starts one more. A job never rejects because of an item: it
	 * reports that by {@link fail}.
	 */
	async start(most: number, job: () => Promise<void>): Promise<void> {
		while (this.running.size >= most) await new Promise<void>((resolve) => (this.oneEnded = resolve));
		this.check();
		const promise = job()
			.catch((error: unknown) => {
				this.fatal ??= error;
				this.stop.abort();
			})
			.finally(() => {
				this.running.delete(promise);
				this.oneEnded?.();
			});
		this.running.add(promise);
	}

	/** Whether it is time to {@link breathe}: to await that for every item would cost each of them a turn of its own. */
	get outOfBreath(): boolean {
		return performance.now() - this.turnSince >= longestTurn;
	}

	/** Gives the event loop a turn. */
	async breathe(): Promise<void> {
		await nextTurn();
		this.turnSince = performance.now();
		this.check();
	}

	/** Puts out what an item became; nothing for an item that is dropped. */
	emit(itemIndex: number, output: INodeExecutionData | INodeExecutionData[]): void {
		this.output[itemIndex] = output;
	}

	/**
	 * Notes an item's failure. With "continue" an error takes the item's place.
	 *
	 * @throws the node's error otherwise
	 */
	fail(error: unknown, place: Place, untried = false): void {
		if (error instanceof CancelledError) throw error;
		const failure = explain(error, place, untried);
		if (!this.continueOnFail) throw toNodeError(this.context.getNode(), failure, place.itemIndex);
		this.failed++;
		this.output[place.itemIndex] = errorItem(failure, place.itemIndex);
	}

	/** Counts something that the person at the editor might wonder about. */
	count(what: string): void {
		this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
	}

	private check(): void {
		if (this.fatal) throw this.fatal;
		if (this.stop.signal.aborted) throw new CancelledError();
	}

	private finish(): INodeExecutionData[][] {
		this.check();
		const hints = runHints(this.statistics, this.failed, this.items.length, this.counts);
		if (hints.length > 0) {
			this.context.addExecutionHints?.(...hints);
			const { name } = this.context.getNode();
			this.context.logger.debug(hints.map(({ message }) => message).join(' '), { node: name });
		}
		const items: INodeExecutionData[] = [];
		for (const output of this.output) {
			if (Array.isArray(output)) for (const item of output) items.push(item);
			else if (output) items.push(output);
		}
		return [items];
	}
}
