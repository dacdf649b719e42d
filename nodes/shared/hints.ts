import type { NodeExecutionHint } from 'n8n-workflow';
import type { Execution } from './Execution';
import { sentence } from './nodeErrors';

const counted = (count: number, one: string, many: string) =>
	`${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** Something that happened to a number of items, and some of them. */
export interface Remark {
	count: number;
	examples: Set<string>;
}

const examplesOf = ({ count, examples }: Remark) =>
	[...examples, ...(examples.size > 0 && count > examples.size ? ['...'] : [])].join('; ');

/** Remarks for a model, which has no items. */
export const remarkWords = (remarks: ReadonlyMap<string, Remark>): string[] =>
	[...remarks].map(([what, remark]) => (remark.examples.size > 0 ? `${what} (${examplesOf(remark)})` : what));

/**
 * What the person at the editor should know about a run that did not go all by itself; nothing when it did.
 *
 * @param remarks other things to mention of items
 * @param misfits what does not fit the service's OpenAPI document
 * @param notes other things to mention of the run
 */
export function runHints(
	done: Execution['counts'],
	failed: number,
	items: number,
	remarks: ReadonlyMap<string, Remark>,
	misfits: readonly string[],
	notes: readonly string[],
): NodeExecutionHint[] {
	const { retries, splits, instancesOut } = done;
	const troubles = [
		failed > 0 && `${failed.toLocaleString('en')} of ${counted(items, 'item', 'items')} failed`,
		retries > 0 && `${counted(retries, 'request', 'requests')} retried`,
		splits > 0 && `${counted(splits, 'request was', 'requests were')} sent again in parts`,
		instancesOut.size > 0 &&
			`${instancesOut.size === 1 ? 'instance' : 'instances'} ${[...instancesOut].join(', ')} left out`,
	].filter((part) => part !== false);
	const remarked = [...remarks].map(([what, remark]) => {
		const named = examplesOf(remark);
		return `${what} (${counted(remark.count, 'item', 'items')}${named && `: ${named}`})`;
	});
	const hint = (parts: string[], type: NodeExecutionHint['type']): NodeExecutionHint[] =>
		parts.length > 0 ? [{ message: sentence(parts.join('; ')), type, location: 'outputPane' }] : [];
	return [...hint([...troubles, ...misfits], 'warning'), ...hint([...remarked, ...notes], 'info')];
}
