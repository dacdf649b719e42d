import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { detect } from 'detect-port';
import type { IDataObject, INode } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../demo/api-node';
import { N8n } from '../../demo/n8n/n8n';
import { N8nRest } from '../../demo/n8n/rest';
import { credentialOf, itemsOf, running } from './running';

const shared = running();
let folder: string;
let n8n: N8n;
let rest: N8nRest;
let apiNode: ApiNode;
let id: string;
/** Executions that a test has seen. */
let seen = 0;

// An n8n of its own, as it is started anew in between.
beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'n8n-trigger-'));
	await cp(path.join(shared.userFolder, '.n8n/nodes'), path.join(folder, '.n8n/nodes'), { recursive: true });
	const { installation, owner } = shared;
	n8n = new N8n({ installation, userFolder: folder, port: await detect({ hostname: '127.0.0.1' }) });
	await n8n.start();
	rest = await N8nRest.signIn(n8n.url, installation, owner);
	apiNode = await startApiNode();
	apiNode.activate('v1');
	id = await workflow(apiNode.url);
});
afterAll(async () => {
	await n8n.stop();
	await apiNode.close();
	await rm(folder, { recursive: true, force: true });
});

async function workflow(url: string): Promise<string> {
	const trigger: INode = {
		id: 'trigger',
		name: 'Trigger',
		type: 'n8n-nodes-dataiku.dataikuTrigger',
		typeVersion: 1,
		position: [0, 0],
		parameters: {
			pollTimes: { item: [{ mode: 'everyX', unit: 'hours', value: 1 }] },
			endpointId: { __rl: true, mode: 'id', value: 'fraud' },
			events: ['generation', 'fields', 'drift', 'down', 'up'],
			testRecords: '{"amount": 412.5, "hour": 3, "country": "US"}',
			driftTolerance: 0.02,
			failuresInARow: 1,
		},
		credentials: await credentialOf(rest, url),
	};
	const end = { ...trigger, id: 'end', name: 'End', type: 'n8n-nodes-base.noOp', parameters: {}, credentials: {} };
	const connections = { Trigger: { main: [[{ node: 'End', type: 'main', index: 0 }]] } };
	const body = { name: 'Watch', nodes: [trigger, end], connections, settings: {} };
	return (await rest.call<{ id: string }>('POST', '/workflows', body)).id;
}

/** Has n8n poll, which it does at activation and then not for a minute at least. */
async function poll(): Promise<void> {
	await rest.call('POST', `/workflows/${id}/deactivate`, {});
	await published(id);
	await rest.publish(id);
	expect(await published(id)).toMatchObject([{ status: 'activated' }]);
}

/** What became of the triggers: n8n activates them in the background. */
async function published(workflowId: string): Promise<Array<{ status: string; errorMessage: string | null }>> {
	for (let waited = 0; waited < 60_000; waited += 200) {
		const path = `/workflows/${workflowId}/publication-status`;
		const { status, triggers } = await rest.call<{
			status: string;
			triggers: Array<{ status: string; errorMessage: string | null }>;
		}>('GET', path);
		if (status !== 'in_progress') return triggers;
		await sleep(200);
	}
	throw new Error('n8n has not published the workflow within a minute');
}

async function executions(): Promise<string[]> {
	const filter = encodeURIComponent(JSON.stringify({ workflowId: id }));
	const { results } = await rest.call<{ results: Array<{ id: string }> }>('GET', `/executions?filter=${filter}`);
	return results.map((each) => each.id);
}

/** The items of the executions that no test has seen, at least one. */
async function started(): Promise<IDataObject[]> {
	for (let waited = 0; waited < 60_000; waited += 200) {
		const ids = await executions();
		const unseen = ids.slice(0, ids.length - seen).reverse();
		if (unseen.length > 0) {
			seen = ids.length;
			const runs = await Promise.all(unseen.map((each) => rest.finished(each)));
			return runs.flatMap((run) => itemsOf(run, 'Trigger'));
		}
		await sleep(200);
	}
	throw new Error('The trigger has not started the workflow within a minute');
}

test('a test in the editor shows each event and starts no workflow', async () => {
	const items = itemsOf(await rest.run(id, 'Trigger'), 'Trigger');
	seen++;
	expect(items.map(({ event }) => event).sort()).toEqual(['down', 'drift', 'fields', 'generation', 'up']);
	expect(items.every(({ test }) => test)).toBe(true);
});

test('the first poll has no event, and the workflow starts once when a generation is activated', async () => {
	await poll();
	await poll();
	apiNode.activate('v2');
	await poll();
	expect(await started()).toMatchObject([{ event: 'generation', before: 'v1', after: 'v2', test: false }]);
	await poll();
});

test('the workflow starts with one item for each event when the document and the model change', async () => {
	apiNode.activate('v1');
	await poll();
	expect(await started()).toMatchObject([{ event: 'generation', before: 'v2', after: 'v1' }]);
	apiNode.redeploy('fraud', { modelOf: 'fraud_changed', fields: [{ name: 'amount', type: 'string' }] });
	await poll();
	const items = await started();
	expect(items.map(({ event }) => event).sort()).toEqual(['drift', 'fields']);
	await poll();
});

test('the workflow starts once when something changed while n8n was stopped', async () => {
	await n8n.stop();
	apiNode.activate('v2');
	await n8n.start();
	expect((await started()).map(({ event }) => event)).toContain('generation');
	await n8n.stop();
	await n8n.start();
	await poll();
});

test('the workflow starts when an instance is killed and again when it is started, although n8n restarts in between', async () => {
	const { port } = apiNode;
	await apiNode.close();
	await poll();
	expect(await started()).toMatchObject([{ event: 'down', before: 'up', after: 'down' }]);
	await n8n.stop();
	await n8n.start();
	// It polls at its start, in the background.
	await published(id);
	apiNode = await startApiNode({ port });
	apiNode.activate('v2');
	await poll();
	const items = await started();
	expect(items.map(({ event }) => event)).toContain('up');
});

test('the workflow cannot be activated, and the error says why, when the API node never responded', async () => {
	const other = await workflow('http://127.0.0.1:9');
	await rest.publish(other);
	const [trigger] = await published(other);
	expect(trigger).toMatchObject({ status: 'failed', errorMessage: expect.stringMatching(/refused the connection/) });
});
