import {
	createRunExecutionData,
	Workflow,
	type ExecutionBaseError,
	type IDataObject,
	type INode,
	type INodeExecutionData,
	type INodeParameters,
	type NodeExecutionHint,
} from 'n8n-workflow';
import { additionalDataFor } from './additionalData';
import { core } from './core';
import { nodePackage, OUR_PACKAGE, START_TYPE } from './nodePackage';
import { StoredCredentials, type CredentialData } from './storedCredentials';

const START = 'Start';
const NODE = 'Node';

export interface RunNodeOptions {
	/** The node's type, with or without the name of its package. */
	type: string;
	/** The newest by default, as for a node that a user adds. */
	typeVersion?: number;
	/** As a workflow has them: what is left out takes its default, and text that starts with `=` is an expression. */
	parameters?: IDataObject;
	/** Bare objects, or whole items: an object is an item if it has `json` and no key that an item cannot have. */
	items?: IDataObject[] | INodeExecutionData[];
	/** Fresh ones of these data, or those that several runs share, as those of one n8n do. */
	credentials?: CredentialData | StoredCredentials;
	/** By default "stopWorkflow". */
	onError?: INode['onError'];
	alwaysOutputData?: boolean;
	/** n8n's own "Retry On Fail". */
	retryOnFail?: { maxTries: number; waitBetweenTries: number };
	/** Stops the workflow, as the stop button does, when it aborts. */
	signal?: AbortSignal;
	/** Stops the workflow this many ms after the node has begun. */
	cancelAfter?: number | (() => boolean);
	packageRoot?: string;
}

export interface NodeRun {
	output: INodeExecutionData[];
	/** The second output: the failed items with "continueErrorOutput". */
	errorOutput: INodeExecutionData[];
	/** What the node threw, as n8n records it: a plain copy of the error's own fields, `name` saying its class. */
	error?: ExecutionBaseError;
	hints: NodeExecutionHint[];
	/** What n8n saves as the execution's outcome. */
	status: string;
	cancelled: boolean;
	timing: {
		/** ms from the node's start to the end of the run. n8n's sorting of a large error output counts, and is slow. */
		node: number;
		/** ms from the stop to the end of the node, if it was stopped. */
		afterCancel?: number;
	};
	/** What is stored after the run: renewed OAuth2 tokens show here. */
	credentials: CredentialData;
}

/** Runs one node in n8n's own engine, fed by a start node that has the items pinned. */
export async function runNode(options: RunNodeOptions): Promise<NodeRun> {
	const { items = [{}], signal, cancelAfter, packageRoot = OUR_PACKAGE } = options;
	const n8n = await core();
	const nodes = await nodePackage(packageRoot);
	const { credentials: given } = options;
	const credentials = given instanceof StoredCredentials ? given : new StoredCredentials(n8n, nodes, given);

	const type = nodes.fullName(options.type);
	const start: INode = { ...at(0), name: START, type: START_TYPE, typeVersion: 1, parameters: {} };
	const node: INode = {
		...at(1),
		name: NODE,
		type,
		typeVersion: options.typeVersion ?? newestVersion(nodes.types.getByName(type).description),
		parameters: (options.parameters ?? {}) as INodeParameters,
		credentials: credentials.references(),
		onError: options.onError,
		alwaysOutputData: options.alwaysOutputData,
		...(options.retryOnFail && { retryOnFail: true, ...options.retryOnFail }),
	};
	const connections = { [START]: { main: [[{ node: NODE, type: 'main' as const, index: 0 }]] } };
	const settings = { executionOrder: 'v1' as const };
	const workflow = new Workflow({
		id: '1',
		name: 'Test',
		nodes: [start, node],
		connections,
		active: false,
		nodeTypes: nodes.types,
		settings,
	});

	const additionalData = additionalDataFor(n8n, credentials);
	const hooks = new n8n.ExecutionLifecycleHooks('manual', '1', {
		id: '1',
		name: 'Test',
		active: false,
		isArchived: false,
		nodes: [start, node],
		connections,
		settings,
		createdAt: new Date(),
		updatedAt: new Date(),
		activeVersionId: null,
	});
	additionalData.hooks = hooks;

	let began = 0;
	let status: string | undefined;
	let cancelledAt: number | undefined;
	let timer: NodeJS.Timeout | undefined;
	// n8n saves what this hook is told first: after a stop the run goes on until the node returns
	hooks.addHandler('workflowExecuteAfter', (run) => void (status ??= run.status));

	const execution = new n8n.WorkflowExecute(
		additionalData,
		'manual',
		createRunExecutionData({
			resultData: { pinData: { [START]: items.map(toItem) } },
			executionData: {
				nodeExecutionStack: [{ node: start, data: { main: [[{ json: {} }]] }, source: null }],
			},
		}),
	).processRunExecutionData(workflow);

	const cancel = () => {
		cancelledAt ??= performance.now();
		execution.cancel();
	};
	hooks.addHandler('nodeExecuteBefore', (name) => {
		if (name !== NODE) return;
		began = performance.now();
		if (signal?.aborted) cancel();
		if (typeof cancelAfter === 'number') timer = setTimeout(cancel, cancelAfter);
		else if (cancelAfter !== undefined) timer = setInterval(() => cancelAfter() && cancel(), 5);
	});
	signal?.addEventListener('abort', cancel, { once: true });

	try {
		const { data, status: lastStatus } = await execution;
		const ended = performance.now();
		const task = data.resultData.runData[NODE]?.[0];
		const cancelled = cancelledAt !== undefined && status === 'canceled';
		return {
			output: task?.data?.main?.[0] ?? [],
			errorOutput: task?.data?.main?.[1] ?? [],
			error: task?.error ?? (cancelled ? undefined : data.resultData.error),
			hints: task?.hints ?? [],
			status: status ?? lastStatus,
			cancelled,
			timing: {
				node: ended - began,
				...(cancelledAt !== undefined && { afterCancel: ended - cancelledAt }),
			},
			credentials: await credentials.read(),
		};
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener('abort', cancel);
	}
}

const at = (column: number) => ({ id: String(column), position: [column * 200, 0] as [number, number] });

function newestVersion({ version, defaultVersion }: { version?: number | number[]; defaultVersion?: number }): number {
	if (defaultVersion !== undefined) return defaultVersion;
	return [version ?? 1].flat().at(-1)!;
}

const PARTS_OF_AN_ITEM = new Set(['json', 'binary', 'pairedItem', 'error']);

function toItem(item: IDataObject | INodeExecutionData): INodeExecutionData {
	const isItem =
		typeof item.json === 'object' && item.json !== null && Object.keys(item).every((key) => PARTS_OF_AN_ITEM.has(key));
	return isItem ? (item as INodeExecutionData) : { json: item };
}
