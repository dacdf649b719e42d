import type { RecordOutcome } from '../../../client';
import { Stage } from '../harness';

const stage = new Stage();

interface Body {
	items: Array<{ features: { n: number } }>;
}

/** What the API node says of a bad record: some stand alone, others side by side, each with words of its own or all with the same. */
function complaint(n: number): string | undefined {
	if (n >= 20_000 && n < 20_500) return `record ${n}`;
	if (n >= 20_500 && n < 30_000) return 'no such column';
	return n % 1_000 === 7 ? `record ${n}` : undefined;
}

test('only the 10,090 bad records fail, without a process warning, when 100,000 records are sent in batches', async () => {
	const warnings: Error[] = [];
	const onWarning = (warning: Error) => warnings.push(warning);
	process.on('warning', onWarning);
	const { client } = await stage.chaosAndClient({
		respond: ({ body }) => {
			const numbers = (JSON.parse(body) as Body).items.map(({ features }) => features.n);
			const message = numbers.map(complaint).find(Boolean);
			if (message) return { status: 400, body: { errorType: 'Bad', message } };
			return { body: { results: numbers.map((n) => ({ prediction: n })) } };
		},
	});
	const { signal } = new AbortController();
	const outcomes: RecordOutcome[] = [];
	const size = 500;
	let next = 0;
	const work = async () => {
		while (next < 100_000) {
			const start = next;
			next += size;
			const records = Array.from({ length: size }, (_, i) => ({ features: { n: start + i } }));
			const settled = await client.settle('predict', 'e', records, { signal, batchSize: size });
			settled.forEach((outcome, i) => (outcomes[start + i] = outcome));
		}
	};
	try {
		await Promise.all(Array.from({ length: 8 }, work));
		expect(warnings).toEqual([]);
	} finally {
		process.off('warning', onWarning);
	}

	const wrong = outcomes.findIndex((outcome, n) => {
		const words = complaint(n);
		if (outcome.error) return outcome.error.serverMessage !== `Bad: ${words}`;
		return words !== undefined || outcome.result.prediction !== n;
	});
	expect(wrong).toBe(-1);
	expect(outcomes).toHaveLength(100_000);
	expect(outcomes.filter(({ error }) => error)).toHaveLength(10_090);
});
