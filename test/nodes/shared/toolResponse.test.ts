import type { IDataObject } from 'n8n-workflow';
import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { chaosProxy } from '../../support/chaosProxy';
import { runNode } from '../../support/engine';
import { modelError, toolResponse } from '../../../nodes/shared/toolResponse';
import { credentialFor, endpoint, jsonOf } from '../demo';

let node: ApiNode;
beforeAll(async () => (node = await startApiNode()));
afterAll(async () => await node.close());

const chat = { chatInput: 'said in the chat', sessionId: 's-1', toolCallId: 'call-1' };

/** What a tool gives to a model that calls it with these arguments. */
async function call(
	type: string,
	endpointId: string,
	args: IDataObject,
	{ parameters = {}, apiKey = 'demo-key' }: { parameters?: IDataObject; apiKey?: string } = {},
): Promise<IDataObject[]> {
	const { output, error } = await runNode({
		type: `${type}Tool`,
		parameters: { endpointId: endpoint(endpointId), ...parameters },
		items: [{ ...chat, ...args }],
		credentials: credentialFor(node.url, { apiKey }),
	});
	expect(error).toBeUndefined();
	expect(JSON.stringify(jsonOf(output))).not.toMatch(/said in the chat|s-1|call-1/);
	return jsonOf(output);
}

const options = (given: IDataObject) => ({ parameters: { options: given } });

it('contains only the prediction', async () => {
	const answer = await call('dataikuPredict', 'fraud', { features: { amount: 12, country: 'FR' } });
	expect(answer).toHaveLength(1);
	expect(Object.keys(answer[0]!)).toEqual(['prediction', 'proba_legitimate', 'proba_fraud', 'proba_percentile']);
});

it('names the business rule when it overrode the model', async () => {
	const features = { amount: 6_000, country: 'FR' };
	expect(await call('dataikuPredict', 'fraud_with_rules', { features })).toEqual([
		expect.objectContaining({ prediction: 'fraud', override_rule: 'large_amount' }),
		{ note: 'A business rule overrode the model: large_amount.' },
	]);
});

it.each(['perRow', 'perQuery', 'fullResponse'])(
	'tells the model not to repeat a write that may be lost when the output is "%s"',
	async (output) => {
		const write = async (given: IDataObject) =>
			await call(
				'dataikuSqlQuery',
				'add_payment',
				{ parameters: { customer_id: 'C001', amount: 25 } },
				{ parameters: { output, ...given } },
			);
		expect((await write({})).at(-1)!.note).toMatch(/is not known .* do not call again\.$/);
		expect(JSON.stringify(await write({ options: { committed: true } }))).not.toContain('note');
	},
);

it.each([
	"TypeError: add() got an unexpected keyword argument 'garden'",
	"TypeError: add() got an unexpected keyword argument 'garden'. Did you mean 'gardens'?",
	'Error in f(a = 1, garden = TRUE) : unused argument (garden = TRUE)',
])('names an argument that a function does not have: %s', async (message) => {
	const proxy = await chaosProxy({ faults: { kind: 'answer', status: 500, body: { errorType: 'X', message } } });
	const told = async (type: string, args: IDataObject, parameters: IDataObject = {}) => {
		const { output } = await runNode({
			type,
			parameters: { endpointId: endpoint('add'), ...parameters },
			items: [args],
			credentials: credentialFor(proxy.url),
			onError: 'continueRegularOutput',
		});
		return String(output[0]!.json.error);
	};
	const refused = { a: 1, garden: true };
	const advice = "The function has no argument 'garden': ";
	expect(await told('dataikuRunFunction', refused)).toContain(`${advice}send only the arguments that it defines`);
	expect(await told('dataikuRunFunctionTool', { function_arguments: refused })).toContain(
		`${advice}call again without it`,
	);
	// Another function's, which this one called.
	expect(await told('dataikuRunFunction', { a: 1 })).not.toContain(advice);
	await proxy.close();
});

it('explains a prediction by three features when explanations are on', async () => {
	const parameters = { explanations: 'on' };
	const [answer] = await call('dataikuPredict', 'fraud', { features: { amount: 12, country: 'FR' } }, { parameters });
	expect(Object.keys(answer!).filter((name) => name.startsWith('explanation_'))).toHaveLength(3);
});

