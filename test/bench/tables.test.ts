import { markdown, type Measured, printed, tables } from '../../bench/tables';

const nothing: Measured = { engine: {}, webhooks: { calls: {} } };
const measured: Measured = {
	engine: {
		v24: { 'batch 2000 node': 20, 'batch 2000 bare': 10.04, 'batch 20000 node': 150, 'single 2000 http': 3_000 },
	},
	webhooks: { calls: { 'vm plain 1 node': { p50: 8, p99: 12 }, 'vm plain 1 http': { p50: 10, p99: 15 } } },
};
const rowsOf = (what: Measured, title: string) => tables(what).find((table) => table.title === title)?.rows;

it('shows a time together with its multiple of the reference', () => {
	expect(rowsOf(measured, 'Batches of 100')?.[0]).toEqual([
		...['2,000', 'v24', '20 ms', '150 (3,000 ms)', '–', '–', '0.50 (10 ms)'],
	]);
});

it('marks a time as calculated when it was not measured', () => {
	expect(rowsOf(measured, 'Batches of 100')?.[1]?.slice(2, 4)).toEqual(['150 ms', '200 (≈ 30,000 ms)']);
});

it('leaves out rows when nothing was measured for them', () => {
	expect(rowsOf(measured, 'Batches of 100')?.map(([items]) => items)).toEqual(['2,000', '20,000']);
	expect(rowsOf(measured, 'One request per record')).toEqual([]);
	expect(rowsOf(measured, 'Webhook response time in n8n')).toEqual([
		['vm', 'plain', '1', '8 ms', '1.25 (10 ms)', '12 ms', '1.25 (15 ms)', '–', '–', '–'],
	]);
});

it('leaves out a table, and explains the missing Code node, when nothing was measured', () => {
	const made = tables({ ...nothing, webhooks: { calls: {}, codeNodeError: 'no fetch' } });
	const text = markdown(made);
	expect(text).not.toContain('| --- |');
	expect(text).not.toContain('NaN');
	expect(text).toContain('n8n does not allow fetch in the Code node: no fetch');
	for (const table of made) expect(printed(table)).toBe(`\n${table.title}\n${table.note}`);
});

it('shows how evenly processes share a pool, and the share of refused requests', () => {
	const fairShares = { 8: { rejected: 0.00123, failed: 0, perSecond: 151.44, ofIdeal: 0.9465, unevenness: 1.2 } };
	const table = tables({ ...nothing, fairShares }).find(({ title }) => title === 'Processes that share a pool')!;
	expect(table.rows).toEqual([['8', '151', '94.7%', '0.123%', '0%', '1.20']]);
	expect(table.note).toContain('160 requests per second');
});
