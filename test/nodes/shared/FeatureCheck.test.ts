import type { IDataObject } from 'n8n-workflow';
import { startApiNode, type ApiNode } from '../../../demo/api-node';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { credentialFor, jsonOf, run } from '../demo';
import { callsTo, fieldsOf, readings, whenRead } from './served';

let node: ApiNode;
let proxy: ChaosProxy;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());
beforeEach(async () => (proxy = await chaosProxy({ upstream: node.url })));
afterEach(async () => await proxy.close());

const fitting = { amount: 20, hour: 12, country: 'FR', customer_id: 'C001' };
const misspelt = { amuont: 20, country: 'FR' };
const known = async () => void (await fieldsOf('fraud', { url: proxy.url }));

const predict = async (
	checkFeatures: string | undefined,
	items: IDataObject[],
	more: Omit<Parameters<typeof run>[1], 'url' | 'items'> = {},
) => {
	const { options, ...rest } = more;
	return await run('dataikuPredict', { url: proxy.url, items, options: { ...options, checkFeatures }, ...rest });
};
const hintsOf = async (checkFeatures: string | undefined, items: IDataObject[]) => {
	const { hints, error } = await predict(checkFeatures, items);
	expect(error).toBeUndefined();
	return hints.map(({ message }) => message).join('\n');
};
const resultsOf = async (items: IDataObject[]) => jsonOf((await predict('off', items)).output);

describe('warn', () => {
	it('never waits for the document, and starts reading it', async () => {
		proxy.setFault(whenRead({ kind: 'silent' }));
		const { output, hints, error } = await predict('warn', [fitting, misspelt]);
		await proxy.requestsArrived(2);

		expect({ error, hints }).toEqual({ error: undefined, hints: [] });
		expect(readings(proxy)).toEqual(['/public/api/v1/demo/swagger']);
		expect(jsonOf(output)).toEqual(await resultsOf([fitting, misspelt]));
	});

	it('is the default, and applies as soon as the document has been read', async () => {
		expect(await hintsOf(undefined, [misspelt])).toBe('');
		let hint = '';
		while (hint === '') hint = await hintsOf(undefined, [misspelt]);

		expect(hint).toContain("'fraud' has no feature `amuont`: did you mean `amount`? (item 0)");
		expect(readings(proxy)).toHaveLength(1);
	});

	it.each<[string, IDataObject, string]>([
		['an unknown name', misspelt, "'fraud' has no feature `amuont`: did you mean `amount`?"],
		['a wrong type', { ...fitting, amount: 'a lot' }, "`amount` must be a number, not the text 'a lot'"],
		['a value not listed', { ...fitting, country: 'XX' }, "`country` is 'XX', which is not one of DE, ES, FR"],
		[
			'a record for another endpoint',
			{ city: 'Lyon' },
			"the record has none of the features of 'fraud' (expected: amount, hour",
		],
	])('reports %s and the number of items with it', async (_name, bad, words) => {
		await known();
		const items = Array.from({ length: 20 }, (_, n) => (n % 7 === 0 ? bad : fitting));
		const { hints } = await predict('warn', items, { onError: 'continueRegularOutput' });

		expect(hints).toMatchObject([{ type: 'warning', message: expect.stringContaining(words) as string }]);
		expect(hints[0]!.message).toContain('(3 items, first: 0, 7, 14)');
	});

	it('does not change the results', async () => {
		await known();
		const items = [fitting, misspelt, { city: 'Lyon' }];
		const { output } = await predict('warn', items);

		expect(jsonOf(output)).toEqual(await resultsOf(items));
	});

	it('shows the five most frequent misfits and counts the others', async () => {
		await known();
		const countries = Array.from({ length: 12 }, (_, n) => ({ ...fitting, country: `X${n}` }));
		const hint = await hintsOf('warn', [
			...countries,
			{ ...fitting, country: 'often' },
			{ ...fitting, country: 'often' },
		]);

		expect(hint.match(/\((?:2 items, first: \d+, \d+|item \d+)\)/g)).toHaveLength(5);
		expect(hint).toContain("`country` is 'often'");
		expect(hint).toContain('Other hints (8 items)');
	});

	it('reports nothing for matching records, extra fields or undocumented endpoints', async () => {
		await known();
		expect(await hintsOf('warn', [fitting, { ...fitting, note: 'mine', amount: '20.5' }])).toBe('');

		const { hints, error } = await predict('warn', [misspelt], { endpointId: 'fraud_changed' });
		expect({ error, hints }).toEqual({ error: undefined, hints: [] });
	});
});

