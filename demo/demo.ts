import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { INode } from 'n8n-workflow';
import { startApiNode, type ApiNode } from './api-node';
import { installN8n, type Installation } from './n8n/installation';
import { N8n } from './n8n/n8n';
import { installOwnPackage } from './n8n/own-package';
import { N8nRest, type Owner } from './n8n/rest';
import { type Report, timed } from './timed';

export const EXAMPLES = path.resolve(__dirname, '../examples');

export interface DemoOptions {
	userFolder: string;
	port: number;
	apiNodePort: number;
	report: Report;
	signal?: AbortSignal;
	/** Used instead of the pinned n8n. The examples are then not published, because n8n 2.0 cannot publish imported workflows. */
	installation?: Installation;
	/** A packed package to use instead of building one. */
	archive?: string;
}

/** The example workflows in a real n8n with this package, and the API node that they call. */
export interface Demo {
	n8n: N8n;
	rest: N8nRest;
	owner: Owner;
	apiNode: ApiNode;
	installation: Installation;
	stop(): Promise<void>;
}

export interface Example {
	id: string;
	versionId: string;
	name: string;
	nodes: INode[];
}

export async function startDemo(options: DemoOptions): Promise<Demo> {
	const { userFolder, port, apiNodePort, report, signal, archive } = options;
	const installation = options.installation ?? (await installN8n({ report, signal }));
	const apiNode = await startApiNode({ port: apiNodePort });
	const n8n = new N8n({ installation, userFolder, port, signal });
	const stop = async () => {
		await n8n.stop();
		await apiNode.close();
	};
	try {
		report(`The API node is running at ${apiNode.url}\n`);
		await timed(report, 'Building this package', async () => await installOwnPackage(userFolder, signal, archive));
		await timed(report, 'Starting n8n with the package, the examples and their credential', async () => {
			await importExamples(n8n, userFolder, apiNode.url);
			await n8n.start();
		});
		const owner = await ownerOf(userFolder);
		const rest = await N8nRest.signIn(n8n.url, installation, owner);
		for (const { id, nodes } of options.installation ? [] : (await importedExamples()).reverse()) {
			if (nodes.some(({ type }) => /\.(webhook|formTrigger|mcpTrigger)$/.test(type))) await rest.publish(id);
			if (nodes.some(isForEvaluations)) await chooseDataSet(rest, id);
		}
		return { n8n, rest, owner, apiNode, installation, stop };
	} catch (error) {
		await stop();
		throw error;
	}
}

/**
 * Imports only what differs from the last import, because an import takes longer than n8n's start and undoes the user's
 * changes.
 */
async function importExamples(n8n: N8n, userFolder: string, apiNodeUrl: string): Promise<void> {
	const credential = {
		id: 'dataiku-demo',
		name: 'Dataiku demo',
		type: 'dataikuApiNodeApi',
		data: { url: apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' },
	};
	const wanted = createHash('sha256')
		.update(JSON.stringify([credential, await importedExamples()]))
		.digest('hex');
	const file = path.join(userFolder, 'imported');
	if ((await readFile(file, 'utf8').catch(() => '')) === wanted) return;
	await n8n.importCredentials([credential]);
	await n8n.importWorkflows(await importedExamples());
	await writeFile(file, wanted);
}

/** n8n's nodes for evaluations, which identify a data table only by the ID that n8n gave it. */
const isForEvaluations = ({ type, parameters }: INode) => /\.evaluation/.test(type) && 'dataTableId' in parameters;

/** Does once what the notes of the example ask of a user: creates the data set and selects it. */
async function chooseDataSet(rest: N8nRest, workflowId: string): Promise<void> {
	const { nodes, versionId } = await rest.call<Example>('GET', `/workflows/${workflowId}`);
	const unset = nodes.filter(
		(node) => isForEvaluations(node) && !(node.parameters.dataTableId as { value: string }).value,
	);
	if (unset.length === 0) return;
	const { data } = await rest.run(workflowId, 'Create the data set');
	const table = data.resultData.runData['Labeled payments table']?.[0]?.data?.main?.[0]?.[0]?.json;
	if (!table) throw new Error(`n8n created no data set: ${data.resultData.error?.message}`);
	const dataTableId = { __rl: true, mode: 'list', value: table.id, cachedResultName: table.name };
	for (const { parameters } of unset) Object.assign(parameters, { dataTableId });
	await rest.call('PATCH', `/workflows/${workflowId}`, { nodes, versionId });
}

/** These workflows make one batch together on a schedule of ten seconds, which would run without anyone noticing. */
const forManyWorkers = ['dataiku-workers', 'dataiku-give-out', 'dataiku-chunk'];

const importedExamples = async () => (await examples()).filter(({ id }) => !forManyWorkers.includes(id));

/** Returns the examples in the order of their numbers. */
export async function examples(folder = EXAMPLES): Promise<Example[]> {
	const files = (await readdir(folder)).filter((file) => file.endsWith('.json'));
	const all = await Promise.all(
		files.map(async (file) => JSON.parse(await readFile(path.join(folder, file), 'utf8')) as Example),
	);
	return all.sort((a, b) => parseInt(a.name) - parseInt(b.name));
}

/** The password is random, because anyone who signs in to n8n can run code on this machine. */
async function ownerOf(userFolder: string): Promise<Owner> {
	const file = path.join(userFolder, 'owner.json');
	const known = await readFile(file, 'utf8').catch(() => undefined);
	if (known !== undefined) return JSON.parse(known) as Owner;
	const owner = { email: 'demo@example.com', password: `Demo-1-${randomBytes(6).toString('hex')}` };
	await mkdir(userFolder, { recursive: true });
	await writeFile(file, JSON.stringify(owner), { mode: 0o600 });
	return owner;
}
