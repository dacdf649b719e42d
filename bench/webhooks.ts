import { Agent } from 'undici';
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { installN8n } from '../demo/n8n/installation';
import { N8n } from '../demo/n8n/n8n';
import { installOwnPackage } from '../demo/n8n/own-package';
import { freePort } from '../demo/n8n/ports';
import { N8nRest } from '../demo/n8n/rest';
import type { ApiNodes } from './apiNodes';
import { payments } from './workloads';

interface Answered {
	p50: number;
	p99: number;
}

export interface WebhookTimes {
	/** By `<plain or tls> <callers> <node or http>`. */
	calls: Record<string, Answered>;
	/** ms for 2,000 items in a Code node that calls the API node itself; undefined if n8n does not let it. */
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

const authorization = `Basic ${Buffer.from('demo-key:').toString('base64')}`;
const httpRequest = (url: string) => ({
	name: 'HTTP Request',
	type: 'n8n-nodes-base.httpRequest',
	typeVersion: 4.2,
	parameters: {
		method: 'POST',
		url: `${url}/public/api/v1/demo/fraud/predict`,
		sendHeaders: true,
		headerParameters: { parameters: [{ name: 'authorization', value: authorization }] },
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

/** Webhook to answer in the real n8n, and a loop in its Code node. */
export async function measureWebhooks(apiNodes: ApiNodes, report: (line: string) => void): Promise<WebhookTimes> {
	const installation = await installN8n({ report });
	const userFolder = await mkdtemp(path.join(tmpdir(), 'bench-'));
	const n8n = new N8n({
		installation,
		userFolder,
		port: await freePort(),
		env: { EXECUTIONS_DATA_SAVE_ON_SUCCESS: 'none' },
	});
	try {
		const folder = path.join(userFolder, 'workflows');
		await mkdir(folder, { recursive: true });
		const plain = apiNodes.urls[0];
		const workflows = {
			'plain-node': [webhook('plain-node'), predict('plain')],
			'plain-http': [webhook('plain-http'), httpRequest(plain)],
			'tls-node': [webhook('tls-node'), predict('tls')],
			'tls-http': [webhook('tls-http'), httpRequest(apiNodes.tlsUrl)],
			'code-loop': [webhook('code-loop'), codeLoop(plain)],
		};
		for (const [id, nodes] of Object.entries(workflows)) {
			await writeFile(path.join(folder, `${id}.json`), JSON.stringify(workflow(id, nodes)));
		}
		await installOwnPackage(userFolder);
		await n8n.importCredentials([
			credential('plain', { url: plain }),
			credential('tls', { url: apiNodes.tlsUrl, ca: apiNodes.ca }),
		]);
		await n8n.importWorkflows(folder);
		await n8n.start();
		const rest = await N8nRest.signIn(n8n.url, installation, {
			email: 'bench@example.com',
			password: 'Bench-password-1',
		});
		for (const id of Object.keys(workflows)) await rest.publish(id);

		const times: WebhookTimes = { calls: {} };
		const kinds = ['plain', 'tls'].flatMap((kind) => [1, 16].map((callers) => [kind, callers] as const));
		for (const [kind, callers] of kinds) {
			for (const peer of ['node', 'http']) await answered(`${n8n.url}/webhook/${kind}-${peer}`, callers, 16);
			// In turns, so that whatever else the machine does falls on both.
			const samples: Record<string, number[]> = { node: [], http: [] };
			for (let round = 0; round < 4; round++) {
				for (const peer of ['node', 'http']) {
					samples[peer].push(...(await answered(`${n8n.url}/webhook/${kind}-${peer}`, callers, callsEach / 4)));
				}
			}
			for (const [peer, all] of Object.entries(samples)) {
				const name = `${kind} ${callers} ${peer}`;
				all.sort((a, b) => a - b);
				times.calls[name] = { p50: all[Math.floor(all.length / 2)], p99: all[Math.floor(all.length * 0.99)] };
				report(
					`webhook ${name}: p50 ${times.calls[name].p50.toFixed(1)} ms, p99 ${times.calls[name].p99.toFixed(1)} ms`,
				);
			}
		}
		const code = await fetch(`${n8n.url}/webhook/code-loop`, { method: 'POST' });
		const text = await code.text();
		if (code.ok && /"ms":\d+/.test(text)) times.codeNode = Number(/"ms":(\d+)/.exec(text)![1]);
		else times.codeNodeError = text.slice(0, 200);
		return times;
	} finally {
		await n8n.stop();
		await rm(userFolder, { recursive: true, force: true });
	}
}

/** Milliseconds of each call. */
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
			if (statusCode !== 200 || !text.includes('prediction')) throw new Error(`${url} answered ${statusCode}: ${text}`);
			times.push(performance.now() - started);
		}
	};
	await Promise.all(Array.from({ length: callers }, worker));
	await dispatcher.close();
	return times;
}