describe('error', () => {
	it('waits for the document, sends no mismatch and scores the others', async () => {
		const bad = [misspelt, { ...fitting, amount: 'a lot', country: 'XX' }];
		const { output, error } = await predict('error', [fitting, bad[0]!, bad[1]!, fitting], {
			onError: 'continueRegularOutput',
		});

		expect(error).toBeUndefined();
		expect(jsonOf(output)).toEqual([
			...(await resultsOf([fitting])),
			{ ...bad[0], error: expect.any(String), details: expect.any(Object) },
			{ ...bad[1], error: expect.any(String), details: expect.any(Object) },
			...(await resultsOf([fitting])),
		]);
		expect(output[1]!.json.error).toMatch(
			/^'fraud' has no feature `amuont`: did you mean `amount`\? Example: \{"amount":412\.5,.*\}\.$/,
		);
		expect(output[2]!.json.error).toMatch(/^`amount` must be a number, not .*; `country` is 'XX', which .*/);
		expect(readings(proxy)).toHaveLength(1);
		const [sent] = callsTo(proxy);
		expect(JSON.parse(sent!.body)).toMatchObject({ items: [{ features: fitting }, { features: fitting }] });
	});

	it('reports NaN once in a documented number, and never in an undocumented field', async () => {
		const { error } = await predict('error', [{ ...fitting, amount: NaN }]);
		expect(error?.message).toContain('`amount` must be a number, not NaN');
		expect(JSON.stringify([error?.message, error?.description])).not.toContain('null is sent instead');
		const extra = await predict('error', [{ ...fitting, ratio: Infinity }]);
		expect(extra.error).toBeUndefined();
		const text = await predict('error', [{ ...fitting, customer_id: NaN }]);
		expect(text.error?.message).toContain('`customer_id` is NaN, Infinity or an invalid date');
	});

	it('stops at a mismatch without "continue"', async () => {
		const { error } = await predict('error', [misspelt]);

		expect(error).toMatchObject({ message: expect.stringContaining("'fraud' has no feature `amuont`") });
		expect(error?.description).toMatch(/Example: \{.*\}/);
		expect(callsTo(proxy)).toEqual([]);
	});

	it.each([404, 500])('sends the record with a hint when the document cannot be read (%d)', async (status) => {
		proxy.setFault(whenRead({ kind: 'answer', status }));
		const { output, hints } = await predict('error', [misspelt]);

		expect(jsonOf(output)).toEqual(await resultsOf([misspelt]));
		expect(hints).toMatchObject([{ message: expect.stringMatching(/^Features not validated: .*OpenAPI/) }]);
	});

	it('sends the record with a hint when the document does not contain the endpoint', async () => {
		const { hints, error } = await predict('error', [misspelt], { endpointId: 'fraud_changed' });
		expect(error).toBeUndefined();
		expect(hints).toMatchObject([{ message: expect.stringContaining('Features not validated') }]);

		const openApi = JSON.stringify({ swagger: '2.0', paths: { '/fraud/predict': { post: {} } } });
		const told = await predict('error', [misspelt], {
			credentials: credentialFor(proxy.url, { openApiFrom: 'text', openApi }),
		});
		expect(told.hints).toMatchObject([{ message: expect.stringContaining('Features not validated') }]);
	});

	it('waits at most 5 s when the document does not arrive', async () => {
		proxy.setFault(whenRead({ kind: 'silent' }));
		const { output, hints } = await predict('error', [misspelt]);

		expect(jsonOf(output)).toEqual(await resultsOf([misspelt]));
		expect(hints).toMatchObject([{ message: expect.stringContaining('Features not validated') }]);
	});

	it('waits once for the documents of several services', async () => {
		proxy.setFault(whenRead({ kind: 'silent' }));
		const services = ['one', 'two', 'three'].map((service) => ({ ...misspelt, service }));
		const { timing } = await predict('error', services, {
			options: { checkFeatures: 'error', serviceId: '={{ $json.service }}' },
			onError: 'continueRegularOutput',
		});

		// One after the other, it would be 15 s.
		expect(timing.node).toBeLessThan(10_000);
		expect(readings(proxy)).toHaveLength(3);
	});

	it.each(['stopWorkflow', 'continueRegularOutput'] as const)(
		'ends the wait for a document when the workflow is stopped, with "%s"',
		async (onError) => {
			proxy.setFault(whenRead({ kind: 'silent' }));
			const stop = new AbortController();
			const running = predict('error', [fitting, misspelt], { signal: stop.signal, onError });
			await proxy.requestsArrived(1);
			stop.abort();
			const { cancelled, error, timing } = await running;

			// Waited to its end, it would be 5 s.
			expect(timing.afterCancel).toBeLessThan(3_000);
			expect({ cancelled, message: error?.message }).toEqual({ cancelled: true, message: 'The call was canceled' });
			expect(callsTo(proxy)).toEqual([]);
		},
	);

	it('requests a missing document once for all items, and not again in later runs', async () => {
		proxy.setFault(whenRead({ kind: 'answer', status: 404 }));
		for (let n = 0; n < 3; n++) expect(await hintsOf('error', [fitting, misspelt, fitting])).toContain('not validated');

		expect(readings(proxy)).toHaveLength(1);
	});

	it('applies only to its own item when earlier items only warn', async () => {
		const items = ['warn', 'error'].map((mode) => ({ ...misspelt, mode }));
		const { output } = await predict('={{ $json.mode }}', items, { onError: 'continueRegularOutput' });

		expect(jsonOf(output).map(({ error }) => error)).toEqual([
			undefined,
			expect.stringContaining('did you mean `amount`?'),
		]);
	});
});

