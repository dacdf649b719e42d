import os from 'node:os';
import Table from 'cli-table3';
import { defaultPool } from '../demo/api-node/pool';
import { sharedLatencyMs } from './apiNodes';
import type { FairShares } from './fairShare';
import { expressionEngines, webhookPeers, type WebhookTimes } from './webhooks';

/** What was measured, by its name: milliseconds, or bytes of the heap. */
export type Figures = Partial<Record<string, number>>;

export interface Measured {
	/** What runs in n8n's engine, by version of Node.js. */
	engine: Record<string, Figures>;
	webhooks: WebhookTimes;
	fairShares?: FairShares;
}

export interface ResultTable {
	title: string;
	/** What the numbers say. */
	note: string;
	head: string[];
	/** How many of the first columns say what was measured: two where nothing else is said. */
	labels?: number;
	/** Only those of which something was measured. */
	rows: string[][];
}

const none = '–';
type Figure = number | undefined;

const measured = (value: Figure): value is number => value !== undefined && Number.isFinite(value);

/** Three significant digits, or whole. */
const digits = (value: number) =>
	value < 100 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString('en');

const milliseconds = (value: Figure) => (measured(value) ? `${digits(value)} ms` : none);
const mebibytes = (bytes: Figure) => (measured(bytes) ? `${digits(bytes / 2 ** 20)} MiB` : none);

/** NaN, which no cell shows, where something was not measured. */
const times = (value: Figure, factor: number) => (value ?? NaN) * factor;
const less = (value: Figure, other: Figure) => (value ?? NaN) - (other ?? NaN);

function ratio(value: Figure, to: Figure): string {
	const quotient = times(value, 1 / (to ?? NaN));
	if (!measured(quotient)) return none;
	return quotient.toFixed(quotient < 10 ? 2 : 0);
}

/** A figure as a multiple of another one, and the figure itself. */
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
	/** The HTTP Request node's time for as many items, from the 2,000 that it was run with. */
	const httpTo =
		(count: number, name: string, kind = 'http'): Cell =>
		(figures) => {
			const cell = beside(times(figures[`single 2000 ${kind}`], count / 2_000), figures[name]);
			return count === 2_000 ? cell : cell.replace('(', '(≈ ');
		};

	const all: ResultTable[] = [
		{
			title: 'Batches of 100',
			note: "All of them warmed up. HTTP Request makes one request per item, and was run with 2,000, in one go and in batches of 50 without a pause: with 20,000 it fails either way, so its times (≈) are worked out from those. Bare undici sends ready-made bodies and does not look at the answers, so its column is the node's distance from the limit (below 1: undici is faster).",
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
			note: 'The Predict node with Batch Size 1.',
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
			note: "Without batches, HTTP Request sends all items at once: the API node here takes 64 at a time, an endpoint's default pool takes 8 and refuses the 25th. Predict in batches: the median of nine runs, of which the first, that finds out how many requests the endpoint takes, is longer; the others ran once.",
			head: [
				'per request',
				'Node.js',
				'Predict, batches',
				'HTTP Request, to batches',
				'Predict, Batch Size 1',
				'HTTP Request, to Batch Size 1',
				'bare undici, to Batch Size 1',
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
			note: 'HTTP Request leaves the 10,000 rows in one item; the node makes an item of each.',
			head: ['workload', 'Node.js', 'the node', 'HTTP Request', 'bare undici'],
			rows: rows([
				['SQL, 10,000 rows', own('sql node'), to('sql http', 'sql node'), to('sql bare', 'sql node')],
				['Forecast, 1,000 series of 67 records', own('forecast node'), nothing, to('forecast bare', 'forecast node')],
			]),
		},
		{
			title: 'First call of a fresh process',
			note: 'From before the client is loaded to the response; the peer loads undici as its documentation says, and makes the same request. Node.js modules that n8n has loaded itself are loaded before.',
			head: ['', 'Node.js', 'the client', 'bare undici'],
			rows: rows([['One record', own('first client'), to('first undici', 'first client')]]),
		},
		{
			title: 'Inside n8n',
			note: 'Growth: time per item at 200,000 (for 1,000 of them) to that at 20,000. Expression: what one expression per item adds for 20,000 items, to what getNodeParameter itself takes for it in the same engine. Pause: the longest of the event loop in a run of 200,000 items, with the Predict node, to that with a node that hands them on as they are: the engine goes through all items in one go, before a node and after it.',
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
			note: 'In batches of 100, under the heap that Node.js allows itself. Peak: the most heap used, garbage included, to what the items and the output hold in the end, and to the limit.',
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
			title: 'Webhook to answer, in the real n8n',
			note: 'The workflow with HTTP Request to the workflow with the Predict node, both with their key in a credential. Own part of n8n: a workflow that does nothing, to the latter. Added: what HTTP Request adds to such a workflow, to what the Predict node adds. Engine: N8N_EXPRESSION_ENGINE, `vm` being the default. Gain: the workflow with the Predict node with `vm`, to that with `legacy`.',
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
			title: 'A loop of fetch in the Code node, 2,000 items',
			note: measured(webhooks.codeNode)
				? 'Called once, under the Node.js that n8n runs on.'
				: `n8n does not let it: ${webhooks.codeNodeError ?? 'it gave no reason'}`,
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
	const percent = (part: number) => `${digits(part * 100)} %`;
	return {
		title: 'Processes that share a pool',
		note: `Clients at their defaults, each in a process of its own with more to send than it may, and one endpoint with an API node's default pool and ${sharedLatencyMs} ms of work per request: 8 pipelines serve ${digits((defaultPool.ceil * 1_000) / sharedLatencyMs)} requests per second at best. After 2 s of warm-up; medians of three runs. Ideal: what was served of that. Most to least: requests of the process that was served most, to those of the one that was served least. The processes and the API node share the machine; \`npm run bench -- --fair-share\` measures this alone.`,
		head: ['processes', 'requests per second', 'to the ideal', 'refused', 'failed', 'most to least'],
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
	return `# Measured against its peers

Times measured in one run by \`npm run bench -- --write\`. A peer's column says how many times as long as our node it took, and
how long: above 1, it is slower. One machine of ${cpus.length} cores (${cpus[0]?.model ?? 'of a kind unknown'}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()}; client, API node
and n8n share it. The API node is the one in \`demo/\`, under the newer Node.js, with a pool that takes every request.

![How many times as long the peers take](benchmarks.svg)

${sections.join('\n\n')}
`;
}
