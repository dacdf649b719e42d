import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { running } from './running';

const { installation } = running();

/** Requires what the manifests of n8n's own nodes list, and prints what failed. */
const requireAll = `
	const { createRequire } = require('node:module');
	const path = require('node:path');
	const fromN8n = createRequire(process.argv[1]);
	const failures = [];
	let files = 0;
	for (const name of ['n8n-nodes-base', '@n8n/n8n-nodes-langchain']) {
		const manifest = fromN8n.resolve(name + '/package.json');
		const { nodes, credentials } = require(manifest).n8n;
		for (const file of [...nodes, ...credentials]) {
			files++;
			try {
				require(path.join(path.dirname(manifest), file));
			} catch (error) {
				failures.push(file + ': ' + error.message.split('\\n')[0]);
			}
		}
	}
	console.log(JSON.stringify({ files, failures }));
	process.exit(0);
`;

test('the pinned n8n has everything that its own nodes and credentials need', async () => {
	const args = ['-e', requireAll, installation.n8n];
	const { stdout } = await promisify(execFile)(installation.node, args, { maxBuffer: 1e8 });
	const { files, failures } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { files: number; failures: string[] };
	expect(failures).toEqual([]);
	expect(files).toBeGreaterThan(900);
});