describe('off', () => {
	it('requests no document, uses none and shows no hint', async () => {
		expect(await hintsOf('off', [misspelt])).toBe('');
		expect(readings(proxy)).toEqual([]);
		await known();
		expect(await hintsOf('off', [misspelt])).toBe('');
		expect(readings(proxy)).toHaveLength(1);
	});
});

it('An unknown value of the option is an error of the item', async () => {
	const items = ['off', 'perhaps'].map((mode) => ({ ...fitting, mode }));
	const { output } = await predict('={{ $json.mode }}', items, { onError: 'continueRegularOutput' });

	expect(jsonOf(output).map(({ error }) => error)).toEqual([
		undefined,
		expect.stringContaining('"Check Features" must be one of warn, error, off, not \'perhaps\''),
	]);
});

describe('advice on an error', () => {
	const errorOf = async (endpointId: string, item: IDataObject = fitting) => {
		const { error } = await predict('off', [item], { endpointId });
		expect(error).toBeDefined();
		return `${error!.message}. ${error!.description}`;
	};

	it('names the correct node when the endpoint is of another kind', async () => {
		await known();
		expect(await errorOf('customer')).toContain("'customer' is a lookup: use Dataiku Lookup.");
	});

	it('names the existing endpoints, and the one that was probably meant', async () => {
		await known();
		expect(await errorOf('other')).not.toContain('Did you mean');
		expect(await errorOf('House Price')).toContain("Did you mean 'house_price'? Endpoints");
		expect(await errorOf('fruad')).toContain(
			"Did you mean 'fraud'? Endpoints for this node: fraud, fraud_known_customers, fraud_with_rules, house_price, picture_shape, ticket_team, unusual_amount.",
		);
	});

	it('names at most ten endpoints', async () => {
		const paths = Object.fromEntries(Array.from({ length: 14 }, (_, n) => [`/e${n + 10}/predict`, { post: {} }]));
		const openApi = JSON.stringify({ swagger: '2.0', paths });
		const { error } = await predict('off', [fitting], {
			endpointId: 'fruad',
			credentials: credentialFor(proxy.url, { openApiFrom: 'text', openApi }),
		});
		expect(error?.description).toContain('e18, e19 and 4 more.');
	});

	it('shows an example of a record when one is refused', async () => {
		await known();
		expect(await errorOf('fraud', { amount: 'much' })).toMatch(/Example: \{"amount":412\.5, "hour":3, .*\}\./);
	});

	it('is not given without a document', async () => {
		const said = [await errorOf('customer'), await errorOf('fruad'), await errorOf('fraud', { amount: 'much' })];
		expect(said.join('\n')).not.toMatch(/use Dataiku|Endpoints for this node|Example:/);
		expect(readings(proxy)).toEqual([]);
	});
});

