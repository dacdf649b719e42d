/** Takes text as it comes; what it is told ends its lines itself, so that one can be finished later. */
export type Report = (text: string) => unknown;

/** Does a step, and reports it in one line: what it is at once, how long it took when it is done. */
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
