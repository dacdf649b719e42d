import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { detect } from 'detect-port';
import { Agent } from 'undici';
import { installN8n } from '../demo/n8n/installation';
import { N8n } from '../demo/n8n/n8n';
import { installOwnPackage } from '../demo/n8n/own-package';
import { N8nRest } from '../demo/n8n/rest';
import type { ApiNodes } from './apiNodes';
import { payments } from './workloads';

interface Answered {
	p50: number;
	p99: number;
}

/** n8n's two ways to evaluate expressions. The default one creates an isolate for nearly every execution. */
export const expressionEngines = ['vm', 'legacy'] as const;

/** `empty` is a workflow with a webhook and a node that does nothing. It shows n8n's own share of the time. */
export const webhookPeers = ['empty', 'node', 'http'] as const;
type WebhookPeer = (typeof webhookPeers)[number];

export interface WebhookTimes {
	/** Results by `<engine> <plain or tls> <callers> <peer>`. */
	calls: Partial<Record<string, Answered>>;
	/** Milliseconds for 2,000 items in a Code node that calls the API node itself; undefined if n8n does not allow it. */
	codeNode?: number;
	codeNodeError?: string;
}

const callsEach = 160;
const credential = (id: string, data: object) => ({
	id,
	name: id,
	type: 'dataikuApiNodeApi',
	data: { serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key', ...data },
});

function workflow(id: string, nodes: object[]): object {
	const named = nodes.map((node, n) => ({ id: `${id}-${n}`, position: [n * 200, 0], parameters: {}, ...node }));
	const names = named.map((node) => (node as unknown as { name: string }).name);
	const connections = Object.fromEntries(
		names.slice(0, -1).map((name, n) => [name, { main: [[{ node: names[n + 1], type: 'main', index: 0 }]] }]),
	);
	return {
		id,
		name: id,
		nodes: named,
		connections,
		settings: { executionOrder: 'v1', saveDataSuccessExecution: 'none' },
		active: false,
	};
}

const webhook = (id: string) => ({
	name: 'Webhook',
	type: 'n8n-nodes-base.webhook',
	typeVersion: 2.1,
	webhookId: id,
	parameters: { httpMethod: 'POST', path: id, responseMode: 'lastNode', options: {} },
});

const predict = (credentialId: string) => ({
	name: 'Predict',
	type: 'n8n-nodes-dataiku.dataikuPredict',
	typeVersion: 1,
	credentials: { dataikuApiNodeApi: { id: credentialId, name: credentialId } },
	parameters: {
		endpointId: { __rl: true, mode: 'id', value: 'fraud' },
		recordSource: 'json',
		recordJson: '={{ $json.body }}',
		options: { batchSize: 1 },
	},
});

const nothing = { name: 'No Operation', type: 'n8n-nodes-base.noOp', typeVersion: 1 };

const authorization = `Basic ${Buffer.from('demo-key:').toString('base64')}`;
/** With its key in a credential, as for the Predict node, because n8n reads and decrypts credentials in every execution. */
const httpRequest = (url: string) => ({
	name: 'HTTP Request',
	type: 'n8n-nodes-base.httpRequest',
	typeVersion: 4.2,
	credentials: { httpBasicAuth: { id: 'basic', name: 'basic' } },
	parameters: {
		method: 'POST',
		url: `${url}/public/api/v1/demo/fraud/predict`,
		authentication: 'genericCredentialType',
		genericAuthType: 'httpBasicAuth',
		sendBody: true,
		specifyBody: 'json',
		jsonBody: '={{ { "features": $json.body } }}',
		options: { allowUnauthorizedCerts: true },
	},
});

const codeLoop = (url: string) => ({
	name: 'Code',
	type: 'n8n-nodes-base.code',
	typeVersion: 2,
	parameters: {
		jsCode: `const url = '${url}/public/api/v1/demo/fraud/predict';
const headers = { authorization: '${authorization}', 'content-type': 'application/json' };
const started = Date.now();
for (const features of ${JSON.stringify(payments(50))}.flatMap((each) => Array(40).fill(each))) {
	const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ features }) });
	await answer.json();
}
return [{ json: { ms: Date.now() - started } }];`,
	},
});

/** Measures webhooks that respond in a real n8n, and a loop in its Code node. */
export async function measureWebhooks(apiNodes: ApiNodes, report: (line: string) => void): Promise<WebhookTimes> {
	const times: WebhookTimes = { calls: {} };
	for (const engine of expressionEngines) {
		await withN8n(apiNodes, engine, report, async (url) => {
			for (const kind of ['plain', 'tls']) {
				for (const callers of [1, 16]) {
					const samples = await inTurns(url, kind, callers);
					for (const peer of webhookPeers) {
						const all = samples[peer].sort((a, b) => a - b);
						const p50 = all[Math.floor(all.length / 2)]!;
						const p99 = all[Math.floor(all.length * 0.99)]!;
						const name = `${engine} ${kind} ${callers} ${peer}`;
						times.calls[name] = { p50, p99 };
						report(`webhook ${name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
					}
				}
			}
			const code = await fetch(`${url}/webhook/code-loop`, { method: 'POST' });
			const text = await code.text();
			if (code.ok && /"ms":\d+/.test(text)) times.codeNode = Number(/"ms":(\d+)/.exec(text)![1]);
			else times.codeNodeError = text.slice(0, 200);
		});
	}
	return times;
}

/** Milliseconds of CPU that n8n spends per call of a webhook, by engine and workflow. */
export async function measureCallCost(
	apiNodes: ApiNodes,
	report: (line: string) => void,
): Promise<Record<string, number>> {
	const costs: Record<string, number> = {};
	const calls = 320;
	for (const engine of expressionEngines) {
		await withN8n(apiNodes, engine, report, async (url) => {
			const cpuSeconds = async () => {
				const metrics = await (await fetch(`${url}/metrics`)).text();
				return Number(/^n8n_process_cpu_seconds_total (\S+)/m.exec(metrics)![1]);
			};
			for (const peer of ['empty', 'node'] as const) {
				const webhook = `${url}/webhook/plain-${peer}`;
				await answered(webhook, 8, 160);
				const before = await cpuSeconds();
				await answered(webhook, 8, calls);
				costs[`${engine} ${peer}`] = ((await cpuSeconds()) - before) * (1000 / calls);
			}
		});
	}
	return costs;
}

/** Runs a real n8n with the workflows to call. */
async function withN8n(
	apiNodes: ApiNodes,
	engine: (typeof expressionEngines)[number],
	report: (line: string) => void,
	work: (url: string) => Promise<void>,
): Promise<void> {
	const installation = await installN8n({ report });
	const userFolder = await mkdtemp(path.join(tmpdir(), 'bench-'));
	const env = { EXECUTIONS_DATA_SAVE_ON_SUCCESS: 'none', N8N_EXPRESSION_ENGINE: engine, N8N_METRICS: 'true' };
	const n8n = new N8n({ installation, userFolder, port: await detect({ hostname: '127.0.0.1' }), env });
	try {
		const plain = apiNodes.urls[0];
		const workflows = {
			'plain-empty': [webhook('plain-empty'), nothing],
			'plain-node': [webhook('plain-node'), predict('plain')],
			'plain-http': [webhook('plain-http'), httpRequest(plain)],
			'tls-empty': [webhook('tls-empty'), nothing],
			'tls-node': [webhook('tls-node'), predict('tls')],
			'tls-http': [webhook('tls-http'), httpRequest(apiNodes.tlsUrl)],
			'code-loop': [webhook('code-loop'), codeLoop(plain)],
		};
		await installOwnPackage(userFolder);
		await n8n.importCredentials([
			credential('plain', { url: plain }),
			credential('tls', { url: apiNodes.tlsUrl, ca: apiNodes.ca }),
			{ id: 'basic', name: 'basic', type: 'httpBasicAuth', data: { user: 'demo-key', password: '' } },
		]);
		await n8n.importWorkflows(Object.entries(workflows).map(([id, nodes]) => workflow(id, nodes)));
		await n8n.start();
		const rest = await N8nRest.signIn(n8n.url, installation, {
			email: 'bench@example.com',
			password: 'Bench-password-1',
		});
		for (const id of Object.keys(workflows)) await rest.publish(id);
		await work(n8n.url);
	} finally {
		await n8n.stop();
		await rm(userFolder, { recursive: true, force: true });
	}
}

/** Peers take turns, so that other load on the machine affects all of them. */
async function inTurns(url: string, kind: string, callers: number): Promise<Record<WebhookPeer, number[]>> {
	for (const peer of webhookPeers) await answered(`${url}/webhook/${kind}-${peer}`, callers, 32);
	const samples: Record<WebhookPeer, number[]> = { empty: [], node: [], http: [] };
	for (let round = 0; round < 4; round++) {
		for (const peer of webhookPeers) {
			samples[peer].push(...(await answered(`${url}/webhook/${kind}-${peer}`, callers, callsEach / 4)));
		}
	}
	return samples;
}

/** Returns the milliseconds of each call. */
async function answered(url: string, callers: number, calls: number): Promise<number[]> {
	const dispatcher = new Agent({ connections: callers });
	const bodies = payments(50).map((payment) => JSON.stringify(payment));
	const times: number[] = [];
	const worker = async () => {
		for (let n = 0; n < calls / callers; n++) {
			const started = performance.now();
			const { statusCode, body } = await dispatcher.request({
				origin: new URL(url).origin,
				path: new URL(url).pathname,
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: bodies[n % bodies.length],
			});
			const text = await body.text();
			if (statusCode !== 200 || !/prediction|amount/.test(text))
				throw new Error(`${url} answered ${statusCode}: ${text}`);
			times.push(performance.now() - started);
		}
	};
	await Promise.all(Array.from({ length: callers }, worker));
	await dispatcher.close();
	return times;
}
