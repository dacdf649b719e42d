import { clearInterval, setInterval } from 'node:timers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type IExecuteFunctions, type INodeExecutionData, NodeApiError } from 'n8n-workflow';
import {
	type ApiNodeClient,
	CancelledError,
	type ClientEvent,
	InvalidCallError,
	type JsonObject,
	type OperationName,
	type RecordBatcher,
	type Session,
} from '../../client/internal';
import { endpointReader, type Target } from './callSettings';
import { FeatureCheck } from './FeatureCheck';
import { counted, Failures, listed, logLine, Remarks, runHints } from './hints';
import { isObject } from './isObject';
import { ItemFiles, withFiles } from './ItemFiles';
import { ItemConnections } from './ItemConnections';
import { errorItem, explain, type Place, type Slot, toNodeError } from './nodeErrors';
import { asSources, type OutputNames, outputNamesReader, renameErrors, RunColumns } from './outputItems';
import { Parameters, type Reader } from './parameters';
import { Records } from './records';
import { type ResponseLimits, responseLimits, modelError, toolResponse } from './toolResponse';

/** Milliseconds of work without a break for the event loop, which other workflows share. */
const longestTurn = 10;
/** While so many items take less than this time in ms, the clock is read once for all of them. */
const [itemsPerLook, quickTurn] = [8, 0.1];

/** Records of one item that are processed without a look at the clock. */
const shortList = 10;

/** Milliseconds between messages about progress in n8n's log. */
const progressEvery = 10_000;

interface Destination {
	readonly session: Session;
	/** Used by nodes whose items share requests. */
	readonly batcher: RecordBatcher;
	/** Jobs that send their own requests. */
	readonly running: Set<Promise<void>>;
}

interface ExecutionOptions {
	/** Whether requests on the wire may finish. If they were aborted, their effects would be unknown. */
	finishRequests?: boolean;
}

/**
 * One execution of a node: its items, its sessions with API nodes, and its output in the order of the input. Items are prepared
 * while requests are on the wire.
 */
export class Execution {
	readonly items: INodeExecutionData[];
	/** The parts of the items that may go into the output: none if a model uses the node as a tool. */
	readonly sources: INodeExecutionData[];
	readonly records: Records;
	private readonly files: ItemFiles;
	readonly outputNames: Reader<OutputNames>;
	readonly features: FeatureCheck;
	readonly counts = { retries: 0, instancesOut: new Set<string>() };
	private readonly stop = new AbortController();
	private readonly output: Array<INodeExecutionData | Array<INodeExecutionData | Slot> | undefined>;
	private readonly remarks = new Remarks();
	/** The business rules that decided in place of a model. */
	readonly rules = new Remarks();
	private readonly warnings: string[] = [];
	readonly columns = new RunColumns();
	private readonly errors = new Set<INodeExecutionData>();
	private readonly continueOnFail: boolean;
	private done = 0;
	/** Whether an item has several results, each with its place. */
	private isNested = false;
	private readonly failures = new Failures();
	private fatal: { error: unknown } | undefined;
	private readonly destinations = new Map<ApiNodeClient, Destination>();
	private readonly startedAt = performance.now();
	private turnSince = this.startedAt;
	private lookedAt = this.startedAt;
	private untilLook = 1;

	private constructor(
		private readonly context: IExecuteFunctions,
		readonly parameters: Parameters,
		/** Limits on the response to a model that uses the node as a tool. */
		private readonly limits: ResponseLimits | undefined,
		readonly connections: ItemConnections,
		operation: OperationName,
		private readonly options: ExecutionOptions,
	) {
		this.items = context.getInputData();
		this.output = Array<undefined>(this.items.length).fill(undefined);
		this.sources = limits ? this.items.map(() => ({ json: {} })) : asSources(this.items);
		this.records = new Records(parameters, this.items);
		this.files = new ItemFiles(context, parameters);
		this.outputNames = outputNamesReader(parameters);
		this.features = new FeatureCheck(operation, parameters, this.stop.signal);
		this.continueOnFail = context.continueOnFail();
	}

