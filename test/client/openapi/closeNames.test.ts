import fc from 'fast-check';
import { closeNames, comparisonsWith } from '../../../client/openapi/closeNames';

const areClose = (name: string, other: string) => closeNames([other])(name).length === 1;

it.each([
	['amuont', 'amount'],
	['amont', 'amount'],
	['amouunt', 'amount'],
	['anount', 'amount'],
	['amounts', 'amount'],
	['Amount', 'amount'],
	['AMOUNT', 'amount'],
	['Card_Country', 'cardCountry'],
	['cardcountry', 'card_country'],
	['card country', 'card_country'],
	['card-contry', 'card_country'],
	['cardcontry', 'card_country'],
	['merchant_categroy', 'merchant_category'],
	['ID', 'id'],
	['customerID', 'customer_id'],
	['ctiy', 'city'],
	['GRÖßE', 'größe'],
	['Größen', 'Größe'],
])('%s is a close name for %s', (name, other) => {
	expect([areClose(name, other), areClose(other, name)]).toEqual([true, true]);
});

it.each([
	['lag_1', 'lag_2'],
	['lag1', 'lag_11'],
	['v1', 'v10'],
	['name2', 'name'],
	['min_price', 'max_price'],
	['minPrice', 'max_price'],
	['id', 'uid'],
	['age', 'agr'],
	['from', 'to'],
	['amount', 'account'],
	['country', 'county_code'],
	['customer_id', 'customer_name'],
	['quantity', 'quality'],
	['', 'a'],
	['_', '-'],
	['😀', '😁'],
	['年', '月'],
])('%s is not a close name for %s', (name, other) => {
	expect([areClose(name, other), areClose(other, name)]).toEqual([false, false]);
});

it('Names that differ only in case and separators come before misspelled ones', () => {
	expect(closeNames(['card_contry', 'other', 'cardCountry'])('card_country')).toEqual(['cardCountry', 'card_contry']);
});

it.each([
	['ｓｕｒｆａｃｅ', 'surface'],
	['ﬁnal', 'final'],
	['x²', 'x2'],
])('%s is a close name for %s, which has the same characters in another form', (name, other) => {
	expect([areClose(name, other), areClose(other, name)]).toEqual([true, true]);
});

it('Long names count as several comparisons, and long unknown names do not take longer', () => {
	const names = Array.from({ length: 100 }, (_, n) => 'x'.repeat(20_000) + String.fromCodePoint(0x4e00 + n));
	expect(comparisonsWith(names)).toBeGreaterThan(50 * comparisonsWith(names.map((name) => name.slice(-10))));
	const close = closeNames(names);
	const found = Array.from({ length: 60 }, (_, n) =>
		close(`${'x'.repeat(20_000)}y${String.fromCodePoint(0x5e00 + n)}`),
	);
	expect(found.filter(({ length }) => length > 0)).toHaveLength(50);
});

it('Very long names are compared quickly', () => {
	const long = 'a'.repeat(2_000_000);
	expect(areClose(`${long}b`, `${long}c`)).toBe(true);
	expect(areClose(`${long}bbb`, `${long}ccc`)).toBe(false);
});

const letter = fc.constantFrom(...'abc');

it('A longer word is close when one letter is added, missing, replaced or swapped', () => {
	const word = fc.string({ unit: letter, minLength: 4, maxLength: 30 });
	fc.assert(
		fc.property(word, fc.nat(), letter, (right, seed, other) => {
			const at = seed % right.length;
			const [before, here, next = '', rest] = [right.slice(0, at), right[at]!, right[at + 1], right.slice(at + 2)];
			const misspelt = [
				before + other + right.slice(at),
				before + other + next + rest,
				before + next + here + rest,
				...(right.length > 4 ? [before + next + rest] : []),
			];
			for (const wrong of misspelt) expect([wrong, areClose(wrong, right)]).toEqual([wrong, true]);
		}),
	);
});

it('Words are close exactly when their edit distance is small', () => {
	const word = fc.string({ unit: letter, minLength: 1, maxLength: 14 });
	fc.assert(
		fc.property(word, word, (a, b) => {
			const length = Math.max(a.length, b.length);
			const tolerated = length < 4 ? 0 : length < 9 ? 1 : 2;
			expect(areClose(a, b)).toBe(distance(a, b) <= tolerated);
		}),
		{ numRuns: 3_000 },
	);
});

/** The textbook's optimal string alignment. */
function distance(a: string, b: string): number {
	const rows = Array.from({ length: a.length + 1 }, (_, i) => Array.from({ length: b.length + 1 }, (_, j) => i + j));
	for (let i = 1; i <= a.length; i++) {
		for (let j = 1; j <= b.length; j++) {
			const cost = a[i - 1] === b[j - 1] ? 0 : 1;
			const ways = [rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + cost];
			if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) ways.push((rows[i - 2]?.[j - 2] ?? Infinity) + 1);
			rows[i]![j] = Math.min(...ways);
		}
	}
	return rows[a.length]![b.length]!;
}

it('misspellings are no longer found after the limit of comparisons for a document', () => {
	const names = ['amount', ...Array.from({ length: 100_000 }, (_, n) => `f${n}`)];
	expect(closeNames(names)('amuont')).toEqual(['amount']);
	const closeTo = closeNames(names);
	const asked = Array.from({ length: 60 }, (_, n) => closeTo(`F-${n}`));
	expect(closeTo('amuont')).toEqual([]);
	// The same but for case and separators takes no comparison.
	expect(asked.at(-1)).toEqual(['f59']);
	expect(closeTo('AMOUNT')).toEqual(['amount']);
});

it.each([
	['Größe', 'größe'],
	['Prénom', 'PRÉNOM'],
	['が', 'が'],
	['café_du_monde', 'cafeDuMonde'],
])('%s is close to %s, however their accents are encoded', (name, other) => {
	for (const [some, others] of [
		['NFC', 'NFD'],
		['NFD', 'NFC'],
	] as const)
		expect(closeNames([other.normalize(others)])(name.normalize(some))).toEqual([other.normalize(others)]);
});
