import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from '../../demo/n8n/process-group';

let directory: string;
beforeAll(() => (directory = mkdtempSync(path.join(tmpdir(), 'process-group-'))));
afterAll(() => rmSync(directory, { recursive: true }));

const failing = (...lines: string[]) =>
	run(process.execPath, ['-e', 'console.log(process.env.LINES); process.exit(1)'], {
		cwd: directory,
		env: { ...process.env, LINES: lines.join('\n') },
		log: path.join(directory, 'log'),
	});

test('the error of n8n is shown when something else was logged after it', async () => {
	const error = JSON.stringify({ level: 'error', message: 'The proxy refused to connect' });
	const later = JSON.stringify({ level: 'info', message: 'Registered runner' });

	await expect(failing(error, later)).rejects.toThrow(/proxy refused/);
});

test('the last line is shown when no error was logged', async () => {
	await expect(failing('installing', 'no such package', '')).rejects.toThrow(/failed: no such package$/);
});
