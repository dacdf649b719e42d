import fc from 'fast-check';
import { axesOf, type Direction } from '../../../nodes/DataikuWhatIf/axes';
import { type Changes, VariantSearch } from '../../../nodes/DataikuWhatIf/VariantSearch';

type Value = number | string | boolean;
type Row = Record<string, Value>;

/** A feature with few values: those that it may take in addition to its own. */
interface Feature {
	name: string;
	own: Value;
	values?: Value[];
	min?: number;
	max?: number;
	step?: number;
	direction: Direction;
}
type Model = (row: Row) => number;

/** What brute force finds: a change of each feature that differs, by its value. */
interface Found {
	values: Row;
	distance: number;
	value: number;
}

const numbered = (names: number) => Array.from({ length: names }, (_, n) => `f${n}`);

/** Every value that a feature may change to, as its limits read. */
function allowed({ own, values, min, max, step, direction }: Feature): Value[] {
	const all: Value[] = values ?? [];
	if (!values) for (let n = 0; min! + n * step! <= max!; n++) all.push(min! + n * step!);
	const isNumber = all.every((value) => typeof value === 'number');
	const place = (value: Value) => (isNumber ? (value as number) : all.indexOf(value));
	const mayBe = {
		any: () => true,
		up: (to: number, from: number) => to > from,
		down: (to: number, from: number) => to < from,
	};
	if (direction !== 'any' && !isNumber && !all.includes(own)) return [];
	return all.filter((value) => value !== own && mayBe[direction](place(value), place(own)));
}

const rangeOf = ({ values, min, max }: Feature): number => {
	if (!values) return max! - min! || 1;
	const numbers = values as number[];
	return Math.max(...numbers) - Math.min(...numbers) || 1;
};

function distanceTo(feature: Feature, to: Value): number {
	return typeof to === 'number' ? Math.abs(to - (feature.own as number)) / rangeOf(feature) : 1;
}

/** All changes to at most three features, one by one. */
function bruteForce(features: Feature[], model: Model): Found[] {
	const own = Object.fromEntries(features.map(({ name, own: value }) => [name, value]));
	const found: Found[] = [];
	const extend = (values: Row, distance: number, from: number) => {
		if (Object.keys(values).length > 0) found.push({ values, distance, value: model({ ...own, ...values }) });
		if (Object.keys(values).length === 3) return;
		for (const [n, feature] of features.slice(from).entries()) {
			for (const to of allowed(feature)) {
				extend({ ...values, [feature.name]: to }, distance + distanceTo(feature, to), from + n + 1);
			}
		}
	};
	extend({}, 0, 0);
	return found;
}

/** Whether everything that changes in one changes in the other as well, in the same way and at least as far. */
function isEnough(features: Feature[], { values: some }: Found, { values: more }: Found): boolean {
	return Object.entries(some).every(([name, to]) => {
		const { own } = features.find((feature) => feature.name === name)!;
		const other = more[name];
		if (typeof to !== 'number' || typeof other !== 'number') return to === other;
		return (
			Math.sign(to - Number(own)) === Math.sign(other - Number(own)) &&
			Math.abs(to - Number(own)) <= Math.abs(other - Number(own))
		);
	});
}

const size = ({ values }: Found) => Object.keys(values).length;

/** The changes of which none does more than it needs to, best first, up to the order of equals. */
function smallest(features: Feature[], all: Found[], best: boolean): Found[] {
	const isBetter = (a: Found, b: Found) => !best || a.value >= b.value;
	return all
		.filter((one) => !all.some((other) => other !== one && isBetter(other, one) && isEnough(features, other, one)))
		.sort((a, b) => (best ? b.value - a.value : 0) || size(a) - size(b) || a.distance - b.distance);
}

/** Lets the search ask a model, and returns what it asked. */
function searched(
	features: Feature[],
	model: Model,
	options: { goal: number | 'best'; maxVariants: number; maxSuggestions?: number },
) {
	const { goal, maxVariants, maxSuggestions = 3 } = options;
	const own = Object.fromEntries(features.map(({ name, own: value }) => [name, value]));
	const axes = features.flatMap(({ own: from, ...limits }) => axesOf({ ...limits, from }));
	const search = new VariantSearch<Row>(axes, {
		maxVariants,
		maxSuggestions,
		value: model(own),
		wantsBest: goal === 'best',
	});
	const asked: Row[] = [];
	const valuesOf = (changes: Changes) =>
		Object.fromEntries(changes.map(({ axis, step }) => [axis.feature, axis.valueAt(step) as Value]));
	const rounds: number[] = [];
	for (let round = search.next(); round.length > 0; round = search.next()) {
		rounds.push(round.length);
		for (const changes of round) {
			const values = valuesOf(changes);
			asked.push({ ...own, ...values });
			const value = model({ ...own, ...values });
			search.report(changes, { value, reached: goal !== 'best' && value > goal }, values);
		}
	}
	return { search, asked, rounds, own };
}

