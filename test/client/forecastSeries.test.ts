import { ApiNodeClient, type RecordOutcome } from '../../client';
import { storeHistory } from '../nodes/demo';
import { Stage } from './harness';

const stage = new Stage();

const series = (...stores: Array<string | number>) => stores.map((store) => storeHistory(store));

async function settle(records: ReturnType<typeof series>, options = {}) {
	const { url } = await stage.node();
	const client = new ApiNodeClient({ url, serviceId: 'demo', apiKey: 'demo-key' });
	stage.atEnd(async () => await client.destroy());
	return await client.settle('forecast', 'store_sales', records, { identifierColumns: ['store'], ...options });
}

const resultsOf = (outcome: RecordOutcome) => {
	if (outcome.error) throw outcome.error;
	return outcome.result.results as Array<{ timeseriesIdentifier: { store: unknown } }>;
};
const storesOf = (outcome: RecordOutcome) =>
	new Set(resultsOf(outcome).map(({ timeseriesIdentifier }) => String(timeseriesIdentifier.store)));

it('Each series gets its own forecast, whatever number of them shares a request', async () => {
	for (const batchSize of [1, 2, 100]) {
		const outcomes = await settle(series('Lyon', 'Paris', 7), { batchSize });
		expect(outcomes.map(storesOf)).toEqual([new Set(['Lyon']), new Set(['Paris']), new Set(['7'])]);
	}
});

it('One series needs no identifier columns', async () => {
	const [outcome] = await settle(series('Lyon'), { identifierColumns: [] });
	expect(resultsOf(outcome!)).toHaveLength(7);
});

it('A series that cannot be forecast fails alone', async () => {
	const outcomes = await settle([
		...series('Lyon'),
		[{ date: '2024-05-01', store: 'New', promo: 0 }],
		...series('Paris'),
	]);
	expect(outcomes.map(({ error }) => error?.detail)).toEqual([
		undefined,
		expect.stringContaining('store = "New" has no past'),
		undefined,
	]);
});

it.each([
	[
		'several series without columns that tell them apart',
		series('A', 'B'),
		[],
		/Several series need identifier columns/,
	],
	['two series of the same name', series('A', 'A'), ['store'], /Two of the series have the same store/],
	[
		'columns that are not those of the model',
		series('A'),
		['promo'],
		/The forecast is not of the series that promo identify/,
	],
])('%s: the series fail, and say why', async (_name, records, identifierColumns, message) => {
	const settled = settle(records, { identifierColumns });
	const said = await settled.then(
		(outcomes) => outcomes.map(({ error }) => error?.message).join(),
		(error: Error) => error.message,
	);
	expect(said).toMatch(message);
});

it.each([
	['that is no list', { date: '2024-05-01' } as never, /A series must be a list of records/],
	['with a line that is none', [7] as never, /A record of the series is not an object/],
])('A series %s fails alone, and nothing of it is sent', async (_name, bad, message) => {
	const outcomes = await settle([...series('Lyon'), bad]);
	expect(outcomes.map(({ error }) => error?.message)).toEqual([undefined, expect.stringMatching(message)]);
});
