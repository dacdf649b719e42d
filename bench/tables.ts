import os from 'node:os';
import Table from 'cli-table3';
import { defaultPool } from '../demo/api-node/pool';
import { sharedLatencyMs } from './apiNodes';
import type { FairShares } from './fairShare';
import { expressionEngines, webhookPeers, type WebhookTimes } from './webhooks';

/** Measurements by name, in milliseconds or bytes of the heap. */
export type Figures = Partial<Record<string, number>>;

export interface Measured {
	/** Results in n8n's engine, by version of Node.js. */
	engine: Record<string, Figures>;
	webhooks: WebhookTimes;
	fairShares?: FairShares;
}

export interface ResultTable {
	title: string;
	/** The explanation of the numbers. */
	note: string;
	head: string[];
	/** How many of the first columns name what was measured. Default: two. */
	labels?: number;
	/** Only rows with at least one measurement. */
	rows: string[][];
}

const none = '–';
type Figure = number | undefined;

const measured = (value: Figure): value is number => value !== undefined && Number.isFinite(value);

/** Rounds to three significant digits, or to an integer. */
const digits = (value: number) =>
	value < 100 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString('en');

const milliseconds = (value: Figure) => (measured(value) ? `${digits(value)} ms` : none);
const mebibytes = (bytes: Figure) => (measured(bytes) ? `${digits(bytes / 2 ** 20)} MiB` : none);

/** Returns NaN if something was not measured. No cell shows it. */
const times = (value: Figure, factor: number) => (value ?? NaN) * factor;
const less = (value: Figure, other: Figure) => (value ?? NaN) - (other ?? NaN);

function ratio(value: Figure, to: Figure): string {
	const quotient = times(value, 1 / (to ?? NaN));
	if (!measured(quotient)) return none;
	return quotient.toFixed(quotient < 10 ? 2 : 0);
}

/** Shows a value as a multiple of another value, followed by the value itself. */
function beside(value: Figure, to: Figure): string {
	const multiple = ratio(value, to);
	return multiple === none ? none : `${multiple} (${milliseconds(value)})`;
}

type Cell = (figures: Figures) => string;

