/** Receives text that ends its own lines, so that a line can be completed later. */
export type Report = (text: string) => unknown;

/** Runs a step and reports it in one line: its name at the start, and its duration at the end. */
export async function timed<Result>(report: Report, step: string, work: () => Promise<Result>): Promise<Result> {
	report(`${step} ... `);
	const began = performance.now();
	let took = '';
	try {
		const result = await work();
		took = `${Math.round((performance.now() - began) / 1000)} s`;
		return result;
	} finally {
		report(`${took}\n`);
	}
}
