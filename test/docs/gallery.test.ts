import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const docs = path.join(__dirname, '../../docs');
const page = readFileSync(path.join(docs, 'gallery.md'), 'utf8');
const shown = [...page.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, file = '']) => file);

test('the gallery shows each example and each node, for the light and the dark theme', () => {
	const root = path.join(docs, '..');
	const examples = readdirSync(path.join(root, 'examples'));
	for (const file of examples) expect(page).toContain(`](../examples/${file})`);
	const { n8n } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { n8n: { nodes: string[] } };
	const others = ['credential-deployer', 'node-override'];
	for (const theme of ['dark', 'light']) {
		const files = shown.filter((file) => file.endsWith(`.${theme}.png`));
		expect(files).toHaveLength(examples.length + n8n.nodes.length + others.length);
		for (const name of others) expect(files).toContain(`gallery/${name}.${theme}.png`);
	}
});
