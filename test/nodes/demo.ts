import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { type NodeRun, runNode, type RunNodeOptions } from '../support/engine';
import { OUR_PACKAGE } from '../support/engine/nodePackage';
import type { ChaosProxy } from '../support/chaosProxy';

/** The nodes that package.json names, by the type that workflows hold. */
export const allNodeTypes = (
	JSON.parse(readFileSync(join(OUR_PACKAGE, 'package.json'), 'utf8')) as { n8n: { nodes: string[] } }
).n8n.nodes
	.map((path) => /(\w)(\w+)\.node\.js$/.exec(path)!.slice(1))
	.map(([first = '', rest = '']) => first.toLowerCase() + rest);

/** Those that are given items. */
export const nodeTypes = allNodeTypes.filter((type) => !type.endsWith('Trigger'));

export const demoKey = 'demo-key';

/** The credential of the embedded API node's service `demo`, unless told otherwise. */
export const credentialFor = (url: string, fields: IDataObject = {}) => ({
	dataikuApiNodeApi: { url, serviceId: 'demo', authentication: 'apiKey', apiKey: demoKey, ...fields },
});

/** An endpoint as the editor saves it. */
export const endpoint = (value: string) => ({ __rl: true, mode: 'id', value });

interface Scenario extends Omit<RunNodeOptions, 'type'> {
	/** Of the API node, or of a proxy before it. */
	url: string;
	endpointId?: string;
	options?: IDataObject;
}

/** The output that holds a result as the API node gave it, where the default does not: what most tests look at. */
const untouched: Record<string, IDataObject> = {
	dataikuPredict: { output: 'withInput' },
	dataikuPredictEffect: { output: 'withInput' },
	dataikuForecast: { output: 'perStep' },
};

/** Reading the document is a request, too, and others than the tests of it count theirs. */
const unchecked = { checkFeatures: 'off' };

/** Runs a node with the credential of the demo service. */
export async function run(type: string, scenario: Scenario): Promise<NodeRun> {
	const { url, endpointId = callOf(type).endpointId, options = {}, parameters, ...rest } = scenario;
	return await runNode({
		type,
		parameters: {
			endpointId: endpoint(endpointId),
			options: { ...unchecked, ...options },
			...untouched[type],
			...parameters,
		},
		credentials: credentialFor(url),
		...rest,
	});
}

export const jsonOf = (items: INodeExecutionData[]) => items.map(({ json }) => json);

/** The input item that each output item is paired with. */
export const pairsOf = (items: INodeExecutionData[]) => items.map(({ pairedItem }) => pairedItem);

/** The requests that a proxy saw: path without `/public/api/v1`, and body. */
export const wire = (proxy: ChaosProxy) =>
	proxy.requests.map(({ path, body }) => ({
		path: path.replace('/public/api/v1/', ''),
		body: JSON.parse(body) as IDataObject,
	}));

/** How to call a node's example endpoint. */
export interface Call {
	endpointId: string;
	parameters?: IDataObject;
	/** Items that make one result together; different for each `n`. */
	unit: (n: number) => IDataObject[];
	/** The same, refused by the API node. */
	bad: IDataObject[];
	/** An answer that lacks a result, where the API has results to count. */
	short?: IDataObject;
	/** Requests are one per item. */
	single?: true;
	/** Any body is an answer. */
	anyAnswer?: true;
}

const day = (n: number) => new Date(Date.UTC(2024, 4, 1 + n)).toISOString().slice(0, 10);

/** Two weeks of sales of a store, and whether there is a promotion in the week after. */
export function storeHistory(store: string | number, days = 14): IDataObject[] {
	const past = Array.from({ length: days }, (_, n) => ({
		date: day(n),
		store,
		sales: 100 + 10 * (n % 7),
		promo: 0,
	}));
	const future = Array.from({ length: 7 }, (_, n) => ({ date: day(days + n), store, promo: n % 2 }));
	return [...past, ...future];
}

const calls: Record<string, Call> = {
	dataikuPredict: {
		endpointId: 'fraud',
		unit: (n) => [{ amount: 10 + n, country: 'FR' }],
		bad: [{ amount: 'much' }],
		short: { results: [] },
	},
	dataikuPredictEffect: {
		endpointId: 'coupon_effect',
		unit: (n) => [{ age: 20 + n, visits: 6, basket: 38.5, loyalty: 'silver' }],
		bad: [{ age: 'old' }],
		short: { results: [] },
	},
	dataikuWhatIf: {
		endpointId: 'fraud',
		// Reached as it is, so that nothing but the record is sent.
		parameters: { goal: 'class', goalClass: 'legitimate' },
		unit: (n) => [{ amount: 10 + n, country: 'FR' }],
		bad: [{ amount: 'much' }],
		short: { results: [] },
	},
	dataikuLookup: {
		endpointId: 'known_customer',
		unit: (n) => [{ customer_id: `C00${1 + (n % 6)}` }],
		bad: [{ customer: 'C001' }],
		short: { results: [] },
	},
	dataikuForecast: {
		endpointId: 'store_sales',
		parameters: { identifierColumns: 'store' },
		unit: (n) => storeHistory(`Store ${n}`),
		bad: [{ date: day(0), store: 'Without a past', promo: 0 }],
		short: { results: [] },
	},
	dataikuSqlQuery: {
		endpointId: 'customer_transactions',
		unit: (n) => [{ customer_id: `C00${1 + (n % 6)}`, min_amount: 195 }],
		bad: [{ customer_id: 'C001' }],
		single: true,
	},
	dataikuRunFunction: {
		endpointId: 'add',
		unit: (n) => [{ a: n, b: 1 }],
		bad: [{ a: 1 }],
		single: true,
		anyAnswer: true,
	},
};

export function callOf(type: string): Call {
	const call = calls[type];
	if (!call) throw new Error(`There is no example call for ${type}: add one`);
	return call;
}