	static async run(
		context: IExecuteFunctions,
		operation: OperationName,
		work: (execution: Execution) => Promise<void>,
		options: ExecutionOptions = {},
	): Promise<INodeExecutionData[][]> {
		if (context.getInputData().length === 0) return [[]];
		const parameters = new Parameters(context);
		let limits: ResponseLimits | undefined;
		let connections: ItemConnections;
		try {
			// Read before anything is sent, because an error after a write could cause the write to be repeated.
			if (parameters.asTool) limits = responseLimits(parameters);
			connections = await ItemConnections.open(context, parameters);
		} catch (error) {
			if (parameters.asTool) return [[modelError(error, limits)]];
			// With "continue", n8n would pass on the input as the result if this were thrown.
			if (context.continueOnFail()) {
				const failed = (_item: unknown, i: number) =>
					errorItem(explain(error, { itemIndex: i }), i, keptInput(context, i));
				return [context.getInputData().map(failed)];
			}
			throw toNodeError(context.getNode(), explain(error, {}), 0);
		}
		const execution = new Execution(context, parameters, limits, connections, operation, options);
		const cancelled = context.getExecutionCancelSignal?.();
		const cancel = () => execution.stop.abort();
		if (cancelled?.aborted) cancel();
		cancelled?.addEventListener('abort', cancel);
		const progress = setInterval(() => execution.logProgress(), progressEvery);
		try {
			await work(execution);
			await Promise.all(execution.pending);
			return await execution.finish();
		} catch (error) {
			execution.endWith(error);
			await Promise.allSettled(execution.pending);
			const { error: fatal } = execution.fatal!;
			if (limits && !(fatal instanceof CancelledError)) return [[modelError(fatal, limits)]];
			throw fatal;
		} finally {
			clearInterval(progress);
			cancelled?.removeEventListener('abort', cancel);
		}
	}

	/**
	 * Reads the target and the record of each item and visits the item. An item fails if it cannot be read or if its visit
	 * throws. The event loop gets turns in between.
	 *
	 * @param visit may return a promise, which the next item waits for
	 * @param recordOf returns the record of an item
	 * @param unread called for each item that failed, with "continue"
	 */
	async forEach<ItemTarget extends Target, Made extends JsonObject | readonly JsonObject[]>(
		targetOf: Reader<ItemTarget>,
		visit: (itemIndex: number, target: ItemTarget, record: Made) => Promise<void> | undefined,
		{ recordOf, unread }: { recordOf: (itemIndex: number) => Made; unread?: (itemIndex: number) => void },
	): Promise<void> {
		for (let i = 0; i < this.items.length; i++) {
			const turn = this.turn();
			if (turn) await turn;
			let target: ItemTarget | undefined;
			try {
				const connecting = this.connections.prepare(i);
				if (connecting) await connecting;
				target = this.located(targetOf(i));
				const document = this.features.pending(i, target);
				if (document) await document;
				if (!isObject(this.items[i]!.json)) throw new InvalidCallError('The item has no JSON data');
				let made = recordOf(i);
				const origin = this.records.originOf(i);
				const reading = this.files.of(i);
				if (reading) {
					const files = await reading;
					made = withFiles(made, files);
					if (origin.item) origin.item = { ...origin.item, ...files };
				}
				const checked = this.features.begin(i, target, origin);
				if (!Array.isArray(made)) this.features.look(checked, made as JsonObject);
				else {
					let n = 0;
					const isList = made.length > 1;
					const looking = this.through(made as readonly JsonObject[], (record) =>
						this.features.look(checked, record, isList ? n++ : undefined),
					);
					if (looking) await looking;
				}
				this.features.conclude(checked);
				// An item with an invalid output name must fail before it costs a request.
				if (!this.outputNames.constant) this.outputNames(i);
				const pending = visit(i, target, made);
				if (pending) await pending;
			} catch (error) {
				// If the run has failed or was stopped meanwhile, the error does not belong to this item.
				this.check();
				this.fail(error, { itemIndex: i, target: target ?? { endpointId: this.endpointOf(i) } });
				unread?.(i);
			}
		}
	}

	/** Works through a list of one item. Returns a promise for a long list, so that the event loop gets turns in between. */
	through<Entry>(list: readonly Entry[], work: (entry: Entry) => void): Promise<void> | undefined {
		if (list.length > shortList) return this.throughLong(list, work);
		for (const entry of list) work(entry);
		return undefined;
	}

	private async throughLong<Entry>(list: readonly Entry[], work: (entry: Entry) => void): Promise<void> {
		for (const entry of list) {
			const turn = this.turn();
			if (turn) await turn;
			work(entry);
		}
	}

