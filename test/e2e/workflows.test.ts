import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INode, IRun } from 'n8n-workflow';
import { EXAMPLES, type Example } from '../../demo/demo';
import type { N8nRest } from '../../demo/n8n/rest';
import manifest from '../../package.json';
import { running } from './running';

const { signIn, url } = running();
let rest: N8nRest;
beforeAll(async () => {
	rest = await signIn();
});

test('n8n has every node, every node but the trigger as a tool, and every credential', async () => {
	const names = async (kind: string) => {
		// n8n may be busy with megabytes for so long that it closes a connection which is kept.
		const headers = { cookie: rest.cookie, connection: 'close' };
		const answer = await fetch(`${url}/types/${kind}.json`, { headers });
		return ((await answer.json()) as Array<{ name: string }>).map(({ name }) => name);
	};
	const listed = (files: string[]) => files.map((file) => path.basename(file).split('.')[0]!);
	const typeOf = (name: string) => `${manifest.name}.${name[0]!.toLowerCase()}${name.slice(1)}`;
	const nodes = listed(manifest.n8n.nodes).map(typeOf);
	const tools = nodes.filter((name) => !name.endsWith('Trigger')).map((name) => `${name}Tool`);
	expect(await names('nodes')).toEqual(expect.arrayContaining([...nodes, ...tools]));
	const credentials = listed(manifest.n8n.credentials).map((name) => `${name[0]!.toLowerCase()}${name.slice(1)}`);
	expect(await names('credentials')).toEqual(expect.arrayContaining(credentials));
});

/** How to call what waits for a call, by its path. */
const calls: Partial<Record<string, (url: string) => Promise<Response>>> = {
	'score-payment': async (webhook) =>
		await fetch(webhook, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics' }),
		}),
	'model-health': async (webhook) => await fetch(webhook),
	transactions: async (webhook) => await fetch(`${webhook}?customer_id=C001&min_amount=50`),
	'bar-chart': async (form) => {
		const body = new FormData();
		body.set('field-0', '4, 7, 1');
		return await fetch(form, { method: 'POST', body });
	},
};

const isOurs = ({ type }: INode) => type.startsWith(`${manifest.name}.`);

const workflowsIn = (folder: string) =>
	readdirSync(folder).map((file) => {
		const workflow = JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Example;
		return [workflow.name, workflow] as const;
	});

test('n8n has every example but those that share a batch among workers, whose schedule would run unseen', async () => {
	const imported = await Promise.all(
		workflowsIn(EXAMPLES).map(async ([, { id, name }]) => {
			const found = await rest.call<{ name: string }>('GET', `/workflows/${id}`).catch(() => undefined);
			return found && [id, found.name === name];
		}),
	);
	const forWorkers = ['dataiku-workers', 'dataiku-give-out', 'dataiku-chunk'];
	const others = workflowsIn(EXAMPLES).filter(([, { id }]) => !forWorkers.includes(id));
	expect(imported.filter(Boolean)).toEqual(others.map(([, { id }]) => [id, true]));
});

/** Those that need a model, several workers or what another one has stored have tests of their own. */
const runElsewhere = [
	'dataiku-evaluation',
	'dataiku-photos',
	...['dataiku-agent', 'dataiku-what-if-agent', 'dataiku-approval', 'dataiku-mcp', 'dataiku-outcome'],
	...['dataiku-workers', 'dataiku-give-out', 'dataiku-chunk'],
];

const saved = path.join(__dirname, 'saved');
const folders = [EXAMPLES, ...readdirSync(saved).map((version) => path.join(saved, version))];
describe.each(folders.map((folder) => [path.basename(folder), folder]))('of %s', (_folder, folder) => {
	const workflows = workflowsIn(folder).filter(([, { id }]) => !runElsewhere.includes(id));
	test.each(workflows)('the workflow "%s" runs', async (_name, workflow) => {
		const { data, status } = await run(workflow);
		expect(data.resultData.error).toBeUndefined();
		// A form's last page waits for its visitor.
		expect(status).toMatch(/^(success|waiting)$/);
		const results = workflow.nodes.filter(isOurs).flatMap(({ name }) => data.resultData.runData[name] ?? []);
		const items = results.flatMap(({ data: output }) => output?.main?.flat() ?? []);
		expect(items).not.toHaveLength(0);
		expect(items.filter((item) => item?.json.error !== undefined)).toEqual([]);
	});
});

/** Runs a copy of a workflow, which is reached at its own path if it waits for calls. */
async function run({ name, nodes, ...others }: Example): Promise<IRun> {
	const trigger = nodes.find(({ type }) => /Trigger$|\.webhook$/.test(type))!;
	const { options, path: ownPath } = trigger.parameters as { options?: { path?: string }; path?: string };
	const called = ownPath ?? options?.path;
	const at = randomUUID();
	if (ownPath !== undefined) trigger.parameters = { ...trigger.parameters, path: at };
	else if (called !== undefined) trigger.parameters = { ...trigger.parameters, options: { ...options, path: at } };
	const copy = { ...others, id: undefined, versionId: undefined, name: `Copy of ${name}`, nodes };
	const { id } = await rest.call<{ id: string }>('POST', '/workflows', copy);
	if (called === undefined) return await rest.run(id, trigger.name);
	const call = calls[called];
	if (call === undefined) throw new Error(`${called} is called by nobody: say how in this file`);
	await rest.publish(id);
	try {
		const address = `${url}/${trigger.type.endsWith('.webhook') ? 'webhook' : 'form'}/${at}`;
		let answer = await call(address);
		// n8n publishes some time after it responds.
		for (let waited = 0; answer.status === 404 && waited < 20_000; waited += 100) {
			await sleep(100);
			answer = await call(address);
		}
		expect(answer.status).toBe(200);
		const filter = encodeURIComponent(JSON.stringify({ workflowId: id }));
		// n8n lists an execution some time after it has answered.
		for (;;) {
			const { results } = await rest.call<{ results: Array<{ id: string }> }>('GET', `/executions?filter=${filter}`);
			if (results[0]) return await rest.finished(results[0].id, ['new', 'running']);
			await sleep(100);
		}
	} finally {
		await rest.call('POST', `/workflows/${id}/deactivate`, {});
	}
}
