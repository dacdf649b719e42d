import { mkdtemp, cp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { detect } from 'detect-port';
import type { INodeCredentialTestResult } from 'n8n-workflow';
import { N8n } from '../../demo/n8n/n8n';
import { N8nRest } from '../../demo/n8n/rest';
import { chaosProxy, type ChaosProxy } from '../support/chaosProxy';
import { running } from './running';

const shared = running();
let folder: string;
let target: ChaosProxy;
beforeEach(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'n8n-egress-'));
	target = await chaosProxy({ respond: () => ({ status: 404, body: 'an internal secret' }) });
});
afterEach(async () => {
	await target.close();
	await rm(folder, { recursive: true, force: true });
});

it.each(['1', 'TRUE', 'true', 'a file'])(
	"a credential's test connects to nothing when n8n's egress policy is switched on by %s",
	async (spelling) => {
		const file = path.join(folder, 'enabled');
		await writeFile(file, 'true');
		await cp(path.join(shared.userFolder, '.n8n/nodes'), path.join(folder, '.n8n/nodes'), { recursive: true });
		const n8n = new N8n({
			installation: shared.installation,
			userFolder: folder,
			port: await detect({ hostname: '127.0.0.1' }),
			env:
				spelling === 'a file' ? { N8N_SSRF_PROTECTION_ENABLED_FILE: file } : { N8N_SSRF_PROTECTION_ENABLED: spelling },
		});
		try {
			await n8n.start();
			const rest = await N8nRest.signIn(n8n.url, shared.installation, shared.owner);
			const given = {
				name: 'API node',
				type: 'dataikuApiNodeApi',
				data: { url: target.url, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' },
			};
			const { id } = await rest.call<{ id: string }>('POST', '/credentials', given);
			const { status, message } = await rest.call<INodeCredentialTestResult>('POST', '/credentials/test', {
				credentials: { id, ...given },
			});

			expect([status, message]).toEqual([
				'Error',
				expect.stringContaining(`n8n is not allowed to connect to 127.0.0.1:${target.port}`),
			]);
			expect(target.connections).toBe(0);
		} finally {
			await n8n.stop();
		}
	},
);
