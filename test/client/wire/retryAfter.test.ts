import { parseRetryAfter } from '../../../client/wire/retryAfter';

describe('Retry-After', () => {
	const now = Date.parse('2025-03-01T12:00:00Z');

	it.each([
		['0', 0],
		['2', 2_000],
		[' 2 ', 2_000],
		['1.5', 1_500],
		['1000000000', 1e12],
		['Sat, 01 Mar 2025 12:00:30 GMT', 30_000],
		['Saturday, 01-Mar-25 12:00:30 GMT', 30_000],
	])("'%s' is parsed as a time to wait", (value, ms) => expect(parseRetryAfter(value, now)).toBe(ms));

	it.each([undefined, '', ' ', '-1', '1e9', 'soon', '2 s', 'NaN', 'Infinity', '0x10', 'Sat, 01 Mar 2025 11:59:59 GMT'])(
		"'%s' says nothing",
		(value) => expect(parseRetryAfter(value, now)).toBeUndefined(),
	);
});
