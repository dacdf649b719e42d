import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { JsonObject, OperationName, Session, UnrepeatableOptions } from '../../client/internal';
import { callTo, type Target, targetReader } from './callSettings';
import { Execution } from './Execution';
import { flag } from './parameters';

/** Makes one call for an item and returns its output. Nothing may fail after the request was sent. */
export type ItemCall = (
	session: Session,
	endpointId: string,
	record: JsonObject,
	options: UnrepeatableOptions,
) => Promise<INodeExecutionData[]>;

const retryWarning =
	'"Retry On Fail" is on: if the node fails or its first output item is an error, n8n repeats the calls for all items, including calls that write data';

/** Returns false if the value cannot be read. Each item then fails with the reason. */
function safely(read: () => boolean): boolean {
	try {
		return read();
	} catch {
		return false;
	}
}

/**
 * SQL Query and Run Function: one call per item, in parallel up to the limit.
 *
 * @param prepare returns a reader of all other parameters of an item. They are read before the request is sent, because an
 *   error after a write could cause the write to be repeated.
 */
export async function callItems(
	context: IExecuteFunctions,
	operation: OperationName,
	prepare: (execution: Execution) => (itemIndex: number) => ItemCall,
): Promise<INodeExecutionData[][]> {
	const work = async (execution: Execution) => {
		const repeatable = flag(execution.parameters.reader('options.repeatable', false), 'Safe to Repeat');
		const callOf = prepare(execution);
		const isRepeatable = repeatable.constant && safely(() => repeatable(0));
		if (context.getNode().retryOnFail && !isRepeatable) execution.warn(retryWarning);
		const visit = (itemIndex: number, target: Target, record: JsonObject) => {
			const { session } = execution.destinationOf(target);
			const call = callOf(itemIndex);
			const options = { ...callTo(target), repeatable: repeatable(itemIndex) };
			return execution.start(target, async () => {
				try {
					execution.emit(itemIndex, await call(session, target.endpointId, record, options));
				} catch (error) {
					execution.fail(error, { itemIndex, target });
				}
			});
		};
		await execution.forEach(targetReader(execution), visit, { recordOf: execution.records.of });
	};
	return await Execution.run(context, operation, work, { finishRequests: true });
}
