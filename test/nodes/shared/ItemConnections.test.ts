import type { ICredentialDataDecryptedObject, IDataObject } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, type ChaosRequest } from '../../support/chaosProxy';
import { loadOptions, storedCredentials } from '../../support/engine';
import { callOf, credentialFor, demoKey, endpoint, jsonOf, nodeTypes, pairsOf, run } from '../demo';

let node: ApiNode;
beforeAll(async () => void (node = await startApiNode()));
afterAll(async () => await node.close());

/** An API node that serves the demo's endpoints to every service and key. */
async function open(): Promise<ChaosProxy> {
	return await chaosProxy({
		respond: async ({ method, path, body }) => {
			const url = node.url + path.replace(/(\/public\/api\/v1\/)[^/]+/, '$1demo');
			const authorization = `Basic ${Buffer.from(`${demoKey}:`).toString('base64')}`;
			const headers = { authorization, 'content-type': 'application/json' };
			const response = await fetch(url, { method, headers, ...(method === 'POST' && { body }) });
			return { status: response.status, body: (await response.json()) as object };
		},
	});
}

let a: ChaosProxy;
let b: ChaosProxy;
beforeEach(async () => void ([a, b] = [await open(), await open()]));
afterEach(async () => await Promise.all([a.close(), b.close()]));

const calls = ({ requests }: ChaosProxy) => requests.filter(({ method }) => method === 'POST');
const keyOf = ({ headers }: ChaosRequest) => {
	const [scheme, value = ''] = (headers.authorization ?? '').split(' ');
	return scheme === 'Basic' ? Buffer.from(value, 'base64').toString().slice(0, -1) : value;
};
const serviceOf = ({ path }: ChaosRequest) => path.split('/')[4];

/** Each item of a unit with these additional fields, which no record uses. */
const unitWith = (type: string, n: number, fields: IDataObject) =>
	callOf(type)
		.unit(n)
		.map((item) => ({ ...item, ...fields }));

/** What records are made of: the fields that an endpoint knows. */
const chosen = (type: string) => {
	const names = [...new Set(callOf(type).unit(0).flatMap(Object.keys))];
	return { recordSource: 'inputItem', include: 'selected', includeFields: names.join(', ') };
};

const runBoth = async (
	type: string,
	fields: IDataObject[],
	credential: IDataObject,
	more: Partial<Parameters<typeof run>[1]> = {},
) =>
	await run(type, {
		url: a.url,
		items: fields.flatMap((each, n) => unitWith(type, n, each)),
		credentials: credentialFor(a.url, credential),
		...more,
		parameters: { ...callOf(type).parameters, ...chosen(type), ...more.parameters },
	});

describe.each(nodeTypes)('%s', (type) => {
	it('sends each item with its own key to its own service and server when the credential has expressions', async () => {
		const fields = [
			{ key: 'key-of-a', service: 'service_a', server: a.url },
			{ key: 'key-of-b', service: 'service_b', server: b.url },
			{ key: 'key-of-c', service: 'service_a', server: a.url },
		];
		const { error, output } = await runBoth(type, fields, {
			url: '={{ $json.server }}',
			serviceId: '={{ $json.service }}',
			apiKey: '={{ $json.key }}',
		});

		expect(error).toBeUndefined();
		const seen = (proxy: ChaosProxy) =>
			[...new Set(calls(proxy).map((request) => `${keyOf(request)} ${serviceOf(request)}`))].sort();
		expect(seen(a)).toEqual(['key-of-a service_a', 'key-of-c service_a']);
		expect(seen(b)).toEqual(['key-of-b service_b']);
		expect(pairsOf(output)).not.toHaveLength(0);
	});

	it('fails only the items whose key is empty, and sends nothing for them', async () => {
		const fields = [{ key: 'key-of-a' }, {}, { key: 'key-of-c' }];
		const { error, output } = await runBoth(
			type,
			fields,
			{ apiKey: '={{ $json.key }}' },
			{ onError: 'continueRegularOutput' },
		);

		expect(error).toBeUndefined();
		const failed = jsonOf(output).filter((json) => json.error);
		expect(failed).toHaveLength(callOf(type).unit(1).length);
		for (const json of failed) expect(json.error).toMatch(/^The API key is empty\b/);
		expect(output.length).toBeGreaterThan(failed.length);
		expect([...new Set(calls(a).map(keyOf))].sort()).toEqual(['key-of-a', 'key-of-c']);
	});

	it('reads the credential only once for many items when it has no expression', async () => {
		const counts = async (items: number) => {
			const store = await storedCredentials(credentialFor(a.url));
			const read = jest.spyOn(store, 'getDecrypted');
			const all = Array.from({ length: items }, (_, n) => unitWith(type, n, {})).flat();
			const { error } = await run(type, {
				url: a.url,
				items: all,
				credentials: store,
				parameters: callOf(type).parameters,
			});
			expect(error).toBeUndefined();
			return read.mock.calls.length;
		};
		expect(await counts(30)).toBe(await counts(2));
	});
});

