import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { detect } from 'detect-port';
import { Launch } from './launch';

const REPOSITORY = path.resolve(__dirname, '../..');
const run = promisify(execFile);

const onePort = async () => String(await detect({ hostname: '127.0.0.1' }));

test('--once shows a row for each payment, exits with 0 and leaves no process running', async () => {
	const launch = Launch.script(['--once']);
	expect(await launch.exited).toBe(0);
	expect(launch.stdout).toMatch(/│ P-01 .*│ legitimate │ +0\.\d{3} │/);
	expect(launch.stdout.match(/│ P-\d\d /g)).toHaveLength(20);
	expect(launch.stdout).toContain('20 of 20 payments scored');
	expect(launch.stdout).toMatch(/^Starting n8n with .* \.\.\. \d+ s$/m);
	expect(launch.stdout).toMatch(/^Next: `npm start` /m);
	expect(launch.processes()).toEqual([]);
});

test('npm start prints a command for the webhook that works as printed, and Ctrl-C ends everything', async () => {
	const port = await onePort();
	const launch = Launch.npmStart('--port', port, '--api-node-port', await onePort());
	try {
		await launch.line(/Ctrl-C stops everything/);
		const { stdout } = await run('sh', ['-c', await launch.line(/curl .*/)]);
		expect(JSON.parse(stdout)).toMatchObject({ prediction: 'fraud' });
		expect(launch.stdout).toMatch(/sign in with +demo@example\.com +\S+/);
		expect(launch.stdout).toContain(`http://127.0.0.1:${port}/workflow/dataiku-batch\n`);
		expect(launch.stdout).toMatch(/URL http:\/\/127\.0\.0\.1:\d+ +Service ID demo +API Key demo-key/);
		expect(launch.processes().length).toBeGreaterThan(1);
		launch.pressCtrlC();
		await launch.exited;
		expect(launch.processes()).toEqual([]);
	} finally {
		await rm(path.join(REPOSITORY, `.runtime/editor-${port}`), { recursive: true, force: true });
	}
});

test('everything ends when npm receives SIGTERM while n8n starts', async () => {
	const launch = Launch.npmStart('--once');
	await launch.process(/n8n start/);
	launch.terminate();
	expect(await launch.exited).not.toBe(0);
	expect(launch.processes()).toEqual([]);
});

test.each([
	['--port', 'the editor'],
	['--api-node-port', 'the API node'],
])('one line names %s and a way out when the port is busy', async (option) => {
	const occupant = createServer().listen(0, '127.0.0.1');
	await new Promise((resolve) => occupant.once('listening', resolve));
	const port = (occupant.address() as AddressInfo).port;
	try {
		const launch = Launch.script(['--once', option, String(port)]);
		expect(await launch.exited).toBe(1);
		expect(launch.stderr).toMatch(
			new RegExp(`^Port ${port}, for .*, is already in use\\. .*npm start -- ${option} \\d+\\n$`),
		);
	} finally {
		occupant.close();
	}
});

test.each(['--foo', 'foo', '--once=yes'])(
	'the usage is shown and nothing starts when the argument is %s',
	async (argument) => {
		const launch = Launch.script([argument]);
		expect(await launch.exited).toBe(1);
		expect(launch.stdout).toBe('');
		expect(launch.stderr).toMatch(/^[^\n]+\n\nUsage: npm start -- \[--once\]/);
	},
);

describe('from a clean checkout', () => {
	let checkout: string;
	beforeEach(async () => {
		checkout = await mkdtemp(path.join(tmpdir(), 'checkout-'));
		for (const name of ['demo', 'examples', 'package.json', 'tsconfig.json']) {
			await cp(path.join(REPOSITORY, name), path.join(checkout, name), { recursive: true });
		}
		await symlink(path.join(REPOSITORY, 'node_modules'), path.join(checkout, 'node_modules'));
	});
	afterEach(async () => await rm(checkout, { recursive: true, force: true }));

	test('a later start does not use an incomplete installation when Ctrl-C ended the installation', async () => {
		for (const _attempt of [1, 2]) {
			const launch = Launch.script(['--once'], { cwd: checkout });
			await launch.line(/Installing n8n [\d.]+, once/);
			await launch.process(/pnpm\.cjs install/);
			launch.pressCtrlC();
			expect(await launch.exited).toBe(130);
			expect(launch.processes()).toEqual([]);
			expect(existsSync(path.join(checkout, '.runtime/tools.installed'))).toBe(true);
			expect(existsSync(path.join(checkout, '.runtime/n8n.installed'))).toBe(false);
		}
	});

	test('one line reports the problem when the registry is out of reach', async () => {
		const env = { npm_config_registry: 'http://127.0.0.1:9', npm_config_cache: path.join(checkout, 'cache') };
		const launch = Launch.script(['--once'], { cwd: checkout, env });
		expect(await launch.exited).toBe(1);
		expect(launch.stderr).toMatch(/^.*npm registry cannot be reached.*\n$/);
		expect(launch.processes()).toEqual([]);
	});
});
