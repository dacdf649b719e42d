import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startApiNode, type ApiNode } from '../../demo/api-node';
import { OUR_PACKAGE } from '../support/engine/nodePackage';

const exec = promisify(execFile);

interface Manifest {
	version: string;
	files: string[];
	exports: Record<string, string | { types: string; default: string }>;
	n8n: { n8nNodesApiVersion: number; nodes: string[]; credentials: string[] };
	dependencies: Record<string, string>;
}

let folder: string;
let installed: string;
let packed: string[];
let manifest: Manifest;

// Packed as it is published, and unpacked beside undici alone: no n8n, nothing of what the repository has for development.
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'n8n-nodes-dataiku-package-'));
	const release = join(OUR_PACKAGE, '.ci/release.mjs');
	const { stdout } = await exec(process.execPath, [release, 'pack', folder]);
	installed = join(folder, 'node_modules/n8n-nodes-dataiku');
	await mkdir(installed, { recursive: true });
	await exec('tar', ['-xzf', stdout.trim(), '-C', installed, '--strip-components=1']);
	await cp(join(OUR_PACKAGE, 'node_modules/undici'), join(folder, 'node_modules/undici'), { recursive: true });
	packed = (await readdir(installed, { recursive: true, withFileTypes: true }))
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name).slice(installed.length + 1));
	manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as Manifest;
});
afterAll(async () => await rm(folder, { recursive: true, force: true }));

