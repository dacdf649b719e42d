import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, type Fault } from '../../support/chaosProxy';
import { loadOptions } from '../../support/engine';
import { credentialFor, jsonOf, run } from '../demo';
import { fieldsOf, readings, whenRead } from './served';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => {
	jest.restoreAllMocks();
	await proxy.close();
});

const misspelt = { amuont: 20, country: 'FR' };

/** An execution, of which is told whether the document was there to check with. */
const execute = async (checkFeatures: 'warn' | 'error', fields: IDataObject = {}, options: IDataObject = {}) =>
	await run('dataikuPredict', {
		url: proxy.url,
		items: [misspelt],
		options: { checkFeatures, ...options },
		credentials: credentialFor(proxy.url, fields),
		onError: 'continueRegularOutput',
	});
const isChecked = async (...given: Parameters<typeof execute>) => {
	const { output, hints } = await execute(...given);
	return JSON.stringify([jsonOf(output), hints]).includes('did you mean');
};
const learn = async () => (await fieldsOf('fraud', { url: proxy.url })).fields.map(({ id }) => id);

const later = (ms: number) => {
	const now = performance.now();
	jest.spyOn(performance, 'now').mockImplementation(() => now + ms);
};
const minutes = 60_000;

/** An OpenAPI document of `fraud` with this schema of its features. */
const documentOf = (features: object, more: object = {}) => ({
	swagger: '2.0',
	...more,
	paths: {
		'/fraud/predict': {
			post: {
				parameters: [{ in: 'body', name: 'body', schema: { type: 'object', properties: { features } } }],
			},
		},
	},
});
const pasted = JSON.stringify(documentOf({ properties: { amount: { type: 'number' } } }));

describe('a served document', () => {
	it('is requested once by simultaneous executions, and kept for later ones', async () => {
		const all = await Promise.all(Array.from({ length: 20 }, async () => await isChecked('error')));
		expect(all).toEqual(all.map(() => true));
		for (const mode of ['warn', 'error', 'warn'] as const) expect(await isChecked(mode)).toBe(true);

		expect(readings(proxy)).toEqual(['/public/api/v1/demo/swagger']);
	});

	it('is read again in the background after minutes, while the previous document is used', async () => {
		await learn();
		later(6 * minutes);
		proxy.setFault(whenRead({ kind: 'silent' }));
		const before = proxy.requests.length;

		expect(await isChecked('error')).toBe(true);
		await proxy.requestsArrived(before + 1);
		expect(readings(proxy)).toHaveLength(2);
		expect(await isChecked('warn')).toBe(true);
		expect(readings(proxy)).toHaveLength(2);
	});

	it('stays when a later reading fails', async () => {
		await learn();
		proxy.setFault(whenRead({ kind: 'answer', body: '<html></html>' }));
		expect(await learn()).toEqual([]);

		expect(await isChecked('warn')).toBe(true);
		expect(await isChecked('error')).toBe(true);
	});

	it('is removed when a later read finds that there is none', async () => {
		await learn();
		proxy.setFault(whenRead({ kind: 'answer', status: 404 }));
		await learn();

		expect(await isChecked('error')).toBe(false);
	});

	it.each([401, 403])('is removed when a later read is refused with the status %i', async (status) => {
		await learn();
		proxy.setFault(whenRead({ kind: 'answer', status }));
		await learn();

		expect(await isChecked('error')).toBe(false);
	});

	it('expires after minutes when the wall clock was set back by a day', async () => {
		proxy.setFault(whenRead({ kind: 'answer', status: 404 }));
		expect(await isChecked('error')).toBe(false);
		proxy.setFault(undefined);
		later(6 * minutes);
		const dayBefore = Date.now() - 24 * 60 * minutes;
		jest.spyOn(Date, 'now').mockImplementation(() => dayBefore);

		expect(await isChecked('error')).toBe(true);
	});

	it('is requested again after a while when it could not be read', async () => {
		proxy.setFault(whenRead({ kind: 'answer', body: '<html></html>' }));
		expect(await isChecked('error')).toBe(false);
		expect(await isChecked('error')).toBe(false);
		expect(readings(proxy)).toHaveLength(1);

		proxy.setFault(undefined);
		later(31_000);
		expect(await isChecked('error')).toBe(true);
	});

	it('is not requested again for minutes when it does not exist', async () => {
		proxy.setFault(whenRead({ kind: 'answer', status: 404 }));
		expect(await isChecked('error')).toBe(false);
		proxy.setFault(undefined);
		later(4 * minutes);
		expect(await isChecked('error')).toBe(false);
		expect(readings(proxy)).toHaveLength(1);

		later(2 * minutes);
		expect(await isChecked('error')).toBe(true);
	});

	it('is kept for each service separately', async () => {
		expect(await isChecked('error')).toBe(true);
		await execute('error', {}, { serviceId: 'retail' });

		expect(readings(proxy)).toEqual(['/public/api/v1/demo/swagger', '/public/api/v1/retail/swagger']);
	});
});

