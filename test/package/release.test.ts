import { execFileSync, spawnSync } from 'node:child_process';
import {
	chmodSync,
	cpSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';

const root = path.resolve(__dirname, '../..');
/** A checkout with sources and a build, both small. */
let checkout: string;

/** Files that name the version, in addition to those of npm and the changelog. */
const versioned = [
	'docker/Dockerfile',
	'docker/compose.yaml',
	'docker/helm-values.yaml',
	'docs/docker.md',
	'client/wire/Connections.ts',
];

beforeEach(() => {
	checkout = mkdtempSync(path.join(tmpdir(), 'checkout-'));
	for (const file of ['.ci/release.mjs', '.npmrc', 'LICENSE', 'README.md', 'package.json', 'package-lock.json']) {
		cpSync(path.join(root, file), path.join(checkout, file));
	}
	write('CHANGELOG.md', '# Changelog\n\n## [Unreleased]\n\n[Unreleased]: https://example.com/commits/main\n');
	for (const file of versioned) cpSync(path.join(root, file), path.join(checkout, file));
	cpSync(path.join(root, '.npmignore'), path.join(checkout, '.npmignore'), { verbatimSymlinks: true });
	for (const file of ['client/index.ts', 'credentials/one.ts', 'nodes/one.ts', 'icons/one.svg']) write(file, '');
	for (const file of ['gulpfile.js', 'tsconfig.json', 'tsconfig.build.json']) write(file, '');
});
afterEach(() => rmSync(checkout, { recursive: true }));

function write(file: string, text: string): void {
	mkdirSync(path.dirname(path.join(checkout, file)), { recursive: true });
	writeFileSync(path.join(checkout, file), text);
}

function edit(file: string, change: (text: string) => string): void {
	write(file, change(readFileSync(path.join(checkout, file), 'utf8')));
}

/** Writes what the manifest names, as a build would, at a time in seconds. */
function build(time = Date.now() / 1000 + 1): void {
	const { n8n, exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
		n8n: { nodes: string[]; credentials: string[] };
		exports: { './client': Record<string, string> };
	};
	for (const file of [...n8n.nodes, ...n8n.credentials, ...Object.values(exports['./client'])]) {
		write(file, '// https://github.com/n8n-nodes-dataiku/n8n-nodes-dataiku/blob/HEAD/docs/nodes.md');
		utimesSync(path.join(checkout, file), time, time);
	}
}

/** As from a terminal: with none of the settings that npm hands to the tests that it runs. */
function run(command: string, ...args: string[]) {
	const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|GITHUB_|NPM_TOKEN)/.test(name));
	const env = {
		...Object.fromEntries(inherited),
		PATH: [path.join(checkout, 'bin'), process.env.PATH].join(path.delimiter),
	};
	return spawnSync(command, args, { cwd: checkout, encoding: 'utf8', env });
}

const release = (...args: string[]) => run(process.execPath, '.ci/release.mjs', ...args);

describe('by hand, from a checkout without a build', () => {
	test.each([
		['npm pack', ['pack']],
		['npm pack without scripts', ['pack', '--ignore-scripts']],
		['npm pack with scripts', ['pack', '--ignore-scripts=false']],
		['npm publish', ['publish', '--dry-run', '--registry', 'http://127.0.0.1:9']],
		['npm publish without scripts', ['publish', '--ignore-scripts', '--dry-run', '--registry', 'http://127.0.0.1:9']],
	])('%s fails and leaves no package', (_name, args) => {
		const { status, stderr } = run('npm', ...args);
		expect(status).not.toBe(0);
		expect(stderr).toMatch(/open '.*\.npmignore'|dist.* is missing: run `npm run build` first/);
		expect(readdirSync(checkout).filter((file) => file.endsWith('.tgz'))).toEqual([]);
	});
});

