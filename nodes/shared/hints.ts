import type { NodeExecutionHint } from 'n8n-workflow';
import type { Execution } from './Execution';
import { sentence } from './nodeErrors';
import { shortened } from './shortened';

/** What a hint shows, whatever the data hold: n8n saves it with each execution. */
const mostShown = { kinds: 5, examples: 3, names: 10 };
const longest = { kind: 200, example: 80, name: 60, hint: 2_000 };
/** Kinds that are told apart while a run goes on; the rest is counted. */
const mostKept = 100;

const counted = (count: number, one: string, many: string) =>
	`${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** Names as far as a hint shows them. */
export function listed(names: readonly string[]): string {
	const shown = names.slice(0, mostShown.names).map((name) => shortened(name, longest.name));
	const others = names.length - shown.length;
	return `${shown.join(', ')}${others > 0 ? ` and ${others.toLocaleString('en')} more` : ''}`;
}

/** Something that happened to a number of items, and some of them. */
interface Remark {
	count: number;
	examples: Set<string>;
}

const examplesOf = ({ count, examples }: Remark) =>
	[...examples, ...(examples.size > 0 && count > examples.size ? ['...'] : [])].join('; ');

/** What there is to say of a run's items, bounded while it is collected. */
export class Remarks {
	private readonly remarks = new Map<string, Remark>();
	private total = 0;

	add(what: string, example?: string): void {
		const kind = shortened(what, longest.kind);
		this.total++;
		let remark = this.remarks.get(kind);
		if (!remark) {
			if (this.remarks.size >= mostKept) return;
			this.remarks.set(kind, (remark = { count: 0, examples: new Set() }));
		}
		remark.count++;
		if (example && remark.examples.size < mostShown.examples) remark.examples.add(shortened(example, longest.example));
	}

	/** For a model, which has no items. */
	get words(): string[] {
		return this.shown.map(([what, remark]) => (remark.examples.size > 0 ? `${what} (${examplesOf(remark)})` : what));
	}

	/** The most frequent kinds. */
	get hints(): string[] {
		const { shown } = this;
		const told = shown.map(([what, remark]) => {
			const examples = examplesOf(remark);
			return `${what} (${counted(remark.count, 'item', 'items')}${examples && `: ${examples}`})`;
		});
		const others = shown.reduce((rest, [, { count }]) => rest - count, this.total);
		return others > 0 ? [...told, othersRemarked(others)] : told;
	}

	private get shown(): Array<[string, Remark]> {
		return [...this.remarks].sort(([, a], [, b]) => b.count - a.count).slice(0, mostShown.kinds);
	}
}

const othersRemarked = (count: number) => `Other remarks (${counted(count, 'item', 'items')})`;

/** A remark on a result. */
export const notFiniteRead = 'NaN or Infinity came back, which JSON does not know: the value is null';

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
	remarks: readonly string[],
	misfits: readonly string[],
	notes: readonly string[],
): NodeExecutionHint[] {
	const { retries, splits, instancesOut } = done;
	const troubles = [
		failed > 0 && `${failed.toLocaleString('en')} of ${counted(items, 'item', 'items')} failed`,
		retries > 0 && `${counted(retries, 'request', 'requests')} retried`,
		splits > 0 && `${counted(splits, 'request was', 'requests were')} sent again in parts`,
		instancesOut.size > 0 &&
			`${instancesOut.size === 1 ? 'instance' : 'instances'} ${listed([...instancesOut])} left out`,
	].filter((part) => part !== false);
	const hint = (parts: readonly string[], type: NodeExecutionHint['type']): NodeExecutionHint[] => {
		const message = sentence(shortened(parts.join('; '), longest.hint));
		return parts.length > 0 ? [{ message, type, location: 'outputPane' }] : [];
	};
	return [...hint([...troubles, ...misfits], 'warning'), ...hint([...remarks, ...notes], 'info')];
}
