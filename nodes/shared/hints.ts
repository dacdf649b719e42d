import type { CallStatistics } from './client';

const counted = (count: number, one: string, many: string) =>
	`${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** What the person at the editor should know about a run that did not go all by itself; nothing when it did. */
export function statisticsHints(statistics: CallStatistics, failed: number, items: number): string[] {
	const parts = [
		failed > 0 && `${failed.toLocaleString('en')} of ${counted(items, 'item', 'items')} failed`,
		statistics.retries > 0 && `${counted(statistics.retries, 'request', 'requests')} retried`,
		statistics.splits > 0 &&
			`${counted(statistics.splits, 'request was', 'requests were')} split to send the records in smaller parts`,
		statistics.leftOut.size > 0 &&
			`${statistics.leftOut.size === 1 ? 'instance' : 'instances'} ${[...statistics.leftOut].join(', ')} left out`,
	].filter((part) => part !== false);
	return parts.length > 0 ? [`${parts.join('; ')}.`] : [];
}
