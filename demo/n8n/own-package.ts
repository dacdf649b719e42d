import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { npm } from './npm';
import { CommandFailed } from './process-group';

const REPOSITORY = path.resolve(__dirname, '../..');
const PACKAGE = 'n8n-nodes-dataiku';

/** Builds this repository and packs it as it would be published. Returns the path of the archive. */
export async function packOwnPackage(folder: string, signal?: AbortSignal): Promise<string> {
	const options = { cwd: REPOSITORY, log: path.join(folder, 'pack.log'), signal };
	await npm(['run', 'build'], options).catch((error) => {
		throw error instanceof CommandFailed ? new Error(`The package was not built:\n${error.output}`) : error;
	});
	// Runs the check of `prepack`, which this repository's .npmrc would disable.
	await npm(['pack', '--ignore-scripts=false', '--pack-destination', folder], options);
	const archive = (await readdir(folder)).find((file) => file.endsWith('.tgz'));
	if (archive === undefined) throw new Error('npm pack made no archive');
	return path.join(folder, archive);
}

/**
 * Installs this package with its dependencies into n8n's folder for community nodes.
 *
 * @param archive the result of `packOwnPackage`; by default, it is created here
 */
export async function installOwnPackage(userFolder: string, signal?: AbortSignal, archive?: string): Promise<void> {
	const folder = await mkdtemp(path.join(tmpdir(), 'n8n-nodes-dataiku-'));
	const log = path.join(folder, 'npm.log');
	try {
		archive ??= await packOwnPackage(folder, signal);
		await writeFile(path.join(folder, 'package.json'), '{ "private": true }');
		const options = ['--ignore-scripts', '--legacy-peer-deps', '--install-strategy=nested', '--prefer-offline'];
		await npm(['install', archive, ...options], { cwd: folder, log, signal });
		const installed = path.join(userFolder, '.n8n/nodes/node_modules', PACKAGE);
		await rm(installed, { recursive: true, force: true });
		await cp(path.join(folder, 'node_modules', PACKAGE), installed, { recursive: true });
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}
