import { setTimeout as sleep } from 'node:timers/promises';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { detect } from 'detect-port';
import type { IDataObject, IRun } from 'n8n-workflow';
import { type ApiNode, jwtCheck, startApiNode } from '../../demo/api-node';
import { N8n } from '../../demo/n8n/n8n';
import { N8nRest } from '../../demo/n8n/rest';
import { authority } from '../support/certificates';
import { forwardProxy, type ForwardProxy } from '../support/forwardProxy';
import { oAuth2Server, type OAuth2Server } from '../support/oAuth2Server';
import { itemsOf, running } from './running';

const shared = running();
const mark = randomBytes(6).toString('hex');
const clientSecret = `client-secret-${mark}`;
const passphrase = `passphrase-${mark}`;
/** With characters that a URL must escape. */
const proxyAccount = { username: 'n8n', password: `proxy@/${mark}` };
/** In the records, to show that what is there is found. */
const inTheData = `payment-${mark}`;

const workflow = {
	id: 'company-network',
	name: 'Score payments',
	active: false,
	connections: {
		Start: { main: [[{ node: 'Payments', type: 'main', index: 0 }]] },
		Payments: { main: [[{ node: 'Each payment', type: 'main', index: 0 }]] },
		'Each payment': { main: [[{ node: 'Score', type: 'main', index: 0 }]] },
	},
	nodes: [
		{
			id: 'start',
			name: 'Start',
			type: 'n8n-nodes-base.manualTrigger',
			typeVersion: 1,
			position: [0, 0],
			parameters: {},
		},
		{
			id: 'payments',
			name: 'Payments',
			type: 'n8n-nodes-base.set',
			typeVersion: 3.4,
			position: [200, 0],
			parameters: {
				mode: 'raw',
				jsonOutput: JSON.stringify({
					payments: Array.from({ length: 20 }, (_, n) => ({ payment: `${inTheData}-${n}`, amount: 50 * n })),
				}),
			},
		},
		{
			id: 'each',
			name: 'Each payment',
			type: 'n8n-nodes-base.splitOut',
			typeVersion: 1,
			position: [400, 0],
			parameters: { fieldToSplitOut: 'payments' },
		},
		{
			id: 'score',
			name: 'Score',
			type: 'n8n-nodes-dataiku.dataikuPredict',
			typeVersion: 1,
			position: [600, 0],
			parameters: {
				authentication: 'oAuth2',
				endpointId: { __rl: true, mode: 'id', value: 'fraud' },
				recordSource: 'inputItem',
				// One request for each run: reading the document would be another.
				options: { checkFeatures: 'off' },
			},
			credentials: { dataikuApiNodeOAuth2Api: { id: 'company-api-node', name: 'API node' } },
		},
	],
};

const credentialOf = (url: string, { credentialFields }: OAuth2Server, fields: IDataObject) => ({
	id: 'company-api-node',
	name: 'API node',
	type: 'dataikuApiNodeOAuth2Api',
	data: {
		url,
		serviceId: 'secured',
		...credentialFields,
		...fields,
	},
});

let folder: string;
let n8n: N8n;
let rest: N8nRest;
let server: OAuth2Server;
let apiNode: ApiNode;
let proxy: ForwardProxy;
const revoked = new Set<string>();
let refusesAll = false;
/** Holds back the answers to revoked tokens. */
let beforeRefusal: (() => Promise<void>) | undefined;
/** Everything that must not be found, by what it is, in each form that it may have. */
const secrets = new Map<string, string[]>();
/** The command lines of all processes, at several moments. */
let processes = '';

