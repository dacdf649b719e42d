import { type FieldSchema, fieldWords } from '../../../client/internal';

const field = (name: string, more: Partial<FieldSchema> = {}): FieldSchema => ({
	...{ name, required: false, nullable: false },
	...more,
});

it('lists types, values and descriptions, the required fields first', () => {
	const fields = [
		field('country', { type: 'string', enum: ['FR', 'DE'] }),
		field('anything'),
		field('amount', { type: 'number', required: true, description: 'in\n EUR' }),
	];
	expect(fieldWords({ fields })).toBe('amount (number, required; in EUR), country (one of FR | DE), anything');
});

it('names null when it is a value', () => {
	const fields = [
		field('amount', { type: 'number', nullable: true, required: true }),
		field('country', { enum: ['FR', 'DE'], nullable: true }),
		field('anything', { nullable: true }),
	];
	expect(fieldWords({ fields })).toBe(
		'amount (number or null, required), country (one of FR | DE, or null), anything (may be null)',
	);
});

it('counts what it leaves out when there are many fields, many values or long descriptions', () => {
	const many = Array.from({ length: 50 }, (_, n) => field(`f${n}`));
	expect(fieldWords({ fields: many })).toMatch(/^f0, f1, .* f39 and 10 more$/);
	const long = many.map(({ name }) => field(name, { description: 'word '.repeat(100) }));
	const words = fieldWords({ fields: long });
	expect(words.length).toBeLessThan(2_100);
	expect(words).toMatch(/ and \d+ more$/);
	const values = Array.from({ length: 30 }, (_, n) => n);
	expect(fieldWords({ fields: [field('n', { enum: values })] })).toMatch(/\| 19 and 10 more\)$/);
});
