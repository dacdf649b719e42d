import type { NodeExecutionHint } from 'n8n-workflow';
import type { CallStatistics } from './client';

const counted = (count: number, one: string, many: string) =>
	`${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/**
 * What the person at the editor should know about a run that did not go all by itself; nothing when it did.
 *
 * @param counts other things to mention, and how often they happened
 */
export function runHints(
	statistics: CallStatistics,
	failed: number,
	items: number,
	counts: ReadonlyMap<string, number>,
): NodeExecutionHint[] {
	const { retries, splits, leftOut } = statistics;
	const troubles = [
		failed > 0 && `${failed.toLocaleString('en')} of ${counted(items, 'item', 'items')} failed`,
		retries > 0 && `${counted(retries, 'request', 'requests')} retried`,
		splits > 0 && `${counted(splits, 'request was', 'requests were')} sent again in parts`,
		leftOut.size > 0 && `${leftOut.size === 1 ? 'instance' : 'instances'} ${[...leftOut].join(', ')} left out`,
	].filter((part) => part !== false);
	const remarks = [...counts].map(([what, count]) => `${what} (${counted(count, 'item', 'items')})`);
	const hint = (parts: string[], type: NodeExecutionHint['type']): NodeExecutionHint[] =>
		parts.length > 0 ? [{ message: `${parts.join('; ')}.`, type, location: 'outputPane' }] : [];
	return [...hint(troubles, 'warning'), ...hint(remarks, 'info')];
}
