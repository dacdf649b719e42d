import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const read = (file: string) => readFileSync(resolve(root, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
	author: { email: string };
	homepage: string;
	bugs: { url: string };
	repository: { url: string };
	n8n: { nodes: string[]; credentials: string[] };
};
const { author, bugs, homepage, repository } = manifest;

interface Codex {
	resources: Record<'primaryDocumentation' | 'credentialDocumentation', Array<{ url: string }>>;
}

/** The one address that the others are held to, as `owner/repository`. */
const [, ours = ''] = /^git\+https:\/\/github\.com\/([\w.-]+\/[\w.-]+)\.git$/.exec(repository.url) ?? [];
const files = [
	'README.md',
	'CHANGELOG.md',
	'SECURITY.md',
	'.github/ISSUE_TEMPLATE/config.yml',
	'.github/workflows/publish.yml',
];

test('package.json names a repository on GitHub, and its other addresses are pages of this repository', () => {
	expect(ours).not.toBe('');
	expect({ homepage, bugs: bugs.url }).toEqual({
		homepage: `https://github.com/${ours}#readme`,
		bugs: `https://github.com/${ours}/issues`,
	});
});

test.each(files)('%s names only this repository', (file) => {
	const addresses = /(?:github\.com\/|githubusercontent\.com\/|github\.repository == ')([\w.-]+\/[\w.-]+)/g;
	const named = [...read(file).matchAll(addresses)].map(([, repositoryName]) => repositoryName);
	expect(new Set(named)).toEqual(new Set([ours]));
});

test.each([...files, 'CONTRIBUTING.md'])('%s links to existing files of the repository', (file) => {
	const links = [
		...read(file).matchAll(/https:\/\/(?:raw\.githubusercontent|github)\.com\/[\w.-]+\/[\w.-]+\/([^\s)]*)/g),
	];
	const paths = links.flatMap(([, rest = '']) => /^(?:(?:blob|tree)\/)?HEAD\/(.+)$/.exec(rest)?.[1] ?? []);
	expect(paths.filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
});

/** The pages that n8n shows a link to, by the file that names them. */
const shownByN8n: Array<[string, string]> = [
	...manifest.n8n.credentials.map((built): [string, string] => {
		const file = built.replace('dist/', '').replace(/\.js$/, '.ts');
		return [file, /documentationUrl\s*=\s*'([^']+)'/.exec(read(file))?.[1] ?? ''];
	}),
	...manifest.n8n.nodes.flatMap((built): Array<[string, string]> => {
		const file = built.replace('dist/', '').replace(/\.js$/, '.json');
		const { primaryDocumentation, credentialDocumentation } = (JSON.parse(read(file)) as Codex).resources;
		return [...primaryDocumentation, ...credentialDocumentation].map(({ url }) => [file, url]);
	}),
];

test('each node and credential links to a page', () => {
	expect(shownByN8n).toHaveLength(manifest.n8n.credentials.length + 2 * manifest.n8n.nodes.length);
});

test.each(shownByN8n)('%s links to a heading of a page of the repository: %s', (_file, url) => {
	const start = `https://github.com/${ours}/blob/HEAD/`;
	expect(url.slice(0, start.length)).toBe(start);
	const [page = '', anchor] = url.slice(start.length).split('#');
	// As GitHub makes anchors.
	const anchors = [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
		heading
			.toLowerCase()
			.replace(/[^\p{L}\p{N} _-]/gu, '')
			.replaceAll(' ', '-'),
	);
	if (anchor === undefined) expect(anchors.length).toBeGreaterThan(0);
	else expect(anchors).toContain(anchor);
});

test("the README has no relative link or picture, because npm's page and n8n would not find it", () => {
	const targets = [...read('README.md').matchAll(/\]\(([^)\s]+)|^\[[^\]]+\]: (\S+)$/gm)].map(
		([, inline, reference]) => inline ?? reference,
	);
	expect(targets.length).toBeGreaterThan(5);
	expect(targets.filter((target) => !target?.startsWith('https://'))).toEqual([]);
});

test('every reference in the README has a target', () => {
	const text = read('README.md');
	const defined = [...text.matchAll(/^\[([^\]]+)\]: /gm)].map(([, label]) => label);
	const used = [...text.matchAll(/\]\[([^\]]+)\]/g)].map(([, label]) => label);
	expect(new Set(used)).toEqual(new Set(defined));
});

test('only the author in package.json has a mail address, and SECURITY.md refers to it', () => {
	expect(author.email).toMatch(/^[^@]+@[^@]+$/);
	expect(read('SECURITY.md')).toContain('`author` in [package.json]');
	for (const file of [...files, 'CONTRIBUTING.md', 'docs/docker.md'])
		expect(read(file)).not.toMatch(/[\w.-]+@[\w-]+\.\w+\b(?!\/)/);
});