const direction = fc.constantFrom<Direction>('any', 'any', 'up', 'down');
const numberFeature = (name: string): fc.Arbitrary<Feature> =>
	fc
		.record({
			min: fc.integer({ min: -5, max: 5 }),
			steps: fc.integer({ min: 0, max: 3 }),
			step: fc.constantFrom(0.5, 1, 2),
			own: fc.integer({ min: -6, max: 12 }),
			direction,
		})
		.map(({ min, steps, step, own, direction: way }) => ({
			name,
			own,
			min,
			max: min + steps * step,
			step,
			direction: way,
		}));
const listFeature = (name: string): fc.Arbitrary<Feature> =>
	fc
		.record({
			values: fc.constantFrom<Value[]>(['a', 'b'], ['a', 'b', 'c'], [false, true], [1, 4, 6]),
			own: fc.integer({ min: 0, max: 3 }),
			direction,
		})
		.map(({ values, own, direction: way }) => ({ name, values, own: values[own % values.length]!, direction: way }));
const featuresArb = fc
	.integer({ min: 1, max: 4 })
	.chain((count) => fc.tuple(...numbered(count).map((name) => fc.oneof(numberFeature(name), listFeature(name)))));

const asNumber = (value: Value) =>
	typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : value.charCodeAt(0) - 97;
/** A weight for each feature. */
const linear = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 4, maxLength: 4 }).map(
	(weights): Model =>
		(row) =>
			Object.values(row).reduce<number>((sum, value, n) => sum + weights[n]! * asNumber(value), 0),
);
/** Conditions on up to three features that must hold together: no single change tells that it helps. */
const rules = fc
	.array(
		fc.array(
			fc.record({ feature: fc.integer({ min: 0, max: 3 }), at: fc.integer({ min: -2, max: 4 }), above: fc.boolean() }),
			{ minLength: 1, maxLength: 3 },
		),
		{ minLength: 1, maxLength: 2 },
	)
	.map((all): Model => (row) => {
		const values = Object.values(row).map(asNumber);
		const holds = all.some((rule) =>
			rule.every(({ feature, at, above }) =>
				above ? values[feature % values.length]! > at : values[feature % values.length]! <= at,
			),
		);
		return holds ? 1 : 0;
	});
/** A tree of three levels. */
const tree = fc
	.record({
		splits: fc.array(fc.record({ feature: fc.integer({ min: 0, max: 3 }), at: fc.integer({ min: -3, max: 5 }) }), {
			minLength: 7,
			maxLength: 7,
		}),
		leaves: fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 8, maxLength: 8 }),
	})
	.map(({ splits, leaves }): Model => (row) => {
		const values = Object.values(row).map(asNumber);
		let node = 0;
		while (node < 7) node = 2 * node + (values[splits[node]!.feature % values.length]! > splits[node]!.at ? 2 : 1);
		return leaves[node - 7]!;
	});

describe.each([
	['a linear model with a threshold', linear],
	['rules', rules],
	['a tree', tree],
])('of %s', (_name, models) => {
	it.each(['a threshold', 'the best'] as const)(
		'the suggestions for %s are those of brute force when all changes fit',
		(kind) => {
			const property = fc.property(
				featuresArb,
				models,
				fc.constantFrom(-2, 0, 0.5, 3),
				fc.integer({ min: 1, max: 5 }),
				(features, model, threshold, maxSuggestions) => {
					const goal = kind === 'the best' ? kind : threshold;
					const own = model(Object.fromEntries(features.map(({ name, own: value }) => [name, value])));
					if (goal !== 'the best' && own > goal) return;
					const all = bruteForce(features, model);
					const maxVariants = all.length;
					const { search, asked } = searched(features, model, {
						goal: goal === 'the best' ? 'best' : goal,
						maxVariants,
						maxSuggestions,
					});
					expect(search.isExhaustive).toBe(true);
					expect(asked.length).toBeLessThanOrEqual(maxVariants);
					const candidates = all.filter(({ value }) => value > (goal === 'the best' ? own : goal));
					const expected = smallest(features, candidates, goal === 'the best').slice(0, maxSuggestions);
					const keys = ({ value, distance }: { value: number; distance: number }, changed: number) => [
						changed,
						Number(distance.toFixed(9)),
						...(goal === 'the best' ? [value] : []),
					];
					expect(search.suggestions.map((one) => keys(one, one.changes.length))).toEqual(
						expected.map((one) => keys(one, size(one))),
					);
					// Equals may come in another order, but nothing is made up.
					for (const { result } of search.suggestions)
						expect(candidates.map(({ values }) => values)).toContainEqual(result);
				},
			);
			fc.assert(property, { seed: 20240501, numRuns: 400 });
		},
	);

	it('each variant is tried once, differs from the record, and their number is limited', () => {
		const property = fc.property(
			featuresArb,
			models,
			fc.integer({ min: 1, max: 60 }),
			fc.boolean(),
			(features, model, maxVariants, best) => {
				const { asked, search, own } = searched(features, model, { goal: best ? 'best' : 0, maxVariants });
				expect(asked.length).toBeLessThanOrEqual(maxVariants);
				expect(search.count).toBe(asked.length);
				const texts = [own, ...asked].map((row) => JSON.stringify(row));
				expect(new Set(texts).size).toBe(texts.length);
				for (const row of asked) {
					for (const feature of features) {
						if (row[feature.name] !== feature.own) expect(allowed(feature)).toContainEqual(row[feature.name]);
					}
				}
			},
		);
		fc.assert(property, { seed: 7, numRuns: 400 });
	});
});

