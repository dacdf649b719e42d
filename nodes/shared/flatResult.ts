import type { JsonObject } from '../../client';
import { isObject } from './isObject';

/** The same values, each under a name with something before it. */
export function prefixed(columns: JsonObject, prefix: string): JsonObject {
	if (prefix === '') return columns;
	return Object.fromEntries(Object.entries(columns).map(([name, value]) => [prefix + name, value]));
}

/** The entries of a map as columns; what is no map stays under its own name. */
function entriesOf(map: string, value: unknown, start: string): JsonObject {
	if (isObject(value)) return prefixed(value, start);
	return value === undefined ? {} : { [map]: value };
}

/**
 * A result as columns, the answer first: `prediction`, `proba_<class>`, `explanation_<feature>`, then whatever else came, such
 * as the keys of a custom model, under its own name. `ignored` is a column only of a record that was ignored.
 */
export function flatResult(result: JsonObject): JsonObject {
	const { ignored, ignoreReason, prediction, probas, explanations, ...others } = result;
	return {
		...(ignored === true && { ignored, ignoreReason }),
		...(prediction !== undefined && { prediction }),
		...entriesOf('probas', probas, 'proba_'),
		...entriesOf('explanations', explanations, 'explanation_'),
		...others,
	};
}