export function tables({ engine, webhooks, fairShares }: Measured): ResultTable[] {
	const rows = (list: Array<[label: string, ...cells: Cell[]]>): string[][] =>
		list.flatMap(([label, ...cells]) =>
			Object.entries(engine).map(([version, figures]) => [label, version, ...cells.map((cell) => cell(figures))]),
		);
	const own =
		(name: string): Cell =>
		(figures) =>
			milliseconds(figures[name]);
	const to =
		(peer: string, name: string): Cell =>
		(figures) =>
			beside(figures[peer], figures[name]);
	const nothing: Cell = () => none;
	/** The HTTP Request node's time for `count` items, extrapolated from its run with 2,000 items. */
	const httpTo =
		(count: number, name: string, kind = 'http'): Cell =>
		(figures) => {
			const cell = beside(times(figures[`single 2000 ${kind}`], count / 2_000), figures[name]);
			return count === 2_000 ? cell : cell.replace('(', '(≈ ');
		};

	const all: ResultTable[] = [
		{
			title: 'Batches of 100',
			note: "All peers were warmed up. HTTP Request is n8n's HTTP Request node, which sends one request per item. HTTP Request was run with 2,000 items in two ways: all items at the same time, and in batches of 50 without a pause. With 20,000 items, HTTP Request fails either way, so the times with ≈ are calculated from the runs with 2,000 items. Bare undici is the HTTP library without the node: it sends prepared bodies and ignores the responses. Its column shows how far the node is from the fastest possible time.",
			head: [
				'items',
				'Node.js',
				'Predict',
				'HTTP Request',
				'HTTP Request, batching',
				'Python loop, batches',
				'bare undici',
			],
			rows: rows(
				[2_000, 20_000, 200_000].map((count) => [
					count.toLocaleString('en'),
					own(`batch ${count} node`),
					httpTo(count, `batch ${count} node`),
					httpTo(count, `batch ${count} node`, 'http batched'),
					count === 20_000 ? to('batch 20000 python', 'batch 20000 node') : nothing,
					to(`batch ${count} bare`, `batch ${count} node`),
				]),
			),
		},
		{
			title: 'One request per record',
			note: 'The Predict node ran with Batch Size 1.',
			head: ['items', 'Node.js', 'Predict', 'HTTP Request', 'HTTP Request, batching', 'Python loop', 'bare undici'],
			rows: rows(
				[2_000, 20_000].map((count) => [
					count.toLocaleString('en'),
					own(`single ${count} node`),
					to(`single ${count} http`, `single ${count} node`),
					to(`single ${count} http batched`, `single ${count} node`),
					count === 2_000 ? to('single 2000 python', 'single 2000 node') : nothing,
					to(`single ${count} bare`, `single ${count} node`),
				]),
			),
		},
		{
			title: 'With work in the API node, 2,000 items',
			note: "The API node works for the given time on each request. HTTP Request sends all items at the same time, without batching. In this test, the API node serves 64 requests at a time. An endpoint's default pool serves 8 requests at a time, lets 16 more wait, and rejects the 25th. The times for Predict in batches are medians of nine runs. The first run takes longer than the others, because the node then finds out how many requests the endpoint accepts. All other programs ran once.",
			head: [
				'per request',
				'Node.js',
				'Predict, batches',
				'HTTP Request, divided by batches',
				'Predict, Batch Size 1',
				'HTTP Request, divided by Batch Size 1',
				'bare undici, divided by Batch Size 1',
			],
			rows: rows(
				[5, 50].map((ms) => [
					`${ms} ms`,
					own(`work ${ms} batch node`),
					to(`work ${ms} http`, `work ${ms} batch node`),
					own(`work ${ms} single node`),
					to(`work ${ms} http`, `work ${ms} single node`),
					to(`work ${ms} single bare`, `work ${ms} single node`),
				]),
			),
		},
		{
			title: 'Other operations',
			note: 'HTTP Request returns the 10,000 rows in one item. The node returns one item per row.',
			head: ['workload', 'Node.js', 'the node', 'HTTP Request', 'bare undici'],
			rows: rows([
				['SQL, 10,000 rows', own('sql node'), to('sql http', 'sql node'), to('sql bare', 'sql node')],
				['Forecast, 1,000 series of 67 records', own('forecast node'), nothing, to('forecast bare', 'forecast node')],
			]),
		},
		{
			title: 'A stream of a million records',
			note: 'A process reads the records from a generator, sends them in batches of 100 and reads each outcome. The client uses `settleAll`. The loop over undici was written by hand: it stringifies and parses, but it does not retry, find bad records or watch the API node. Both heaps are measured after a garbage collection: after 100,000 records, and the largest of those after each further 100,000.',
			head: ['', 'Node.js', '`settleAll`', 'loop over undici', 'heap, first', 'heap, largest'],
			rows: rows([
				[
					'Predict, batches of 100',
					own('stream client'),
					to('stream undici', 'stream client'),
					(figures) => mebibytes(figures['stream heap first client']),
					(figures) => mebibytes(figures['stream heap most client']),
				],
			]),
		},
		{
			title: 'First call of a fresh process',
			note: "The time includes loading the client and ends with the response. The peer loads undici as undici's documentation describes, and sends the same request. Node.js modules that n8n itself loads are already loaded when the time starts.",
			head: ['', 'Node.js', 'the client', 'bare undici'],
			rows: rows([['One record', own('first client'), to('first undici', 'first client')]]),
		},
		{
			title: 'Inside n8n',
			note: 'Growth is the time per item with 200,000 items, divided by the time per item with 20,000 items. The time in parentheses is the time per 1,000 items. Expression is the time that one expression per item adds with 20,000 items, divided by the time that n8n needs to evaluate the expressions (getNodeParameter). Pause is the longest event loop pause in a run of 200,000 items with the Predict node, divided by the longest pause with an empty node, which returns the items unchanged. An empty node also causes a pause, because the engine processes all items without interruption, before and after each node.',
			head: ['', 'Node.js', 'growth', 'expression', 'pause', 'pause, empty node'],
			rows: rows([
				[
					'Predict, batches of 100',
					(figures) => beside(times(figures['batch 200000 node'], 1 / 200), times(figures['batch 20000 node'], 1 / 20)),
					(figures) =>
						beside(
							less(figures['expression node'], figures['plain node']),
							less(figures['expression engine'], figures['plain engine']),
						),
					to('pause node', 'pause engine'),
					own('pause engine'),
				],
			]),
		},
		{
			title: 'A million items',
			note: 'The node ran in batches of 100, with the default Node.js heap limit. Peak is the largest heap size, including garbage. The next columns show the peak divided by the size of the items and the output at the end, and the peak divided by the heap limit.',
			head: ['', 'Node.js', 'peak', 'to items and output', 'to the limit'],
			rows: rows([
				[
					'Predict, batches of 100',
					(figures) => mebibytes(figures['heap peak']),
					(figures) => ratio(figures['heap peak'], figures['heap kept']),
					(figures) => ratio(figures['heap peak'], figures['heap limit']),
				],
			]),
		},
		{
			title: 'Webhook response time in n8n',
			note: 'One workflow has the HTTP Request node, one has the Predict node, and one has no node that sends a request. In the first two workflows, the key is in a credential. Each factor is a time divided by the time of the workflow with the Predict node, except in the "added" and "gain" columns. Own part is the time of the workflow that sends no request. Added is the time that HTTP Request adds to the workflow that sends no request, divided by the time that the Predict node adds. Engine is the value of N8N_EXPRESSION_ENGINE, whose default is `vm`. Gain is the time of the workflow with the Predict node and `vm`, divided by its time with `legacy`.',
			head: [
				'engine',
				'connection',
				'callers',
				'Predict, p50',
				'HTTP Request, p50',
				'Predict, p99',
				'HTTP Request, p99',
				"n8n's own part, p50",
				'added, p50',
				'gain, p50',
			],
			labels: 3,
			rows: expressionEngines.flatMap((name) =>
				['plain', 'tls'].flatMap((kind) =>
					[1, 16].map((callers) => {
						const [empty, node, http] = webhookPeers.map(
							(peer) => webhooks.calls[`${name} ${kind} ${callers} ${peer}`],
						);
						const byDefault = webhooks.calls[`${expressionEngines[0]} ${kind} ${callers} node`];
						return [
							name,
							kind === 'tls' ? 'TLS' : 'plain',
							String(callers),
							milliseconds(node?.p50),
							beside(http?.p50, node?.p50),
							milliseconds(node?.p99),
							beside(http?.p99, node?.p99),
							beside(empty?.p50, node?.p50),
							beside(less(http?.p50, empty?.p50), less(node?.p50, empty?.p50)),
							name === expressionEngines[0] ? none : beside(byDefault?.p50, node?.p50),
						];
					}),
				),
			),
		},
		{
			title: 'A fetch loop in the Code node, 2,000 items',
			note: measured(webhooks.codeNode)
				? 'Called once, under the Node.js that n8n runs on.'
				: `n8n does not allow fetch in the Code node: ${webhooks.codeNodeError ?? 'no reason given'}`,
			head: ['', 'Node.js', 'to Batch Size 1', 'to batches'],
			rows: measured(webhooks.codeNode)
				? rows([
						[
							'Code node',
							(figures) => beside(webhooks.codeNode, figures['single 2000 node']),
							(figures) => beside(webhooks.codeNode, figures['batch 2000 node']),
						],
					])
				: [],
		},
		fairShareTable(fairShares ?? {}),
	];
	return all.map((table) => ({
		...table,
		rows: table.rows.filter((row) => row.slice(table.labels ?? 2).some((cell) => cell !== none)),
	}));
}

