/**
 * The steps of a release, used by GitHub workflows, by `npm run release:dry-run` and by maintainers. CONTRIBUTING.md says when
 * each step runs. It needs only Node.js and npm, so that jobs with credentials install no dependencies.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const repository = path.resolve(import.meta.dirname, '..');
const file = (...names) => path.join(repository, ...names);
const read = (name) => readFileSync(file(name), 'utf8');
const manifest = JSON.parse(read('package.json'));
const { name, version } = manifest;
/** `owner/repository` on GitHub. */
const [, home] = /^git\+https:\/\/github\.com\/(.+)\.git$/.exec(manifest.repository.url) ?? [];
const isPrerelease = (of) => of.includes('-');

function run(command, args, options = {}) {
	return execFileSync(command, args, { cwd: repository, stdio: 'inherit', ...options });
}

/** Runs npm by its script if npm runs this process, because on Windows only a shell can start npm by name. */
function npm(args, options) {
	const script = process.env.npm_execpath;
	if (script?.endsWith('npm-cli.js')) run(process.execPath, [script, ...args], options);
	else run('npm', args, options);
}

/** Modification times of all files and folders below the paths. A folder changes when a file is added or removed. */
function changes(names) {
	return names.flatMap((each) => {
		const stat = statSync(file(each));
		const inside = stat.isDirectory() ? readdirSync(file(each)).map((entry) => path.join(each, entry)) : [];
		return [{ name: each, at: stat.mtimeMs }, ...changes(inside)];
	});
}

/** Fails unless `dist` was built from the current sources. npm runs this as `prepack`. */
function guard() {
	const named = [...manifest.n8n.nodes, ...manifest.n8n.credentials, ...Object.values(manifest.exports['./client'])];
	const missing = named.find((each) => !existsSync(file(each)));
	if (missing !== undefined) throw new Error(`${missing} is missing: run \`npm run build\` first`);
	// Only JavaScript is compared, because gulp keeps the times of the files that it copies.
	const built = changes(['dist']).filter((each) => each.name.endsWith('.js'));
	const oldest = Math.min(...built.map(({ at }) => at));
	const sources = ['client', 'credentials', 'nodes', 'icons', 'gulpfile.js', 'tsconfig.json', 'tsconfig.build.json'];
	const newer = changes(sources).find(({ at }) => at > oldest);
	if (newer !== undefined) throw new Error(`${newer.name} is newer than dist: run \`npm run build\` first`);
}

