import { execFile } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../demo/n8n/free-port';
import { ProcessGroup } from '../../demo/n8n/process-group';
import { until } from './until';

const exec = promisify(execFile);
const hostname = '127.0.0.1';

/** A server of Debian's, on a free port and in its own folder. */
abstract class Backend {
	private group: ProcessGroup | undefined;

	protected constructor(
		readonly port: number,
		protected readonly folder: string,
	) {}

	protected abstract command(): string[];

	async start(): Promise<void> {
		const [program, ...args] = this.command() as [string, ...string[]];
		this.group = new ProcessGroup(program, args, {
			cwd: this.folder,
			env: process.env,
			log: `${this.folder}.log`,
		});
		await until(`${program} listens`, async () => await listens(this.port));
	}

	/** As when the machine loses power. */
	async kill(): Promise<void> {
		this.group?.kill();
		await this.group?.exited;
	}
}

/** Keeps nothing on disk: a restart loses the queue. */
export class Redis extends Backend {
	static async create(folder: string): Promise<Redis> {
		await mkdir(folder);
		return new Redis(await freePort(), folder);
	}

	protected command(): string[] {
		// A title would overwrite the environment, by which the set-up finds what the tests started.
		const settings = { port: this.port, bind: hostname, save: '', 'set-proc-title': 'no' };
		return ['redis-server', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])];
	}
}

export class Postgres extends Backend {
	private constructor(
		port: number,
		folder: string,
		private readonly programs: string,
		/** PostgreSQL refuses to run as root. */
		private readonly asOwner: string[],
	) {
		super(port, folder);
	}

	static async create(folder: string): Promise<Postgres> {
		await mkdir(folder);
		const isRoot = process.getuid?.() === 0;
		if (isRoot) await exec('chown', ['postgres', folder]);
		const asOwner = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
		const versions = '/usr/lib/postgresql';
		const newest = (await readdir(versions)).sort((a, b) => Number(b) - Number(a))[0];
		if (newest === undefined) throw new Error(`No PostgreSQL in ${versions}: apt-get install postgresql`);
		const programs = path.join(versions, newest, 'bin');
		const [program, ...args] = [
			...asOwner,
			path.join(programs, 'initdb'),
			...['--pgdata', folder, '--username', 'n8n', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
		] as [string, ...string[]];
		await exec(program, args, { cwd: folder });
		return new Postgres(await freePort(), folder, programs, asOwner);
	}

	protected command(): string[] {
		const { folder, port } = this;
		const settings = ['-D', folder, '-p', String(port), '-h', hostname, '-k', folder];
		return [...this.asOwner, path.join(this.programs, 'postgres'), ...settings];
	}

	override async start(): Promise<void> {
		await super.start();
		await until('PostgreSQL accepts queries', async () => {
			return await this.rows('SELECT 1 AS one').then(
				() => true,
				() => false,
			);
		});
	}

	async rows<Row>(query: string): Promise<Row[]> {
		const { stdout } = await exec(
			path.join(this.programs, 'psql'),
			[
				...['-h', hostname, '-p', String(this.port), '-U', 'n8n', '-d', 'postgres', '-At'],
				...['-c', `SELECT json_agg(r) FROM (${query}) r`],
			],
			{ maxBuffer: 2 ** 30 },
		);
		return (JSON.parse(stdout.trim() || 'null') ?? []) as Row[];
	}
}

async function listens(port: number): Promise<boolean> {
	return await new Promise((resolve) => {
		const socket = connect({ port, host: hostname }, () => {
			socket.destroy();
			resolve(true);
		});
		socket.once('error', () => resolve(false));
	});
}
