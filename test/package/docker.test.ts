import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { version } from '../../package.json';

const root = path.resolve(__dirname, '../..');

test.each(['docker/Dockerfile', 'docker/compose.yaml', 'docker/helm-values.yaml', 'docs/docker.md'])(
	'%s tags the image with the version of the package',
	(file) => {
		const text = readFileSync(path.join(root, file), 'utf8');
		const tags = [...text.matchAll(/n8n-dataiku(?::|\n {2}tag: )(\d[\w.-]*)/g)].map(([, tag]) => tag);
		expect(tags.length).toBeGreaterThan(0);
		expect(new Set(tags)).toEqual(new Set([version]));
		expect(text).not.toMatch(/(?:--tag|-t|image:) n8n-dataiku\s/);
	},
);

test('the image says that the package is missing when it was built without it', () => {
	const home = mkdtempSync(path.join(tmpdir(), 'home-'));
	try {
		const { status, stderr } = spawnSync('sh', [path.join(root, 'docker/n8n'), 'start'], {
			encoding: 'utf8',
			env: { ...process.env, HOME: home },
		});
		expect(stderr).toMatch(/^n8n-nodes-dataiku is missing from this image: .*\n$/);
		expect(status).toBe(1);
	} finally {
		rmSync(home, { recursive: true });
	}
});
