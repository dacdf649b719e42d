import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '../..');
const docs = path.join(root, 'docs');
const read = (file: string) => readFileSync(file, 'utf8');
const pages = readdirSync(docs).filter((file) => file.endsWith('.md') && file !== 'README.md');

test.each(['docs/README.md', 'llms.txt'])('%s lists every page of the documentation', (index) => {
	const text = read(path.join(root, index));
	expect(pages.filter((page) => !text.includes(`(${page})`) && !text.includes(`(docs/${page})`))).toEqual([]);
});

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string) =>
	heading
		.toLowerCase()
		.replace(/[^\p{L}\p{N}\s_-]/gu, '')
		.replace(/\s/g, '-');
const anchorsIn = (file: string) => [...read(file).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!));

test.each([...pages.map((page) => `docs/${page}`), 'docs/README.md', 'llms.txt'])(
	'%s links to existing files and headings',
	(page) => {
		const file = path.join(root, page);
		const links = [...read(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)];
		const broken = links.filter(([, to, anchor]) => {
			const target = to ? path.resolve(path.dirname(file), to) : file;
			return !existsSync(target) || (anchor && !anchorsIn(target).includes(anchor));
		});
		expect(broken.map(([link]) => link)).toEqual([]);
	},
);
