import os from 'node:os';
import Table from 'cli-table3';
import { expressionEngines, webhookPeers, type WebhookTimes } from './webhooks';

/** Milliseconds, by what was run; by Node.js for what runs in n8n's engine. */
export interface Measured {
	engine: Record<string, Record<string, number>>;
	webhooks: WebhookTimes;
}

export interface RatioTable {
	title: string;
	/** What the numbers say. */
	note: string;
	head: string[];
	rows: string[][];
}

const ratio = (value: number | undefined, to: number) =>
	value === undefined || !Number.isFinite(value / to) ? '–' : (value / to).toFixed(value / to < 10 ? 2 : 0);

/** Times each workload took of the node's, in n8n's engine. */
export function tables({ engine, webhooks }: Measured): RatioTable[] {
	const versions = Object.keys(engine);
	const of = (version: string, name: string) => engine[version][name];
	const rows = (list: Array<[label: string, ...values: Array<(version: string) => string>]>) =>
		list.flatMap(([label, ...values]) =>
			versions.map((version) => [label, version, ...values.map((value) => value(version))]),
		);
	const to =
		(peer: string, own: string, factor = 1) =>
		(version: string) => {
			const time = of(version, peer);
			return ratio(time === undefined ? undefined : time * factor, of(version, own));
		};
	/** The HTTP Request node's time for as many items, from the 2,000 that it was run with. */
	const httpTo =
		(count: number, own: string, kind = 'http') =>
		(version: string) =>
			ratio((of(version, `single 2000 ${kind}`) * count) / 2_000, of(version, own));
	const perItem = (version: string, name: string, count: number) => of(version, name) / count;

	return [
		{
			title: 'Batches of 100',
			note: "Times the Predict node's time, all of them warmed up. HTTP Request makes one request per item, and was run with 2,000, in one go and in batches of 50 without a pause: with 20,000 it fails either way. Bare undici sends ready-made bodies and does not look at the answers, so its column is the node's distance from the limit (below 1: undici is faster).",
			head: ['items', 'Node.js', 'HTTP Request', 'HTTP Request, batching', 'Python loop, batches', 'bare undici'],
			rows: rows(
				[2_000, 20_000, 200_000].map((count) => [
					count.toLocaleString('en'),
					httpTo(count, `batch ${count} node`),
					httpTo(count, `batch ${count} node`, 'http batched'),
					count === 20_000 ? to('batch 20000 python', 'batch 20000 node') : () => '–',
					to(`batch ${count} bare`, `batch ${count} node`),
				]),
			),
		},
		{
			title: 'One request per record',
			note: "Times the Predict node's time with Batch Size 1.",
			head: ['items', 'Node.js', 'HTTP Request', 'HTTP Request, batching', 'Python loop', 'bare undici'],
			rows: rows(
				[2_000, 20_000].map((count) => [
					count.toLocaleString('en'),
					to(`single ${count} http`, `single ${count} node`),
					to(`single ${count} http batched`, `single ${count} node`),
					count === 2_000 ? to('single 2000 python', 'single 2000 node') : () => '–',
					to(`single ${count} bare`, `single ${count} node`),
				]),
			),
		},
		{
			title: 'With work in the API node, 2,000 items',
			note: "Times the Predict node's time. Without batches, HTTP Request sends all items at once: the API node here takes 64 at a time, an endpoint's default pool takes 8 and refuses the 25th.",
			head: [
				'per request',
				'Node.js',
				'HTTP Request, to batches',
				'HTTP Request, to Batch Size 1',
				'bare undici, to Batch Size 1',
			],
			rows: rows(
				[5, 50].map((ms) => [
					`${ms} ms`,
					to(`work ${ms} http`, `work ${ms} batch node`),
					to(`work ${ms} http`, `work ${ms} single node`),
					to(`work ${ms} single bare`, `work ${ms} single node`),
				]),
			),
		},
		{
			title: 'Other operations',
			note: "Times the node's time. HTTP Request leaves the 10,000 rows in one item; the node makes an item of each.",
			head: ['workload', 'Node.js', 'HTTP Request', 'bare undici'],
			rows: rows([
				['SQL, 10,000 rows', to('sql http', 'sql node'), to('sql bare', 'sql node')],
				['Forecast, 1,000 series of 67 records', () => '–', to('forecast bare', 'forecast node')],
			]),
		},
		{
			title: 'Inside n8n',
			note: 'Growth: time per item at 200,000 to that at 20,000. Expression: what one expression per item adds, to what getNodeParameter itself takes for it in the same engine. Pause: the longest of the event loop in a run of 200,000 items, in milliseconds, with the Predict node and with a node that hands them on as they are: the engine goes through all items in one go, before a node and after it.',
			head: ['', 'Node.js', 'growth', 'expression', 'pause', 'pause, empty node'],
			rows: rows([
				[
					'Predict, batches of 100',
					(version) =>
						ratio(perItem(version, 'batch 200000 node', 200_000), perItem(version, 'batch 20000 node', 20_000)),
					(version) =>
						ratio(
							of(version, 'expression node') - of(version, 'plain node'),
							of(version, 'expression engine') - of(version, 'plain engine'),
						),
					(version) => of(version, 'pause node')?.toFixed(0) ?? '–',
					(version) => of(version, 'pause engine')?.toFixed(0) ?? '–',
				],
			]),
		},
		{
			title: 'A million items',
			note: 'In batches of 100, under the heap that Node.js allows itself. Peak: the most heap used, garbage included, to what the items and the output hold in the end, and to the limit.',
			head: ['Node.js', 'peak to items and output', 'peak to the limit'],
			rows: versions.map((version) => [
				version,
				ratio(of(version, 'heap peak'), of(version, 'heap kept')),
				ratio(of(version, 'heap peak'), of(version, 'heap limit')),
			]),
		},
		{
			title: 'Webhook to answer, in the real n8n',
			note: 'Times of the workflow with HTTP Request to those of the workflow with the Predict node, both with their key in a credential. Own part of n8n: the time of a workflow that does nothing, to that of the latter. Added: what HTTP Request adds to such a workflow, to what the Predict node adds. Engine: N8N_EXPRESSION_ENGINE, `vm` being the default. Gain: what `legacy` saves the workflow with the Predict node, of its time with `vm`.',
			head: [
				'engine',
				'connection',
				'callers',
				'HTTP Request, p50',
				'p99',
				"n8n's own part, p50",
				'added, p50',
				'gain, p50',
			],
			rows: expressionEngines.flatMap((engine) =>
				['plain', 'tls'].flatMap((kind) =>
					[1, 16].map((callers) => {
						const [empty, node, http] = webhookPeers.map(
							(peer) => webhooks.calls[`${engine} ${kind} ${callers} ${peer}`],
						);
						const byDefault = webhooks.calls[`${expressionEngines[0]} ${kind} ${callers} node`];
						return [
							engine,
							kind === 'tls' ? 'TLS' : 'plain',
							String(callers),
							ratio(http.p50, node.p50),
							ratio(http.p99, node.p99),
							ratio(empty.p50, node.p50),
							ratio(http.p50 - empty.p50, node.p50 - empty.p50),
							engine === expressionEngines[0] ? '–' : ratio(byDefault.p50, node.p50),
						];
					}),
				),
			),
		},
		{
			title: 'A loop of fetch in the Code node, 2,000 items',
			note: webhooks.codeNode
				? "Times the Predict node's time with Batch Size 1, and in batches."
				: `n8n does not let it: ${webhooks.codeNodeError ?? ''}`,
			head: ['Node.js', 'to Batch Size 1', 'to batches'],
			rows: versions
				.filter(() => webhooks.codeNode)
				.map((version) => [
					version,
					ratio(webhooks.codeNode, of(version, 'single 2000 node')),
					ratio(webhooks.codeNode, of(version, 'batch 2000 node')),
				]),
		},
	];
}

export function printed({ title, note, head, rows }: RatioTable): string {
	const table = new Table({ head, style: { head: [] } });
	table.push(...rows);
	return `\n${title}\n${note}\n${table.toString()}`;
}

export function markdown(made: readonly RatioTable[]): string {
	const [cpu] = os.cpus();
	const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
	const sections = made.map(({ title, note, head, rows }) =>
		[`## ${title}`, note, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'),
	);
	return `# Measured against its peers

Ratios of times measured in one run by \`npm run bench -- --write\`: above 1, the peer takes that many times as long. One machine of
${os.cpus().length} cores (${cpu.model}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()}; client, API node and n8n share it. The API node is the one in \`demo/\`, under the
newer Node.js, with a pool that takes every request.

![How many times as long the peers take](benchmarks.svg)

${sections.join('\n\n')}
`;
}
