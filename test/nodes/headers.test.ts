import { inspect } from 'node:util';
import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../demo/api-node';
import { type ChaosProxy, chaosProxy, inOrder } from '../support/chaosProxy';
import { callOf, demoKey, jsonOf, nodeTypes, pairsOf, run } from './demo';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

/** The option as the editor saves it. */
const headers = (...rows: Array<[name: string, value: unknown]>) => ({
	headers: { header: rows.map(([name, value]) => ({ name, value })) } as IDataObject,
});

/** Of each request, a header and the number of times that it was sent. */
const sentValues = (name: string) => {
	const counts: Record<string, number> = {};
	for (const { headers: sent } of proxy.requests) counts[String(sent[name])] = (counts[String(sent[name])] ?? 0) + 1;
	return counts;
};

describe.each(nodeTypes)('%s', (type) => {
	const { unit, parameters: own, single } = callOf(type);
	const scenario = (items: IDataObject[], options: IDataObject, output?: string) => ({
		url: proxy.url,
		items,
		options,
		parameters: { ...own, ...(output && { output }) },
	});

	it('sends the headers together with the key, and leaves out rows without a name', async () => {
		const given = headers(['X-Tenant', 'acme'], ['', 'no name'], [' ', ''], ['x-count', '={{ 7 }}']);
		const { error } = await run(type, scenario(unit(0), given));

		expect(error).toBeUndefined();
		const authorization = `Basic ${Buffer.from(`${demoKey}:`).toString('base64')}`;
		expect(proxy.requests.map((request) => request.headers)).toEqual([
			expect.objectContaining({ 'x-tenant': 'acme', 'x-count': '7', authorization }),
		]);
		expect(Object.values(proxy.requests[0]!.headers)).not.toContain('no name');
	});

	it('sends items with different headers in different requests, and gives each item its own response', async () => {
		const units = [0, 1, 2, 3].map((n) => unit(n).map((item) => ({ ...item, tenant: n % 2 ? 'odd' : 'even' })));
		const scenarioOf = (options: IDataObject) => ({
			...scenario(units.flat(), options),
			parameters: { ...own, recordSource: 'inputItem', include: 'except', excludeFields: 'tenant' },
		});
		const apart = await run(type, scenarioOf(headers(['X-Tenant', '={{ $json.tenant }}'])));
		const values = sentValues('x-tenant');
		const together = await run(type, scenarioOf({}));

		expect(apart.error).toBeUndefined();
		expect(values).toEqual(single ? { even: 2, odd: 2 } : { even: 1, odd: 1 });
		expect(jsonOf(apart.output)).toEqual(expect.arrayContaining(jsonOf(together.output)));
		expect(pairsOf(apart.output)).toEqual(pairsOf(together.output));
	});

	it('sends the headers again when a request is retried', async () => {
		proxy.setFault(inOrder({ kind: 'answer', status: 503 }));
		const { error } = await run(type, scenario(unit(0), { ...headers(['X-Tenant', 'acme']), repeatable: true }));
		expect(error).toBeUndefined();
		expect(sentValues('x-tenant')).toEqual({ acme: 2 });
	});

	it.each<[string, string, string]>([
		['Authorization', 'Bearer other', 'authentication is set in the credential'],
		['Content-Length', '0', 'the client sets this header'],
		['X-Tenant', 'a\r\nauthorization: Bearer other', 'its value must be a single line'],
		['X Tenant', 'a', 'its name can contain letters, digits, hyphens and some other characters, but no spaces'],
	])('fails only the item that has %j', async (name, value, reason) => {
		const units = [unit(0), unit(1).map((item) => ({ ...item, name, value })), unit(2)];
		const { output } = await run(type, {
			...scenario(units.flat(), headers(['={{ $json.name || "X-Fine" }}', '={{ $json.value || "yes" }}'])),
			parameters: { ...own, recordSource: 'inputItem', include: 'except', excludeFields: 'name, value' },
			onError: 'continueRegularOutput',
		});

		const failed = output.filter(({ json }) => 'error' in json);
		expect(failed).toHaveLength(units[1]!.length);
		for (const { json } of failed) {
			expect(json.error).toContain(`The header "${name}" cannot be sent: ${reason}`);
			expect(json.error).not.toContain('Bearer other');
		}
		expect(output.length).toBeGreaterThan(failed.length);
		expect(sentValues('x-fine')).toEqual({ yes: single ? 2 : 1 });
	});

	it('fails when a header is given twice', async () => {
		for (const twice of ['X-Tenant', 'x-tenant']) {
			const { error } = await run(type, scenario(unit(0), headers(['X-Tenant', 'a'], [twice, 'b'])));
			expect(error?.message).toContain(`The header "${twice}" cannot be sent: it appears twice`);
		}
		expect(proxy.requests).toEqual([]);
	});

	it('shows no header value when a server echoes it', async () => {
		proxy.setFault(({ headers: sent }) => ({
			kind: 'answer',
			status: 400,
			body: { errorType: 'Odd', message: `Refused with ${sent['x-function-key'] as string}` },
		}));
		const options = headers(['X-Function-Key', '={{ "s3cr3t" + "-of-the-function" }}']);
		const stopped = await run(type, scenario(unit(0), options));
		const continued = await run(type, { ...scenario(unit(0), options), onError: 'continueRegularOutput' });

		expect(stopped.error?.message).toContain('Refused with ***');
		for (const shown of [{ ...stopped, error: { ...stopped.error, node: undefined } }, continued.output]) {
			expect(inspect(shown, { depth: 9 })).not.toContain('s3cr3t-of-the-function');
		}
	});

	it('outputs the response headers only in the full response', async () => {
		proxy.setFault(async (request) => {
			const answer = await fetch(node.url + request.path, {
				method: 'POST',
				body: request.body,
				headers: { authorization: request.headers.authorization! },
			});
			const echoed = { 'X-Echo': request.headers.authorization, 'X-Tenant': request.headers['x-tenant'] };
			return {
				kind: 'answer',
				headers: { ...echoed, 'content-type': 'application/json', 'set-cookie': 'session=1', 'X-N': ['a', 'b'] },
				body: await answer.text(),
			};
		});
		const items = [...unit(0).map((item) => ({ ...item, tenant: 'acme' })), ...unit(1)];
		const outputOf = async (output?: string) => {
			const made = await run(type, {
				...scenario(items, headers(['X-Tenant', '={{ $json.tenant || "other" }}'])),
				parameters: {
					...own,
					recordSource: 'inputItem',
					include: 'except',
					excludeFields: 'tenant',
					...(output && { output }),
				},
			});
			expect(made.error).toBeUndefined();
			return jsonOf(made.output);
		};
		const full = await outputOf('fullResponse');

		expect(full.map((json) => json.headers)).toEqual(
			['acme', 'other'].map((tenant) => ({
				...(full[0]!.headers as IDataObject),
				date: expect.any(String) as string,
				'content-type': 'application/json',
				'content-length': expect.any(String) as string,
				'x-tenant': tenant,
				'x-n': 'a, b',
			})),
		);
		for (const { headers: shown } of full) {
			expect(Object.keys(shown as IDataObject)).not.toContain('set-cookie');
			expect(Object.keys(shown as IDataObject)).not.toContain('x-echo');
		}
		expect(JSON.stringify(await outputOf())).not.toContain('x-n');
	});
});

