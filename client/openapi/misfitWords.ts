import type { OperationName } from '../operations';
import type { EndpointSchema, FieldType } from './EndpointSchema';
import type { Misfit } from './misfits';
import { shortened } from '../shortened';

export const fieldNouns: Record<OperationName, string> = {
	predict: 'feature',
	predictEffect: 'feature',
	lookup: 'key',
	forecast: 'column',
	sqlQuery: 'parameter',
	runFunction: 'argument',
};

const dueTypes: Record<FieldType, string> = {
	number: 'a number',
	integer: 'a whole number',
	string: 'text',
	boolean: 'true or false',
	array: 'a list',
	object: 'an object',
};

const mostListed = 6;

/** Describes a misfit in a sentence without a period: "`amount` must be a number, not the text 'a lot'". */
export function misfitWords(misfit: Misfit, { id, operation }: Pick<EndpointSchema, 'id' | 'operation'>): string {
	const noun = fieldNouns[operation];
	switch (misfit.kind) {
		case 'missing':
			return `${nameIn(misfit.field)} is missing`;
		case 'type':
			return `${nameIn(misfit.field)} must be ${dueTypes[misfit.type]}, not ${kindOf(misfit.value)}`;
		case 'enum':
			return `${nameIn(misfit.field)} is ${shown(misfit.value)}, which is not one of ${listed(misfit.enum)}`;
		case 'lost':
			return `${nameIn(misfit.field)} is ${misfit.what}, which JSON cannot represent: ${misfit.sentAs} is sent instead`;
		case 'empty':
			return 'the record contains no values';
		case 'none':
			return `the record has none of the ${noun}s of '${id}' (expected: ${listed(misfit.fields)})`;
		case 'unknown':
			return `'${id}' has no ${noun} ${nameIn(misfit.field)}: did you mean ${nameIn(misfit.suggestion)}?${
				looksSame(misfit.field, misfit.suggestion)
					? ' The two names look the same, but their letters are encoded differently'
					: ''
			}`;
	}
}

/**
 * Equal on screen: macOS writes the accent of a letter as a separate character, files begin with a byte order mark, and web
 * pages have spaces that do not break.
 */
const looksSame = (name: string, other: string) => onScreen(name) === onScreen(other);
const onScreen = (name: string) =>
	name
		.normalize()
		.replace(/\p{Cf}/gu, '')
		.replace(/\s/g, ' ');

function nameIn(field: string): string {
	return `\`${plain(field)}\``;
}

function kindOf(value: unknown): string {
	return typeof value === 'string' ? `the text ${shown(value)}` : shown(value);
}

function shown(value: unknown): string {
	if (typeof value === 'string') return `'${plain(value)}'`;
	if (Array.isArray(value)) return 'a list';
	return typeof value === 'object' && value !== null ? 'an object' : plain(String(value));
}

export function listed(values: readonly unknown[]): string {
	const texts = values.slice(0, mostListed).map((value) => (typeof value === 'string' ? plain(value) : shown(value)));
	const others = values.length - texts.length;
	return others > 0 ? `${texts.join(', ')} and ${others} more` : texts.join(', ');
}

/** Puts a text on one line of at most 60 characters. */
function plain(text: string): string {
	return shortened(text.slice(0, 200).replace(/\s+/g, ' '), 60);
}