it('accepts one record that the model put into a list, and JSON as text', async () => {
	const alone = await call('dataikuLookup', 'customer', { keys: { customer_id: 'C001' } });
	expect(alone).toMatchObject([{ name: 'Ana Costa' }]);
	expect(await call('dataikuLookup', 'customer', { keys: [{ customer_id: 'C001' }] })).toEqual(alone);
	expect(await call('dataikuLookup', 'customer', { keys: '{"customer_id": "C001"}' })).toEqual(alone);
});

it.each([
	['was never opened', {}],
	['found no document', { mapping: { mappingMode: 'defineBelow', value: {}, schema: [], matchingColumns: [] } }],
])('accepts the one argument when the form %s', async (_what, mapping) => {
	const parameters = { recordSource: 'mapping', ...mapping };
	const [row] = await call('dataikuLookup', 'customer', { keys: { customer_id: 'C001' } }, { parameters });
	expect(row).toMatchObject({ name: 'Ana Costa' });
	const [sum] = await call('dataikuRunFunction', 'add', { function_arguments: '[{"a": 2, "b": 3}]' }, { parameters });
	expect(sum).toEqual({ result: 5 });
	const [none] = await call('dataikuPredict', 'fraud', {}, { parameters });
	expect(none!.error).toMatch(/^The record is empty/);
});