it.each(['dataikuPredict', 'dataikuForecast'])(
	'%s outputs them only for the items whose expression says so',
	async (type) => {
		const { unit, parameters } = callOf(type);
		const output = type === 'dataikuPredict' ? 'resultOnly' : 'perStep';
		const { output: made } = await run(type, {
			url: proxy.url,
			items: [...unit(0), ...unit(1)],
			parameters: { ...parameters, output: `={{ $itemIndex < ${unit(0).length} ? '${output}' : 'fullResponse' }}` },
		});
		const [full, ...others] = jsonOf(made).reverse();
		expect(full!.headers).toMatchObject({ 'dss-version': '14.3.3' });
		for (const json of others) expect(json).not.toHaveProperty('headers');
	},
);

it('a series is not forecast when the header of one of its rows cannot be sent', async () => {
	const { unit, parameters } = callOf('dataikuForecast');
	const items = [...unit(0).map((item, n) => ({ ...item, tenant: n === 3 ? 'two\nlines' : 'acme' })), ...unit(1)];
	const { output } = await run('dataikuForecast', {
		url: proxy.url,
		items,
		options: headers(['X-Tenant', '={{ $json.tenant || "acme" }}']),
		parameters: { ...parameters, recordSource: 'inputItem', include: 'except', excludeFields: 'tenant' },
		onError: 'continueRegularOutput',
	});

	const failed = output.filter(({ json }) => 'error' in json);
	expect(failed.map(({ json }) => String(json.error))).toEqual([
		expect.stringContaining('The header "X-Tenant" cannot be sent: its value must be a single line'),
		expect.stringContaining('Item 3 of this series could not be read'),
	]);
	expect(new Set(jsonOf(output.filter((item) => !failed.includes(item))).map(({ store }) => store))).toEqual(
		new Set(['Store 1']),
	);
});

