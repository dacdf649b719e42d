import { resolve } from 'node:path';
import type { IDataObject, INodeExecutionData } from 'n8n-workflow';
import { chaosProxy, type ChaosProxy } from './chaosProxy';
import { loadOptions, nodePackage, runNode, testCredential, type RunNodeOptions } from './engine';

const packageRoot = resolve(__dirname, 'fixture');
const run = async (does: string, options: Partial<RunNodeOptions> = {}) =>
	await runNode({
		type: 'fixture',
		packageRoot,
		...options,
		parameters: { does, ...options.parameters },
	});
const jsonOf = (items: INodeExecutionData[]) => items.map(({ json }) => json);

describe('runNode', () => {
	it('evaluates an expression for each item, and keeps the pairing', async () => {
		const { output, status, error } = await run('evaluate', {
			parameters: { value: '={{ $json.n * 10 + $itemIndex }} of {{ $("Start").item.json.n }}' },
			items: [{ n: 1 }, { n: 2 }],
		});

		expect({ status, error }).toEqual({ status: 'success', error: undefined });
		expect(output).toEqual([
			{ json: { n: 1, value: '10 of 1' }, pairedItem: { item: 0 } },
			{ json: { n: 2, value: '21 of 2' }, pairedItem: { item: 1 } },
		]);
	});

	it('uses the default when a parameter is left out', async () => {
		expect(jsonOf((await run('evaluate')).output)).toEqual([{ value: 'the default' }]);
	});

	it('takes plain objects and whole items', async () => {
		const binary = { file: { data: 'QQ==', mimeType: 'text/plain' } };
		const { output } = await run('passThrough', {
			items: [
				{ json: { a: 1 }, binary },
				{ json: 'a field', other: true },
			] as IDataObject[],
		});

		expect(output).toMatchObject([{ json: { a: 1 }, binary }, { json: { json: 'a field', other: true } }]);
	});

	it('records the error that stops the node', async () => {
		const { error, output, status, cancelled } = await run('failOddItems', { items: [{ n: 2 }, { n: 3 }] });

		expect(error).toMatchObject({
			name: 'NodeOperationError',
			message: 'Item 1 is odd',
			description: 'It cannot be halved',
			context: { itemIndex: 1 },
		});
		expect({ output, status, cancelled }).toEqual({ output: [], status: 'error', cancelled: false });
	});

	it('leaves failed items among the others with "continueRegularOutput"', async () => {
		const { output, errorOutput, status } = await run('failOddItems', {
			items: [{ n: 2 }, { n: 3 }],
			onError: 'continueRegularOutput',
		});

		expect(jsonOf(output)).toEqual([
			{ n: 2, result: 2 },
			{ error: 'Item 1 is odd', details: { n: 3 } },
		]);
		expect({ errorOutput, status }).toEqual({ errorOutput: [], status: 'success' });
	});

	it('moves failed items with their input to the error output with "continueErrorOutput"', async () => {
		const { output, errorOutput } = await run('failOddItems', {
			items: [{ n: 2 }, { n: 3, more: true }],
			onError: 'continueErrorOutput',
		});

		expect(jsonOf(output)).toEqual([{ n: 2, result: 2 }]);
		expect(errorOutput).toEqual([
			{
				json: { n: 3, more: true, error: 'Item 1 is odd', details: { n: 3 } },
				pairedItem: { item: 1 },
			},
		]);
	});

	it.each<[string, () => Partial<RunNodeOptions>]>([
		['after a delay', () => ({ cancelAfter: 30 })],
		['by a signal', () => ({ signal: AbortSignal.timeout(300) })],
		['by a signal that is already aborted', () => ({ signal: AbortSignal.abort() })],
	])('stops the workflow %s, and the node notices', async (_name, how) => {
		const { cancelled, status, error, output, timing } = await run('waitForCancel', how());

		expect({ cancelled, status, error }).toEqual({ cancelled: true, status: 'canceled', error: undefined });
		expect(jsonOf(output)).toEqual([{ sawCancel: true }]);
		expect(timing.afterCancel).toBeGreaterThan(0);
		expect(timing.afterCancel).toBeLessThanOrEqual(timing.node);
	});

	it('shows hints, and an empty item when "always output data" asks for one', async () => {
		const { hints, output } = await run('hint', { alwaysOutputData: true });

		expect(hints).toMatchObject([{ message: 'Mind the gap' }]);
		expect(jsonOf(output)).toEqual([{}]);
		expect((await run('hint')).output).toEqual([]);
	});

	it('reads and makes binary data', async () => {
		const given = { data: Buffer.from('hello').toString('base64'), mimeType: 'text/plain' };
		const { output } = await run('binary', { items: [{ json: {}, binary: { given } }] });

		const { data } = output[0]?.binary ?? {};
		expect(data).toMatchObject({ fileName: 'made.txt', mimeType: 'text/plain' });
		expect(Buffer.from(data!.data, 'base64').toString()).toBe('hello!');
	});

	it('runs the requested version, or the newest by default', async () => {
		const parameters = { value: '={{ $nodeVersion }}' };
		expect(jsonOf((await run('evaluate', { parameters })).output)).toEqual([{ value: 2 }]);
		expect(jsonOf((await run('evaluate', { parameters, typeVersion: 1 })).output)).toEqual([{ value: 1 }]);
	});

	it('names the credential when the test forgot it', async () => {
		const { error } = await run('credential');
		expect(error?.message).toBe('Node does not require credentials');
	});

	it('uses little processor time for 200,000 items', async () => {
		await run('passThrough');
		const items = Array.from({ length: 200_000 }, (_, n) => ({ n }));
		const before = process.cpuUsage();

		const { output } = await run('passThrough', { items });

		expect(output).toHaveLength(200_000);
		// 0.5 s where it was measured; what grows faster than the items takes far more than these 3 s
		expect(process.cpuUsage(before).user / 1e6).toBeLessThan(3);
	});
});

