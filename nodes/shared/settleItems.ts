import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import {
	ApiNodeError,
	type BatchTarget,
	type ExplanationOptions,
	hadNotFinite,
	type JsonObject,
	type RecordBatcher,
	type RecordOperation,
	type RecordOutcome,
} from '../../client/internal';
import { batchSizeReader, callTo, explanationReader, type Target, targetReader } from './callSettings';
import { overrideOf } from './columns';
import { Execution } from './Execution';
import { mayBeFull } from './fullResponse';
import { notFiniteRead } from './hints';
import { isObject } from './isObject';
import { inWords } from './nodeErrors';
import { outputNamed } from './outputItems';
import { choice, combine, textOf } from './parameters';
import { type RecordOutputs, type RecordSuccess, outputsOf } from './recordOutputs';
import { contextReader } from './records';

interface ItemTarget extends Target, ExplanationOptions {
	batchSize: number;
}

/** Predict, Predict Effect and Lookup: sends the items' records through the batcher and outputs the results in input order. */
export async function settleItems(
	context: IExecuteFunctions,
	operation: Exclude<RecordOperation, 'forecast'>,
): Promise<INodeExecutionData[][]> {
	return await Execution.run(context, operation, async (execution) => {
		const { parameters } = execution;
		const outputs: RecordOutputs = outputsOf[operation];
		const contextOf = contextReader(parameters);
		const targetOf = itemTargetReader(execution);
		const recordOf = (record: JsonObject) => (operation === 'lookup' ? { data: record } : { features: record });
		const emit = emitter(execution, operation, outputs);
		const responseHeaders = mayBeFull(parameters.reader('output', Object.keys(outputs)[0]!));
		let made: { of: ItemTarget; target: BatchTarget; batcher: RecordBatcher } | undefined;

		const visit = (itemIndex: number, target: ItemTarget, record: JsonObject) => {
			// The action for a single record accepts no context for effects.
			const takesContext = operation !== 'predictEffect' || target.batchSize > 1;
			const recordContext = takesContext ? contextOf(itemIndex) : undefined;
			const sent = recordContext ? { ...recordOf(record), context: recordContext } : recordOf(record);
			if (made?.of !== target) {
				const { session, batcher } = execution.destinationOf(target);
				const options = { ...callTo(target), responseHeaders };
				made = { of: target, target: session.target(operation, target.endpointId, options), batcher };
			}
			const onOutcome = (outcome: RecordOutcome) => emit(itemIndex, outcome, target, record);
			return made.batcher.add(sent, made.target, onOutcome);
		};
		await execution.forEach(targetOf, visit, { recordOf: execution.records.of });
	});
}

function itemTargetReader(execution: Execution) {
	const { parameters } = execution;
	const target = targetReader(execution);
	const explanations = explanationReader(parameters);
	const batchSize = batchSizeReader(parameters);
	return combine<ItemTarget>([target, explanations, batchSize], (i) => ({
		...target(i),
		...explanations(i),
		batchSize: batchSize(i),
	}));
}

/** Identifies a lookup by its key, for hints. */
const lookupKeyWords = (record: JsonObject) =>
	Object.entries(record)
		.slice(0, 2)
		.map(([name, value]) => `${name} ${textOf(value).slice(0, 40)}`)
		.join(', ');

const isEmpty = (data: unknown) => isObject(data) && Object.keys(data).length === 0;

const reasonIn = ({ ignoreReason }: JsonObject) => textOf(ignoreReason) || 'no reason given';

export const ignoredWords = (result: JsonObject): string => `Ignored by the API node: ${inWords(reasonIn(result))}`;

export function ruleIn(result: JsonObject): string | undefined {
	const override = overrideOf(result);
	return override && (textOf(override.appliedRule) || 'unnamed');
}

/** Counts what the user should know about a result. @param example another way to find the item */
export function remarkOn(execution: Execution, itemIndex: number, result: JsonObject, example?: () => string): void {
	if (hadNotFinite(result)) execution.remark(notFiniteRead, itemIndex);
	if (result.ignored === true) execution.remark(ignoredWords(result), itemIndex, example?.());
	const rule = ruleIn(result);
	if (rule !== undefined) execution.rules.add(rule, itemIndex);
}

function emitter(execution: Execution, operation: RecordOperation, outputs: RecordOutputs) {
	const { sources, parameters } = execution;
	const outputOf = parameters.reader<string>('output', Object.keys(outputs)[0]!);
	const ignoredRecords = choice(parameters.reader('ignoredRecords', 'keep'), 'Ignored Records', [
		'keep',
		'error',
		'drop',
	]);

	const itemOf = (itemIndex: number, outcome: RecordSuccess, record: JsonObject): INodeExecutionData | undefined => {
		if (outcome.result.ignored === true && ignoredRecords(itemIndex) === 'error')
			throw new ApiNodeError('The API node ignored the record', { detail: reasonIn(outcome.result) });
		remarkOn(execution, itemIndex, outcome.result, operation === 'lookup' ? () => lookupKeyWords(record) : undefined);
		if (outcome.result.ignored === true) {
			if (ignoredRecords(itemIndex) === 'drop') return undefined;
		} else if (operation === 'lookup' && isEmpty(outcome.result.data)) {
			execution.remark('No match was found', itemIndex, lookupKeyWords(record));
		}
		const makeItem = outputNamed(outputs, outputOf(itemIndex));
		const { columns, outputNames } = execution;
		const names = outputNames(itemIndex);
		return makeItem({ itemIndex, source: sources[itemIndex]!, outcome, record, names, columns });
	};

	return (itemIndex: number, outcome: RecordOutcome, target: Target, record: JsonObject): void => {
		try {
			if (outcome.error) return execution.fail(outcome.error, { itemIndex, target }, outcome.untried);
			const item = itemOf(itemIndex, outcome, record);
			if (item) execution.emit(itemIndex, item);
		} catch (error) {
			execution.caught(error, { itemIndex, target });
		}
	};
}
