import type { IDataObject } from 'n8n-workflow';
import type { JsonObject } from '../../../client';
import { RunColumns } from '../../../nodes/shared/outputItems';
import { outputsOf } from '../../../nodes/shared/recordOutputs';
import { randomly } from '../../support/randomly';

const own = (names: string[], random: (n: number) => number) =>
	JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:${random(100)}`).join(',')}}`) as JsonObject;

const some = (names: string[], random: (n: number) => number) => names.filter(() => random(3) > 0);

/** What the columns of a result are called, said once more: the answer first. */
function columnsOf({ ignored, ignoreReason, prediction, probas, explanations, ...others }: JsonObject, prefix: string) {
	const maps = Object.entries({ proba_: probas, explanation_: explanations }).flatMap(([start, map]) =>
		Object.entries((map ?? {}) as JsonObject).map(([name, value]) => [start + name, value] as const),
	);
	const said = Object.entries(
		ignored === true ? { ignored, ignoreReason } : typeof ignored === 'string' ? { ignored } : {},
	);
	const first = prediction === undefined ? [] : [['prediction', prediction] as const];
	return [...said, ...first, ...maps, ...Object.entries(others)].map(
		([name, value]) => [prefix + name, value] as const,
	);
}

const features = ['amount', 'hour', '__proto__', 'constructor', 'proba_manual', 'ignored', 'x'];
const classes = ['fraud', 'legit', '__proto__', '0'];

test.each(Array.from({ length: 20 }, (_, n) => n + 1))(
	'an item has the columns of its own result when results of many shapes follow each other (%i)',
	(seed) => {
		const random = randomly(seed * 7919);
		const shapes = Array.from({ length: 4 }, () => ({
			prefix: ['', 'model_a_', 'p'][random(3)]!,
			input: some(features, random),
			probas: random(4) ? some(classes, random) : undefined,
			explanations: random(3) ? undefined : some(features, random),
			others: some(['margin', 'shapes', 'weird'], random),
			ignored: [undefined, false, true, 'in part'][random(6)],
		}));
		for (let n = 0; n < 60; n++) {
			const shape = shapes[random(3) ? 0 : random(4)]!;
			const result: JsonObject = {
				...(random(5) > 0 && { prediction: random(9) }),
				...(shape.probas && { probas: own(shape.probas, random) }),
				...(shape.ignored !== undefined && {
					ignored: shape.ignored,
					...(shape.ignored === true && { ignoreReason: 'r' }),
				}),
				...own(shape.others, random),
				...(shape.explanations && { explanations: own(shape.explanations, random) }),
			};
			const json = own(shape.input, random) as IDataObject;
			const item = outputsOf.predict.flat({
				itemIndex: n,
				source: { json },
				outcome: { result, response: {} },
				record: own(some(shape.input, random), random),
				names: { resultField: 'result', columnPrefix: shape.prefix },
				columns: new RunColumns(),
			});
			const expected = columnsOf(result, shape.prefix);
			const named = new Set(expected.map(([name]) => name));
			const rest = Object.entries(json).filter(([name]) => !named.has(name) && name !== 'prediction');
			// Pairs: `__proto__` in a literal would be another thing.
			expect(Object.entries(item.json).sort()).toEqual([...expected, ...rest].sort());
			expect(item.pairedItem).toEqual({ item: n });
		}
	},
);