describe('the package', () => {
	it('contains what was built and nothing else', () => {
		const others = packed.filter((file) => !file.startsWith('dist/'));
		expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
		const built = packed.filter((file) => file.startsWith('dist/'));
		expect(built.filter((file) => !/^dist\/(client|nodes|credentials|icons)\//.test(file))).toEqual([]);
		expect(built.filter((file) => /\.test\.|(^|\/)(test|demo|bench)\/|\.tsbuildinfo$/.test(file))).toEqual([]);
		expect(
			built.filter((file) => !/(\.js|\.d\.ts|\.js\.map|\.svg|\.node\.json|\/__schema__\/v[\d.]+\.json)$/.test(file)),
		).toEqual([]);
	});

	it('contains every file that its manifest names', () => {
		const { exports, n8n } = manifest;
		const client = exports['./client'] as { types: string; default: string };
		for (const file of [...n8n.nodes, ...n8n.credentials, client.types, client.default]) {
			expect([file, existsSync(join(installed, file))]).toEqual([file, true]);
		}
		for (const file of n8n.nodes) {
			expect([file, existsSync(join(installed, file.replace(/\.js$/, '.json')))]).toEqual([file, true]);
		}
	});

	it('needs only undici at run time', async () => {
		expect(Object.keys(manifest.dependencies)).toEqual(['undici']);
		const undici = JSON.parse(await readFile(join(folder, 'node_modules/undici/package.json'), 'utf8')) as object;
		expect(undici).not.toHaveProperty('dependencies');
	});

	it('links to the pages of its own version in the README and in n8n', async () => {
		const files = packed.filter((file) => /\.(md|json|js)$/.test(file));
		const texts = await Promise.all(files.map(async (file) => await readFile(join(installed, file), 'utf8')));
		const links = texts.flatMap((text) => [
			...text.matchAll(/github(?:usercontent)?\.com\/[\w.-]+\/[\w.-]+\/(?:(?:blob|tree)\/)?(HEAD|main|v[\d.]+)\//g),
		]);
		expect(links.length).toBeGreaterThan(20);
		expect(new Set(links.map(([, ref]) => ref))).toEqual(new Set([`v${manifest.version}`]));
	});

	it('has a client that requires nothing of n8n', async () => {
		const client = packed.filter((file) => /^dist\/client\/.*\.(js|d\.ts)$/.test(file));
		expect(client.length).toBeGreaterThan(20);
		for (const file of client) {
			const text = await readFile(join(installed, file), 'utf8');
			const asked = [...text.matchAll(/(?:\brequire\(|\bimport\(|^(?:import|export|}).* from )['"]([^'"]+)['"]/gm)].map(
				([, name]) => name!,
			);
			expect(asked.filter((name) => !isBuiltin(name) && !/^(\.\.?\/|undici$)/.test(name))).toEqual([]);
		}
	});

	it('exports only the client and the manifest', async () => {
		const attempt = async (name: string) =>
			await exec(process.execPath, ['-e', `require('n8n-nodes-dataiku${name}')`], { cwd: folder });
		await expect(attempt('/package.json')).resolves.toBeDefined();
		await expect(attempt('/dist/client/traffic/Transport.js')).rejects.toThrow(/ERR_PACKAGE_PATH_NOT_EXPORTED/);
	});
});

const calls = `
async function callAll({ ApiNodeClient }, url) {
	const client = new ApiNodeClient({ url, serviceId: 'demo', apiKey: 'demo-key' });
	const payment = { amount: 412.5, hour: 3, country: 'US' };
	const shopper = { age: 34, visits: 6, basket: 38.5, loyalty: 'silver' };
	const months = Array.from({ length: 24 }, (_, n) => ({
		month: new Date(Date.UTC(2022, n)).toISOString().slice(0, 10),
		visitors: 1500 + 20 * n,
	}));
	const answers = {
		predictRecord: await client.predictRecord('fraud', payment, { withExplanations: true, nExplanations: 2 }),
		predictRecords: await client.predictRecords('fraud', [{ features: payment }, { features: {} }]),
		predictEffect: await client.predictEffect('coupon_effect', shopper),
		predictEffects: await client.predictEffects('coupon_effect', [{ features: shopper }]),
		forecast: await client.forecast('monthly_visitors', months, { forcedGeneration: 'v2' }),
		lookupRecord: await client.lookupRecord('customer', { customer_id: 'C001' }, { context: { page: 'home' } }),
		lookupRecords: await client.lookupRecords('customer', [{ data: { customer_id: 'C001' } }]),
		sqlQuery: await client.sqlQuery('customer_transactions', { customer_id: 'C001', min_amount: 195 }),
		runFunction: await client.runFunction('add', { a: 2, b: 3 }),
	};
	await client.destroy();
	return answers;
}
`;

describe('the client, in plain Node', () => {
	let node: ApiNode;
	beforeAll(async () => (node = await startApiNode()));
	afterAll(async () => await node.close());
	beforeEach(() => node.requests.clear());

	it.each([
		['require', 'calls.cjs', `const client = require('n8n-nodes-dataiku/client');`],
		['import', 'calls.mjs', `import * as client from 'n8n-nodes-dataiku/client';`],
	])('has all nine methods when it is loaded by %s', async (_name, file, load) => {
		const print = `callAll(client, process.argv[2]).then((answers) => console.log(JSON.stringify(answers)));`;
		await writeFile(join(folder, file), [load, calls, print].join('\n'));
		const { stdout, stderr } = await exec(process.execPath, [file, node.url], { cwd: folder });

		expect(stderr).toBe('');
		expect(JSON.parse(stdout)).toMatchObject({
			predictRecord: { result: { prediction: 'fraud', explanations: {} }, apiContext: { endpointId: 'fraud' } },
			predictRecords: { results: [{ prediction: 'fraud' }, { ignored: false }] },
			predictEffect: { result: { treatment: expect.any(String) as string } },
			predictEffects: { results: [{ treatment: expect.any(String) as string }] },
			forecast: { results: Array.from({ length: 12 }, () => ({ timeseriesIdentifier: {} })) },
			lookupRecord: { data: { name: 'Ana Costa' } },
			lookupRecords: { results: [{ data: { name: 'Ana Costa' } }] },
			sqlQuery: { columns: ['id', 'amount', 'merchant', 'note'] },
			runFunction: { response: 5 },
		});
		expect(node.requests.recent.map(({ action, status }) => [action, status])).toEqual(
			[
				'predict',
				'predict-multi',
				'predict-effect',
				'predict-effect-multi',
				'forecast',
				'lookup',
				'lookup-multi',
				'query',
				'run',
			].map((action) => [action, 200]),
		);
	});

	it('has types with which a wrong call does not compile', async () => {
		await cp(join(__dirname, 'types/client.ts'), join(folder, 'client.ts'));
		expect(await compile(['client.ts'])).toBe('');
	});

	it.each([
		['node10', 'commonjs'],
		['node16', 'node16'],
		['bundler', 'esnext'],
	])('has types that are found when modules are resolved as by %s', async (resolution, module) => {
		const text = "import { ApiNodeClient } from 'n8n-nodes-dataiku/client';\nconst none: string = ApiNodeClient;\n";
		await writeFile(join(folder, 'resolved.ts'), text);
		expect(await compile(['--module', module, '--moduleResolution', resolution, 'resolved.ts'])).toMatch(
			/^resolved\.ts\(2,7\): error TS2322: Type 'typeof ApiNodeClient' is not assignable to type 'string'\.\s*$/,
		);
	});

	it('fits the calls in the documents', async () => {
		const files: string[] = [];
		for (const page of ['README.md', 'docs/client.md', 'docs/cookbook.md']) {
			const text = await readFile(join(OUR_PACKAGE, page), 'utf8');
			for (const [, snippet = ''] of text.matchAll(/^```ts\n([^]*?)^```/gm)) {
				const imports = snippet.match(/^import .*\n/gm) ?? [];
				const body = snippet.replace(/^import .*\n/gm, '');
				const given = body.includes('const client =')
					? ''
					: "declare const client: import('n8n-nodes-dataiku/client').ApiNodeClient;";
				const batches = 'declare const batches: Array<Array<{ features: object }>>;';
				const name = `snippet${files.length}.ts`;
				await writeFile(
					join(folder, name),
					[...imports, given, batches, `export async function run() {\n${body}}\n`].join('\n'),
				);
				files.push(name);
			}
		}
		expect(files.length).toBeGreaterThan(3);
		expect(await compile(files)).toBe('');
	});

	it('compiles without the types of Node.js and with the types of all libraries checked', async () => {
		const compilerOptions = { strict: true, noEmit: true, lib: ['ES2022', 'DOM'], types: [], module: 'nodenext' };
		await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['web.ts'] }));
		await writeFile(
			join(folder, 'web.ts'),
			`import { ApiNodeClient, hadNotFinite, type Lookup, misfitCheck, misfitWords, RawResponse, ServiceDocument } from 'n8n-nodes-dataiku/client';
			export const wordsOn = (document: object, record: object): string[] => {
				const schema = new ServiceDocument(document).schemaOf('fraud', 'predict');
				return schema ? misfitCheck(schema)({ ...record }).map((misfit) => misfitWords(misfit, schema)) : [];
			};
			export const isLossy = (response: object): boolean => hadNotFinite(response);
			export const byteLength = (response: RawResponse): number => response.data.byteLength;
			export const score = async (url: string, lookup: Lookup): Promise<unknown> =>
				await new ApiNodeClient({ url, serviceId: 'demo', lookup }).predictRecord('fraud', { amount: 1 });\n`,
		);
		const tsc = require.resolve('typescript/bin/tsc');
		const compiled = exec(process.execPath, [tsc, '--project', 'tsconfig.json'], { cwd: folder });
		expect((await compiled.catch((error: { stdout: string }) => error)).stdout).toBe('');
	});

	/** What the compiler says. */
	async function compile(args: string[]): Promise<string> {
		const tsc = require.resolve('typescript/bin/tsc');
		const strict = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'node16', '--target', 'es2022'];
		const types = ['--types', 'node', '--typeRoots', join(OUR_PACKAGE, 'node_modules/@types')];
		const compiled = exec(process.execPath, [tsc, ...strict, ...types, ...args], { cwd: folder });
		return (await compiled.catch((error: { stdout: string }) => error)).stdout;
	}
});