describe('credentials', () => {
	let server: ChaosProxy;
	beforeEach(async () => {
		server = await chaosProxy({
			respond: ({ body, headers }) => ({
				body: { token_type: 'bearer', access_token: 'renewed', expires_in: 60, key: headers['x-key'], body },
			}),
		});
	});
	afterEach(async () => await server.close());

	it('reach the node decrypted, with the defaults of their type and their expressions resolved', async () => {
		const { output } = await run('credential', {
			items: [{ n: 7 }],
			credentials: { fixtureApi: { key: '=secret-{{ 6 * 7 }}' } },
		});

		expect(jsonOf(output)).toEqual([{ url: 'http://default.example', key: 'secret-42' }]);
	});

	it('authenticate a request of a helper', async () => {
		const { output, error } = await run('authenticated', {
			credentials: { fixtureApi: { url: server.url, key: 'k' } },
		});

		expect(error).toBeUndefined();
		expect(jsonOf(output)).toMatchObject([{ key: 'k' }]);
	});

	it("inherit the fields of OAuth2, and a field that the type hides keeps the type's default", async () => {
		const { output } = await run('credential', {
			parameters: { credential: 'fixtureOAuth2Api' },
			credentials: { fixtureOAuth2Api: { clientId: 'c', grantType: 'pkce', oauthTokenData: { access_token: 't' } } },
		});

		expect(jsonOf(output)).toMatchObject([
			{
				url: 'http://default.example',
				clientId: 'c',
				grantType: 'clientCredentials',
				authentication: 'header',
				oauthTokenData: { access_token: 't' },
			},
		]);
	});

	it.each([
		['missing', {}],
		['there', { oauthTokenData: { access_token: 'old', token_type: 'bearer' } }],
	])('get a new OAuth2 token from the real helper when one is %s, and keep it', async (_name, token) => {
		const { output, credentials, error } = await run('refresh', {
			credentials: {
				fixtureOAuth2Api: {
					clientId: 'c',
					clientSecret: 's',
					accessTokenUrl: `${server.url}/token`,
					...token,
				},
			},
		});

		expect(error).toBeUndefined();
		expect(jsonOf(output)).toEqual([{ token: 'renewed', stored: 'renewed' }]);
		expect(credentials.fixtureOAuth2Api).toMatchObject({ oauthTokenData: { access_token: 'renewed' } });
		expect(server.requests).toMatchObject([{ path: '/token', body: expect.stringContaining('client_credentials') }]);
	});

	it('are tested by their declarative request, with its rules', async () => {
		const test = async () =>
			await testCredential({ type: 'fixtureApi', data: { url: server.url, key: 'k' }, packageRoot });

		expect(await test()).toEqual({ status: 'OK', message: 'Connection successful!' });
		expect(server.requests).toMatchObject([{ path: '/isAlive', headers: { 'x-key': 'k' } }]);

		server.setFault({ kind: 'answer', status: 404 });
		expect(await test()).toEqual({ status: 'Error', message: 'There is no such service' });
		await server.kill();
		expect(await test()).toEqual({ status: 'Error', message: 'ECONNREFUSED' });
	});

	it('of OAuth2 are tested by n8n without a request: a token is enough', async () => {
		const test = async (oauthTokenData: IDataObject) =>
			(await testCredential({ type: 'fixtureOAuth2Api', data: { oauthTokenData }, packageRoot })).status;

		expect(await test({ access_token: 't' })).toBe('OK');
		expect(await test({})).toBe('Error');
	});
});

describe('loadOptions', () => {
	it('calls a list search with the filter, the shown parameters and the credentials', async () => {
		const found = await loadOptions({
			type: 'fixture',
			kind: 'listSearch',
			method: 'find',
			filter: 'churn',
			credentials: { fixtureApi: {} },
			packageRoot,
		});

		expect(found.results).toEqual([{ name: 'the default churn http://default.example', value: 'churn' }]);
	});

	it('calls resource mapping and options', async () => {
		const of = { type: 'fixture', parameters: { value: 'column' }, packageRoot };
		const { fields } = await loadOptions({ ...of, kind: 'resourceMapping', method: 'fields' });
		const options = await loadOptions({ ...of, kind: 'loadOptions', method: 'options' });

		expect(fields).toMatchObject([{ id: 'column' }]);
		expect(options).toEqual([{ name: 'n8n-nodes-fixture.fixture', value: 2 }]);
	});

	it('names the method when it does not exist', async () => {
		await expect(loadOptions({ type: 'fixture', kind: 'listSearch', method: 'lost', packageRoot })).rejects.toThrow(
			'has no method "lost"',
		);
	});
});

describe('nodePackage', () => {
	it('lists the contents of the package and finds a node by its full name', async () => {
		const { name, nodes, credentials, types } = await nodePackage(packageRoot);

		expect(name).toBe('n8n-nodes-fixture');
		expect(nodes.map((node) => node.name)).toEqual(['fixture']);
		expect(credentials.map((credential) => credential.name)).toEqual(['fixtureApi', 'fixtureOAuth2Api']);
		expect(types.getByNameAndVersion('n8n-nodes-fixture.fixture').description.displayName).toBe('Fixture');
	});
});
