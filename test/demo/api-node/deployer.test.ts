import { request } from 'undici';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { basic, read } from './ask';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode({ pathPrefix: '/dss', swagger: false })));
afterAll(async () => await node.close());

const get = async <T = object>(path: string, headers: Record<string, string> = basic('dss-key')) =>
	await read<T>(await request(`${node.url}/public/api/api-deployer/deployments${path}`, { headers }));

test('the list names each deployment with the deployed ID of its service', async () => {
	const { status, body } = await get<Array<{ deploymentBasicInfo: object }>>('');
	expect(status).toBe(200);
	expect(body.map(({ deploymentBasicInfo }) => deploymentBasicInfo)).toContainEqual({
		...{ id: 'retail-on-k8s', infraId: 'k8s', enabled: true },
		...{ publishedServiceId: 'retail_designed', deployedServiceId: 'retail' },
	});
	expect((await get('/retail-on-k8s')).body).toEqual(
		body.find(({ deploymentBasicInfo }) => (deploymentBasicInfo as { id: string }).id === 'retail-on-k8s'),
	);
});

test('the status has a public URL on Kubernetes, and the URL of each API node elsewhere', async () => {
	expect((await get('/demo-on-k8s/status')).body).toMatchObject({ health: 'HEALTHY', publicURL: node.url });
	expect((await get('/demo-on-static/status')).body).toMatchObject({ apiNodes: [{ url: node.url }] });
});

test('the OpenAPI document exists although the API node serves none', async () => {
	const { status, text } = await get('/demo-on-k8s/get-open-api');
	expect(status).toBe(200);
	expect(JSON.parse(text)).toMatchObject({
		swagger: '2.0',
		paths: { '/fraud/predict': expect.any(Object) as object },
	});
});

test.each([
	['no key', '', {}, 401],
	['a key of a service', '/demo-on-k8s', basic('demo-key'), 401],
	['the key as a token', '/demo-on-k8s/status', { authorization: 'Bearer dss-key' }, 401],
	['an unknown deployment', '/nowhere', undefined, 404],
	['the document of an unknown deployment', '/nowhere/get-open-api', undefined, 404],
	['a deployment without documentation', '/demo-undocumented/get-open-api', undefined, 404],
])('it refuses %s', async (_what, path, headers, status) => {
	const refused = await get<{ message: string }>(path, headers);
	expect([refused.status, typeof refused.body.message]).toEqual([status, 'string']);
});
