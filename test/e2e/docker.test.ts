import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { detect } from 'detect-port';
import { DockerfileParser } from 'dockerfile-ast';
import type { INode } from 'n8n-workflow';
import { examples } from '../../demo/demo';
import { N8n } from '../../demo/n8n/n8n';
import { packageManagerEnvironment } from '../../demo/n8n/npm';
import { N8nRest } from '../../demo/n8n/rest';
import { itemsOf, running } from './running';

const REPOSITORY = path.resolve(__dirname, '../..');
const { installation, owner, apiNodeUrl } = running();
/** What the image holds, with this in front. */
let image: string;

/** The steps of docker/Dockerfile on this machine's file system: there may be no Docker to take them. */
beforeAll(async () => {
	image = await mkdtemp(path.join(tmpdir(), 'image-'));
	const source = path.join(image, 'source');
	const ignored = await readFile(path.join(REPOSITORY, 'docker/Dockerfile.dockerignore'), 'utf8');
	for (const [, entry] of ignored.matchAll(/^!(.+)$/gm)) {
		await cp(path.join(REPOSITORY, entry!), path.join(source, entry!), { recursive: true });
	}
	await symlink(path.join(REPOSITORY, 'node_modules'), path.join(source, 'node_modules'));
	await mkdir(path.join(image, 'tmp'));
	let cwd = source;
	for (const [keyword, argument] of await instructions('package')) {
		if (keyword === 'WORKDIR') await mkdir((cwd = path.join(image, argument)), { recursive: true });
		if (keyword !== 'RUN') continue;
		const here = argument.replace(/ \/(opt|tmp|source)\b/g, ` ${image}/$1`);
		await promisify(execFile)('sh', ['-c', here], { cwd, env: packageManagerEnvironment() });
	}
	await cp(path.join(source, 'docker/n8n'), path.join(image, 'opt/n8n-nodes-dataiku/bin/n8n'));
	// n8n's own image has its command in /usr/local/bin.
	await mkdir(path.join(image, 'usr/local/bin'), { recursive: true });
	await symlink(installation.n8n, path.join(image, 'usr/local/bin/n8n'));
});
afterAll(async () => await rm(image, { recursive: true, force: true }));

async function instructions(stage: string): Promise<Array<[keyword: string, argument: string]>> {
	const dockerfile = DockerfileParser.parse(await readFile(path.join(REPOSITORY, 'docker/Dockerfile'), 'utf8'));
	const from = dockerfile.getFROMs().find((each) => each.getBuildStage() === stage)!;
	return dockerfile
		.getContainingImage(from.getRange().start)!
		.getInstructions()
		.map((each) => [each.getKeyword(), each.getRawArgumentsContent()!.replace(/\\\n/g, '')]);
}

/** The image's n8n on a user folder. */
async function imageOf(userFolder: string, env: NodeJS.ProcessEnv = {}): Promise<N8n> {
	const bin = path.join(image, 'opt/n8n-nodes-dataiku/bin');
	const PATH = [bin, path.join(image, 'usr/local/bin'), path.dirname(installation.node), process.env.PATH].join(':');
	return new N8n({
		installation: { node: '/bin/sh', n8n: path.join(bin, 'n8n') },
		userFolder,
		port: await detect({ hostname: '127.0.0.1' }),
		env: { ...env, PATH },
	});
}

test("n8n's command in the image loads the nodes under the names that workflows use, whatever a volume contains", async () => {
	const userFolder = path.join(image, 'home/node');
	const older = path.join(userFolder, '.n8n/nodes/node_modules/n8n-nodes-dataiku');
	await mkdir(older, { recursive: true });
	await writeFile(path.join(older, 'package.json'), '{ "name": "n8n-nodes-dataiku", "version": "0.0.0" }');

	const n8n = await imageOf(userFolder);
	const data = { url: apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' };
	await n8n.importCredentials([{ id: 'dataiku-demo', name: 'Dataiku demo', type: 'dataikuApiNodeApi', data }]);
	await n8n.importWorkflows(await examples());
	await n8n.start();
	try {
		const rest = await N8nRest.signIn(n8n.url, installation, owner);
		const run = await rest.run('dataiku-batch', 'Score the payments');
		expect(itemsOf(run, 'Riskiest first')).toHaveLength(20);
	} finally {
		await n8n.stop();
	}
});

test('the nodes of the image stay when environment variables make n8n install and remove packages', async () => {
	const userFolder = path.join(image, 'home/managed');
	const byEnvironment = async (...packages: object[]) => {
		const n8n = await imageOf(userFolder, {
			N8N_COMMUNITY_PACKAGES_MANAGED_BY_ENV: 'true',
			N8N_COMMUNITY_PACKAGES: JSON.stringify(packages),
		});
		await n8n.start();
		try {
			const { cookie } = await N8nRest.signIn(n8n.url, installation, owner);
			const types = (await (await fetch(`${n8n.url}/types/nodes.json`, { headers: { cookie } })).json()) as INode[];
			return new Set(types.map(({ name }) => name.split('.')[0]));
		} finally {
			await n8n.stop();
		}
	};

	const other = 'n8n-nodes-html-tag-extract';
	const installed = await byEnvironment({ name: other, version: '0.2.0' });
	expect([installed.has(other), installed.has('n8n-nodes-dataiku')]).toEqual([true, true]);
	const removed = await byEnvironment();
	expect([removed.has(other), removed.has('n8n-nodes-dataiku')]).toEqual([false, true]);
});
