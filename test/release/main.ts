/**
 * `npm run release:dry-run`: publishes 0.1.0 and 0.1.1 from copies of this checkout to a registry on the loopback, by the steps of publish.yml,
 * installs each in a clean n8n by the code of n8n's own installer, and runs a saved workflow before and after the upgrade.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { detect } from 'detect-port';
import { parse, stringify } from 'yaml';
import { startApiNode } from '../../demo/api-node';
import { examples } from '../../demo/demo';
import { freePort } from '../../demo/n8n/free-port';
import { installN8n, type Installation } from '../../demo/n8n/installation';
import { N8n } from '../../demo/n8n/n8n';
import { npm } from '../../demo/n8n/npm';
import { ProcessGroup } from '../../demo/n8n/process-group';
import { N8nRest } from '../../demo/n8n/rest';
import { timed } from '../../demo/timed';
import manifest from '../../package.json';

const REPOSITORY = path.resolve(__dirname, '../..');
const WORKFLOWS = '.github/workflows';
const SAVED = path.join(REPOSITORY, 'test/e2e/saved/0.1.0');
const VERSIONS = ['0.1.0', '0.1.1'];
/** The saved workflow that is run, and what it shows. */
const BATCH = { id: 'dataiku-batch', trigger: 'Score the payments', last: 'Riskiest first', items: 20 };
const owner = { email: 'release@example.com', password: 'Release-1-of-a-dry-run' };

interface Job {
	needs?: string;
	uses?: string;
	steps?: Array<{ name?: string; uses?: string; run?: string; env?: Record<string, string> }>;
}

const report = (text: string) => process.stdout.write(text);
const step = async <Result>(name: string, work: () => Promise<Result>) => await timed(report, name, work);

async function main(): Promise<void> {
	const folder = await mkdtemp(path.join(tmpdir(), 'release-'));
	const installation = await installN8n({ report });
	const apiNode = await startApiNode();
	let registry: Registry | undefined;
	try {
		registry = await step('Starting a registry', async () => await Registry.start(installation, folder));
		const checkout = path.join(folder, 'checkout');
		await copyCheckout(checkout);
		for (const version of VERSIONS) {
			await step(`Publishing ${version} by the steps of publish.yml`, async () => {
				await prepareVersion(checkout, version);
				await runWorkflow(checkout, version, registry!);
			});
		}
		for (const version of VERSIONS) {
			await step(`Installing ${version} in a clean n8n, and running a saved workflow`, async () => {
				const userFolder = path.join(folder, `n8n-${version}`);
				await install(installation, userFolder, version, registry!);
				await new SavedWorkflow(installation, userFolder, apiNode.url).run(version);
			});
		}
		const [from = '', to = ''] = VERSIONS;
		await step(`Upgrading the n8n of ${from} to ${to}, and running its workflow again`, async () => {
			const userFolder = path.join(folder, `n8n-${from}`);
			await install(installation, userFolder, to, registry!);
			await new SavedWorkflow(installation, userFolder, apiNode.url).run(to);
		});
		const tags = JSON.parse(await registry.npm('view', manifest.name, 'dist-tags', '--json')) as { latest: string };
		if (tags.latest !== to) throw new Error(`The registry's latest is ${tags.latest}, not ${to}`);
		report(`The release works: ${VERSIONS.join(' and ')} were published, installed and upgraded\n`);
	} finally {
		await registry?.stop();
		await apiNode.close();
		await rm(folder, { recursive: true, force: true });
	}
}

/** Verdaccio, with one user who may publish this package; all other packages come from the registry that npm has. */
class Registry {
	private constructor(
		readonly url: string,
		readonly token: string,
		private readonly folder: string,
		private readonly server: ProcessGroup,
	) {}

