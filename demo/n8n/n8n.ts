import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IRun } from 'n8n-workflow';
import { freePort } from './free-port';
import { RUNTIME, type Installation } from './installation';
import { ProcessGroup, run } from './process-group';

interface N8nOptions {
	installation: Installation;
	/** Holds the database, the encryption key of the credentials, the community nodes and the logs. */
	userFolder: string;
	/** Port of the editor and the webhooks. For a worker, port of its health check, which `env` must enable. */
	port: number;
	/** Default: `start`. */
	command?: 'start' | 'worker';
	env?: NodeJS.ProcessEnv;
	signal?: AbortSignal;
}

export interface CredentialToImport {
	id: string;
	name: string;
	type: string;
	data: Record<string, unknown>;
}

const READY_WITHIN_MS = 120_000;
const STOPPED_WITHIN_MS = 10_000;

export class N8n {
	readonly url: string;
	private server: ProcessGroup | undefined;

	constructor(private readonly options: N8nOptions) {
		this.url = `http://127.0.0.1:${options.port}`;
	}

	get log(): string {
		return path.join(this.options.userFolder, 'n8n.log');
	}

	async start(): Promise<void> {
		const { installation, userFolder, command = 'start', signal } = this.options;
		signal?.throwIfAborted();
		await mkdir(userFolder, { recursive: true });
		const env = await this.environment();
		const server = new ProcessGroup(installation.node, [installation.n8n, command], {
			cwd: userFolder,
			env,
			log: this.log,
		});
		this.server = server;
		try {
			await this.ready(server);
		} catch (error) {
			await this.stop();
			throw error;
		}
	}

	/** n8n responds to /healthz before its nodes are loaded, and to /healthz/readiness afterwards. */
	private async ready(server: ProcessGroup): Promise<void> {
		let ended = false;
		const end = () => (ended = true);
		server.exited.then(end, end);
		const deadline = Date.now() + READY_WITHIN_MS;
		while (!ended && Date.now() < deadline) {
			const answer = await fetch(`${this.url}/healthz/readiness`).catch(() => undefined);
			if (answer?.ok) return;
			await sleep(100, undefined, { signal: this.options.signal });
		}
		const lines = (await readFile(this.log, 'utf8')).split('\n').filter((line) => line.trim() !== '');
		throw new Error(`n8n did not start: ${lines.at(-1) ?? 'it said nothing'} (see ${this.log})`);
	}

	async stop(): Promise<void> {
		await this.server?.stop(STOPPED_WITHIN_MS);
		this.server = undefined;
	}

	/** Simulates a power failure. */
	async kill(): Promise<void> {
		this.server?.kill();
		await this.server?.exited;
		this.server = undefined;
	}

	async importCredentials(credentials: CredentialToImport[]): Promise<void> {
		await this.import('credentials', credentials);
	}

	/** Replaces workflows with the same ID. */
	async importWorkflows(workflows: readonly object[]): Promise<void> {
		await this.import('workflow', workflows);
	}

	private async import(kind: string, all: readonly object[]): Promise<void> {
		const file = path.join(this.options.userFolder, `${kind}-to-import.json`);
		await mkdir(this.options.userFolder, { recursive: true });
		await writeFile(file, JSON.stringify(all), { mode: 0o600 });
		try {
			await this.command(`import:${kind}`, `--input=${file}`);
		} finally {
			await rm(file);
		}
	}

	/** Takes effect at n8n's next start. */
	async publish(workflowId: string): Promise<void> {
		await this.command('publish:workflow', `--id=${workflowId}`);
	}

	/** Runs a workflow from its trigger in a separate process. */
	async execute(workflowId: string): Promise<IRun> {
		const output = await this.command('execute', `--id=${workflowId}`, '--rawOutput');
		for (const line of output.split('\n').filter((text) => text.startsWith('{'))) {
			const { message } = JSON.parse(line) as { message: string };
			if (message.startsWith('{') && message.includes('"resultData"')) return JSON.parse(message) as IRun;
		}
		throw new Error(`Workflow ${workflowId} gave no result: ${output}`);
	}

	private async command(name: string, ...args: string[]): Promise<string> {
		const { installation, userFolder, signal } = this.options;
		await mkdir(userFolder, { recursive: true });
		const output = await run(installation.node, [installation.n8n, name, ...args], {
			cwd: userFolder,
			// `execute --rawOutput` writes through the logger.
			env: { ...(await this.environment()), N8N_LOG_LEVEL: 'info', N8N_LOG_FORMAT: 'json' },
			log: path.join(userFolder, `${name.replace(':', '-')}.log`),
			signal,
		});
		// The import and publish commands report a failure only in their log and exit with 0. n8n 2.0 also logs an error for each
		// new workflow that it imports.
		const failure = /"level":"error","message":"(.*?)(?<!\\)"/.exec(output);
		if (failure && !output.includes('Successfully imported')) throw new Error(`n8n ${name} failed: ${failure[1]}`);
		return output;
	}

	private async environment(): Promise<NodeJS.ProcessEnv> {
		// Removes settings of the user's shell or of a test runner, which are for another n8n.
		const foreign = /^(N8N_|DB_|QUEUE_|EXECUTIONS_|WEBHOOK_URL$|NODE_ENV$|NODE_OPTIONS$|JEST_)/;
		const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
		return {
			...Object.fromEntries(inherited),
			NO_PROXY: ['127.0.0.1', 'localhost', process.env.NO_PROXY ?? process.env.no_proxy ?? ''].join(','),
			PATH: [path.dirname(this.options.installation.node), process.env.PATH].join(path.delimiter),
			NODE_ENV: 'production',
			NODE_COMPILE_CACHE: path.join(RUNTIME, 'compile-cache'),
			N8N_USER_FOLDER: this.options.userFolder,
			N8N_HOST: '127.0.0.1',
			N8N_LISTEN_ADDRESS: '127.0.0.1',
			N8N_PORT: String(this.options.port),
			N8N_RUNNERS_BROKER_PORT: String(await freePort()),
			N8N_SECURE_COOKIE: 'false',
			N8N_DIAGNOSTICS_ENABLED: 'false',
			N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
			N8N_TEMPLATES_ENABLED: 'false',
			N8N_PERSONALIZATION_ENABLED: 'false',
			...this.options.installation.env,
			...this.options.env,
		};
	}
}