it('names what does not match in a form, and what is expected', async () => {
	const fields = [
		{ id: 'amount', type: 'number' },
		{ id: 'country', type: 'options', options: ['FR', 'DE'].map((value) => ({ name: value, value })) },
	];
	const value = { amount: "={{ $fromAI('amount', '', 'number') }}", country: "={{ $fromAI('country') }}" };
	const schema = fields.map((field) => ({ ...field, displayName: field.id, display: true, required: false }));
	const mapping = { mappingMode: 'defineBelow', value, schema, matchingColumns: [] };
	const parameters = { recordSource: 'mapping', mapping };
	const expected = /expects amount \(number.*For example: \{/;
	const [number] = await call('dataikuPredict', 'fraud', { amount: 'a lot', country: 'FR' }, { parameters });
	expect(number!.error).toMatch(/^'amount' expects a number but we got 'a lot'/);
	expect(number!.error).toMatch(expected);
	const [listed] = await call('dataikuPredict', 'fraud', { amount: 1, country: 'Narnia' }, { parameters });
	expect(listed!.error).toMatch(/^'country' expects one of .* but we got 'Narnia'/);
	expect(listed!.error).toMatch(expected);
});

it.each(['warn', 'off'])('reports a mismatch to a model even when Check Features is %s', async (checkFeatures) => {
	const [answer] = await call('dataikuPredict', 'fraud', { features: { amount: 'a lot' } }, options({ checkFeatures }));
	expect(answer!.error).toMatch(/amount/);
});

it('has no more rows and characters than the limits allow', async () => {
	const all = async (given: IDataObject) => await call('dataikuSqlQuery', 'all_transactions', {}, options(given));
	const rows = await all({ maxRows: 3 });
	expect(rows).toHaveLength(4);
	expect(rows[3]).toEqual({ note: 'Only 3 of 10,000 rows are shown. Narrow the request to see the others.' });
	for (const maxCharacters of [200, 1_000, 5_000]) {
		const answer = await all({ maxCharacters });
		expect(JSON.stringify(answer).length).toBeLessThanOrEqual(maxCharacters);
		expect(answer.at(-1)!.note).toMatch(/of 10,000 rows/);
	}
});

it('shows the beginning when a single response is too long', async () => {
	const lines = { lines: Array.from({ length: 5_000 }, (_, n) => `"${n}"`) };
	const args = { function_arguments: lines };
	const answer = await call('dataikuRunFunction', 'report_text', args, options({ maxCharacters: 900 }));
	expect(answer).toEqual([
		{ beginning: expect.stringMatching(/^\{"result":"Report/) },
		{ note: expect.stringMatching(/^Only the first \d+ of [\d,]+ characters are shown/) },
	]);
	expect(JSON.stringify(answer).length).toBeLessThanOrEqual(900);
});

it('shows only whole characters when a response is cut', async () => {
	const emoji = '😀'.repeat(400);
	for (let maxCharacters = 300; maxCharacters < 304; maxCharacters++) {
		const args = { function_arguments: { lines: [emoji] } };
		const answer = await call('dataikuRunFunction', 'report_text', args, options({ maxCharacters }));
		const refused = await call('dataikuPredict', 'fraud', { features: { amount: emoji } }, options({ maxCharacters }));
		for (const text of [answer[0]!.beginning as string, refused[0]!.error as string]) {
			expect(text).toContain('😀');
			// Throws for half a character.
			expect(() => encodeURIComponent(text)).not.toThrow();
		}
	}
});

it.each(Array.from({ length: 9 }, (_, quotes) => quotes))(
	'shows only whole characters at every length when %i quotes make a text longer as JSON',
	(quotes) => {
		const text = `${'"'.repeat(quotes)}${'😀'.repeat(400)}`;
		for (let characters = 200; characters < 460; characters++) {
			const limits = { rows: 50, characters };
			const answer = toolResponse([{ json: { result: `Report\n${text}` } }], [text], limits);
			const { json } = modelError(new Error(text), limits);
			const shown = [answer[0]!.json.beginning, answer[1]!.json.note, json.error] as string[];
			for (const part of shown) {
				expect(part.length).toBeGreaterThan(20);
				// Throws for half a character.
				expect(() => encodeURIComponent(part)).not.toThrow();
			}
		}
	},
);

it('keeps an error and a note within the limit, even when the limit is small', async () => {
	for (const maxCharacters of [200, 300]) {
		const refused = await call(
			'dataikuPredict',
			'fraud',
			{ features: { amount: 'a lot' } },
			options({ maxCharacters }),
		);
		expect(refused).toEqual([{ error: expect.stringMatching(/^`amount` must be a number/) }]);
		const rows = await call('dataikuSqlQuery', 'all_transactions', {}, options({ maxCharacters }));
		for (const answer of [refused, rows]) expect(JSON.stringify(answer).length).toBeLessThanOrEqual(maxCharacters);
	}
});

it('reports a limit that no response can keep before it sends anything', async () => {
	const pay = { parameters: { customer_id: 'C001', amount: 25 } };
	const payments = async () => (await call('dataikuSqlQuery', 'payments', {})).length;
	const before = await payments();
	for (const given of [{ maxCharacters: 10 }, { maxRows: 0 }]) {
		const answer = await call('dataikuSqlQuery', 'add_payment', pay, options(given));
		expect(answer).toEqual([{ error: expect.stringMatching(/"Max (Characters|Rows)" must be/) }]);
	}
	expect(await payments()).toBe(before);
});

it.each([
	['a wrong setting', options({ timeout: -1 }), /Timeout/],
	['a wrong limit', options({ maxRows: 0 }), /Max Rows/],
	['a refused key', { apiKey: 'a-wrong-key' }, /^The API node refused the key/],
])('returns the error of %s, and throws nothing', async (_what, how, words) => {
	const answer = await call('dataikuPredict', 'fraud', { features: { amount: 1 } }, how);
	expect(answer).toEqual([{ error: expect.stringMatching(words) }]);
	expect(JSON.stringify(answer)).not.toMatch(/a-wrong-key|127\.0\.0\.1/);
});

it('returns an error when no credential can be used', async () => {
	const { output, error } = await runNode({
		type: 'dataikuPredictTool',
		parameters: { endpointId: endpoint('fraud') },
		items: [{ features: { amount: 1 } }],
		credentials: credentialFor('no address'),
	});
	expect(error).toBeUndefined();
	expect(jsonOf(output)).toEqual([{ error: expect.stringMatching(/URL/) }]);
});

it('fails a call without any value, whatever the checks are set to', async () => {
	for (const checkFeatures of ['error', 'warn', 'off']) {
		const [answer] = await call('dataikuPredict', 'fraud', { features: { amount: null } }, options({ checkFeatures }));
		expect(answer!.error).toMatch(/^The record contains no values/);
	}
});
