import type { NodeExecutionHint } from 'n8n-workflow';
import type { Execution } from './Execution';
import { sentence } from './nodeErrors';
import { shortened } from './shortened';

/** Limits on a hint, whatever the data contain, because n8n saves it with each execution. */
const mostShown = { kinds: 5, examples: 3, names: 10 };
const longest = { kind: 200, example: 80, name: 60, hint: 2_000 };
/** Kinds that are counted separately during a run. Others are only counted in total. */
const mostKept = 1_000;

export const counted = (count: number, one: string, many: string) =>
	`${count.toLocaleString('en')} ${count === 1 ? one : many}`;

export function listed(names: readonly string[]): string {
	const shown = names.slice(0, mostShown.names).map((name) => shortened(name, longest.name));
	const others = names.length - shown.length;
	return `${shown.join(', ')}${others > 0 ? ` and ${others.toLocaleString('en')} more` : ''}`;
}

interface Remark {
	count: number;
	first: Array<{ itemIndex: number; example?: string }>;
}

function itemsOf({ count, first }: Remark): string {
	const shown = first.map(({ itemIndex, example }) => `${itemIndex}${example ? `: ${example}` : ''}`);
	return count === 1 ? `item ${shown[0]}` : `${counted(count, 'item', 'items')}, first: ${shown.join(', ')}`;
}

export class Remarks {
	private readonly remarks = new Map<string, Remark>();
	total = 0;

	/** @param example another way to find the item */
	add(what: string, itemIndex: number, example?: string): void {
		const kind = shortened(what, longest.kind);
		this.total++;
		let remark = this.remarks.get(kind);
		if (!remark) {
			if (this.remarks.size >= mostKept) return;
			this.remarks.set(kind, (remark = { count: 0, first: [] }));
		}
		remark.count++;
		if (remark.first.length >= mostShown.examples) return;
		remark.first.push({ itemIndex, example: example && shortened(example, longest.example) });
	}

	/** The remarks without item numbers, for a model. */
	get words(): string[] {
		return this.shown.map(([what]) => what);
	}

	get hints(): string[] {
		const shown = this.shown.map(([what, remark]) => `${what} (${itemsOf(remark)})`);
		return this.others > 0 ? [...shown, othersRemarked(this.others)] : shown;
	}

	/** The most frequent kinds, with the number of their items only. */
	get tally(): string {
		const parts = this.shown.map(([what, { count }]) => `${what} (${count.toLocaleString('en')})`);
		return [...parts, ...(this.others > 0 ? [`others (${this.others.toLocaleString('en')})`] : [])].join(', ');
	}

	private get others(): number {
		return this.shown.reduce((rest, [, { count }]) => rest - count, this.total);
	}

	private get shown(): Array<[string, Remark]> {
		return [...this.remarks].sort(([, a], [, b]) => b.count - a.count).slice(0, mostShown.kinds);
	}
}

const othersRemarked = (count: number) => `Other hints (${counted(count, 'item', 'items')})`;

/** The items that failed, and why the first one did. */
export class Failures {
	count = 0;
	private readonly first: number[] = [];
	private why = '';

	add(itemIndex: number, message: string): void {
		if (this.count++ === 0) this.why = shortened(message, longest.kind);
		if (this.first.length < mostShown.examples) this.first.push(itemIndex);
	}

	words(items: number): string[] {
		const { count, first, why } = this;
		if (count === 0) return [];
		if (count === 1) return [`Item ${first[0]} failed: ${why}`];
		const failed = count.toLocaleString('en');
		return [
			`${failed} of ${counted(items, 'item', 'items')} failed (first: ${first.join(', ')}). Item ${first[0]}: ${why}`,
		];
	}
}

export const notFiniteRead =
	'The response contains NaN or Infinity, which JSON does not support: the value is returned as null';

function troubles({ retries, instancesOut }: Execution['counts']): string[] {
	const [instances, were] = instancesOut.size === 1 ? ['instance', 'was'] : ['instances', 'were'];
	return [
		...(retries > 0 ? [`${counted(retries, 'request', 'requests')} retried`] : []),
		...(instancesOut.size > 0 ? [`${instances} ${listed([...instancesOut])} ${were} not available`] : []),
	];
}

/** One line for n8n's log, which shows no items. It has only numbers, because a hint may show values of records. */
export function logLine(counts: Execution['counts'], failed: number, items: number): string {
	const ofItems = failed > 0 ? [`${failed.toLocaleString('en')} of ${counted(items, 'item', 'items')} failed`] : [];
	return [...ofItems, ...troubles(counts)].map(sentence).join(' ');
}

/**
 * Hints for the user about a run with problems; empty for a run without any.
 *
 * @param warnings problems that may make results wrong or missing
 * @param notes other remarks on the run
 */
export function runHints(
	counts: Execution['counts'],
	warnings: readonly string[],
	notes: readonly string[],
): NodeExecutionHint[] {
	const hint = (parts: readonly string[], type: NodeExecutionHint['type']): NodeExecutionHint[] => {
		const message = sentence(shortened(parts.join('; '), longest.hint));
		return parts.length > 0 ? [{ message, type, location: 'outputPane' }] : [];
	};
	return [...hint([...warnings, ...troubles(counts)], 'warning'), ...hint(notes, 'info')];
}
