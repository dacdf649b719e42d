import type { EndpointSchema, FieldSchema } from './EndpointSchema';
import { shortened } from '../shortened';

const mostFields = 40;
const mostValues = 20;

/**
 * Describes the fields of an endpoint for a language model, the required ones first: "amount (number, required; in EUR),
 * country (one of FR | DE | ES)". At most 40 fields and about 2,000 characters.
 */
export function fieldWords({ fields }: Pick<EndpointSchema, 'fields'>): string {
	// If there are too many fields, the required ones matter most.
	const [first, others] = [fields.filter(({ required }) => required), fields.filter(({ required }) => !required)];
	const texts = [...first, ...others].slice(0, mostFields).map(wordsOf);
	let length = 0;
	const shown = texts.filter((text, n) => (length += text.length) <= 1_900 || n === 0);
	const more = fields.length - shown.length;
	return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

function wordsOf(field: FieldSchema): string {
	const { name, required } = field;
	const facts = [...typeWords(field), ...(required ? ['required'] : [])].join(', ');
	const about = [facts, field.description && shortened(field.description.replace(/\s+/g, ' '), 200)];
	const words = about.filter(Boolean).join('; ');
	return words ? `${name} (${words})` : name;
}

function typeWords({ type, enum: values, nullable }: FieldSchema): string[] {
	if (!values) return type ? [nullable ? `${type} or null` : type] : nullable ? ['may be null'] : [];
	const listed = values.slice(0, mostValues).map((value) => shortened(String(value), 60));
	const more = values.length - listed.length;
	const all = `one of ${listed.join(' | ')}${more > 0 ? ` and ${more} more` : ''}`;
	return nullable ? [all, 'or null'] : [all];
}
