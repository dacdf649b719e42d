import { ApiNodeClient, type RecordOutcome } from '../../client';
import { storeHistory } from '../nodes/demo';
import { seriesKey } from '../../client/forecastSeries';
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

it('A single series needs no identifier columns', async () => {
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
		/Several series require identifier columns/,
	],
	['two series of the same name', series('A', 'A'), ['store'], /Two series have the same store/],
	[
		'a series of the lines of two',
		[[...storeHistory('A'), ...storeHistory('B')]],
		['store'],
		/The rows of a series differ in store/,
	],
	[
		'columns that are not those of the model',
		series('A').map((lines) => lines.map((line) => ({ ...line, shop: 'x' }))),
		['shop'],
		/The model does not identify series by shop/,
	],
	[
		'columns of which the model has only one',
		series('A').map((lines) => lines.map((line) => ({ ...line, shop: 'x' }))),
		['store', 'shop'],
		/The model does not identify series by store, shop/,
	],
])('%s: the series fail with an explanation', async (_name, records, identifierColumns, message) => {
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
])('A series %s fails alone before anything of it is sent', async (_name, bad, message) => {
	const outcomes = await settle([...series('Lyon'), bad]);
	expect(outcomes.map(({ error }) => error?.message)).toEqual([undefined, expect.stringMatching(message)]);
});

describe('a response that spells its series differently', () => {
	/** What becomes of series that were sent so, when the response names these. */
	const answered = async (sent: unknown[], named: unknown[], columns = ['store']) => {
		const identifierOf = (values: unknown) =>
			Object.fromEntries(columns.map((column, n) => [column, columns.length === 1 ? values : (values as [])[n]]));
		const results = named.map((values, n) => ({ forecast: n, timeseriesIdentifier: identifierOf(values) }));
		const { client } = await stage.chaosAndClient({ faults: { kind: 'answer', body: { results } } });
		const outcomes = await client.settle(
			'forecast',
			'store_sales',
			sent.map((values) => [{ date: '2024-05-01', ...identifierOf(values) }]),
			{ identifierColumns: columns },
		);
		return outcomes.map(
			(outcome) => outcome.error?.message ?? resultsOf(outcome).map((row) => 'forecast' in row && row.forecast),
		);
	};

	it.each<[string, unknown, unknown]>([
		['a number with decimals', 1, '1.0'],
		['a number as a number text', '1.50', 1.5],
		['a number with an exponent', 1000, '1e3'],
		['a text with leading zeros', '007', 7],
		['a long number with decimals', '123456789012345678901', '123456789012345678901.0'],
		['a boolean', true, 'True'],
		['a boolean as text', 'FALSE', false],
		['a day', '2024-05-01', '2024-05-01T00:00:00.000Z'],
		['a day with a time', '2024-05-01', '2024-05-01 00:00:00'],
		['an instant in another zone', '2024-05-01T12:00:00Z', '2024-05-01T14:00:00+02:00'],
		['a date', new Date(0), '1970-01-01T00:00:00.000000'],
		['a name with separate accents', 'Orl\u00e9ans', 'Orle\u0301ans'],
	])('is assigned to the only equal series: %s', async (_name, sent, named) => {
		expect(await answered([sent, 'Lyon'], ['Lyon', named, named])).toEqual([[1, 2], [0]]);
	});

	it('is assigned when there is only one series, whatever its name', async () => {
		expect(await answered(['Lyon'], ['LYON'])).toEqual([[0]]);
		expect(await answered([['Lyon', 1]], [['Lyon ', '1.0']], ['store', 'shelf'])).toEqual([[0]]);
		expect(await answered(['007'], [7])).toEqual([[0]]);
	});

	it('is assigned when each of several columns is equal', async () => {
		const sent = [
			['Lyon', 1],
			['Lyon', 2],
			['Paris', 1],
		];
		const named = [
			['Paris', '1.0'],
			['Lyon', '2.0'],
			['Lyon', '1.0'],
		];
		expect(await answered(sent, named, ['store', 'shelf'])).toEqual([[2], [1], [0]]);
	});

	it.each<[string, unknown[], unknown[], unknown[]]>([
		[
			'shifted by a zone, so that one of them is equal to another',
			['2024-01-02T00:00', '2024-01-02T01:00'],
			['2024-01-01T23:00:00Z', '2024-01-02T00:00:00Z'],
			[
				'The response names series store=2024-01-02T00:00:00Z, but the request named store=2024-01-02T00:00',
				'The response names series store=2024-01-01T23:00:00Z, but the request named store=2024-01-02T01:00',
			],
		],
		[
			'read as one with another that was sent',
			['7', '007'],
			[7],
			[
				'The response names series store=7, but the request named store=7',
				'The response names series store=7, but the request named store=007',
			],
		],
		[
			'equal to none',
			[1, 'Lyon'],
			['Lyon', 'one'],
			['The response names series store=one, but the request named store=1', [0]],
		],
		[
			'equal to two',
			['7', '07', 'Lyon'],
			['7.0', 'Lyon'],
			[
				'The response names series store=7.0, but the request named store=7',
				'The response names series store=7.0, but the request named store=07',
				[1],
			],
		],
		[
			'equal to another one that came under its own name',
			['7', '007'],
			['7', '7.0'],
			[[0], 'The response names series store=7.0, but the request named store=007'],
		],
		[
			'one of two that are equal to it',
			[1, 'Lyon'],
			['1.0', '1.00', 'Lyon'],
			['The response names series store=1.0, but the request named store=1', [2]],
		],
		[
			'too long to compare as numbers',
			['9007199254740992', 'Lyon'],
			['9007199254740993', 'Lyon'],
			['The response names series store=9007199254740993, but the request named store=9007199254740992', [1]],
		],
		[
			'text that is equal but for its case',
			['a', 'b'],
			['A', 'b'],
			['The response names series store=A, but the request named store=a', [1]],
		],
	])('fails that series alone when it is %s', async (_name, sent, named, expected) => {
		expect(await answered(sent, named)).toEqual(expected);
	});

	it('is assigned when null comes back as a missing value', async () => {
		const sent = [
			['Lyon', null],
			['Lyon', 'top'],
		];
		const named = [['Lyon', 'top'], ['Lyon']];
		expect(await answered(sent, named, ['store', 'shelf'])).toEqual([[1], [0]]);
	});

	it('is assigned by the content of lists and objects', async () => {
		expect(await answered([['A', 'B'], 'A,B'], [['A', 'B'], 'A,B'])).toEqual([[0], [1]]);
		expect(await answered([{ c: 'A' }, { c: 'B' }], [{ c: 'B' }, { c: 'A' }])).toEqual([[1], [0]]);
		const keys = [['A', 'B'], 'A,B', { c: 'A' }, { c: 'B' }, '[object Object]'].map((id) => seriesKey(['id'], { id }));
		expect(new Set(keys).size).toBe(5);
	});

	it('does not take the results of a series that has exactly this spelling', async () => {
		expect(await answered(['7', '7.0'], ['7.0', '7'])).toEqual([[1], [0]]);
		expect(await answered(['Lyon', 'New'], ['Lyon'])).toEqual([[0], []]);
	});
});
