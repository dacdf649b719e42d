import type { JsonObject } from '../../../client';
import { axesFor, type VariedFeature } from '../../../nodes/DataikuWhatIf/variations';

type Fields = Parameters<typeof axesFor>[2];

/** The first values that a search would try. */
function valuesOf(
	record: JsonObject,
	row: Omit<VariedFeature, 'values' | 'direction'>,
	fields: Fields = [],
): unknown[] {
	const features = [{ values: '', direction: 'any' as const, ...row }];
	const axes = axesFor(
		record,
		{ documented: fields.length > 0, features, locked: [] },
		fields,
		() => true,
		() => {},
	);
	return axes.flatMap(({ size, valueAt }) => Array.from({ length: Math.min(size, 5) }, (_, n) => valueAt(n)));
}

const documented = (more: object) =>
	[{ name: 'x', type: 'integer', required: false, nullable: false, ...more }] as unknown as Fields;

it('a range with more numbers than JavaScript can distinguish is tried in coarse steps', () => {
	const values = valuesOf({ x: 1.7e18 }, { name: 'x', min: 0, max: 2e18 });
	expect(new Set(values).size).toBe(values.length);
	expect(values.length).toBeGreaterThan(2);
});

it('each whole number of a range is tried when it has 16 digits', () => {
	const first = 1_700_000_000_000_001;
	const values = valuesOf({ x: first }, { name: 'x', min: first, max: first + 3 });
	expect(values).toEqual([first + 1, first + 2, first + 3]);
});

it('a step is refused when the range contains more steps than JavaScript can distinguish', () => {
	expect(() => valuesOf({ x: 0.5 }, { name: 'x', min: 0, max: 1, step: 1e-17 })).toThrow('"Step" is too small');
});

it.each([400, 412.5])('a fractional step is accepted when the record has %d', (x) => {
	expect(valuesOf({ x }, { name: 'x', min: 0, max: 1000, step: 0.5 })).toContain(x + 0.5);
});

it('half a range is refused when the document does not have the other half', () => {
	expect(() => valuesOf({ x: 4 }, { name: 'x', min: 1 }, documented({}))).toThrow('neither values nor a range');
});

it.each([1, 5, 6])('only multiples are tried when the document defines nothing else from %d on', (minimum) => {
	const values = valuesOf({ x: 50 }, { name: 'x' }, documented({ minimum, maximum: 100, multipleOf: 5 }));
	expect(values.length).toBeGreaterThan(2);
	expect(values.filter((value) => (value as number) % 5 !== 0)).toEqual([]);
});