	/** All calls to an API node share one destination, because its limits apply to all of them. */
	destinationOf({ connection: { client } }: Target): Destination {
		let destination = this.destinations.get(client);
		if (!destination) {
			const onEvent = (event: ClientEvent) => this.countEvent(event);
			const session = client.session({ signal: this.stop.signal, onEvent });
			destination = { session, batcher: session.batcher(), running: new Set() };
			this.destinations.set(client, destination);
		}
		return destination;
	}

	private get pending(): Array<Promise<void>> {
		return [...this.destinations.values()].flatMap(({ batcher, running }) => [...running, batcher.end()]);
	}

	/**
	 * Starts a job when fewer jobs run than the API node's limit. The job must report errors of items to {@link fail} and must
	 * not reject because of them.
	 */
	async start(target: Target, job: () => Promise<void>): Promise<void> {
		const { running } = this.destinationOf(target);
		const most = target.maxConcurrency * target.connection.instances;
		while (running.size >= most) await Promise.race(running);
		this.check();
		const promise = job()
			.catch((error: unknown) => this.endWith(error))
			.finally(() => running.delete(promise));
		running.add(promise);
	}

	/** Reserves a place in the output for one of several results of an item, because they may finish in another order. */
	reserve(itemIndex: number): Slot {
		this.isNested = true;
		const slot: Slot = [];
		const before = this.output[itemIndex];
		if (Array.isArray(before)) before.push(slot);
		else this.output[itemIndex] = before ? [before, slot] : [slot];
		return slot;
	}

	/** Outputs the result of an item; nothing for an item that is dropped. */
	emit(place: number | Slot, output: INodeExecutionData | INodeExecutionData[]): void {
		this.done++;
		this.isNested ||= Array.isArray(output);
		if (typeof place !== 'number') place.push(output);
		else if (this.output[place]) this.reserve(place).push(output);
		else this.output[place] = output;
	}

	private emitError({ itemIndex, slot }: Place, item: INodeExecutionData): void {
		this.errors.add(item);
		this.emit(slot ?? itemIndex, item);
	}

	/**
	 * Records the failure of an item. With "continue", an error takes the item's place.
	 *
	 * @throws the node's error otherwise
	 */
	fail(error: unknown, place: Place, untried = false): void {
		if (error instanceof CancelledError) throw error;
		if (this.limits) {
			const { itemIndex, target } = place;
			this.failures.add(itemIndex, '');
			return this.emitError(place, modelError(error, this.limits, target, this.features.expectationOn(error, target)));
		}
		const failure = explain(error, place, { untried, advice: this.features.adviceOn(error, place.target) });
		if (!this.continueOnFail) throw toNodeError(this.context.getNode(), failure, place.itemIndex);
		this.failures.add(place.itemIndex, failure.message);
		this.emitError(place, errorItem(failure, place.itemIndex, keptInput(this.context, place.itemIndex)));
	}

	/** Does work that may fail for an item. If it fails, so does the item, or the node if it stops on errors. */
	attempt<Value>(place: Place, work: () => Value): Value | undefined {
		try {
			return work();
		} catch (error) {
			this.caught(error, place);
			return undefined;
		}
	}

	/** Takes what was thrown in work for an item, be it by {@link fail}. */
	caught(error: unknown, place: Place): void {
		try {
			if (!(error instanceof NodeApiError)) this.fail(error, place);
			// Thrown by `fail` itself.
			else this.endWith(error);
		} catch (fatal) {
			this.endWith(fatal);
		}
	}

	/**
	 * Counts something that the user should know.
	 *
	 * @param example another way to find the item
	 */
	remark(what: string, itemIndex: number, example?: string): void {
		this.remarks.add(what, itemIndex, example);
	}

	/** Writes to n8n's log before the run, and shows a hint in the editor after it. */
	warn(what: string): void {
		this.context.logger.warn(what, { node: this.context.getNode().name });
		this.warnings.push(what);
	}

	endWith(error: unknown): void {
		this.fatal ??= { error };
		if (!this.options.finishRequests) this.stop.abort();
		for (const { session } of this.destinations.values()) session.stop();
	}