describe('the form filled by name', () => {
	const names = ['surface', 'rooms', 'built', 'city', 'garden'];
	const schema = names.map((id) => ({ id, displayName: id, required: false, defaultMatch: false, display: true }));
	const form = { recordSource: 'mapping', mapping: { mappingMode: 'autoMapInputData', value: null, schema } };
	const homes = [
		{ Surface: 250, rooms: 4, built: 1990, City: 'Paris', garden: true, ref: 1 },
		{ Surface: 25, rooms: 4, built: 1990, City: 'Lille', garden: true, ref: 2 },
	];
	const score = async (mode: string, items: IDataObject[], more: object = {}) =>
		await predict(mode, items, { endpointId: 'house_price', parameters: form, ...more });
	const told = async (mode: string, items: IDataObject[]) =>
		(await score(mode, items)).hints.map(({ message }) => message).join('\n');

	it('reports columns that are close to a feature from the first run on', async () => {
		const hint = await told('warn', homes);
		expect(hint).toContain("'house_price' has no feature `Surface`: did you mean `surface`? (2 items, first: 0, 1)");
		expect(hint).toContain("'house_price' has no feature `City`: did you mean `city`? (2 items, first: 0, 1)");
	});

	it('reports only once which columns were sent and which were not', async () => {
		expect(await told('warn', homes)).toContain(
			'Sent 3 of 5 features. Not in the items: surface, city. Not used: Surface, City, ref.',
		);
	});

	it.each(['Surface', 'sur_face', ' surface', 'surfcae', 'surfac', 'SURFACE'])(
		'fails an item with the column %j before anything is sent, when misfits are errors',
		async (column) => {
			const item = { [column]: 250, rooms: 4, built: 1990, city: 'Paris', garden: true };
			const { output } = await score('error', [item], { onError: 'continueRegularOutput' });
			expect(output[0]!.json.error).toMatch(/did you mean `surface`\?/);
			expect(callsTo(proxy)).toEqual([]);
		},
	);

	it('reports close columns when no document can be read', async () => {
		proxy.setFault(whenRead({ kind: 'answer', status: 404 }));
		const { error } = await score('error', homes);
		expect(error?.message).toMatch(/^'house_price' has no feature `Surface`: did you mean `surface`\?/);
		expect(callsTo(proxy)).toEqual([]);
	});

	it('reports nothing when no feature is missing or no column is unused', async () => {
		const whole = { surface: 250, rooms: 4, built: 1990, city: 'Paris', garden: true };
		expect(await told('warn', [{ ...whole, Surface: 3, ref: 1 }])).toBe('');
		expect(await told('warn', [{ surface: 250, city: 'Paris' }])).toBe('');
	});

	it('reports nothing when the check is off', async () => {
		expect(await told('off', homes)).toBe('');
	});

	it('shortens long lists of names', async () => {
		const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`column ${n}`, n]));
		const hint = await told('warn', [{ ...many, surface: 1 }]);
		expect(hint).toMatch(/Not used: column 0, .* and \d+ more/);
		expect(hint.length).toBeLessThan(1_000);
	});
});

