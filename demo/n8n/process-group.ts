import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

const running = new Set<ProcessGroup>();
process.on('exit', () => running.forEach((group) => group.kill()));

/** A command failed. The error has its whole output. */
export class CommandFailed extends Error {
	constructor(
		command: string,
		readonly output: string,
	) {
		const lines = output.split('\n').filter((line) => line.trim() !== '');
		// n8n's other tasks may log after its error.
		const error = lines.findLast((line) => line.includes('"level":"error"'));
		super(`${command} failed: ${error ?? lines.at(-1) ?? 'it printed nothing'}`);
	}
}

export interface CommandOptions {
	cwd: string;
	env: NodeJS.ProcessEnv;
	/** The file for the command's output. Not a pipe, because n8n loops forever on a pipe whose reader is gone. */
	log: string;
}

/** A process and all processes that it starts. They end with it, and at the latest with this process. */
export class ProcessGroup {
	readonly exited: Promise<number | null>;
	private readonly leader: ChildProcess;

	constructor(command: string, args: string[], { cwd, env, log }: CommandOptions) {
		const output = openSync(log, 'w');
		this.leader = spawn(command, args, {
			cwd,
			env,
			stdio: ['ignore', output, output],
			// Its own process group, so that Ctrl-C reaches only this process, which then stops the others in order.
			detached: process.platform !== 'win32',
			windowsHide: true,
		});
		closeSync(output);
		running.add(this);
		this.exited = new Promise((resolve, reject) => {
			this.leader.once('error', (error) => {
				running.delete(this);
				reject(error);
			});
			this.leader.once('exit', (code) => {
				this.kill();
				running.delete(this);
				resolve(code);
			});
		});
		this.exited.catch(() => {});
	}

	/** Asks the first process to end, waits, and then kills what is left of the group. */
	async stop(graceMs: number): Promise<void> {
		this.leader.kill('SIGTERM');
		const deadline = setTimeout(() => this.kill(), graceMs);
		await this.exited.catch(() => {});
		clearTimeout(deadline);
	}

	kill(): void {
		const { pid } = this.leader;
		if (pid === undefined) return;
		if (process.platform === 'win32') {
			spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' });
			return;
		}
		try {
			process.kill(-pid, 'SIGKILL');
		} catch {
			// The group is empty.
		}
	}
}

export async function run(
	command: string,
	args: string[],
	{ signal, ...options }: CommandOptions & { signal?: AbortSignal },
): Promise<string> {
	signal?.throwIfAborted();
	const group = new ProcessGroup(command, args, options);
	const abort = () => void group.stop(2_000);
	signal?.addEventListener('abort', abort, { once: true });
	try {
		const code = await group.exited;
		signal?.throwIfAborted();
		const output = readFileSync(options.log, 'utf8');
		if (code !== 0) throw new CommandFailed([command, ...args].join(' '), output);
		return output;
	} finally {
		signal?.removeEventListener('abort', abort);
	}
}
