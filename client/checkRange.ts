import { InvalidCallError } from './errors';

/** Node.js runs a timer with a longer delay after 1 ms. */
export const longestTimer = 2 ** 31 - 1;

/** @throws InvalidCallError when the value of the option is not a number from `least` to `most` */
export function checkRange(name: string, value: number | undefined, least: number, most = Infinity): void {
	if (value === undefined || (typeof value === 'number' && value >= least && value <= most)) return;
	const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
	throw new InvalidCallError(`'${name}' must be a number ${range}, not '${String(value)}'`);
}
