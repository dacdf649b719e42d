import { randomBytes } from 'node:crypto';
import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { examples, type Example } from '../../demo/demo';
import { freePort } from '../../demo/n8n/free-port';
import { installN8n, type Installation } from '../../demo/n8n/installation';
import { type CredentialToImport, N8n } from '../../demo/n8n/n8n';
import { installOwnPackage } from '../../demo/n8n/own-package';
import { N8nRest } from '../../demo/n8n/rest';
import { ApiInstance } from './ApiInstance';
import { Postgres, Redis } from './backends';

const OWNER = { email: 'scale@example.com', password: 'Scale-password-1' };

/** n8n in queue mode: a main process, workers, PostgreSQL and Redis, and three instances of the API node. */
export class Cluster {
	readonly workers: Worker[] = [];
	readonly instances: ApiInstance[] = [];
	redis!: Redis;
	postgres!: Postgres;
	main!: N8n;
	rest!: N8nRest;
	private installation!: Installation;
	private env: NodeJS.ProcessEnv = {};

	constructor(private readonly folder: string) {}

	/**
	 * Without a worker yet.
	 *
	 * @param credentials in addition to the key of the three instances
	 */
	async start(workflows: readonly Example[], credentials: readonly CredentialToImport[] = []): Promise<void> {
		this.installation = await installN8n({ report: (text) => process.stdout.write(text) });
		this.redis = await Redis.create(path.join(this.folder, 'redis'));
		this.postgres = await Postgres.create(path.join(this.folder, 'postgres'));
		await Promise.all([this.redis.start(), this.postgres.start()]);
		for (let i = 0; i < 3; i++) this.instances.push(new ApiInstance({ port: await freePort(), latencyMs: 0 }));
		await Promise.all(this.instances.map(async (instance) => await instance.start()));

		const port = await freePort();
		this.env = {
			EXECUTIONS_MODE: 'queue',
			QUEUE_BULL_REDIS_HOST: '127.0.0.1',
			QUEUE_BULL_REDIS_PORT: String(this.redis.port),
			DB_TYPE: 'postgresdb',
			DB_POSTGRESDB_HOST: '127.0.0.1',
			DB_POSTGRESDB_PORT: String(this.postgres.port),
			DB_POSTGRESDB_USER: 'n8n',
			DB_POSTGRESDB_DATABASE: 'postgres',
			DB_POSTGRESDB_PASSWORD: '',
			N8N_ENCRYPTION_KEY: randomBytes(16).toString('hex'),
			WEBHOOK_URL: `http://127.0.0.1:${port}/`,
			N8N_METRICS: 'true',
			N8N_METRICS_INCLUDE_QUEUE_METRICS: 'true',
			// A million results take more than the 200 MB that n8n allows by default.
			N8N_DATA_TABLES_MAX_SIZE_BYTES: String(2 ** 31),
		};
		const userFolder = path.join(this.folder, 'main');
		await installOwnPackage(userFolder);
		this.main = new N8n({ installation: this.installation, userFolder, port, env: this.env });
		await this.main.importCredentials([
			{
				id: 'dataiku-demo',
				name: 'Dataiku demo',
				type: 'dataikuApiNodeApi',
				data: {
					url: this.instances.map(({ url }) => url).join(', '),
					serviceId: 'demo',
					authentication: 'apiKey',
					apiKey: 'demo-key',
				},
			},
			...credentials,
		]);
		await this.main.importWorkflows(workflows);
		await this.main.start();
		this.rest = await N8nRest.signIn(this.main.url, this.installation, OWNER);
	}

	/** A worker with its own user folder, as on its own machine. */
	async addWorker({ withPackage = true } = {}): Promise<Worker> {
		const userFolder = path.join(this.folder, `worker-${this.workers.length + 1}`);
		const nodes = '.n8n/nodes';
		if (withPackage) {
			await cp(path.join(this.folder, 'main', nodes), path.join(userFolder, nodes), { recursive: true });
		}
		const port = await freePort();
		const worker = new Worker({
			installation: this.installation,
			userFolder,
			port,
			command: 'worker',
			env: { ...this.env, QUEUE_HEALTH_CHECK_ACTIVE: 'true', QUEUE_HEALTH_CHECK_PORT: String(port) },
		});
		this.workers.push(worker);
		await worker.start();
		return worker;
	}
}

export class Worker extends N8n {
	/** Executions that this worker has begun and ended since its start. */
	async executions(): Promise<{ begun: number; ended: number }> {
		const log = await readFile(this.log, 'utf8');
		const count = (text: string) => log.split(text).length - 1;
		return { begun: count('Worker started execution'), ended: count('Worker finished execution') };
	}
}

/** An example, with some parameters of some nodes replaced. */
export async function example(
	id: string,
	changes: Record<string, (parameters: Example['nodes'][number]['parameters']) => object>,
): Promise<Example> {
	const found = (await examples()).find((candidate) => candidate.id === id);
	if (!found) throw new Error(`No example ${id}`);
	for (const name of Object.keys(changes)) {
		if (!found.nodes.some((node) => node.name === name)) throw new Error(`Example ${id} has no node ${name}`);
	}
	const nodes = found.nodes.map((node) => {
		const change = changes[node.name];
		return change ? { ...node, parameters: { ...node.parameters, ...change(node.parameters) } } : node;
	});
	return { ...found, nodes };
}
