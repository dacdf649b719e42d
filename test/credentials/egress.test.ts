// n8n reads these while it loads: before anything of the engine is called.
process.env.N8N_SSRF_PROTECTION_ENABLED = 'true';
process.env.N8N_SSRF_ALLOWED_HOSTNAMES = 'localhost';

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { INodeCredentialTestResult, NodeOperationError } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../support/chaosProxy';
import { loadOptions, testCredential } from '../support/engine';
import { callOf, credentialFor, jsonOf, nodeTypes, run } from '../nodes/demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const settings = /N8N_SSRF_PROTECTION_ENABLED.*N8N_SSRF_ALLOWED_HOSTNAMES or N8N_SSRF_ALLOWED_IP_RANGES/;
const byName = (url: string) => url.replace('127.0.0.1', 'localhost');

describe("n8n's protection against requests to private addresses", () => {
	it.each(nodeTypes)(
		'fails %s with a message that names the settings when it calls a private address',
		async (type) => {
			const { unit, parameters } = callOf(type);
			const { error } = await run(type, { url: proxy.url, items: unit(0), parameters });

			expect(error?.message).toBe(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`);
			expect(error?.description).toMatch(settings);
			expect(proxy.connections).toBe(0);
		},
	);

	it('fails each item with the same message under "continue"', async () => {
		const { output } = await run('dataikuPredict', {
			url: proxy.url,
			items: [{ amount: 1 }, { amount: 2 }],
			onError: 'continueRegularOutput',
		});
		expect(output.map(({ pairedItem }) => pairedItem)).toEqual([{ item: 0 }, { item: 1 }]);
		for (const { error } of jsonOf(output)) expect(error).toMatch(settings);
	});

	it('applies to each of several instances', async () => {
		const url = `${byName(node.url)}, ${proxy.url}`;
		const { error } = await run('dataikuPredict', { url, items: [{ amount: 1 }] });
		expect(error?.message).toBe(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`);
	});

	it('is named when a host name cannot be resolved, which n8n does itself', async () => {
		const { error } = await run('dataikuPredict', { url: 'https://apinode.invalid', items: [{ amount: 1 }] });
		expect(error?.message).toBe('n8n could not look up apinode.invalid');
		expect(error?.description).toMatch(/resolve/);
	});

	it('allows addresses on its list', async () => {
		const { output, error } = await run('dataikuRunFunction', {
			url: byName(node.url),
			items: [{ a: 1, b: 1 }],
			parameters: { output: 'resultOnly' },
		});
		expect(error).toBeUndefined();
		expect(jsonOf(output)).toEqual([{ result: 2 }]);
	});

	it('also applies to the list of endpoints', async () => {
		const list = async (url: string) =>
			await loadOptions({
				type: 'dataikuPredict',
				kind: 'listSearch',
				method: 'searchEndpoints',
				credentials: credentialFor(url),
			});

		const { message, description } = (await list(proxy.url).catch((error: unknown) => error)) as NodeOperationError;
		expect(message).toContain('n8n is not allowed to connect to');
		expect(description).toMatch(settings);
		expect((await list(byName(node.url))).results.length).toBeGreaterThan(0);
	});

	it('also applies to the credential test', async () => {
		const test = async (url: string) =>
			await testCredential({ type: 'dataikuApiNodeApi', data: credentialFor(url).dataikuApiNodeApi });

		const { status, message } = await test(proxy.url);
		expect([status, message]).toEqual([
			'Error',
			expect.stringContaining('n8n is not allowed to connect to 127.0.0.1:'),
		]);
		expect(message).toMatch(settings);
		expect(proxy.connections).toBe(0);
		expect(await test(byName(node.url))).toMatchObject({ status: 'OK' });
	});

	describe('for the API Deployer', () => {
		const deployed = (url: string) =>
			credentialFor(byName(node.url), {
				...{ openApiFrom: 'deployer', deployerUrl: url, deploymentId: 'demo-on-k8s', deployerApiKey: 'dss-key' },
			});
		const list = async (url: string) =>
			await loadOptions({
				type: 'dataikuPredict',
				kind: 'listSearch',
				method: 'searchEndpoints',
				credentials: deployed(url),
			});

		it('applies to the list of endpoints', async () => {
			const { message, description } = (await list(proxy.url).catch((error: unknown) => error)) as NodeOperationError;
			expect(message).toContain(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`);
			expect(description).toMatch(settings);
			expect(proxy.connections).toBe(0);
			expect((await list(byName(node.url))).results.length).toBeGreaterThan(0);
		});

		it('lets a run continue without the document', async () => {
			const { output } = await run('dataikuPredict', {
				url: byName(node.url),
				items: [{ amount: 1 }],
				credentials: deployed(proxy.url),
				options: { checkFeatures: 'error' },
			});
			expect(jsonOf(output)).toMatchObject([{ result: { prediction: 'legitimate' } }]);
			expect(proxy.connections).toBe(0);
		});

		it('fails the credential test before the API node gets its key', async () => {
			const apiNode = await chaosProxy({ upstream: node.url });
			const data = { ...deployed(proxy.url).dataikuApiNodeApi, url: byName(apiNode.url) };
			const { status, message } = await testCredential({ type: 'dataikuApiNodeApi', data });
			await apiNode.close();
			expect([status, message]).toEqual([
				'Error',
				expect.stringContaining(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`),
			]);
			expect(proxy.connections).toBe(0);
			expect(apiNode.requests.filter(({ headers }) => headers.authorization)).toEqual([]);
		});
	});

	describe('in the test of a credential', () => {
		const test = async (url: string) =>
			await testCredential({ type: 'dataikuApiNodeApi', data: credentialFor(url).dataikuApiNodeApi });

		it.each([
			['an address in one number', (url: string) => url.replace('127.0.0.1', '2130706433'), '127.0.0.1'],
			['an address of version 6', (url: string) => url.replace('127.0.0.1', '[::1]'), '[::1]'],
			[
				'an address of version 4 as one of 6',
				(url: string) => url.replace('127.0.0.1', '[::ffff:127.0.0.1]'),
				'[::ffff:7f00:1]',
			],
			['a name of a private address', (url: string) => url.replace('127.0.0.1', 'sub.localhost'), 'sub.localhost'],
		])('refuses %s', async (_name, spelled, host) => {
			const { status, message } = await test(spelled(proxy.url));
			expect(status).toBe('Error');
			expect(message).toMatch(/^n8n is not allowed to connect to |^n8n's own request to .* failed|could not be found/);
			expect(message).toContain(host);
			expect(proxy.connections).toBe(0);
		});

		it('sends nothing to any instance when one of them is forbidden', async () => {
			const paths: Array<string | undefined> = [];
			const allowed = createServer(({ url, headers }, response) => {
				paths.push(headers.authorization && url);
				response.end('{}');
			}).listen(0, 'localhost');
			await once(allowed, 'listening');
			const { port } = allowed.address() as AddressInfo;
			const { message } = await test(`http://localhost:${port}, ${proxy.url}`);
			allowed.close();

			expect(message).toContain(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`);
			expect(paths.filter(Boolean)).toEqual([]);
			expect(proxy.connections).toBe(0);
		});

		it('does not follow a redirect to a forbidden address', async () => {
			const redirecting = await chaosProxy({
				respond: () => ({ status: 302, headers: { location: `${proxy.url}/secret` }, body: '' }),
			});
			const { status, message } = await test(byName(redirecting.url));
			await redirecting.close();
			expect([status, message]).toEqual(['Error', expect.stringContaining('redirects to')]);
			expect(proxy.connections).toBe(0);
		});

		it.each<[string, Record<string, string | undefined>]>([
			['1', { N8N_SSRF_PROTECTION_ENABLED: '1' }],
			['TRUE', { N8N_SSRF_PROTECTION_ENABLED: 'TRUE' }],
			['true', { N8N_SSRF_PROTECTION_ENABLED: 'true' }],
			['true in a file', { N8N_SSRF_PROTECTION_ENABLED_FILE: 'true\n' }],
		])('sends nothing when the protection is set to %s', async (_name, settings) => {
			const folder = await mkdtemp(path.join(tmpdir(), 'n8n-egress-'));
			const file = path.join(folder, 'enabled');
			await writeFile(file, settings.N8N_SSRF_PROTECTION_ENABLED_FILE ?? '');
			const { N8N_SSRF_PROTECTION_ENABLED: _true, ...env } = process.env;
			const { stdout } = await promisify(execFile)(
				process.execPath,
				[
					require.resolve('tsx/cli'),
					path.join(__dirname, 'testInProcess.ts'),
					JSON.stringify(credentialFor(proxy.url).dataikuApiNodeApi),
				],
				{
					env: {
						...env,
						...settings,
						...(settings.N8N_SSRF_PROTECTION_ENABLED_FILE && { N8N_SSRF_PROTECTION_ENABLED_FILE: file }),
					},
				},
			);
			await rm(folder, { recursive: true });

			const { status, message } = JSON.parse(stdout.trim().split('\n').at(-1)!) as INodeCredentialTestResult;
			expect([status, message]).toEqual([
				'Error',
				expect.stringContaining(`n8n is not allowed to connect to 127.0.0.1:${proxy.port}`),
			]);
			expect(proxy.connections).toBe(0);
		});
	});
});
