import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import type { JsonObject, UnrepeatableOptions } from './client';
import { ItemRun } from './ItemRun';
import { flag } from './parameters';
import { recordReader } from './records';
import { type Target, targetReader } from './settings';

/** Makes one call for an item and says what came of it. */
export type ItemCall = (
	itemIndex: number,
	endpointId: string,
	record: JsonObject,
	options: UnrepeatableOptions,
) => Promise<INodeExecutionData[]>;

/**
 * SQL Query and Run Function: one call per item, in parallel up to the limit. Under "stop", an error lets the calls that are
 * under way come to their end before the node fails: breaking them off would leave it open what they did.
 *
 * @param prepare reads what the node needs besides, once
 */
export async function callItems(
	context: IExecuteFunctions,
	prepare: (run: ItemRun) => ItemCall,
): Promise<INodeExecutionData[][]> {
	return await ItemRun.of(context, async (run) => {
		const { items, parameters, connection, statistics } = run;
		const recordOf = recordReader(parameters, items);
		const targetOf = targetReader(parameters);
		const repeatable = flag(parameters.reader('options.repeatable', false));
		const call = prepare(run);

		for (let i = 0; i < items.length; i++) {
			if (run.outOfBreath) await run.breathe();
			let target: Target | undefined;
			let record: JsonObject;
			let options: UnrepeatableOptions;
			try {
				target = targetOf(i);
				record = recordOf(i);
				options = {
					...target,
					repeatable: repeatable(i),
					signal: run.cancelled,
					tokens: connection.tokens,
					statistics,
				};
			} catch (error) {
				run.fail(error, { itemIndex: i, endpointId: target?.endpointId });
				continue;
			}
			const { endpointId, maxConcurrency } = target;
			await run.start(maxConcurrency * connection.instances, async () => {
				try {
					run.emit(i, await call(i, endpointId, record, options));
				} catch (error) {
					run.fail(error, { itemIndex: i, endpointId });
				}
			});
		}
	});
}
