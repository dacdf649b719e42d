import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { detect } from 'detect-port';
import { startDemo, type DemoOptions } from '../../demo/demo';
import { shareDemo } from './running';

export type WithStopDemo = typeof globalThis & { stopDemo?: () => Promise<void> };

/** What test/versions sets to have tests run on another n8n, with a package that is packed. */
export const SUBJECT = 'E2E_SUBJECT';
export type Subject = Pick<DemoOptions, 'installation' | 'archive'>;

/** Starts what `npm start` starts, once for all end-to-end tests. */
export default async function setup(): Promise<void> {
	const userFolder = await mkdtemp(path.join(tmpdir(), 'n8n-e2e-'));
	const port = await detect({ hostname: '127.0.0.1' });
	const subject = JSON.parse(process.env[SUBJECT] ?? '{}') as Subject;
	const report = (text: string) => process.stdout.write(text);
	const demo = await startDemo({ userFolder, port, apiNodePort: 0, report, ...subject });
	shareDemo({ ...demo, userFolder });
	(globalThis as WithStopDemo).stopDemo = async () => {
		await demo.stop();
		await rm(userFolder, { recursive: true, force: true });
	};
}