describe('by hand, from a checkout with a build', () => {
	test.each([
		['a source was changed', () => write('client/index.ts', 'export {};')],
		['a source was added', () => write('nodes/two.ts', '')],
		['a source was deleted', () => rmSync(path.join(checkout, 'nodes/one.ts'))],
		['an icon was changed', () => write('icons/one.svg', '<svg/>')],
		['the settings of the compiler were changed', () => write('tsconfig.json', '{}')],
	])('a package cannot be made or published when %s since', (_name, change) => {
		build(Date.now() / 1000 - 60);
		for (const file of [
			'client',
			'credentials',
			'nodes',
			'icons',
			'gulpfile.js',
			'tsconfig.json',
			'tsconfig.build.json',
		]) {
			age(path.join(checkout, file));
		}
		expect(release('guard')).toMatchObject({ status: 0, stderr: '' });
		change();
		const outdated = /(client|nodes|icons|tsconfig).* is newer than dist: run `npm run build` first/;
		expect(release('pack').stderr).toMatch(outdated);
		expect(run('npm', 'publish', '--dry-run', '--registry', 'http://127.0.0.1:9').stderr).toMatch(outdated);
		expect(readdirSync(checkout).filter((file) => file.endsWith('.tgz'))).toEqual([]);
	});

	test('npm pack makes a package with everything that was built when the sources are older', () => {
		build();
		expect(run('npm', 'pack', '--silent')).toMatchObject({ status: 0 });
		const [tarball = ''] = readdirSync(checkout).filter((file) => file.endsWith('.tgz'));
		const packed = execFileSync('tar', ['-tzf', path.join(checkout, tarball)], { encoding: 'utf8' });
		expect(packed).toContain('package/dist/client/index.js');
		expect(packed).not.toContain('.npmignore');
	});

	function age(file: string): void {
		const past = Date.now() / 1000 - 3_600;
		utimesSync(file, past, past);
		if (!/\.\w+$/.test(file)) for (const entry of readdirSync(file)) age(path.join(file, entry));
	}
});