beforeAll(async () => {
	folder = await mkdtemp(path.join(tmpdir(), 'n8n-company-'));
	const port = await detect({ hostname: '127.0.0.1' });
	const { ca, ...known } = await authority('Company authority');
	const [serverTls, clientTls] = [await known.server(), await known.client({ passphrase })];
	proxy = await forwardProxy({ auth: proxyAccount });
	server = await oAuth2Server({
		tls: serverTls,
		client: {
			id: 'n8n',
			secret: clientSecret,
			redirectUri: `http://127.0.0.1:${port}/rest/oauth2-credential/callback`,
		},
	});
	const accepts = jwtCheck({ ...server.jwtRules, ca });
	apiNode = await startApiNode({
		tls: { ...serverTls, ca, requestCert: true, rejectUnauthorized: true },
		acceptsToken: async (token) => {
			if (!refusesAll && !revoked.has(token)) return await accepts(token);
			await beforeRefusal?.();
			return false;
		},
	});

	const base64 = (text: string) => Buffer.from(text).toString('base64');
	const { username, password } = proxyAccount;
	secrets
		.set('client secret', [clientSecret, base64(`n8n:${clientSecret}`)])
		.set('proxy password', [password, encodeURIComponent(password), base64(`${username}:${password}`)])
		.set('passphrase', [passphrase])
		.set('private key', clientTls.key.split('\n').slice(1, 3));

	const authorities = path.join(folder, 'company-ca.pem');
	await writeFile(authorities, ca);
	await cp(path.join(shared.userFolder, '.n8n/nodes'), path.join(folder, '.n8n/nodes'), { recursive: true });
	n8n = new N8n({
		installation: shared.installation,
		userFolder: folder,
		port,
		env: {
			HTTPS_PROXY: proxy.urlWithAuth,
			NO_PROXY: '',
			NODE_EXTRA_CA_CERTS: authorities,
			N8N_SSRF_PROTECTION_ENABLED: 'true',
			N8N_SSRF_ALLOWED_HOSTNAMES: 'localhost',
			N8N_LOG_LEVEL: 'debug',
		},
	});
	const url = apiNode.url.replace('127.0.0.1', 'localhost');
	const tls = { ca, cert: clientTls.cert, key: clientTls.key, passphrase };
	await importInto(n8n, credentialOf(url, server, { grantType: 'authorizationCode', ...tls }));
	await n8n.start();
	rest = await N8nRest.signIn(n8n.url, shared.installation, shared.owner);
	await connect('company-api-node');
});
afterAll(async () => {
	await n8n?.stop();
	await Promise.all([server?.close(), apiNode?.close(), proxy?.close()]);
	await rm(folder, { recursive: true, force: true });
});

async function importInto(target: N8n, credential: ReturnType<typeof credentialOf>): Promise<void> {
	await target.importCredentials([credential]);
	await target.importWorkflows([workflow]);
}

/** What "Connect my account" does in the editor and the browser. */
async function connect(credentialId: string): Promise<void> {
	const begun = await fetch(`${n8n.url}/rest/oauth2-credential/auth?id=${credentialId}`, {
		headers: { cookie: rest.cookie },
	});
	const cookies = [rest.cookie, ...begun.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0])];
	const { data } = (await begun.json()) as { data: string };
	const callback = await fetch(await server.signIn(data), { headers: { cookie: cookies.join('; ') } });
	expect(await callback.text()).toContain('Connection successful');
}

const scores = (run: IRun) => itemsOf(run, 'Score').map(({ payment, proba_fraud }) => [payment, proba_fraud]);
const runIt = async () => await rest.run(workflow.id, 'Start');

async function revokeAll(): Promise<void> {
	for (const { accessToken } of await server.grants()) if (accessToken) revoked.add(accessToken);
}

function noteProcesses(): void {
	for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
		try {
			processes += `${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}\n`;
		} catch {
			// It has ended in between.
		}
	}
}

test('a workflow has the same output when it runs behind a private authority, mutual TLS, a proxy, OAuth2 and the egress policy', async () => {
	const plainServer = await oAuth2Server();
	const plainNode = await startApiNode({ acceptsToken: jwtCheck(plainServer.jwtRules) });
	try {
		const credential = credentialOf(plainNode.url, plainServer, { grantType: 'clientCredentials' });
		await importInto(shared.n8n, credential);
		const plain = scores(await shared.n8n.execute(workflow.id));
		const company = scores(await runIt());

		expect(plain).toHaveLength(20);
		expect(company).toEqual(plain);
		for (const { port } of [apiNode, new URL(server.url)]) expect(proxy.tunnels).toContain(`localhost:${port}`);
		expect(apiNode.requests.count({ status: 200 })).toBe(1);
	} finally {
		await Promise.all([plainServer.close(), plainNode.close()]);
	}
});

