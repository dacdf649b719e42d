import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { detect } from 'detect-port';
import { startDemo, type Demo } from './demo';
import { RUNTIME } from './n8n/installation';

const USAGE = `Usage: npm start -- [--once] [--port 5678] [--api-node-port 12000]
  --once           stop after the first example has run; exit code 0 only if every record was scored
  --port           n8n's editor (with --once: any free port)
  --api-node-port  the embedded API node (with --once: any free port)`;

/** n8n and the API node listen only here. */
const hostname = '127.0.0.1';

const BATCH = {
	id: 'dataiku-batch',
	trigger: 'Score the payments',
	first: 'Twenty card payments',
	last: 'Riskiest first',
};

interface ScoredPayment {
	payment_id: string;
	amount: number;
	country: string;
	merchant_category: string;
	prediction?: string;
	proba_fraud?: number;
	ignored?: true;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());

async function main(): Promise<void> {
	const { once, help, ...ports } = readOptions();
	if (help) return console.log(USAGE);
	const port = await choosePort('port', ports.port ?? (once ? undefined : '5678'), "n8n's editor");
	const apiNodePort = await choosePort(
		'api-node-port',
		ports['api-node-port'] ?? (once ? undefined : '12000'),
		'the API node',
	);
	// Editors on different ports must not share a database. With `--once`, nothing is kept.
	const userFolder = once ? await mkdtemp(path.join(tmpdir(), 'n8n-')) : path.join(RUNTIME, `editor-${port}`);
	const { signal } = interrupted;
	let demo: Demo | undefined;
	try {
		demo = await startDemo({ userFolder, port, apiNodePort, report: (text) => process.stdout.write(text), signal });
		await scorePayments(demo);
		signal.throwIfAborted();
		if (once)
			return console.log(
				'\nNext: `npm start` leaves the editor open, with this workflow and the other examples in it.',
			);
		console.log(invitation(demo));
		await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		console.log('Stopping');
	} finally {
		await demo?.stop();
		if (once) await rm(userFolder, { recursive: true, force: true });
	}
}

function readOptions() {
	try {
		return parseArgs({
			options: {
				once: { type: 'boolean', default: false },
				port: { type: 'string' },
				'api-node-port': { type: 'string' },
				help: { type: 'boolean', default: false },
			},
		}).values;
	} catch (error) {
		// Node.js adds advice on positional arguments, which this command does not have.
		throw new Error(`${(error as Error).message.split('. ', 1)[0]}\n\n${USAGE}`);
	}
}

async function choosePort(option: string, text: string | undefined, purpose: string): Promise<number> {
	if (text === undefined) return await detect({ hostname });
	const port = Number(text);
	if (!/^\d+$/.test(text) || port < 1 || port > 65_535) {
		throw new Error(`--${option} must be an integer from 1 to 65535, not ${text}`);
	}
	const free = await detect({ port, hostname });
	if (free === port) return port;
	throw new Error(
		`Port ${port}, for ${purpose}, is already in use. Choose a different port, for example: npm start -- --${option} ${free}`,
	);
}

/** Runs the batch example and prints each payment with its score. */
async function scorePayments({ rest }: Demo): Promise<void> {
	const { data } = await rest.run(BATCH.id, BATCH.trigger);
	const { error, runData } = data.resultData;
	if (error) throw new Error(`The batch example failed: ${error.message}`);
	const rowsOf = (node: string) =>
		(runData[node]?.[0]?.data?.main?.[0] ?? []).map(({ json }) => json as unknown as ScoredPayment);
	const payments = rowsOf(BATCH.last);
	const table = new Table({
		head: ['payment', 'amount', 'country', 'category', 'prediction', 'P(fraud)'],
		colAligns: ['left', 'right', 'left', 'left', 'left', 'right'],
		style: { head: [], border: [], compact: true },
	});
	let scored = 0;
	for (const { payment_id, amount, country, merchant_category, prediction, proba_fraud, ignored } of payments) {
		if (prediction && !ignored) scored++;
		const score = [prediction ?? 'none', proba_fraud?.toFixed(3) ?? ''];
		table.push([payment_id, amount.toFixed(2), country, merchant_category, ...score]);
	}
	console.log(table.toString());
	const all = rowsOf(BATCH.first).length;
	console.log(`${scored} of ${all} payments scored`);
	if (all === 0 || scored < all) throw new Error('Not every payment was scored');
}

function invitation({ n8n, owner, apiNode }: Demo): string {
	const body = {
		amount: 412.5,
		hour: 3,
		country: 'US',
		merchant_category: 'electronics',
		card_present: false,
		customer_id: 'C003',
	};
	return `
The workflow that has just run:
  ${n8n.url}/workflow/${BATCH.id}
  sign in with   ${owner.email}   ${owner.password}
  all examples:  ${n8n.url}/home/workflows

For your own credential, and for other clients, the API node has
  URL ${apiNode.url}   Service ID demo   API Key demo-key

Score a payment in real time:
  curl -s ${n8n.url}/webhook/score-payment -H 'content-type: application/json' -d '${JSON.stringify(body)}'

Its tools, for a client of the Model Context Protocol (MCP):
  ${n8n.url}/mcp/dataiku

Ctrl-C stops everything.`;
}

main().then(
	() => process.exit(0),
	(error: Error) => {
		if (!interrupted.signal.aborted) console.error(error.message);
		process.exit(interrupted.signal.aborted ? 130 : 1);
	},
);
