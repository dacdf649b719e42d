import { shortened } from '../../../nodes/shared/shortened';

test.each([
	['Amount', 6, 'Amount'],
	['Amount of it', 6, 'Amo...'],
	['Rs 😀 and more', 7, 'Rs ...'],
])('%j in %i characters is %j', (text, most, expected) => {
	expect(shortened(text, most)).toBe(expected);
});