describe('a name of the item that is close to a feature without a value is a misfit', () => {
	const amount = { id: 'amount', displayName: 'amount', required: false, defaultMatch: false, display: true };
	const below = { mappingMode: 'defineBelow', value: { hour: 3, amount: null }, schema: [amount] };
	const assigned = { assignments: [{ id: '1', name: 'hour', value: 3, type: 'number' }] };
	it.each<[string, IDataObject]>([
		['in a form mapped one by one', { recordSource: 'mapping', mapping: below }],
		['in fields named one by one', { recordSource: 'fields', fields: assigned }],
		['in JSON', { recordSource: 'json', recordJson: '{"hour": 3}' }],
		['among selected fields', { recordSource: 'inputItem', include: 'selected', includeFields: 'hour' }],
	])('%s', async (_where, parameters) => {
		const { output } = await predict('error', [{ Amount: 20, hour: 3 }], {
			parameters,
			onError: 'continueRegularOutput',
		});
		expect(output[0]!.json.error).toMatch(/^'fraud' has no feature `Amount`: did you mean `amount`\?/);
	});

	it('except when the name was excluded on purpose', async () => {
		const parameters = { recordSource: 'inputItem', include: 'except', excludeFields: 'Amount' };
		const { error } = await predict('error', [{ Amount: 20, hour: 3 }], { parameters });
		expect(error).toBeUndefined();
	});
});

describe('a record that contains no values', () => {
	const empty = { amount: null, country: null };
	it('causes a hint when no document is known', async () => {
		expect(await hintsOf('warn', [empty, fitting])).toBe('the record contains no values (item 0).');
	});

	it('is an error in the mode "error", and in no other mode', async () => {
		const { output } = await predict('error', [empty, fitting], { onError: 'continueRegularOutput' });
		expect(output[0]!.json.error).toMatch(/^The record contains no values/);
		expect(output[1]!.json.error).toBeUndefined();
	});

	it('is valid for a query', async () => {
		const { hints } = await run('dataikuSqlQuery', {
			url: proxy.url,
			items: [{ customer_id: null, min_amount: null }],
			options: { checkFeatures: 'warn' },
			onError: 'continueRegularOutput',
		});
		expect(hints.map(({ message }) => message).join()).not.toContain('contains no values');
	});
});

it('validates a union with null against its other schema or null', async () => {
	const ofNull = { type: 'null' };
	const record = {
		properties: {
			amount: { anyOf: [{ type: 'number' }, ofNull] },
			country: { oneOf: [{ $ref: '#/components/schemas/Country' }, ofNull] },
			kind: { enum: ['a', null] },
		},
		required: ['amount', 'country', 'kind'],
	};
	const schema = { properties: { features: record } };
	const openApi = JSON.stringify({
		openapi: '3.1.0',
		components: { schemas: { Country: { type: 'string', enum: ['FR', 'DE'] } } },
		paths: { '/fraud/predict/': { post: { requestBody: { content: { 'application/json': { schema } } } } } },
	});
	const fits = { amount: 20, country: 'FR', kind: 'a' };
	const wrong = { amount: 'a lot', country: 'XX', kind: 'null' };
	const { output } = await predict('error', [fits, { ...fits, amount: null, country: null }, { ...fits, ...wrong }], {
		credentials: credentialFor(proxy.url, { openApiFrom: 'text', openApi }),
		onError: 'continueRegularOutput',
	});
	expect(output.map(({ json }) => json.error)).toEqual([
		undefined,
		undefined,
		expect.stringMatching(
			/^`amount` must be a number, not the text 'a lot'; `country` is 'XX', which is not one of FR, DE; `kind` is 'null', which is not one of a/,
		),
	]);
});

it.each([
	['dataikuSqlQuery', 'query'],
	['dataikuRunFunction', 'run'],
])('An empty record is an error of %s when the document says what is required', async (type, action) => {
	const record = { properties: { a: {} }, required: ['a'] };
	const post = { parameters: [{ in: 'body', name: 'body', schema: record }] };
	const openApi = JSON.stringify({ swagger: '2.0', paths: { [`/e/${action}`]: { post } } });
	const { error } = await run(type, {
		url: proxy.url,
		endpointId: 'e',
		items: [{}],
		options: { checkFeatures: 'warn' },
		credentials: credentialFor(proxy.url, { openApiFrom: 'text', openApi }),
	});
	expect(error?.message).toMatch(/^The record is empty/);
	expect(callsTo(proxy)).toEqual([]);
});
