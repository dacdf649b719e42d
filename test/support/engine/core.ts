import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Core = typeof import('n8n-core');

let loaded: Promise<Core> | undefined;
let userFolder: string | undefined;

/**
 * n8n-core, loaded at the first call. It reads the environment while it loads, so that a test may set variables of
 * n8n's own (`N8N_SSRF_PROTECTION_ENABLED`) before it calls anything of the engine.
 */
export async function core(): Promise<Core> {
	loaded ??= load();
	return await loaded;
}

async function load(): Promise<Core> {
	userFolder = mkdtempSync(join(tmpdir(), 'n8n-nodes-dataiku-'));
	process.env.N8N_USER_FOLDER = userFolder;
	process.env.N8N_ENCRYPTION_KEY = 'a key for tests only';
	process.env.N8N_LOG_LEVEL ??= 'silent';
	return await import('n8n-core');
}

const removeUserFolder = () => {
	if (userFolder) rmSync(userFolder, { recursive: true, force: true });
};
// jest gives each test file a `process` of its own, whose exit event never comes
if (typeof afterAll === 'function') afterAll(removeUserFolder);
else process.once('exit', removeUserFolder);