it('a function reads a header of its request and sets headers of its response', async () => {
	const read = await run('dataikuRunFunction', {
		url: node.url,
		endpointId: 'request_header',
		items: [{ name: 'X-Tenant' }],
		options: headers(['X-Tenant', 'acme']),
		parameters: { output: 'resultOnly' },
	});
	expect(jsonOf(read.output)).toEqual([{ result: 'acme' }]);

	const set = await run('dataikuRunFunction', {
		url: node.url,
		endpointId: 'status',
		items: [{ status: 201, body: { ok: true, headers: 'its own' }, headers: { 'X-Tenant': 'acme' } }],
		parameters: { output: 'fullResponse' },
	});
	expect(jsonOf(set.output)).toEqual([
		{
			result: { ok: true, headers: 'its own' },
			headers: expect.objectContaining({ 'x-tenant': 'acme', 'dss-version': '14.3.3' }) as object,
		},
	]);
});

describe('headers that n8n reduces to no rows', () => {
	const rows = "[{ name: 'X-Tenant', value: 'acme' }]";
	it.each<[string, unknown]>([
		['the option is one expression', `={{ ({ header: ${rows} }) }}`],
		['the rows are one expression', { header: `={{ ${rows} }}` }],
		['the expression returns nothing', { header: '={{ $json.none }}' }],
		['no row was added', {}],
		['no row has a name', { header: [{ name: '', value: 'acme' }] }],
	])('are refused before anything is sent when %s', async (_when, given) => {
		for (const type of ['dataikuPredict', 'dataikuForecast', 'dataikuRunFunction']) {
			const { unit, parameters } = callOf(type);
			const scenario = { url: proxy.url, items: unit(0), parameters, options: { headers: given } as IDataObject };
			const { error } = await run(type, scenario);
			expect(error?.message).toMatch(/^"Headers" contains no header \(item 0/);
			expect(proxy.requests).toEqual([]);
		}
	});

	it('are valid for items whose header name is empty by expression', async () => {
		const { unit, parameters } = callOf('dataikuRunFunction');
		const given = headers(['={{ $itemIndex === 0 ? "X-Tenant" : "" }}', 'acme']);
		const { error } = await run('dataikuRunFunction', {
			url: proxy.url,
			items: [...unit(0), ...unit(1)],
			parameters,
			options: given,
		});
		expect(error).toBeUndefined();
		expect(sentValues('x-tenant')).toEqual({ acme: 1, undefined: 1 });
	});
});