	static async start({ node }: Installation, folder: string): Promise<Registry> {
		const place = path.join(folder, 'registry');
		await mkdir(place);
		// Its node-fetch is named by a tag, which some mirrors of the registry do not have.
		const dependencies = { dependencies: { verdaccio: '6.10.4' }, overrides: { 'node-fetch': '2.7.0' } };
		await writeFile(path.join(place, 'package.json'), JSON.stringify({ private: true, ...dependencies }));
		await npm(['install', '--ignore-scripts', '--prefer-offline'], { cwd: place, log: path.join(place, 'npm.log') });
		const upstream = await npm(['config', 'get', 'registry'], { cwd: place, log: path.join(place, 'npm.log') });
		const settings = {
			storage: './storage',
			auth: { htpasswd: { file: './htpasswd' } },
			uplinks: { upstream: { url: upstream.trim() } },
			packages: {
				[manifest.name]: { access: '$all', publish: '$authenticated' },
				'**': { access: '$all', proxy: 'upstream' },
			},
			log: { type: 'stdout', format: 'pretty', level: 'warn' },
		};
		await writeFile(path.join(place, 'config.yaml'), stringify(settings));
		const url = `http://127.0.0.1:${await freePort()}/`;
		const command = ['node_modules/verdaccio/bin/verdaccio', '--config', 'config.yaml', '--listen', url];
		const log = path.join(place, 'verdaccio.log');
		const server = new ProcessGroup(node, command, { cwd: place, env: process.env, log });
		const user = { name: 'publisher', password: 'Publisher-1-of-a-dry-run', type: 'user' };
		for (let waited = 0; waited < 60_000; waited += 200) {
			const response = await fetch(`${url}-/user/org.couchdb.user:publisher`, {
				method: 'PUT',
				headers: { 'content-type': 'application/json' },
				body: JSON.stringify(user),
			}).catch(() => undefined);
			if (response?.ok) return new Registry(url, ((await response.json()) as { token: string }).token, place, server);
			await sleep(200);
		}
		await server.stop(2_000);
		throw new Error(`The registry did not start:\n${await readFile(log, 'utf8')}`);
	}

	async npm(...args: string[]): Promise<string> {
		return await npm([...args, '--registry', this.url], { cwd: this.folder, log: path.join(this.folder, 'npm.log') });
	}

	async stop(): Promise<void> {
		await this.server.stop(2_000);
	}
}

/** The files that git has or would take, as they are now. */
async function copyCheckout(checkout: string): Promise<void> {
	const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
		cwd: REPOSITORY,
		encoding: 'utf8',
	});
	for (const file of listed.split('\0').filter((name) => name !== '')) {
		await cp(path.join(REPOSITORY, file), path.join(checkout, file), { verbatimSymlinks: true });
	}
	await symlink(path.join(REPOSITORY, 'node_modules'), path.join(checkout, 'node_modules'));
}

/** What CONTRIBUTING has a maintainer do before the tag. */
async function prepareVersion(checkout: string, version: string): Promise<void> {
	const edit = async (file: string, change: (text: string) => string) => {
		const text = await readFile(path.join(checkout, file), 'utf8');
		await writeFile(path.join(checkout, file), change(text));
	};
	await edit('package.json', (text) => text.replace(manifest.author.email, 'publisher@n8n-nodes-dataiku.test'));
	await edit('CHANGELOG.md', (text) =>
		text.replace('## [Unreleased]\n', `## [Unreleased]\n\nThe dry run of ${version}.\n`),
	);
	command(checkout, `node .ci/release.mjs prepare ${version}`);
}

/** The jobs of publish.yml one after the other, which is their order there. Of ci.yml all but `.ci/run`, in place of which there is a build. */
async function runWorkflow(checkout: string, version: string, registry: Registry): Promise<void> {
	const jobsOf = async (file: string) => {
		const text = await readFile(path.join(checkout, file), 'utf8');
		return Object.entries((parse(text) as { jobs: Record<string, Job> }).jobs);
	};
	// Each job on GitHub has its own folder.
	for (const file of await readdir(checkout)) if (file.endsWith('.tgz')) await rm(path.join(checkout, file));
	const bin = path.join(checkout, 'bin');
	await mkdir(bin, { recursive: true });
	const gh = '#!/bin/sh\n{ echo "$@"; cat; } > "$RELEASE_NOTES"\n';
	await writeFile(path.join(bin, 'gh'), gh, { mode: 0o755 });
	const announced = path.join(checkout, 'announced');
	const env: Record<string, string> = {
		PATH: [bin, process.env.PATH].join(path.delimiter),
		GITHUB_REF_NAME: `v${version}`,
		GITHUB_REPOSITORY: manifest.homepage.slice('https://github.com/'.length).replace('#readme', ''),
		RELEASE_NOTES: announced,
		npm_config_registry: registry.url,
	};
	const secrets: Record<string, string> = {
		// npm trusts a workflow from the second version on. Its own registry knows no GitHub, and wants the token again.
		'${{ secrets.NPM_TOKEN }}': registry.token,
		'${{ github.token }}': 'a token',
	};
	for (const [name, job] of await jobsOf(`${WORKFLOWS}/publish.yml`)) {
		const steps = job.uses ? (await jobsOf(job.uses)).find(([each]) => each === 'run')![1].steps : job.steps;
		for (const { run, env: own } of steps ?? []) {
			if (run === undefined) continue;
			const given = Object.entries(own ?? {}).map(([key, value]) => [key, secrets[value] ?? value] as const);
			const line = run === '.ci/run' ? 'npm run build' : run;
			try {
				command(checkout, line, { ...env, ...Object.fromEntries(given) });
			} catch (error) {
				throw new Error(`Job ${name}, "${line}": ${(error as { stderr?: string }).stderr ?? String(error)}`);
			}
		}
	}
	const release = await readFile(announced, 'utf8');
	if (!release.includes(`release create v${version}`) || !release.includes(`The dry run of ${version}.`)) {
		throw new Error(`The release on GitHub was made in other words:\n${release}`);
	}
}

