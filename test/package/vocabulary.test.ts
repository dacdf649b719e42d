import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const folder = mkdtempSync(path.join(tmpdir(), 'vocabulary-'));
afterAll(() => rmSync(folder, { recursive: true }));

function check(text: string) {
	const file = path.join(folder, 'page.md');
	writeFileSync(file, text);
	const { status, stderr } = spawnSync(process.execPath, ['.ci/vocabulary.mjs', file], {
		cwd: path.join(__dirname, '../..'),
		encoding: 'utf8',
	});
	return { status, stderr };
}

// Joined here, so that this file passes the check.
const [owner, least] = [['who', 'ever'].join(''), ['200 at', 'least'].join(' ')];

test('the wording check names the line and a better form when a text uses a phrase to avoid', () => {
	const { status, stderr } = check(`Fine.\nThe key belongs to ${owner} made it, with ${least}.`);
	expect(status).toBe(1);
	expect(stderr).toContain(`page.md:2: "${owner}". Better: `);
	expect(stderr).toContain(`page.md:2: "${least}". Better: "at least 200"`);
});

test('the wording check passes when a text uses none of the phrases to avoid', () => {
	expect(check('The user who created the key needs at least 200 records.')).toEqual({ status: 0, stderr: '' });
});
