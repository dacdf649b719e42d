import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const docs = path.join(__dirname, '../../docs');

// Here, where the pictures are taken: the other tests pass in a checkout without them.
test('the gallery shows every picture in its folder, and each is small enough to load at once', () => {
	const page = readFileSync(path.join(docs, 'gallery.md'), 'utf8');
	const shown = [...page.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, file = '']) => file);
	const files = readdirSync(path.join(docs, 'gallery')).map((file) => `gallery/${file}`);
	expect([...shown].sort()).toEqual(files.sort());
	expect(files.filter((file) => statSync(path.join(docs, file)).size > 100_000)).toEqual([]);
});