/** Predict, as the node that shows most about batches. */
const predict = async (items: IDataObject[], credential: IDataObject, more: Partial<Parameters<typeof run>[1]> = {}) =>
	await run('dataikuPredict', {
		url: a.url,
		items,
		credentials: credentialFor(a.url, credential),
		...more,
		parameters: { ...chosen('dataikuPredict'), ...more.parameters },
	});
const item = (amount: number, fields: IDataObject = {}) => ({ amount, country: 'FR', ...fields });
const amountsIn = ({ body }: ChaosRequest) =>
	(JSON.parse(body) as { items: Array<{ features: { amount: number } }> }).items.map(({ features }) => features.amount);

describe('Items', () => {
	it('share a request when their credentials resolve to the same values, and keep their order and pairing', async () => {
		const items = ['x', 'y', 'x', undefined, 'y'].map((key, n) => item(n, { key }));
		const { output } = await predict(items, { apiKey: "={{ $json.key || 'x' }}" });

		expect(calls(a).map((request) => [keyOf(request), amountsIn(request)])).toEqual([
			['x', [0, 2, 3]],
			['y', [1, 4]],
		]);
		expect(jsonOf(output).map(({ amount }) => amount)).toEqual([0, 1, 2, 3, 4]);
		expect(pairsOf(output)).toEqual(items.map((_, n) => ({ item: n })));
	});

	it.each([
		['a number', 4711, '4711'],
		['a text with spaces around it', '  k  ', 'k'],
		['a text that looks like an expression', '={{ 1 }}', '={{ 1 }}'],
	])('are sent with the key of %s', async (_name, key, sent) => {
		const { error } = await predict([item(1, { key }), item(2, { key })], { apiKey: '={{ $json.key }}' });
		expect(error).toBeUndefined();
		expect(calls(a).map(keyOf)).toEqual([sent]);
	});

	it.each([
		['the URL', 'url', 'nowhere', /The API node's URL must look like/],
		['the URL', 'url', '', /The API node's URL is missing/],
		['the service ID', 'serviceId', '', /service/],
		['the key', 'apiKey', { not: 'a text' }, /'apiKey' is an object, not text/],
		['the key', 'apiKey', null, /The API key is empty/],
		['the method', 'authentication', 'basic', /"Authentication" must be one of/],
		['the certificate', 'cert', 'no certificate', /certificate/i],
	])('fail alone when %s is invalid', async (_name, field, wrong, words) => {
		const good: IDataObject = { url: a.url, serviceId: 'demo', apiKey: 'k', authentication: 'apiKey', cert: '' };
		const items = [item(1, { value: good[field] }), item(2, { value: wrong }), item(3, { value: good[field] })];
		const { error, output } = await predict(
			items,
			{ ...good, [field]: '={{ $json.value }}' },
			{ onError: 'continueRegularOutput' },
		);

		expect(error).toBeUndefined();
		expect(jsonOf(output).map((json) => json.error)).toEqual([undefined, expect.stringMatching(words), undefined]);
		expect(calls(a).map(amountsIn)).toEqual([[1, 3]]);
		expect(b.requests).toEqual([]);
	});

	it('stop the node with an error that names the item when one of them has no key', async () => {
		const { error, output } = await predict([item(1, { key: 'k' }), item(2)], { apiKey: '={{ $json.key }}' });
		expect(output).toEqual([]);
		expect(error).toMatchObject({ message: "The API key is empty (item 1, endpoint 'fraud')" });
	});

	it('authenticate in the way that the credential selects', async () => {
		const items = [item(1, { method: 'none' }), item(2, { method: 'bearerToken' }), item(3, { method: 'apiKey' })];
		const { error } = await predict(items, {
			authentication: '={{ $json.method }}',
			apiKey: 'the-key',
			bearerToken: 'a-token',
		});
		expect(error).toBeUndefined();
		expect(Object.fromEntries(calls(a).map((request) => [amountsIn(request)[0], keyOf(request)]))).toEqual({
			1: '',
			2: 'a-token',
			3: 'the-key',
		});
	});

	it('respect Max Concurrency at one server, however many keys there are', async () => {
		a.setFault(() => ({ kind: 'delay', ms: 20 }));
		const items = Array.from({ length: 40 }, (_, n) => item(n, { key: `key-${n}` }));
		const { error } = await predict(
			items,
			{ apiKey: '={{ $json.key }}' },
			{ parameters: { options: { maxConcurrency: 2, checkFeatures: 'off' } } },
		);
		expect(error).toBeUndefined();
		expect(calls(a).map(keyOf).sort()).toEqual(items.map((_, n) => `key-${n}`).sort());
		expect(Math.max(...a.requests.map(({ outstanding }) => outstanding))).toBeLessThanOrEqual(2);
	});

	it('share connections to one server, whatever their keys', async () => {
		const items = Array.from({ length: 20 }, (_, n) => item(n, { key: `key-${n}` }));
		await predict(
			items,
			{ apiKey: '={{ $json.key }}' },
			{ parameters: { options: { maxConcurrency: 1, checkFeatures: 'off' } } },
		);
		expect(a.connections).toBe(1);
	});

	it('are checked against the document of their own service', async () => {
		const documentOf = (required: string) => ({
			swagger: '2.0',
			paths: {
				'/fraud/predict': {
					post: {
						parameters: [
							{
								in: 'body',
								schema: {
									properties: {
										features: {
											required: [required],
											properties: { [required]: { type: 'number' }, amount: { type: 'number' } },
										},
									},
								},
							},
						],
					},
				},
			},
		});
		const items = [item(1, { openApi: documentOf('amount') }), item(2, { openApi: documentOf('rating') })];
		const { output } = await predict(
			items,
			{ openApiFrom: 'text', openApi: '={{ $json.openApi }}' },
			{ onError: 'continueRegularOutput', parameters: { options: { checkFeatures: 'error' } } },
		);
		expect(jsonOf(output).map((json) => json.error)).toEqual([undefined, expect.stringMatching(/rating/)]);
		expect(calls(a).map(amountsIn)).toEqual([[1]]);
	});

	it("read the document with each item's own key", async () => {
		const items = [item(1, { key: 'key-of-a', server: a.url }), item(2, { key: 'key-of-b', server: b.url })];
		await predict(
			items,
			{ url: '={{ $json.server }}', apiKey: '={{ $json.key }}' },
			{ parameters: { options: { checkFeatures: 'error' } } },
		);
		const readers = (proxy: ChaosProxy) => proxy.requests.filter(({ path }) => path.endsWith('/swagger')).map(keyOf);
		expect([readers(a), readers(b)]).toEqual([['key-of-a'], ['key-of-b']]);
	});

	it('accept the URL of an endpoint on their own server', async () => {
		const url = (proxy: ChaosProxy) => `${proxy.url}/public/api/v1/demo/fraud/predict`;
		const items = [item(1, { server: a.url }), item(2, { server: b.url })];
		const { output } = await predict(
			items,
			{ url: '={{ $json.server }}' },
			{
				onError: 'continueRegularOutput',
				parameters: { endpointId: { __rl: true, mode: 'url', value: url(a) } },
			},
		);
		expect(jsonOf(output).map((json) => json.error)).toEqual([undefined, expect.stringMatching(/The URL points to/)]);
		expect([calls(a).length, b.requests.length]).toEqual([1, 0]);
	});
});

describe('The credential', () => {
	const reads = async (fields: IDataObject, items: number) => {
		const store = await storedCredentials(credentialFor(a.url, fields));
		const read = jest.spyOn(store, 'getDecrypted');
		const { error } = await run('dataikuPredict', {
			url: a.url,
			items: Array.from({ length: items }, (_, n) => item(n)),
			credentials: store,
		});
		expect(error).toBeUndefined();
		return read.mock.calls.length;
	};

	it('is read once when its expressions have the same value for all items', async () => {
		expect(await reads({ apiKey: "={{ $vars.none ?? $self['serviceId'] }}" }, 50)).toBe(2);
	});

	it('is read for each item when it may contain an expression', async () => {
		const store = await storedCredentials(credentialFor(a.url, { apiKey: '={{ $json.key }}' }));
		const read = store.getDecrypted.bind(store);
		jest.spyOn(store, 'getDecrypted').mockImplementation(async (...args) => {
			if (args[5]) throw new Error('This n8n shows no raw credential');
			return await read(...args);
		});
		const items = [item(1, { key: 'one' }), item(2, { key: 'two' })];
		const { error } = await predict(items, {}, { credentials: store });
		expect(error).toBeUndefined();
		expect(calls(a).map(keyOf).sort()).toEqual(['one', 'two']);
	});
});

describe('The authentication of the node', () => {
	const oAuth2 = (fields: IDataObject = {}): ICredentialDataDecryptedObject => ({
		url: b.url,
		serviceId: 'service_b',
		grantType: 'clientCredentials',
		clientId: 'c',
		clientSecret: 's',
		accessTokenUrl: `${b.url}/token`,
		oauthTokenData: { access_token: 'the-token', token_type: 'bearer' },
		...(fields as ICredentialDataDecryptedObject),
	});
	const by = (fields: IDataObject = {}) => ({
		credentials: { ...credentialFor(a.url), dataikuApiNodeOAuth2Api: oAuth2(fields) },
		parameters: { authentication: '={{ $json.by }}', ...chosen('dataikuPredict') },
	});

	it('sends each item with the credential that its expression names', async () => {
		const items = [item(1, { by: 'apiKey' }), item(2, { by: 'oAuth2' }), item(3, { by: 'apiKey' })];
		const { error } = await predict(items, {}, by());
		expect(error).toBeUndefined();
		expect(calls(a).map((request) => [keyOf(request), amountsIn(request)])).toEqual([[demoKey, [1, 3]]]);
		expect(calls(b).map((request) => [keyOf(request), amountsIn(request)])).toEqual([['the-token', [2]]]);
	});

	it('fails only the items with an invalid authentication', async () => {
		const items = [item(1, { by: 'apiKey' }), item(2, { by: 'password' })];
		const { output } = await predict(items, {}, { ...by(), onError: 'continueRegularOutput' });
		expect(jsonOf(output).map((json) => json.error)).toEqual([
			undefined,
			expect.stringContaining('"Authentication" must be one of apiKey, oAuth2'),
		]);
	});

	it('sends a token to the URL and service of each item', async () => {
		const items = [
			item(1, { by: 'oAuth2', server: a.url, service: 'service_a' }),
			item(2, { by: 'oAuth2', server: b.url, service: 'service_b' }),
		];
		const { error } = await predict(items, {}, by({ url: '={{ $json.server }}', serviceId: '={{ $json.service }}' }));
		expect(error).toBeUndefined();
		const seen = (proxy: ChaosProxy) => calls(proxy).map((each) => [keyOf(each), serviceOf(each), amountsIn(each)]);
		expect(seen(a)).toEqual([['the-token', 'service_a', [1]]]);
		expect(seen(b)).toEqual([['the-token', 'service_b', [2]]]);
	});

	it.each(['clientId', 'clientSecret', 'accessTokenUrl'])(
		'fails before anything is sent when an expression in %s of OAuth2 depends on the item',
		async (field) => {
			const { error } = await predict(
				[item(1)],
				{},
				{
					credentials: { dataikuApiNodeOAuth2Api: oAuth2({ [field]: '={{ $json.value }}' }) },
					parameters: { authentication: 'oAuth2' },
				},
			);
			expect(error?.message).toContain(`The OAuth2 credential uses an expression in "${field}"`);
			expect([...a.requests, ...b.requests]).toEqual([]);
		},
	);
});

describe('The editor, which has no item', () => {
	const ask = async <Kind extends 'listSearch' | 'resourceMapping'>(
		kind: Kind,
		credential: IDataObject,
		parameters = {},
	) =>
		await loadOptions({
			type: 'dataikuPredict',
			kind,
			method: kind === 'listSearch' ? 'searchEndpoints' : 'getFields',
			credentials: credentialFor(a.url, credential),
			parameters: { endpointId: endpoint('fraud'), ...parameters },
		});

	it.each(['url', 'serviceId', 'apiKey'])(
		'names the field when the expression of the %s needs an item',
		async (field) => {
			const credential = { [field]: '={{ $json.value }}' };
			await expect(ask('listSearch', credential)).rejects.toThrow(
				`An expression in the credential's "${field}" needs an input item`,
			);
			expect(await ask('resourceMapping', credential)).toMatchObject({
				fields: [],
				emptyFieldsNotice: expect.stringContaining(`An expression in the credential's "${field}" needs an input item`),
			});
			expect(a.requests).toEqual([]);
		},
	);

	it('reports an authentication whose expression needs an item', async () => {
		await expect(ask('listSearch', {}, { authentication: '={{ $json.by }}' })).rejects.toThrow(
			`An expression in the node's "Connect Using" needs an input item`,
		);
	});

	it('lists endpoints when no expression needs an item', async () => {
		const { results } = await ask('listSearch', { serviceId: "={{ 'demo' }}" });
		expect(results.map(({ value }) => value)).toContain('fraud');
	});
});
