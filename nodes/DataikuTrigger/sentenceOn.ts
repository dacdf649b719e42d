import { counted, listed } from '../shared/hints';
import type { Change } from './changes';

/**
 * Describes an event in one or two sentences.
 *
 * @param instance the instance, if the credential has several
 */
export function sentenceOn(change: Change, endpoint: string, instance?: string): string {
	const { event, generation, before, after, since, beforeSince, details } = change;
	const place = `Endpoint '${endpoint}'${instance === undefined ? '' : ` on ${instance}`}`;
	if (event === 'down') return `${place} has been down since ${since}: ${details[0]!.reason}`;
	if (event === 'up') return `${place} is up again. It had been down since ${beforeSince}.`;
	if (event === 'generation') return `${place} now responds with generation ${after} (before: ${before}).`;
	if (event === 'fields') {
		const changes = details.map((detail) => `${detail.field} (${detail.change})`);
		return `${place} has changed its documented fields: ${listed(changes)}.`;
	}
	const records = counted(details.length, 'test record', 'test records');
	const model = generation === null ? '' : ` with generation ${generation}`;
	return `${place} scores ${records} differently${model}. Largest change: from ${shown(before)} to ${shown(after)}.`;
}

const shown = (value: Change['before']) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value);
