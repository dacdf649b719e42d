import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	EndpointVerdict,
	type Operation,
	operations,
	type RecordOperation,
	type RecordOutcome,
	recordText,
} from './client';
import type { ExplanationOptions } from './client';
import { ItemRun } from './ItemRun';
import { choice, combine } from './parameters';
import { contextReader, recordReader } from './records';
import { batchSizeReader, explanationReader, type Target, targetReader } from './settings';
import { outputNamed, successItem } from './results';

/** Items that wait for their batch to fill; when every item has a target of its own, the oldest batches go early. */
const mostOpenItems = 10_000;

interface BatchTarget extends Target, ExplanationOptions {
	batchSize: number;
}

/** Records that share one request, and the items they come from. */
interface Batch {
	target: BatchTarget;
	indexes: number[];
	records: string[];
}

/** The item's JSON for a result, by the node's `output` parameter. */
export type Outputs = Record<string, (input: IDataObject, outcome: Success) => IDataObject>;
type Success = Extract<RecordOutcome, { error?: undefined }>;

const asJson = (value: unknown) => value as IDataObject;

/** The outputs of all nodes with one result per item. */
export const recordOutputs = {
	withInput: (input, { result }) => ({ ...input, result: asJson(result) }),
	resultOnly: (_input, { result }) => ({ ...asJson(result) }),
	fullResponse: (_input, { result, answer }) => ({ result: asJson(result), ...asJson(answer) }),
} satisfies Outputs;

/**
 * Predict, Predict Effect and Lookup: cuts the items into batches, sends them, and gives each item its result. Items that
 * cannot share a request go into different batches; the output keeps the order of the input.
 */
export async function settleItems(
	context: IExecuteFunctions,
	operation: RecordOperation,
	outputs: Outputs = recordOutputs,
): Promise<INodeExecutionData[][]> {
	return await ItemRun.of(context, async (run) => {
		const { items, parameters, connection } = run;
		const recordOf = recordReader(parameters, items);
		const method: Operation = operations[operation];
		const contextOf = contextReader(parameters);
		const targetOf = batchTargetReader(run);
		const settle = settler(run, operation, outputs);
		const open = new Map<string, Batch>();
		let openItems = 0;

		const send = async (key: string, batch: Batch) => {
			open.delete(key);
			openItems -= batch.indexes.length;
			await run.start(batch.target.maxConcurrency * connection.instances, async () => await settle(batch));
		};

		for (let i = 0; i < items.length; i++) {
			if (run.outOfBreath) await run.breathe();
			let batch: Batch | undefined;
			let key = '';
			let target: BatchTarget | undefined;
			try {
				target = targetOf(i);
				const takesContext = target.batchSize > 1 || !method.contextInBatchOnly;
				const record = recordText(method, recordOf(i), takesContext ? contextOf(i) : undefined);
				key = targetOf.constant ? '' : JSON.stringify(target);
				batch = open.get(key);
				if (!batch) open.set(key, (batch = { target, indexes: [], records: [] }));
				batch.indexes.push(i);
				batch.records.push(record);
				openItems++;
			} catch (error) {
				run.fail(error, { itemIndex: i, endpointId: target?.endpointId });
				continue;
			}
			if (batch.records.length >= batch.target.batchSize) await send(key, batch);
			else if (openItems >= mostOpenItems) await send(...open.entries().next().value!);
		}
		for (const [key, batch] of open) await send(key, batch);
	});
}

function batchTargetReader({ parameters }: ItemRun) {
	const target = targetReader(parameters);
	const explanations = explanationReader(parameters);
	const batchSize = batchSizeReader(parameters);
	return combine<BatchTarget>([target, explanations, batchSize], (i) => ({
		...target(i),
		...explanations(i),
		batchSize: batchSize(i),
	}));
}

/** Sends one batch and emits what becomes of its items. */
function settler(run: ItemRun, operation: RecordOperation, outputs: Outputs): (batch: Batch) => Promise<void> {
	const { items, connection, statistics } = run;
	const outputOf = run.parameters.reader<string>('output', Object.keys(outputs)[0]);
	const ignoredRecords = choice(run.parameters.reader('ignoredRecords', 'keep'), 'Ignored Records', [
		'keep',
		'error',
		'drop',
	]);
	const verdict = new EndpointVerdict();

	const emit = (itemIndex: number, outcome: RecordOutcome, endpointId: string) => {
		const place = { itemIndex, endpointId };
		if (outcome.error) return run.fail(outcome.error, place, outcome.untried);
		let item: INodeExecutionData | undefined;
		try {
			item = itemOf(itemIndex, outcome);
		} catch (error) {
			return run.fail(error, place);
		}
		if (item) run.emit(itemIndex, item);
	};

	const itemOf = (itemIndex: number, outcome: Success): INodeExecutionData | undefined => {
		const { ignored, ignoreReason } = outcome.result;
		if (ignored === true && ignoredRecords(itemIndex) !== 'keep') {
			if (ignoredRecords(itemIndex) === 'drop') return undefined;
			throw new ApiNodeError('The API node ignored the record', { detail: String(ignoreReason ?? 'no reason given') });
		}
		const output = outputOf(itemIndex);
		const json = outputNamed(outputs, output)(items[itemIndex].json, outcome);
		return successItem(json, itemIndex, output === 'withInput' || output === 'enrich' ? items[itemIndex] : undefined);
	};

	return async ({ target, indexes, records }) => {
		const outcomes = await connection.client
			.settle(operation, target.endpointId, records, {
				...target,
				single: target.batchSize === 1,
				signal: run.stop.signal,
				tokens: connection.tokens,
				statistics,
				verdict,
			})
			.catch((error: unknown) => records.map((): RecordOutcome => ({ error: error as ApiNodeError })));
		for (let n = 0; n < outcomes.length; n++) emit(indexes[n], outcomes[n], target.endpointId);
	};
}