	private located<ItemTarget extends Target>(target: ItemTarget): ItemTarget {
		if (!target.endpointId.includes('://')) return target;
		return { ...target, ...target.connection.client.locate(target.endpointId) };
	}

	/** Used in the error of an item whose target could not be read completely. */
	private endpointOf(itemIndex: number): string | undefined {
		try {
			return endpointReader(this.parameters)(itemIndex) || undefined;
		} catch {
			return undefined;
		}
	}

	/** Returns a promise only if the event loop is due a turn, because awaiting one for every item would cost a turn each. */
	turn(): Promise<void> | undefined {
		if (--this.untilLook > 0) return undefined;
		const now = performance.now();
		// Reading the clock takes longer than all else that is done for a small item.
		this.untilLook = now - this.lookedAt < quickTurn ? itemsPerLook : 1;
		this.lookedAt = now;
		return now - this.turnSince >= longestTurn ? this.giveTurn() : undefined;
	}

	private async giveTurn(): Promise<void> {
		await nextTurn();
		this.turnSince = performance.now();
		this.check();
	}

	private check(): void {
		if (this.fatal) throw this.fatal.error;
		if (this.stop.signal.aborted) throw new CancelledError();
	}

	private logProgress(): void {
		const rate = (1000 * this.done) / (performance.now() - this.startedAt);
		const counts = [this.done, this.items.length, Math.round(rate)].map((count) => count.toLocaleString('en'));
		const { name } = this.context.getNode();
		this.context.logger.info(`${counts[0]} of ${counts[1]} items done, ${counts[2]} per second`, { node: name });
	}

	private countEvent(event: ClientEvent): void {
		if (event.type === 'retry') this.counts.retries++;
		else if (event.type === 'instanceOut') this.counts.instancesOut.add(event.instance);
	}

	private async finish(): Promise<INodeExecutionData[][]> {
		this.check();
		const isComplete = !this.isNested && this.done === this.items.length;
		const items = isComplete ? (this.output as INodeExecutionData[]) : collected(this.output);
		const incomplete = await this.columns.complete(() => this.turn());
		const renamed = renameErrors(this.errors.size > 0 ? items.filter((item) => !this.errors.has(item)) : items);
		const { rules } = this;
		if (this.limits) {
			// If there are only errors, remarks would distract from them.
			const ruleNotes = rules.total > 0 ? [`A business rule overrode the model: ${listed(rules.words)}`] : [];
			const remarks = [...ruleNotes, ...this.remarks.words, ...renamed, ...this.features.words];
			const notes = this.failures.count < this.items.length ? remarks : [];
			return [toolResponse(items, notes, this.limits)];
		}
		const unmatched = this.records.unmatchedNames;
		const notes = [
			...this.remarks.hints,
			...this.features.notes,
			...renamed,
			...incomplete,
			...(rules.total > 0
				? [
						`In ${rules.total.toLocaleString('en')} of ${counted(this.items.length, 'item', 'items')} a rule decided: ${rules.tally}`,
					]
				: []),
			...(unmatched.length > 0 ? [`Fields not found in any item: ${listed(unmatched)}`] : []),
			...([...this.connections.all].some(({ unverified }) => unverified)
				? ['SSL certificates are not verified: "Ignore SSL Issues" is on']
				: []),
		];
		const warnings = [...this.failures.words(this.items.length), ...this.features.hints, ...this.warnings];
		const hints = runHints(this.counts, warnings, notes);
		if (hints.length > 0) this.context.addExecutionHints?.(...hints);
		const line = logLine(this.counts, this.failures.count, this.items.length);
		if (line !== '') this.context.logger.debug(line, { node: this.context.getNode().name });
		return [items];
	}
}

type Output = INodeExecutionData | readonly Output[] | undefined;

/** Array.flat takes several times as long. */
function collected(outputs: readonly Output[], items: INodeExecutionData[] = []): INodeExecutionData[] {
	for (const output of outputs) {
		if (isList(output)) collected(output, items);
		else if (output) items.push(output);
	}
	return items;
}

const isList = (output: Output): output is readonly Output[] => Array.isArray(output);

/** The input item whose fields are kept next to an error. For the error output, n8n adds them itself. */
function keptInput(context: IExecuteFunctions, itemIndex: number): INodeExecutionData | undefined {
	return context.getNode().onError === 'continueErrorOutput' ? undefined : context.getInputData()[itemIndex];
}