describe('a document that one user may read', () => {
	const holders = new Set<string>();
	const type = 'dataikuApiNodeOAuth2Api';
	let node: ApiNode;
	beforeAll(async () => (node = await startApiNode({ acceptsToken: async (token) => holders.has(token) })));
	afterAll(async () => await node.close());
	beforeEach(async () => {
		holders.clear();
		holders.add('hers');
		await proxy.close();
		proxy = await chaosProxy({ upstream: node.url });
	});

	/** What a misspelt record comes to, in the one credential in which each user has their own token. */
	const failed = async (token: string, grantType: string, checkFeatures = 'error') => {
		const { output, error, hints } = await run('dataikuPredict', {
			url: proxy.url,
			items: [misspelt],
			parameters: { authentication: 'oAuth2' },
			credentials: {
				[type]: {
					...{ url: proxy.url, serviceId: 'secured', grantType, clientId: 'n8n', clientSecret: 'secret' },
					...{ accessTokenUrl: 'http://127.0.0.1:9/token', oauthTokenData: { access_token: token } },
				},
			},
			options: { checkFeatures },
			onError: 'continueRegularOutput',
		});
		return JSON.stringify([jsonOf(output), error, hints]);
	};

	it.each(['authorizationCode', 'clientCredentials'])(
		'is not used in a run of another user when both use one credential of the grant %s',
		async (grantType) => {
			expect(await failed('hers', grantType)).toContain('did you mean');
			for (const mode of ['error', 'warn']) {
				const his = await failed('his', grantType, mode);
				expect(his).not.toMatch(/did you mean|Example:|amount/);
			}
			expect(await failed('hers', grantType)).toContain('did you mean');
			expect(readings(proxy).length).toBeGreaterThan(1);
		},
	);

	it('is read once when the same user runs the workflow again', async () => {
		for (let runs = 0; runs < 2; runs++) expect(await failed('hers', 'authorizationCode')).toContain('did you mean');
		expect(readings(proxy)).toHaveLength(1);
	});
});

describe('a pasted document', () => {
	it('takes precedence over the served one, which is not requested', async () => {
		await learn();
		const paste = JSON.stringify(documentOf({ properties: { amuonts: { type: 'number' } } }));
		const { hints } = await execute('warn', { openApiFrom: 'text', openApi: paste });

		expect(hints).toMatchObject([{ message: expect.stringContaining('did you mean `amuonts`?') }]);
		expect(await isChecked('error', { openApiFrom: 'text', openApi: pasted })).toBe(true);
		expect(readings(proxy)).toHaveLength(1);
	});

	it('is used by the first run', async () => {
		expect(await isChecked('warn', { openApiFrom: 'text', openApi: ` ${pasted}\n` })).toBe(true);
		expect(readings(proxy)).toEqual([]);
	});

	it("applies only to the credential's own service", async () => {
		expect(await isChecked('warn', { openApiFrom: 'text', openApi: pasted }, { serviceId: 'demo' })).toBe(true);
		expect(await isChecked('error', { openApiFrom: 'text', openApi: pasted }, { serviceId: 'open' })).toBe(true);
		expect(readings(proxy)).toEqual(['/public/api/v1/open/swagger']);
	});

	it.each([
		['broken', '{"swagger": "2.0", '],
		['no document', '[1, 2]'],
		['a page', '<html></html>'],
	])('does not stop a run when it is %s', async (_name, openApi) => {
		const { output, error } = await execute('warn', { openApiFrom: 'text', openApi });
		expect(error).toBeUndefined();
		expect(jsonOf(output)).toMatchObject([{ result: { prediction: 'legitimate' } }]);
		expect((await execute('error', { openApiFrom: 'text', openApi })).hints).toMatchObject([
			{ message: expect.stringContaining('Features not validated') },
		]);
		expect(readings(proxy)).toEqual([]);
	});
});

const circles = {
	A: { $ref: '#/definitions/B' },
	B: { allOf: [{ $ref: '#/definitions/A' }, { $ref: '#/definitions/B' }] },
};
const padded = JSON.stringify(documentOf({ properties: { amount: {} } }, { info: 'x'.repeat(4 * 2 ** 20) }));

it.each<[string, Fault, string[]?]>([
	['a web page', { kind: 'answer', body: '<html><title>Log in</title></html>' }],
	['broken JSON', { kind: 'answer', body: pasted.slice(0, -9) }],
	['longer than 4 MiB', { kind: 'answer', body: padded }],
	['a body without an end', { kind: 'endless' }],
	['a list', { kind: 'answer', body: '[]' }],
	['without paths', { kind: 'answer', body: { swagger: '2.0', paths: null } }],
	['cut off', { kind: 'reset', when: 'during' }],
	['recursive', { kind: 'answer', body: documentOf({ $ref: '#/definitions/A' }, { definitions: circles }) }],
	['split over several files', { kind: 'answer', body: documentOf({ $ref: 'http://127.0.0.1:9/features.json' }) }],
	[
		'poisoned',
		{
			kind: 'answer',
			body: JSON.stringify(documentOf({ properties: { proto: {}, constructor: {} } })).replace(
				'"proto"',
				'"__proto__"',
			),
		},
		['__proto__', 'constructor'],
	],
])('A document that is %s does not change the results of runs', async (_name, fault, fields = []) => {
	const expected = jsonOf((await run('dataikuPredict', { url: node.url, items: [misspelt] })).output);
	expect(expected).toMatchObject([{ result: { prediction: 'legitimate' } }]);
	proxy.setFault(whenRead(fault));
	expect(await learn()).toEqual(fields);
	const { output, error } = await run('dataikuPredict', {
		url: proxy.url,
		items: [misspelt],
		options: { checkFeatures: 'warn' },
	});

	expect(error).toBeUndefined();
	expect(jsonOf(output)).toEqual(expected);
	expect(Object.keys(Object.prototype)).toEqual([]);
});

it("The editor's list is always read again", async () => {
	const list = async () =>
		(
			await loadOptions({
				type: 'dataikuPredict',
				kind: 'listSearch',
				method: 'searchEndpoints',
				credentials: credentialFor(proxy.url),
			})
		).results.map(({ value }) => value);
	expect(await list()).toContain('fraud');
	proxy.setFault(whenRead({ kind: 'answer', body: { swagger: '2.0', paths: { '/new/predict': { post: {} } } } }));

	expect(await list()).toEqual(['new']);
	expect(readings(proxy)).toHaveLength(2);
});
