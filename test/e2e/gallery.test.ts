import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const docs = path.join(__dirname, '../../docs');

// Here, where the pictures are taken: the other tests pass in a checkout without them.
test('the pages show every picture in the folder, and each is small enough to load at once', () => {
	const pages = readdirSync(docs).filter((file) => file.endsWith('.md'));
	const text = pages.map((file) => readFileSync(path.join(docs, file), 'utf8')).join('\n');
	const shown = text.match(/gallery\/[\w.-]+\.png/g) ?? [];
	const files = readdirSync(path.join(docs, 'gallery')).map((file) => `gallery/${file}`);
	expect([...new Set(shown)].sort()).toEqual(files.sort());
	expect(files.filter((file) => statSync(path.join(docs, file)).size > 100_000)).toEqual([]);
});
