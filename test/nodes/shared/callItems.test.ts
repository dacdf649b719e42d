import type { IDataObject } from 'n8n-workflow';
import { chaosProxy, type ChaosProxy } from '../../support/chaosProxy';
import { jsonOf, run } from '../demo';

let proxy: ChaosProxy;
beforeEach(async () => (proxy = await chaosProxy()));
afterEach(async () => await proxy.close());

const answer = (body: unknown) => proxy.setFault({ kind: 'answer', body: body as IDataObject });
const call = async (type: string, more: object) =>
	await run(type, {
		url: proxy.url,
		endpointId: 'any',
		items: [{ d: 'zzz' }, { d: '2024-05-01' }],
		onError: 'continueRegularOutput',
		...more,
	});

describe.each<[string, unknown, string[]]>([
	['dataikuSqlQuery', { updatedRows: 3 }, ['keepInput', 'convertNumbers', 'committed', 'repeatable']],
	['dataikuRunFunction', { response: [1], timing: {} }, ['splitArray', 'parseJson', 'resultField', 'repeatable']],
])('%s sends no request for an item', (type, body, options) => {
	// Fails for the first item alone.
	const failing = '={{ $json.d.toDateTime().year > 0 }}';
	const json = { recordSource: 'json', recordJson: '{"p": 1}' };

	it.each(options)('whose option %s cannot be read', async (option) => {
		answer(body);
		const { output } = await call(type, { parameters: json, options: { [option]: failing } });
		expect(output[0]!.json).toMatchObject({ d: 'zzz', error: expect.any(String) as string });
		expect(output.filter(({ json: { error } }) => error !== undefined)).toHaveLength(1);
		expect(proxy.requests).toHaveLength(1);
	});

	it('whose output cannot be read', async () => {
		answer(body);
		const { output } = await call(type, { parameters: { ...json, output: '={{ $json.d }}' } });
		expect(jsonOf(output).every(({ error }) => error !== undefined)).toBe(true);
		expect(proxy.requests).toEqual([]);
	});

	it.each(options.filter((option) => option !== 'resultField'))(
		'whose option %s is neither true nor false',
		async (option) => {
			answer(body);
			for (const value of ['={{ $json.none }}', '={{ "" }}', '={{ "perhaps" }}', '={{ 2 }}']) {
				const { output } = await call(type, { parameters: json, options: { [option]: value } });
				const said = /^(The expression in "[\w ]+" returned nothing|"[\w ]+" must be true or false, not '\w+')/;
				expect(jsonOf(output).map(({ error }) => error)).toEqual([
					expect.stringMatching(said),
					expect.stringMatching(said),
				]);
			}
			expect(proxy.requests).toEqual([]);
		},
	);
});

it.each(['={{ "True" }}', '={{ true }}', '={{ " TRUE " }}'])('accepts %s as true', async (splitArray) => {
	answer({ response: [1, 2], timing: {} });
	const { output } = await call('dataikuRunFunction', { items: [{}], options: { splitArray } });
	expect(jsonOf(output)).toEqual([{ result: 1 }, { result: 2 }]);
});