function command(cwd: string, line: string, env: NodeJS.ProcessEnv = {}): string {
	const { npm_config_ignore_scripts: _scripts, npm_config_local_prefix: _prefix, ...inherited } = process.env;
	const options = { cwd, env: { ...inherited, GITHUB_ACTIONS: undefined, ...env }, encoding: 'utf8' } as const;
	return execFileSync('bash', ['-euo', 'pipefail', '-c', line], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
}

/**
 * What n8n does when a user installs or upgrades a package in the editor, by its own code: its check of the registry's name, which only a
 * licence turns off, is left out.
 */
async function install(
	{ node, n8n }: Installation,
	userFolder: string,
	version: string,
	{ url }: Registry,
): Promise<void> {
	const nodes = path.join(userFolder, '.n8n/nodes');
	await mkdir(nodes, { recursive: true });
	const service = path.join(path.dirname(n8n), '../dist/modules/community-packages/community-packages.service.js');
	const script = `
		require('reflect-metadata');
		const { CommunityPackagesService } = require(${JSON.stringify(service)});
		const installer = Object.assign(Object.create(CommunityPackagesService.prototype), {
			downloadFolder: ${JSON.stringify(nodes)},
			packageJsonPath: ${JSON.stringify(path.join(nodes, 'package.json'))},
			logger: console,
			getNpmRegistry: () => ${JSON.stringify(url)},
			getAllInstalledPackages: async () => [],
		});
		(async () => {
			await installer.ensurePackageJson();
			await installer.backupPackageDirectory('${manifest.name}');
			await installer.downloadPackage('${manifest.name}', '${version}');
			await installer.assertPackageApiVersionSupported('${manifest.name}');
		})().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });`;
	const child = spawn(node, ['-e', script], {
		cwd: path.dirname(n8n),
		env: {
			...process.env,
			N8N_USER_FOLDER: userFolder,
			PATH: [path.dirname(node), process.env.PATH].join(path.delimiter),
		},
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	let errors = '';
	child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
	const code = await new Promise((resolve) => child.once('close', resolve));
	const installed = path.join(nodes, 'node_modules', manifest.name);
	if (code !== 0) throw new Error(`n8n's installer failed: ${errors}`);
	const { version: found } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8')) as {
		version: string;
	};
	if (found !== version) throw new Error(`n8n's installer brought ${found}, not ${version}`);
	await readFile(path.join(installed, 'node_modules/undici/package.json'));
}

/** A workflow that a version of this package has saved, in an n8n that keeps it. */
class SavedWorkflow {
	constructor(
		private readonly installation: Installation,
		private readonly userFolder: string,
		private readonly apiNodeUrl: string,
	) {}

	async run(version: string): Promise<void> {
		const { installation, userFolder } = this;
		const n8n = new N8n({ installation, userFolder, port: await detect({ hostname: '127.0.0.1' }) });
		const isNew = (await readFile(path.join(userFolder, 'imported'), 'utf8').catch(() => undefined)) === undefined;
		if (isNew) {
			const data = { url: this.apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' };
			await n8n.importCredentials([{ id: 'dataiku-demo', name: 'Dataiku demo', type: 'dataikuApiNodeApi', data }]);
			await n8n.importWorkflows(await examples(SAVED));
			await writeFile(path.join(userFolder, 'imported'), version);
		}
		await n8n.start();
		try {
			const rest = await N8nRest.signIn(n8n.url, installation, owner);
			const { data } = await rest.run(BATCH.id, BATCH.trigger);
			const { error, runData } = data.resultData;
			if (error) throw error;
			const items = runData[BATCH.last]?.[0]?.data?.main?.[0] ?? [];
			const scored = items.filter(({ json }) => json.prediction !== undefined);
			if (scored.length !== BATCH.items) throw new Error(`${scored.length} of ${BATCH.items} items were scored`);
		} finally {
			await n8n.stop();
		}
	}
}

main().then(
	() => process.exit(0),
	(error: Error) => {
		console.error(error.message);
		process.exit(1);
	},
);
