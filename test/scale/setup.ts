import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Everything that the tests write is in the folder that this variable names, and everything that they start inherits it. */
export const FOLDER = 'SCALE_FOLDER';

export default function setup(): void {
	const folder = mkdtempSync(path.join(tmpdir(), 'n8n-scale-'));
	// PostgreSQL's user has to come through.
	chmodSync(folder, 0o755);
	process.env[FOLDER] = folder;
	// A test's own process object is a copy that hears neither signals nor the end, so that nothing else would end what it started.
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
	process.once('exit', () => endAll(folder));
}

export function endAll(folder: string): void {
	for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
		try {
			if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`${FOLDER}=${folder}\0`)) continue;
			process.kill(Number(pid), 'SIGKILL');
		} catch {
			// It has ended in between.
		}
	}
	rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}
