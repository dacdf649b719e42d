import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy } from '../../support/chaosProxy';
import { loadOptions } from '../../support/engine';
import { credentialFor, nodeTypes } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());

const search = async (
	type: string,
	{ url = node.url, filter, ...fields }: IDataObject & { url?: string; filter?: string } = {},
) => {
	const credentials = credentialFor(url, fields);
	return (await loadOptions({ type, kind: 'listSearch', method: 'searchEndpoints', filter, credentials })).results;
};
const ids = (results: Awaited<ReturnType<typeof search>>) => results.map(({ value }) => value);

const documented: Record<string, string[]> = {
	dataikuPredict: [
		'fraud',
		'fraud_known_customers',
		'fraud_with_rules',
		'house_price',
		'picture_shape',
		'ticket_team',
		'unusual_amount',
	],
	get dataikuWhatIf() {
		return this.dataikuPredict!;
	},
	dataikuPredictEffect: ['coupon_effect'],
	dataikuLookup: ['customer', 'known_customer', 'price'],
	dataikuForecast: ['monthly_visitors', 'store_sales'],
	dataikuSqlQuery: [
		'add_payment',
		'all_transactions',
		'customer_orders',
		'customer_transactions',
		'payments',
		'transfer',
	],
	dataikuRunFunction: [
		'add',
		'chart',
		'echo',
		'failing',
		'nothing',
		'picture',
		'report_text',
		'report_xml',
		'request_header',
		'sequence',
		'status',
		'wait',
	],
};

it.each(nodeTypes)('%s lists the documented endpoints that it can call, each once, in order', async (type) => {
	const results = await search(type);
	expect(ids(results)).toEqual(documented[type]);
	for (const { name, value } of results) expect(name).toMatch(new RegExp(`^${value}: [A-Z].+`));
});

it.each([
	['a part of the id', 'FRAUD', ['fraud', 'fraud_known_customers', 'fraud_with_rules']],
	["a part of the endpoint's summary", 'support ticket', ['ticket_team']],
	['a text that matches nothing', 'no such thing', []],
])('finds by %s', async (_name, filter, expected) => {
	expect(ids(await search('dataikuPredict', { filter }))).toEqual(expected);
});

it("lists the endpoints of the credential's service", async () => {
	expect(ids(await search('dataikuForecast', { serviceId: 'retail', apiKey: 'retail-key' }))).toEqual([
		'monthly_visitors',
		'store_sales',
	]);
	expect(ids(await search('dataikuLookup', { serviceId: 'open', authentication: 'none' }))).toEqual(
		documented.dataikuLookup,
	);
});

it('decodes IDs, and ignores malformed paths', async () => {
	const paths = {
		'/my%20model/predict': { post: { summary: 'Spaced' } },
		'/my%20model/predict-multi': { post: {} },
		'/only-multi/predict-multi': {},
		'/100%/predict': null,
		'/predict': {},
		'/public/api/v1/s/deep/predict': { get: {} },
		'/other/lookup': {},
	};
	const proxy = await chaosProxy({ respond: () => ({ body: { swagger: '2.0', paths } }) });
	try {
		expect(await search('dataikuPredict', { url: proxy.url })).toEqual([
			{ name: '100%', value: '100%' },
			{ name: 'deep', value: 'deep' },
			{ name: 'my model: Spaced', value: 'my model' },
			{ name: 'only-multi', value: 'only-multi' },
		]);
	} finally {
		await proxy.close();
	}
});

describe('explains why there is no list', () => {
	it.each<[string, IDataObject & { url?: string }, RegExp, RegExp | undefined]>([
		[
			'a wrong key',
			{ apiKey: 'my-wrong-key' },
			/could not be read: .* refused the key or token \(401\)/,
			/Check the key/,
		],
		[
			'an unknown service',
			{ serviceId: 'unknown' },
			/^No endpoints found\. Check the Service ID, or enter the endpoint "By ID"/,
			undefined,
		],
		['no service', { serviceId: '' }, /could not be read: The service ID is missing/, undefined],
		[
			'no server',
			{ url: 'http://127.0.0.1:9' },
			/could not be read: 127\.0\.0\.1:9 refused the connection/,
			/Check the URL/,
		],
		['no URL', { url: '' }, /could not be read: The API node's URL is missing/, undefined],
	])('%s', async (_name, fields, message, description) => {
		const failure: unknown = await search('dataikuPredict', fields).catch((error: unknown) => error);
		expect(failure).toBeInstanceOf(Error);
		const { message: said, description: more } = failure as Error & { description?: string };
		expect(said).toMatch(message);
		expect(`${said}${more}`).not.toContain('my-wrong-key');
		if (description) expect(more).toMatch(description);
	});

	it('when the service has no OpenAPI document', async () => {
		const silent = await startApiNode({ swagger: false });
		await expect(search('dataikuPredict', { url: silent.url })).rejects.toThrow(
			/^No endpoints found. Check the Service ID, or enter the endpoint "By ID"$/,
		);
		await silent.close();
	});

	it('when the service has no such endpoint', async () => {
		await expect(search('dataikuPredict', { serviceId: 'retail', apiKey: 'retail-key' })).rejects.toThrow(
			'The OpenAPI document of this service has no endpoint that is a prediction model',
		);
	});

	it('when a page is served in place of the document', async () => {
		const proxy = await chaosProxy({ respond: () => ({ body: '<html><title>Log in</title></html>' }) });
		await expect(search('dataikuPredict', { url: proxy.url })).rejects.toThrow(
			/could not be read: .* responded with a web page/,
		);
		await proxy.close();
	});
});
