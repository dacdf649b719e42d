import { type FieldSchema, InvalidCallError } from '../../client/internal';
import { textOf } from '../shared/parameters';
import type { Axis } from './VariantSearch';

export interface Variation extends Pick<FieldSchema, 'type'> {
	readonly name: string;
	/** The record's own value. */
	readonly from: unknown;
	readonly values?: readonly unknown[];
	readonly min?: number;
	readonly max?: number;
	/** Exclusive bounds. */
	readonly above?: number;
	readonly below?: number;
	readonly step?: number;
	readonly direction: Direction;
}

export const directions = ['any', 'up', 'down'] as const;
export type Direction = (typeof directions)[number];

/** Minimum number of steps in a range without a given step. */
const stepsInRange = 1_000;

/**
 * The ways in which a feature may change. Numbers are ordered by distance. Each value without an order is its own axis.
 * "Upwards" in a list of values is towards its end.
 *
 * @throws InvalidCallError for an empty range
 */
export function axesOf(variation: Variation): Axis[] {
	const { name, from, type, values, min, max, above = -Infinity, below = Infinity, step, direction } = variation;
	const own = numberIn(from);
	const mayGo = (way: Direction) => direction === 'any' || direction === way;
	/** @param points in ascending order */
	const ordered = (points: Points, range: number): Axis[] => {
		const distanceTo = (value: number) => (own === undefined ? 1 : Math.abs(value - own) / (range || 1));
		const axis = (size: number, placeOf: (step: number) => number): Axis[] => {
			const valueAt = (at: number) => points.valueAt(placeOf(at));
			const distanceAt = (at: number) => distanceTo(points.at(placeOf(at)));
			return size > 0 ? [{ feature: name, size, valueAt, distanceAt }] : [];
		};
		// A missing value has no direction.
		if (own === undefined) return direction === 'any' ? axis(points.size, (at) => at) : [];
		const [less, upTo] = [points.before(own), points.upTo(own)];
		return [
			...(mayGo('up') ? axis(points.size - upTo, (at) => upTo + at) : []),
			...(mayGo('down') ? axis(less, (at) => less - 1 - at) : []),
		];
	};
	if (values) {
		const distinct = [...new Map(values.map((value) => [textOf(value), value])).values()];
		const isNumber = (value: unknown) =>
			typeof value === 'number' || (type !== 'string' && numberIn(value) !== undefined);
		if (distinct.length > 0 && distinct.every(isNumber) && (own !== undefined || (from ?? '') === '')) {
			const sorted = distinct.sort((a, b) => Number(a) - Number(b));
			return ordered(listed(sorted), Number(sorted.at(-1)) - Number(sorted[0]));
		}
		const placeOf = (text: string) => distinct.findIndex((value) => textOf(value) === text);
		const exact = placeOf(textOf(from));
		const place = exact >= 0 ? exact : placeOf(textOf(valueOf(from, type)));
		return distinct.flatMap((value, n) => {
			const isWay = direction === 'any' || (place >= 0 && (direction === 'up' ? n > place : n < place));
			return n !== place && isWay ? [{ feature: name, size: 1, valueAt: () => value, distanceAt: () => 1 }] : [];
		});
	}
	if (min === undefined || max === undefined) return [];
	if (min > max) throw new InvalidCallError(`"Min" of '${name}' is above its "Max"`);
	const points = grid(min, max, step, type === 'integer');
	const [first, end] = [points.upTo(above), points.before(below)];
	return ordered(
		pointsOf(Math.max(0, end - first), (n) => points.at(first + n)),
		max - min,
	);
}

/** Converts texts, because files and forms have numbers and booleans as texts. */
export function valueOf(value: unknown, type: FieldSchema['type']): unknown {
	if (typeof value !== 'string') return value;
	if (type === 'number' || type === 'integer') {
		const number = numberIn(value);
		// Long integers stay texts, so that all of their digits are sent.
		return number === undefined || (Number.isInteger(number) && !Number.isSafeInteger(number)) ? value : number;
	}
	return type === 'boolean' ? (booleanIn(value) ?? value) : value;
}

export function booleanIn(text: string): boolean | undefined {
	const word = text.trim().toLowerCase();
	return word === 'true' || (word === 'false' ? false : undefined);
}

export function numberIn(value: unknown): number | undefined {
	if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === '')) return undefined;
	const number = Number(value);
	return Number.isFinite(number) ? number : undefined;
}

interface Points {
	readonly size: number;
	readonly at: (n: number) => number;
	/** The value that is sent. */
	readonly valueAt: (n: number) => unknown;
	/** How many are less than the value. */
	readonly before: (value: number) => number;
	/** How many are less than or equal to the value. */
	readonly upTo: (value: number) => number;
}

function pointsOf(size: number, at: (n: number) => number, valueAt: (n: number) => unknown = at): Points {
	const count = (isPassed: (point: number) => boolean) => {
		let [low, high] = [0, size];
		while (low < high) {
			const middle = Math.floor((low + high) / 2);
			if (isPassed(at(middle))) low = middle + 1;
			else high = middle;
		}
		return low;
	};
	return {
		size,
		at,
		valueAt,
		before: (value) => count((point) => point < value),
		upTo: (value) => count((point) => point <= value),
	};
}

const listed = (values: readonly unknown[]) =>
	pointsOf(
		values.length,
		(n) => Number(values[n]),
		(n) => values[n],
	);

/**
 * Steps from the lower bound on. A given step stops where the next one would leave the range; otherwise, the last step is the
 * upper bound.
 */
function grid(min: number, max: number, given: number | undefined, isInteger: boolean): Points {
	const neat = 10 ** Math.floor(Math.log10((max - min) / stepsInRange));
	// Beyond this size, neighboring integers would be indistinguishable.
	const isCountable = max - min <= Number.MAX_SAFE_INTEGER;
	const step = given ?? (isInteger && isCountable ? 1 : max > min ? neat : 1);
	const start = isInteger && given === undefined ? Math.ceil(min) : min;
	const whole = Math.floor((max - start) / step + 1e-9) + 1;
	if (!(whole <= Number.MAX_SAFE_INTEGER)) throw new InvalidCallError('"Step" is too small for the range');
	const at = (n: number) => {
		const value = start + n * step;
		return Math.min(max, Number.isSafeInteger(value) ? value : Number(value.toPrecision(15)));
	};
	const endsEarly = given === undefined && !isInteger && at(whole - 1) < max;
	return pointsOf(Math.max(0, endsEarly ? whole + 1 : whole), at);
}