describe('before a release', () => {
	const ready = (version: string) => {
		edit('CHANGELOG.md', (text) => text.replace('## [Unreleased]\n', '## [Unreleased]\n\nSomething.\n'));
		edit('package.json', (text) => text.replace(/"email": ".*"/, '"email": "publisher@n8n-nodes-dataiku.test"'));
		expect(release('prepare', version)).toMatchObject({ status: 0, stderr: '' });
	};

	test.each(['0.1.0', '0.2.0', '1.0.0-beta.1'])(
		'the version %s is set in every file that names the version',
		(version) => {
			ready(version);
			expect(release('check', `v${version}`)).toMatchObject({ status: 0, stderr: '' });
			for (const file of ['package.json', 'package-lock.json']) {
				expect(JSON.parse(readFileSync(path.join(checkout, file), 'utf8'))).toMatchObject({ version });
			}
			for (const file of versioned) {
				expect(readFileSync(path.join(checkout, file), 'utf8')).toMatch(
					new RegExp(`(n8n-dataiku(:|\n  tag: )|n8n-nodes-dataiku/)${version}[\\s']`),
				);
			}
			const changelog = readFileSync(path.join(checkout, 'CHANGELOG.md'), 'utf8');
			expect(changelog).toMatch(
				new RegExp(`## \\[Unreleased\\]\n\n## \\[${version}\\] - \\d{4}-\\d\\d-\\d\\d\n\nSomething.`),
			);
			expect(changelog).toContain(`/compare/v${version}...HEAD`);
		},
	);

	test.each([
		['the tag is of another version', 'The tag is v9.9.9', () => {}, 'v9.9.9'],
		['the tag has no v', 'The tag is 0.2.0', () => {}, '0.2.0'],
		[
			'the lock file has another version',
			'package-lock.json has version 0.1.9',
			() => edit('package-lock.json', (text) => text.replace('"version": "0.2.0"', '"version": "0.1.9"')),
		],
		[
			'the changelog has nothing on the version',
			'CHANGELOG.md has no text',
			() => edit('CHANGELOG.md', (text) => text.replace(/^## \[0\.2\.0\].*$/m, '')),
		],
		[
			'the changelog has an empty section',
			'CHANGELOG.md has no text',
			() => edit('CHANGELOG.md', (text) => text.replace(/^(## \[0\.2\.0\].*)$/m, '$1\n\n## [0.1.0] - 2026-01-01')),
		],
		[
			'the author has the placeholder for an address',
			'author.email in package.json is a placeholder',
			() =>
				edit('package.json', (text) =>
					text.replace(/"email": ".*"/, '"email": "maintainers@n8n-nodes-dataiku.example"'),
				),
		],
	] as Array<[string, string, () => void, string?]>)(
		'the release is refused when %s',
		(_name, message, change, tag = 'v0.2.0') => {
			ready('0.2.0');
			change();
			const { status, stderr } = release('check', tag);
			expect(stderr).toContain(message);
			expect(status).toBe(1);
		},
	);

	test.each([
		['0.2.0', 'latest', []],
		['0.2.0-rc.1', 'next', ['--prerelease']],
	])('%s is published as %s and announced with its section of the changelog', (version, tag, flags) => {
		for (const command of ['npm', 'gh']) {
			const record = `#!/bin/sh\n{ echo "$@"; [ ${command} = npm ] || cat; } > ${checkout}/${command}.called\n`;
			write(`stand-ins/${command}`, record);
			chmodSync(path.join(checkout, 'stand-ins', command), 0o755);
		}
		ready(version);
		symlinkSync('stand-ins', path.join(checkout, 'bin'));
		expect(release('publish', 'package.tgz')).toMatchObject({ status: 0, stderr: '' });
		expect(release('announce', 'package.tgz')).toMatchObject({ status: 0, stderr: '' });
		expect(readFileSync(path.join(checkout, 'npm.called'), 'utf8')).toContain(
			`package.tgz --access public --tag ${tag}`,
		);
		const announced = readFileSync(path.join(checkout, 'gh.called'), 'utf8');
		expect(announced).toContain(`release create v${version} package.tgz`);
		expect(announced).toContain('Something.');
		expect(announced).not.toContain('[Unreleased]');
		for (const flag of flags) expect(announced).toContain(flag);
	});
});

test('the links in the package lead to the tag of the version', () => {
	build();
	const tarball = release('pack', checkout).stdout.trim();
	const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
	for (const file of ['package/README.md', 'package/dist/client/index.js']) {
		const text = execFileSync('tar', ['-xzOf', tarball, file], { encoding: 'utf8' });
		expect(text).toContain(`/blob/v${version}/docs/nodes.md`);
		expect(text).not.toContain('/HEAD/');
	}
});

interface Workflow {
	jobs: Record<
		string,
		{ needs?: string; environment?: string; uses?: string; steps?: Array<{ uses?: string; run?: string }> }
	>;
}
const workflow = (name: string) => {
	const text = readFileSync(path.join(root, '.github/workflows', name), 'utf8');
	return { text, ...(parse(text) as Workflow) };
};

test.each(['ci.yml', 'publish.yml'])('%s pins each action by commit and names its version', (name) => {
	const used = [...workflow(name).text.matchAll(/uses: (?!\.\/)(.*)$/gm)].map(([, action]) => action);
	expect(used.length).toBeGreaterThan(2);
	for (const action of used) expect(action).toMatch(/^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('the tag is checked before the tests, and a reviewer approves before anything is published', () => {
	const { jobs } = workflow('publish.yml');
	expect(Object.entries(jobs).map(([name, { needs }]) => [name, needs])).toEqual([
		['check', undefined],
		['test', 'check'],
		['publish', 'test'],
		['announce', 'publish'],
	]);
	expect(jobs.publish?.environment).toBe('npm');
});
