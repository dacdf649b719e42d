import type { IDataObject, INode, IRun } from 'n8n-workflow';
import type { Demo } from '../../demo/demo';
import { N8n } from '../../demo/n8n/n8n';
import { N8nRest } from '../../demo/n8n/rest';

/** What the tests need of the n8n that the set-up started: test files share nothing with it but the environment. */
type Shared = Pick<Demo, 'installation' | 'owner'> & {
	url: string;
	apiNodeUrl: string;
	cookie: string;
	userFolder: string;
};

export function shareDemo({
	n8n,
	rest,
	apiNode,
	installation,
	owner,
	userFolder,
}: Demo & { userFolder: string }): void {
	const shared: Shared = {
		url: n8n.url,
		apiNodeUrl: apiNode.url,
		installation,
		owner,
		cookie: rest.cookie,
		userFolder,
	};
	process.env.E2E_DEMO = JSON.stringify(shared);
}

export function running() {
	const shared = JSON.parse(process.env.E2E_DEMO ?? '{}') as Shared;
	const { url, installation, cookie, userFolder } = shared;
	return {
		...shared,
		n8n: new N8n({ installation, userFolder, port: Number(new URL(url).port) }),
		// n8n lets nobody sign in more than a few times in a few minutes.
		signIn: async () => new N8nRest(url, installation, cookie),
	};
}

/** A credential for another API node than that of the demo, to be named by a node. */
export async function credentialOf(rest: N8nRest, apiNodeUrl: string): Promise<INode['credentials']> {
	const { id, name } = await rest.call<{ id: string; name: string }>('POST', '/credentials', {
		name: `API node at ${apiNodeUrl}`,
		type: 'dataikuApiNodeApi',
		data: { url: apiNodeUrl, serviceId: 'demo', authentication: 'apiKey', apiKey: 'demo-key' },
	});
	return { dataikuApiNodeApi: { id, name } };
}

/** What a node gave in its only run. */
export function itemsOf({ data }: IRun, node: string, output = 0): IDataObject[] {
	const { error, runData } = data.resultData;
	if (error) throw error;
	return (runData[node]?.[0]?.data?.main?.[output] ?? []).map(({ json }) => json);
}