/** The changelog's section on this version. */
function notes() {
	const [, section] = read('CHANGELOG.md').split(new RegExp(`^## \\[${version.replaceAll('.', '\\.')}\\] - .*$`, 'm'));
	const text = section?.split(/^(?:## |\[)/m)[0].trim();
	if (!text) throw new Error(`CHANGELOG.md has no text under "## [${version}] - <date>"`);
	return text;
}

/**
 * Fails unless the tag, the manifest, the lock file, the changelog and the addresses agree. It runs first, because it takes
 * only a second.
 */
function check(tag) {
	if (tag !== `v${version}`) throw new Error(`The tag is ${tag}, but package.json has version ${version}`);
	const lock = JSON.parse(read('package-lock.json'));
	if (lock.version !== version) throw new Error(`package-lock.json has version ${lock.version}, not ${version}`);
	notes();
	if (!/^[^@]+@[^@]+$/.test(manifest.author.email) || manifest.author.email.endsWith('.example')) {
		throw new Error(`author.email in package.json is a placeholder: fill in an address that receives mail`);
	}
	const { GITHUB_REPOSITORY } = process.env;
	if (GITHUB_REPOSITORY !== undefined && GITHUB_REPOSITORY !== home) {
		throw new Error(`package.json names the repository ${home}, but this is ${GITHUB_REPOSITORY}`);
	}
}

/** Packs the build, and points links to the repository's HEAD at the tag of this version. Prints the path of the tarball. */
function pack(folder = '.') {
	guard();
	const staging = mkdtempSync(path.join(tmpdir(), `${name}-`));
	try {
		for (const each of ['dist', 'package.json', 'README.md', 'LICENSE']) {
			cpSync(file(each), path.join(staging, each), { recursive: true });
		}
		const page = new RegExp(`(github(?:usercontent)?\\.com/${home}/(?:(?:blob|tree)/)?)HEAD/`, 'g');
		for (const entry of readdirSync(staging, { recursive: true, withFileTypes: true })) {
			const target = path.join(entry.parentPath, entry.name);
			if (!entry.isFile() || !/\.(js|json|md)$/.test(entry.name)) continue;
			const text = readFileSync(target, 'utf8');
			const linked = text.replace(page, `$1v${version}/`);
			if (linked !== text) writeFileSync(target, linked);
		}
		const destination = path.resolve(folder);
		// The checks of the ignored scripts have already run above.
		const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', destination];
		npm(args, { cwd: staging, stdio: ['ignore', 'ignore', 'inherit'] });
		console.log(path.join(destination, `${name}-${version}.tgz`));
	} finally {
		rmSync(staging, { recursive: true, force: true });
	}
}

/**
 * Publishes a tarball. The first version needs a token in `NPM_TOKEN`; for later versions, npm trusts the workflow. A
 * prerelease gets the tag `next`, so that only users who ask for it install it.
 */
function publish(tarball) {
	const { NPM_TOKEN, GITHUB_ACTIONS, ...env } = process.env;
	if (NPM_TOKEN) {
		const registry = new URL(execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim());
		env[`npm_config_//${registry.host}${registry.pathname}:_authToken`] = NPM_TOKEN;
	}
	const args = [
		'publish',
		path.resolve(tarball),
		'--access',
		'public',
		'--tag',
		isPrerelease(version) ? 'next' : 'latest',
	];
	npm([...args, ...(GITHUB_ACTIONS ? ['--provenance'] : [])], { env: { ...env, GITHUB_ACTIONS } });
}

/** Creates the release on GitHub, with the changelog's section and the tarball. */
function announce(tarball) {
	const tag = `v${version}`;
	const args = ['release', 'create', tag, tarball, '--verify-tag', '--title', tag, '--notes-file', '-'];
	run('gh', [...args, ...(isPrerelease(version) ? ['--prerelease'] : [])], {
		input: notes(),
		stdio: ['pipe', 'inherit', 'inherit'],
	});
}

/** Sets the next version in all files, and gives the changelog's "Unreleased" section its heading. */
function prepare(next) {
	if (!/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(next))
		throw new Error(`"${next}" is not a version such as 0.2.0 or 0.2.0-rc.1`);
	const lock = JSON.parse(read('package-lock.json'));
	lock.version = lock.packages[''].version = next;
	writeFileSync(file('package.json'), `${JSON.stringify({ ...manifest, version: next }, undefined, '\t')}\n`);
	writeFileSync(file('package-lock.json'), `${JSON.stringify(lock, undefined, 2)}\n`);
	const images = ['docker/Dockerfile', 'docker/compose.yaml', 'docker/helm-values.yaml', 'docs/docker.md'];
	for (const each of [...images, 'client/wire/Connections.ts']) {
		const text = read(each).replace(/(n8n-dataiku(?::|\n {2}tag: )|n8n-nodes-dataiku\/(?=\d))[\w.-]+/g, `$1${next}`);
		writeFileSync(file(each), text);
	}
	const heading = `## [Unreleased]\n\n## [${next}] - ${new Date().toISOString().slice(0, 10)}`;
	const link = `[Unreleased]: https://github.com/${home}/compare/v${next}...HEAD\n[${next}]: https://github.com/${home}/releases/tag/v${next}`;
	const changelog = read('CHANGELOG.md')
		.replace('## [Unreleased]', heading)
		.replace(/^\[Unreleased\]: .*$/m, link);
	writeFileSync(file('CHANGELOG.md'), changelog);
}

const commands = { guard, check, pack, publish, notes: () => console.log(notes()), announce, prepare };
const [command, ...args] = process.argv.slice(2);
try {
	const does = commands[command];
	if (does === undefined) throw new Error(`node .ci/release.mjs ${Object.keys(commands).join(' | ')}`);
	does(...args);
} catch (error) {
	console.error(error.message);
	process.exitCode = 1;
}
