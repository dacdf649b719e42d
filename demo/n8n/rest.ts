import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionStatus, IDataObject, IRun, IRunExecutionData } from 'n8n-workflow';
import type { Installation } from './installation';

export interface Owner {
	email: string;
	password: string;
}

interface Execution extends Omit<IRun, 'data'> {
	data: string;
}

/** n8n's internal REST interface, which the editor uses, signed in as the owner. */
export class N8nRest {
	constructor(
		private readonly url: string,
		private readonly installation: Installation,
		/** `n8n-auth=...`, which also signs in a browser. */
		readonly cookie: string,
	) {}

	/** Signs in as the owner, and creates the owner the first time. */
	static async signIn(url: string, installation: Installation, { email, password }: Owner): Promise<N8nRest> {
		const setUp = { email, password, firstName: 'Demo', lastName: 'Owner' };
		let answer = await post(`${url}/rest/owner/setup`, setUp);
		// n8n 1 reports that it is ready before its REST interface is.
		for (let waited = 0; answer.status === 404 && waited < 20_000; waited += 100) {
			await sleep(100);
			answer = await post(`${url}/rest/owner/setup`, setUp);
		}
		if (!answer.ok) answer = await post(`${url}/rest/login`, { emailOrLdapLoginId: email, password });
		const cookie = answer.headers.getSetCookie().find((value) => value.startsWith('n8n-auth='));
		if (!answer.ok || cookie === undefined) throw new Error(`n8n refused to sign in ${email}: ${await answer.text()}`);
		return new N8nRest(url, installation, cookie.split(';', 1)[0]!);
	}

	async call<T>(method: string, path: string, body?: object): Promise<T> {
		const answer = await fetch(`${this.url}/rest${path}`, {
			method,
			headers: { ...headers, cookie: this.cookie },
			body: body && JSON.stringify(body),
		});
		const text = await answer.text();
		if (!answer.ok) throw new Error(`n8n responded with status ${answer.status} to ${method} ${path}: ${text}`);
		return (JSON.parse(text) as { data: T }).data;
	}

	/** Publishes the saved version, which activates its webhooks and schedules. */
	async publish(workflowId: string): Promise<void> {
		const { versionId } = await this.call<{ versionId: string }>('GET', `/workflows/${workflowId}`);
		await this.call('POST', `/workflows/${workflowId}/activate`, { versionId });
	}

	/** Runs a workflow from one of its triggers and waits for its end. */
	async run(workflowId: string, trigger: string, given?: IDataObject): Promise<IRun> {
		return await this.finished(await this.start(workflowId, trigger, given));
	}

	/**
	 * Starts a workflow from one of its triggers.
	 *
	 * @param given output for a trigger that would wait for input, such as a chat
	 * @returns the execution's ID
	 */
	async start(workflowId: string, trigger: string, given?: IDataObject): Promise<string> {
		const data = given && {
			...{ startTime: Date.now(), executionTime: 0, executionIndex: 0, executionStatus: 'success', source: [] },
			data: { main: [[{ json: given }]] },
		};
		// n8n before 2.20 runs the workflow that it receives, not the saved one.
		const workflowData = await this.call<object>('GET', `/workflows/${workflowId}`);
		const body = { triggerToStartFrom: { name: trigger, data }, workflowData };
		const { executionId } = await this.call<{ executionId: string }>('POST', `/workflows/${workflowId}/run`, body);
		return executionId;
	}

	/** Waits until an execution has left the given states. */
	async finished(executionId: string, unfinished: ExecutionStatus[] = ['new', 'running', 'waiting']): Promise<IRun> {
		for (let failures = 0; ;) {
			// n8n 2.20 responds with 500 for an execution that has just begun, and n8n 1 has no data of one that has just ended.
			const execution = await this.call<Execution>('GET', `/executions/${executionId}`).catch((error: unknown) => {
				if (++failures > 20) throw error;
			});
			if (execution && !unfinished.includes(execution.status)) {
				const data = this.parse(execution.data);
				if (data) return { ...execution, data };
			}
			await sleep(100);
		}
	}

	/** n8n's own parser for stored execution data. */
	private parse(data: string): IRunExecutionData | undefined {
		const flatted = createRequire(this.installation.n8n)('flatted') as {
			parse(text: string): IRunExecutionData | undefined;
		};
		return flatted.parse(data);
	}
}

/** n8n closes idle connections after some seconds, perhaps exactly when a request is sent. */
const headers = { 'content-type': 'application/json', connection: 'close' };

const post = async (url: string, body: object) =>
	await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