it('tries no more than it needs when one feature has many values', () => {
	let looks = 0;
	const axes = Array.from({ length: 190 }, (_, n) => ({
		feature: 'x',
		get size() {
			looks++;
			return 1;
		},
		valueAt: () => n,
		distanceAt: () => 1,
	}));
	const search = new VariantSearch(axes, { maxVariants: 200, maxSuggestions: 3, value: 0, wantsBest: false });
	for (let round = search.next(); round.length > 0; round = search.next())
		for (const changes of round) search.report(changes, { reached: false, value: 0 });
	expect(search.count).toBe(190);
	expect(looks).toBeLessThan(5_000);
});

describe('where not all changes fit', () => {
	const wide = fc.record({ own: fc.integer({ min: 100, max: 900 }), weight: fc.constantFrom(-2, -1, 1, 2) });
	const featureOf = ({ own }: { own: number }, n: number): Feature => ({
		name: `f${n}`,
		own,
		min: 0,
		max: 1_000,
		step: 0.1,
		direction: 'any',
	});

	it('the smallest single change of a linear model is found to the step', () => {
		const property = fc.property(
			fc.array(wide, { minLength: 1, maxLength: 5 }),
			fc.integer({ min: 1, max: 99 }),
			(given, missing) => {
				const features = given.map(featureOf);
				const model: Model = (row) => given.reduce((sum, { weight }, n) => sum + weight * (row[`f${n}`] as number), 0);
				const goal = model(Object.fromEntries(features.map(({ name, own }) => [name, own]))) + missing;
				const { search } = searched(features, model, { goal, maxVariants: 200 });
				expect(search.isExhaustive).toBe(false);
				const steps = given.map(({ weight }) => Math.floor((10 * missing) / Math.abs(weight)) + 1);
				const [first] = search.suggestions;
				expect(first!.changes).toHaveLength(1);
				expect(first!.distance).toBeCloseTo(Math.min(...steps) / 10_000, 6);
			},
		);
		fc.assert(property, { seed: 3, numRuns: 200 });
	});

	it('pairs and triples reach what single changes do not reach', () => {
		for (const needed of [2, 3]) {
			const features = numbered(6).map((name): Feature => ({
				name,
				own: 0,
				min: 0,
				max: 1_000,
				step: 1,
				direction: 'any',
			}));
			const model: Model = (row) => Object.values(row).filter((value) => (value as number) > 500).length;
			const { search } = searched(features, model, { goal: needed - 0.5, maxVariants: 200 });
			expect(search.suggestions[0]?.changes).toHaveLength(needed);
		}
	});

	it('gives the same suggestions each time', () => {
		const features = numbered(8).map((name, n): Feature => ({
			name,
			own: n,
			min: 0,
			max: 100,
			step: 0.5,
			direction: 'any',
		}));
		const model: Model = (row) =>
			Object.values(row).reduce<number>((sum, value, n) => sum + Math.sin(n + (value as number)), 0);
		const suggestions = () =>
			searched(features, model, { goal: 'best', maxVariants: 150 }).search.suggestions.map(({ result }) => result);
		expect(suggestions()).toEqual(suggestions());
	});

	it('tries a value of every feature before it continues with one', () => {
		const features = Array.from({ length: 50 }, (_, n): Feature => ({
			name: `f${n}`,
			own: 'x',
			values: Array.from({ length: 40 }, (__, v) => `v${v}`),
			direction: 'any',
		}));
		const { asked, own } = searched(features, () => 0, { goal: 1, maxVariants: 100 });
		const changed = asked.slice(0, 50).flatMap((row) => Object.keys(row).filter((name) => row[name] !== own[name]));
		expect(new Set(changed).size).toBe(50);
	});
});