export function fairShareTable(fairShares: FairShares): ResultTable {
	const percent = (part: number) => `${digits(part * 100)}%`;
	return {
		title: 'Processes that share a pool',
		note: `Each process runs a client with default settings and always has more records to send. All processes use one endpoint with an API node's default pool and ${sharedLatencyMs} ms of work per request. 8 pipelines serve at most ${digits((defaultPool.ceil * 1_000) / sharedLatencyMs)} requests per second. The figures are medians of three runs, after 2 s of warm-up. The "to the ideal" column shows the requests per second, divided by this maximum. The "most to least" column shows the requests of the process that got the most, divided by the requests of the process that got the fewest. The processes and the API node shared the machine. \`npm run bench -- --fair-share\` measures only this.`,
		head: ['processes', 'requests per second', 'to the ideal', 'rejected', 'failed', 'most to least'],
		labels: 1,
		rows: Object.entries(fairShares).map(([processes, { perSecond, ofIdeal, rejected, failed, unevenness }]) => [
			processes,
			digits(perSecond),
			percent(ofIdeal),
			percent(rejected),
			percent(failed),
			unevenness.toFixed(2),
		]),
	};
}

export function printed({ title, note, head, rows }: ResultTable): string {
	const heading = `\n${title}\n${note}`;
	if (rows.length === 0) return heading;
	const table = new Table({ head, style: { head: [] } });
	table.push(...rows);
	return `${heading}\n${table.toString()}`;
}

export function markdown(made: readonly ResultTable[]): string {
	const cpus = os.cpus();
	const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
	const sections = made.map(({ title, note, head, rows }) => {
		const table = rows.length === 0 ? [] : ['', line(head), line(head.map(() => '---')), ...rows.map(line)];
		return [`## ${title}`, note, ...table].join('\n');
	});
	return `# Benchmarks

\`npm run bench -- --write\` measured all times in one run. A *peer* is another program that sends the same records. A peer's column shows a factor and, in parentheses, the peer's time. The factor is the peer's time divided by our node's time. If the factor is above 1, the peer is slower.

All programs ran on one machine with ${cpus.length} cores (${cpus[0]?.model ?? 'of unknown type'}), ${Math.round(os.totalmem() / 2 ** 30)} GiB and ${os.type()}. The client, the API node and n8n shared this machine. The API node was the emulated one in \`demo/\`. It ran on the newer of the two Node.js versions, with a pool that accepts every request.

![How many times as long the peers take](benchmarks.svg)

${sections.join('\n\n')}
`;
}
