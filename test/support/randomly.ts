/** A pseudo-random number below `n`, the same in every run. */
export function randomly(seed: number): (n: number) => number {
	let state = seed;
	return (n) => (state = (state * 48_271) % 2_147_483_647) % n;
}
