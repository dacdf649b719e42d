import { holtWinters } from '../../../demo/api-node/models/holt-winters';
import { type LinearModel, scorer } from '../../../demo/api-node/models/linear-model';

const model: LinearModel = {
	kind: 'REGRESSION',
	target: 'y',
	classes: [],
	threshold: 0,
	percentiles: [],
	data: 'none',
	metrics: {},
	base: [10],
	features: [
		{ name: 'x', type: 'number', encoding: 'number', mean: 2, weights: [3] },
		{ name: 'l', type: 'number', encoding: 'log', mean: 0, weights: [2] },
		{ name: 'b', type: 'number', encoding: 'bins', edges: [6, 12], weights: { '0': [1], '1': [2], '2': [4] } },
		{ name: 'c', type: 'string', encoding: 'category', weights: { red: [-5] } },
	],
};

test.each([
	['everything missing', {}, [0, 0, 0, 0]],
	['the mean', { x: 2 }, [0, 0, 0, 0]],
	['numbers and logarithms', { x: 4, l: Math.E - 1 }, [6, 2, 0, 0]],
	['the end of a bin', { b: 5.99 }, [0, 0, 1, 0]],
	['the start of a bin', { b: 6 }, [0, 0, 2, 0]],
	['the last bin', { b: 99 }, [0, 0, 4, 0]],
	['a category', { c: 'red' }, [0, 0, 0, -5]],
	['an unseen category', { c: 'blue' }, [0, 0, 0, 0]],
])('a linear model weighs %s', (_case, record, parts) => {
	const score = scorer(model)(record);
	expect(score.parts.map(([part]) => part)).toEqual(parts);
	expect(score.values[0]).toBe(10 + parts.reduce((sum, part) => sum + part, 0));
});

test('Holt-Winters continues a line and a season exactly when there is no noise', () => {
	const value = (time: number) => 50 + 2 * time + [0, 10, -10, 5][time % 4]!;
	const past = Array.from({ length: 24 }, (_, time) => value(time));
	holtWinters(past, 4, 8).forEach(({ mean, deviation }, step) => {
		expect(mean).toBeCloseTo(value(24 + step), 6);
		expect(deviation).toBeLessThan(1e-6);
	});
});

test('the uncertainty of Holt-Winters grows with the horizon', () => {
	const past = Array.from({ length: 40 }, (_, time) => 100 + ((time * 37) % 17));
	const deviations = holtWinters(past, 7, 14).map(({ deviation }) => deviation);
	expect(deviations[0]).toBeGreaterThan(1);
	for (let step = 1; step < deviations.length; step++) expect(deviations[step]).toBeGreaterThan(deviations[step - 1]!);
});