test('two processes both go on when they renew a token at once with a refresh token that is valid for one use', async () => {
	const earlier = (await server.grants()).length;
	await revokeAll();
	let refused = 0;
	let refuse = () => {};
	const both = new Promise<void>((resolve) => (refuse = resolve));
	beforeRefusal = async () => {
		if (++refused === 2) refuse();
		await both;
		noteProcesses();
	};
	await server.holdRenewals(2);
	const [one, other] = await Promise.all([runIt(), n8n.execute(workflow.id)]);
	beforeRefusal = undefined;

	expect(refused).toBe(2);
	expect(scores(one)).toHaveLength(20);
	expect(scores(other)).toEqual(scores(one));
	const grants = (await server.grants()).slice(earlier);
	expect(grants.map(({ grantType, error }) => error ?? grantType).sort()).toEqual(['invalid_grant', 'refresh_token']);
	// This server takes a refresh token that comes twice for stolen, and the next one is void, too.
	await connect('company-api-node');
});

test('neither the error nor anything left behind contains a secret when a call fails', async () => {
	const failure = async () => {
		const { data } = await runIt();
		return data.resultData.error?.message;
	};
	refusesAll = true;
	expect(await failure()).toMatch(/refused the key or token \(401\)/);
	refusesAll = false;
	proxy.setMode('forbidden');
	// In its own process, which has no tunnel yet.
	await expect(n8n.execute(workflow.id)).rejects.toThrow(/proxy/i);
	proxy.setMode('normal');
	for (const { accessToken, refreshToken } of await server.grants()) {
		if (accessToken) secrets.set(`access token ${accessToken.slice(-8)}`, [accessToken.split('.')[2]!]);
		if (refreshToken) secrets.set(`refresh token ${refreshToken.slice(-8)}`, [refreshToken]);
	}
	await revokeAll();
	await server.close();
	let message = await failure();
	// After a fresh token was refused, no other is asked for during some seconds.
	for (let tries = 0; tries < 30 && /\(401\)/.test(message ?? ''); tries++) {
		await sleep(1_000);
		message = await failure();
	}
	expect(message).toMatch(/Proxy connection ended/);
	noteProcesses();
	await n8n.stop();

	const left = new Map([['the process list', processes]]);
	for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
		const file = path.join(entry.parentPath, entry.name);
		if (!entry.isFile() || file.includes('node_modules')) continue;
		left.set(path.relative(folder, file), await readFile(file, 'latin1'));
	}
	left.set('the database', await contentsOf(path.join(folder, '.n8n/database.sqlite')));
	// n8n logs the proxy's URL, password included, when it starts with the log level "debug".
	left.set('n8n.log', left.get('n8n.log')!.replace(/^.*Installing global HTTP proxy agents.*$/gm, ''));

	const found = [...left].flatMap(([place, text]) =>
		[...secrets]
			.filter(([, forms]) => forms.some((form) => text.includes(form)))
			.map(([secret]) => `${secret} in ${place}`),
	);
	expect(found).toEqual([]);
	const withData = [...left].filter(([, text]) => text.includes(inTheData)).map(([place]) => place);
	expect(withData).toEqual(expect.arrayContaining(['the database', 'execute.log']));
	expect(processes).toMatch(/n8n start/);
	expect(secrets.size).toBeGreaterThan(8);
});

/** All rows of all tables: a value that is spread over pages of the file would not be found there. */
async function contentsOf(file: string): Promise<string> {
	// By n8n's Node.js, whose SQLite reads what is still in the write-ahead log.
	const script = `
		const { DatabaseSync } = require('node:sqlite');
		const database = new DatabaseSync(process.argv[1]);
		for (const { name } of database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all())
			console.log(JSON.stringify(database.prepare(\`SELECT * FROM "\${name}"\`).all()));`;
	const options = { maxBuffer: 2 ** 28 };
	const { stdout } = await promisify(execFile)(shared.installation.node, ['--eval', script, file], options);
	return stdout;
}
