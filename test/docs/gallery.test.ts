import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const docs = path.join(__dirname, '../../docs');
const page = readFileSync(path.join(docs, 'gallery.md'), 'utf8');
const shown = [...page.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, file = '']) => file);

test('the gallery shows every picture that there is, each of a size to load at once', () => {
	const files = readdirSync(path.join(docs, 'gallery')).map((file) => `gallery/${file}`);
	expect([...shown].sort()).toEqual(files.sort());
	expect(files.filter((file) => statSync(path.join(docs, file)).size > 100_000)).toEqual([]);
});

test('the gallery shows each example and each node, for the light and the dark theme', () => {
	const root = path.join(docs, '..');
	const examples = readdirSync(path.join(root, 'examples'));
	for (const file of examples) expect(page).toContain(`](../examples/${file})`);
	const { n8n } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { n8n: { nodes: string[] } };
	expect(shown.filter((file) => file.endsWith('.dark.png'))).toHaveLength(examples.length + n8n.nodes.length);
	expect(shown.filter((file) => file.endsWith('.light.png'))).toHaveLength(examples.length + n8n.nodes.length);
});
