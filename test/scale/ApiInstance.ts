import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Order } from './apiNodeProcess';

export interface ApiInstanceOptions {
	port: number;
	/** Work of each request. */
	latencyMs: number;
	/** The file that takes the field `record` of every record received and answered. */
	servedIds?: string;
}

export interface ApiInstanceReport {
	/** Requests answered with 200 since its start. */
	answered: number;
	/** Requests that the pool of the endpoint `fraud` refused. */
	rejected: number;
	/** Most requests at a time. */
	peak: number;
}

/** The demo's API node in its own process, which can be killed. */
export class ApiInstance {
	private child: ChildProcess | undefined;

	constructor(private options: ApiInstanceOptions) {}

	get url(): string {
		return `http://127.0.0.1:${this.options.port}`;
	}

	async start(options: Partial<Omit<ApiInstanceOptions, 'port'>> = {}): Promise<void> {
		this.options = { ...this.options, ...options };
		const child = fork(path.join(__dirname, 'apiNodeProcess.ts'), [JSON.stringify(this.options)], {
			execArgv: ['--import', 'tsx'],
			env: { ...process.env, NODE_OPTIONS: '' },
		});
		this.child = child;
		const ended = once(child, 'exit').then(() => Promise.reject(new Error(`No API node started at ${this.url}`)));
		await Promise.race([once(child, 'message'), ended]);
		ended.catch(() => {});
	}

	async kill(): Promise<void> {
		await this.end('SIGKILL');
	}

	async stop(): Promise<void> {
		await this.end('SIGTERM');
	}

	async restart(options: Partial<Omit<ApiInstanceOptions, 'port'>> = {}): Promise<void> {
		await this.stop();
		await this.start(options);
	}

	async activate(generation: string): Promise<void> {
		await this.ask({ order: 'activate', generation });
	}

	async report(): Promise<ApiInstanceReport> {
		return await this.ask({ order: 'report' });
	}

	private async ask(order: Order): Promise<ApiInstanceReport> {
		if (!this.child) throw new Error(`${this.url} does not run`);
		const answer = once(this.child, 'message');
		this.child.send(order);
		return ((await answer) as [ApiInstanceReport])[0];
	}

	private async end(signal: NodeJS.Signals): Promise<void> {
		const { child } = this;
		this.child = undefined;
		if (!child || child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, 'exit');
		child.kill(signal);
		await ended;
	}
}
