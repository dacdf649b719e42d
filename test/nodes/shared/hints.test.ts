import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy, inOrder } from '../../support/chaosProxy';
import { certificates } from '../../support/certificates';
import { nodeLog } from '../../support/engine';
import { callOf, credentialFor, nodeTypes, run } from '../demo';

let node: ApiNode;
let proxy: ChaosProxy;
let endLog: (() => void) | undefined;
/** What the node writes to n8n's log. */
const logOf = async (...levels: Parameters<typeof nodeLog>): Promise<string[]> => {
	const { lines, end } = await nodeLog(...levels);
	endLog = end;
	return lines;
};
beforeAll(async () => void (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => {
	endLog?.();
	await proxy.close();
});

const hint = (message: string) => ({ message, type: 'warning', location: 'outputPane' });

it.each(nodeTypes)('%s has no hint when nothing went wrong', async (type) => {
	const { unit, parameters } = callOf(type);
	const logged = await logOf('debug');
	const { hints, error } = await run(type, { url: proxy.url, items: [...unit(0), ...unit(1)], parameters });

	expect({ error, hints }).toEqual({ error: undefined, hints: [] });
	expect(logged).toEqual([]);
});

const items = Array.from({ length: 8 }, (_, amount) => ({ amount })) as IDataObject[];
const bad = { amount: 'much' };
const why = 'Feature \'amount\' must be a number, not "much"';

it.each<[string, Parameters<ChaosProxy['setFault']>[0], IDataObject[], IDataObject, string, string?]>([
	['a retry', inOrder({ kind: 'answer', status: 503 }), items, {}, '1 request retried.'],
	[
		'retries',
		inOrder({ kind: 'answer', status: 503 }, { kind: 'reset', when: 'before' }),
		items,
		{},
		'2 requests retried.',
	],
	['a failed item', undefined, [...items.slice(0, 3), bad], {}, `Item 3 failed: ${why}.`, '1 of 4 items failed.'],
	[
		'failed items',
		undefined,
		[items[0]!, bad, bad],
		{},
		`2 of 3 items failed (first: 1, 2). Item 1: ${why}.`,
		'2 of 3 items failed.',
	],
	['the only item', undefined, [bad], {}, `Item 0 failed: ${why}.`, '1 of 1 item failed.'],
	[
		'all of it at once',
		inOrder({ kind: 'answer', status: 503 }),
		[...items.slice(0, 3), bad],
		{},
		`Item 3 failed: ${why}; 1 request retried.`,
		'1 of 4 items failed. 1 request retried.',
	],
])(
	'one hint and, without values, one line in the debug log report %s',
	async (...[, fault, given, options, message, line]) => {
		proxy.setFault(fault);
		const logged = await logOf('debug');
		const { hints } = await run('dataikuPredict', {
			url: proxy.url,
			items: given,
			options,
			onError: 'continueRegularOutput',
		});

		expect(hints).toEqual([hint(message)]);
		expect(logged).toEqual([line ?? message]);
	},
);

it.each(nodeTypes)('the log of %s never contains values of a record', async (type) => {
	const { unit, parameters } = callOf(type);
	const logged = await logOf('debug', 'info', 'warn');
	const value = 'private-4711';
	proxy.setFault({ kind: 'answer', status: 400, body: { message: `Bad value ${value}` } });
	const given = [...unit(0), ...unit(1)].map((json) => ({ ...json, customer_id: value, amount: value }));
	const { output } = await run(type, { url: proxy.url, items: given, parameters, onError: 'continueRegularOutput' });

	expect(JSON.stringify(output)).toContain(value);
	expect(logged).toEqual([expect.stringMatching(/^\d+ of \d+ items? failed\.$/)]);
});

it('a hint names the instance that was not used', async () => {
	const dead = await chaosProxy();
	await dead.kill();
	const many = Array.from({ length: 60 }, (_, amount) => ({ amount }));
	const { hints, output } = await run('dataikuPredict', {
		url: proxy.url,
		items: many,
		options: { batchSize: 1 },
		credentials: credentialFor(`${dead.url},${proxy.url}`),
		onError: 'continueRegularOutput',
	});

	expect(output.filter(({ json }) => 'error' in json)).toEqual([]);
	expect(hints).toHaveLength(1);
	expect(hints[0]!.message).toMatch(
		new RegExp(`^\\d+ requests? retried; instance 127\\.0\\.0\\.1:${dead.port} was not available\\.$`),
	);
});

it('a hint after each run says that certificates are not verified', async () => {
	const { server } = await certificates();
	const overTls = await chaosProxy({ upstream: node.url, tls: server });
	const hintsAt = async (url: string) =>
		(await run('dataikuPredict', { url, items, credentials: credentialFor(url, { allowUnauthorizedCerts: true }) }))
			.hints;
	const message = 'SSL certificates are not verified: "Ignore SSL Issues" is on.';
	expect(await hintsAt(overTls.url)).toEqual([{ ...hint(message), type: 'info' }]);
	expect(await hintsAt(proxy.url)).toEqual([]);
	await overTls.close();
});

it('a failed run has no hint on retries', async () => {
	proxy.setFault(inOrder({ kind: 'answer', status: 503 }));
	const { hints, error } = await run('dataikuPredict', { url: proxy.url, items: [bad] });
	expect(hints).toEqual([]);
	expect(error?.message).toMatch(/\(item 0, /);
});

it('the log shows the progress of a run of more than ten seconds', async () => {
	proxy.setFault(({ n }) => ({ kind: 'delay', ms: n > 2 ? 10_500 : 0 }));
	const logged = await logOf('info');
	const { output } = await run('dataikuPredict', {
		url: proxy.url,
		items: [...items, ...items],
		options: { batchSize: 4 },
	});
	expect(output).toHaveLength(16);
	expect(logged).toEqual(['8 of 16 items done, 1 per second']);
});

it("reports a lookup without a match, but not a model's own empty data", async () => {
	const hintsOf = async (type: string, endpointId: string, url: string, item: IDataObject) => {
		const { hints } = await run(type, { url, endpointId, items: [item] });
		return hints.map(({ message }) => message);
	};
	expect(await hintsOf('dataikuLookup', 'customer', node.url, { customer_id: 'C999' })).toEqual([
		'No match was found (item 0: customer_id C999).',
	]);
	const custom = await chaosProxy({ respond: () => ({ body: { results: [{ ignored: false, data: {} }] } }) });
	expect(await hintsOf('dataikuPredict', 'custom', custom.url, { a: 1 })).toEqual([]);
	await custom.close();
});

describe('a hint is shortened', () => {
	const many = Array.from({ length: 2_000 }, (_, n) => ({ amount: n, [`field ${n}${'x'.repeat(300)}`]: n }));
	const longest = 2_100;

	it('when every record was ignored for a different reason', async () => {
		proxy.setFault(({ body }) => {
			const { items } = JSON.parse(body) as { items: Array<{ features: IDataObject }> };
			const reason = (n: number) => `reason ${n} ${'x'.repeat(10_000)}`;
			const results = items.map(({ features }) => ({ ignored: true, ignoreReason: reason(Number(features.amount)) }));
			return { kind: 'answer', body: { results } };
		});
		const { hints } = await run('dataikuPredict', { url: proxy.url, items: many });

		expect(hints).toHaveLength(1);
		expect(hints[0]!.message.length).toBeLessThan(longest);
		expect(hints[0]!.message).toMatch(/^Ignored by the API node: reason \d+ x+.*Other hints \(1,995 items\)\.$/);
	});

	it('when each item has different field names', async () => {
		const { hints } = await run('dataikuPredict', {
			url: proxy.url,
			items: many,
			parameters: {
				recordSource: 'inputItem',
				include: 'except',
				excludeFields: `={{ 'none ' + $json.amount + 'y'.repeat(5000) }}`,
			},
		});

		expect(hints.map(({ message }) => message.length < longest)).toEqual([true]);
		expect(hints[0]!.message).toMatch(/^Fields not found in any item: none \d+.* and [\d,]+ more\.$/);
	});

	it('when records have many kinds of mismatch', async () => {
		const fields = Object.fromEntries(many.slice(0, 50).map((_, n) => [`wrong_${n}`, { type: 'integer' }]));
		const { hints } = await run('dataikuPredict', {
			url: node.url,
			items: many.slice(0, 500).map((_, n) => ({ amount: `much ${n} ${'z'.repeat(500)}`, ...fields })),
			options: { checkFeatures: 'warn' },
			onError: 'continueRegularOutput',
		});

		for (const { message } of hints) expect(message.length).toBeLessThan(longest);
	});
});
