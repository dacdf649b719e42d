import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { request } from 'undici';
import { type ApiNode, startApiNode } from '../../../demo/api-node';

const root = join(__dirname, '../../..');
const started: ChildProcess[] = [];
const start = (...args: string[]) => {
	const child = spawn(process.execPath, ['--import', 'tsx', 'demo/api-node/main.ts', ...args], { cwd: root });
	started.push(child);
	const said = { out: '', err: '' };
	child.stdout.on('data', (text) => (said.out += text));
	child.stderr.on('data', (text) => (said.err += text));
	return { child, said };
};
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

test.each(['SIGINT', 'SIGTERM'] as const)('it prints its address and keys, and ends on %s', async (signal) => {
	const { child, said } = start('--port', '0', '--latency', '1');
	await once(child.stdout, 'data');
	expect(said.out).toMatch(/^API node on http:\/\/127\.0\.0\.1:\d+: .*demo-key.*demo-token.*\n$/);
	const url = said.out.match(/http:\/\/[^\s]+(?=:\s)/)?.[0];
	expect((await request(`${url}/isAlive/`)).statusCode).toBe(200);
	child.kill(signal);
	expect(await once(child, 'exit')).toEqual([0, null]);
});

describe('one line reports the problem when the start is invalid', () => {
	let node: ApiNode;
	beforeAll(async () => {
		node = await startApiNode();
	});
	afterAll(() => node.close());

	test.each([
		['a busy port', () => ['--port', String(node.port)], /already in use/],
		['an invalid port', () => ['--port', 'http'], /--port must be an integer/],
		['an unknown option', () => ['--prot', '1'], /--prot/],
	])('%s', async (_case, args, message) => {
		const { child, said } = start(...args());
		expect(await once(child, 'close')).toEqual([1, null]);
		expect(said.err).toMatch(message);
		expect(said.err.trim().split('\n')).toHaveLength(1);
	});
});
