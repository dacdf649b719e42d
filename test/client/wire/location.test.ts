import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ApiNodeClient, parseLocations } from '../../../client/internal';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode({ pathPrefix: '/dataiku/api' })));
afterAll(async () => await node.close());

test.each([
	['the URL of an API node', ''],
	['one that ends with slashes', '//'],
	['one up to the API', '/public/api/v1'],
	['one up to the API, with a slash', '/public/api/v1/'],
	['one up to the APIs of all versions', '/public/api'],
	['one up to the APIs of all versions, with slashes', '/public/api//'],
	['one with an invisible character at its end', '\u200b\ufeff'],
	['one with others, and a line break', '/public/api/v1\u2060\u00ad\u00a0\r\n'],
	['one up to a service', '/public/api/v1/retail'],
	['that of an endpoint, as Dataiku shows it', '/public/api/v1/retail/fraud/predict'],
	['one that was pasted with blanks and a line break', '/public/api/v1/retail/fraud/predict \n'],
])('%s is reduced to the API node with its prefix', async (_name, pasted) => {
	const client = new ApiNodeClient({ url: ` ${node.url}${pasted}`, serviceId: 'demo', apiKey: 'demo-key' });
	try {
		expect(await client.runFunction('add', { a: 1, b: 1 })).toMatchObject({ response: 2 });
	} finally {
		await client.destroy();
	}
});

test.each<[string, string, string | undefined]>([
	['https://host:12000/public/api/v1/fraud_service/fraud/predict', '', 'fraud_service'],
	['https://host/a/public/api/v1/two%20words', '/a', 'two words'],
	['https://host/public/api/v1/100%', '', '100%'],
	['https://host/public/api/v1/', '', undefined],
	['https://host/public/api/v1beta/s', '/public/api/v1beta/s', undefined],
])('%s has the prefix %j and names the service %j', (url, prefix, serviceId) => {
	expect(parseLocations(url)).toEqual([expect.objectContaining({ prefix, serviceId })]);
});

test('an instance counts once when its URL is given twice', () => {
	const instances = parseLocations('https://host/a, https://HOST:443/a/, https://host/b, https://host/a/public/api/v1');
	expect(instances.map(({ origin, prefix }) => origin + prefix)).toEqual(['https://host/a', 'https://host/b']);
});

test.each(['?x=1', '#top', 'user:secret@'])(
	'what is wrong with the URL of an endpoint is said of that URL: %s',
	(odd) => {
		const client = new ApiNodeClient({ url: node.url, serviceId: 'demo' });
		const url = `${node.url.replace('//', odd.endsWith('@') ? `//${odd}` : '//')}/public/api/v1/demo/add${odd.endsWith('@') ? '' : odd}`;
		expect(() => client.locate(url)).toThrow(/^The endpoint's URL must look like/);
		expect(() => client.locate(url)).not.toThrow(/secret/);
	},
);
