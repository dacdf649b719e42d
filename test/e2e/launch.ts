import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const REPOSITORY = path.resolve(__dirname, '../..');
const TSX = path.join(REPOSITORY, 'node_modules/tsx/dist/cli.mjs');

/** A start of the demo as from a terminal: its own process group, known by a mark that all its children inherit. */
export class Launch {
	stdout = '';
	stderr = '';
	readonly exited: Promise<number | null>;
	private readonly mark = randomUUID();
	private readonly pid: number;

	private constructor(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv) {
		const child = spawn(command, args, {
			cwd,
			env: { ...process.env, ...env, LAUNCH_MARK: this.mark },
			detached: true,
		});
		child.stdout.on('data', (text: Buffer) => (this.stdout += text.toString()));
		child.stderr.on('data', (text: Buffer) => (this.stderr += text.toString()));
		this.exited = new Promise((resolve) => child.once('close', resolve));
		this.pid = child.pid ?? 0;
	}

	static npmStart(...args: string[]): Launch {
		return new Launch('npm', ['start', '--', ...args], REPOSITORY, {});
	}

	/** Without npm and without a build. */
	static script(
		args: string[],
		{ cwd = REPOSITORY, env = {} }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
	): Launch {
		return new Launch(process.execPath, [TSX, 'demo/start.ts', ...args], cwd, env);
	}

	/** What Ctrl-C in a terminal does: every process of the foreground group gets the signal. */
	pressCtrlC(): void {
		process.kill(-this.pid, 'SIGINT');
	}

	terminate(): void {
		process.kill(this.pid, 'SIGTERM');
	}

	/** Waits for a line on the terminal. */
	async line(pattern: RegExp): Promise<string> {
		return await this.until(() => pattern.exec(this.stdout)?.[0], `no line like ${pattern}`);
	}

	/** Waits until a process with such a command line runs. */
	async process(pattern: RegExp): Promise<void> {
		await this.until(() => this.processes().some((command) => pattern.test(command)), `no process like ${pattern}`);
	}

	/** The command lines of all processes of this launch that are alive, whatever group they are in. */
	processes(): string[] {
		return readdirSync('/proc')
			.filter((entry) => /^\d+$/.test(entry))
			.flatMap((pid) => {
				try {
					if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(this.mark)) return [];
					return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
				} catch {
					// It has ended in between.
					return [];
				}
			});
	}

	private async until<T>(found: () => T | undefined | false, failure: string): Promise<T> {
		for (let waited = 0; waited < 240_000; waited += 50) {
			const result = found();
			if (result) return result;
			await sleep(50);
		}
		throw new Error(`${failure} in:\n${this.stdout}\n${this.stderr}`);
	}
}
