import type { IDataObject, INode } from 'n8n-workflow';
import { storeHistory } from '../../nodes/demo';
import type { ToolCalls, ToolSpec } from './openAi';
import type { Workbench } from './Workbench';

/** Each node as a tool, with nothing but its credential and its endpoint. */
export const sixTools = (bench: Workbench): INode[] => [
	bench.tool('dataikuPredict', 'fraud'),
	bench.tool('dataikuPredictEffect', 'coupon_effect'),
	bench.tool('dataikuForecast', 'store_sales'),
	bench.tool('dataikuLookup', 'known_customer'),
	bench.tool('dataikuSqlQuery', 'customer_transactions'),
	bench.tool('dataikuRunFunction', 'add'),
];

/** The one argument of each. */
export const theirArguments = {
	fraud: ['features'],
	coupon_effect: ['features'],
	store_sales: ['records'],
	known_customer: ['keys'],
	customer_transactions: ['parameters'],
	add: ['function_arguments'],
};

/** What a client learns about a tool, without its name. */
export const ofFraud = {
	description:
		'Scores one record with a trained model. Returns the prediction and the probability of each class. Endpoint: fraud. If the response contains "error", there is no result. Fix the input as described and call again. Never invent values.',
	features: { description: 'The features of one record by name, as a JSON object', default: [{}] },
};

/**
 * Checks that a client learns about each tool by its endpoint, and about one argument.
 *
 * @param dialect what else its schemas contain
 */
export function expectTold(specs: ToolSpec[], dialect: object): void {
	for (const { name, description } of specs) expect(description).toContain(`Endpoint: ${name}.`);
	expect(Object.fromEntries(specs.map((spec) => [spec.name, argumentsOf(spec)]))).toEqual(theirArguments);
	const { description, parameters } = specs.find(({ name }) => name === 'fraud')!;
	expect(description).toBe(ofFraud.description);
	expect(parameters).toEqual({ type: 'object', properties: { features: ofFraud.features }, ...dialect });
}

/** What a model is told by the tool `fraud` after a call that holds nothing. */
export const afterEmptyCall =
	"The record is empty. 'fraud' expects amount (number; Amount in euros), hour (integer; Hour of the day, 0 to 23), country (one of DE | ES | FR | GB | IT | US; The merchant's country), merchant_category (one of electronics | fuel | gift_cards | grocery | restaurant | travel), card_present (boolean; The card was in the terminal), customer_age_days (number; Days since the first purchase), chargebacks (number; Disputed payments so far), customer_id (string; Used to look up what is known about the customer). For example: " +
	'{"amount":412.5, "hour":3, "country":"US", "merchant_category":"electronics", "card_present":false, "customer_age_days":240, "chargebacks":0, "customer_id":"C001"}.';

const argumentsOf = ({ parameters }: ToolSpec) => Object.keys(parameters.properties ?? {});

/** What a caller tries first who knows no more than the names of the arguments, or not even these. */
export const firstCalls: Array<[what: string, call: (spec: ToolSpec) => ToolCalls[number]]> = [
	['a guess', (spec) => [spec.name, Object.fromEntries(argumentsOf(spec).map((name) => [name, { value: 'a guess' }]))]],
	['an empty call', ({ name }) => [name, {}]],
];

export const parsed = (text: string | undefined) => JSON.parse(text ?? '') as IDataObject[];

/** What the error of the first call teaches: the example in it; for a forecast, a history of such records. */
export function secondCall(spec: ToolSpec, said: string): ToolCalls[number] {
	const answer = parsed(said);
	expect(answer.map((item) => Object.keys(item))).toEqual([['error']]);
	const record = JSON.parse(/For example: (\{.*\})\./.exec(String(answer[0]!.error))![1]!) as IDataObject;
	if (spec.name !== 'store_sales') return [spec.name, { [argumentsOf(spec)[0]!]: record }];
	const history = storeHistory(String(record.store));
	expect(Object.keys(record)).toEqual(expect.arrayContaining(Object.keys(history[0]!)));
	return [spec.name, { [argumentsOf(spec)[0]!]: history }];
}

/** That the second calls were answered right, and that nothing else was sent. */
export function expectRightAnswers(answers: Record<string, IDataObject[]>, { sent }: Workbench): void {
	expect(answers.fraud).toEqual([
		{
			prediction: 'fraud',
			proba_legitimate: expect.any(Number),
			proba_fraud: expect.any(Number),
			proba_percentile: expect.any(Number),
		},
	]);
	expect(answers.coupon_effect).toMatchObject([{ predictedEffect: expect.any(Number) }]);
	expect(answers.store_sales).toHaveLength(7);
	expect(answers.known_customer).toMatchObject([{ name: 'Ana Costa' }]);
	expect(answers.customer_transactions!.length).toBeGreaterThan(1);
	expect(answers.add).toEqual([{ result: 5 }]);
	// One request for each tool, which held the example and nothing else: nothing of the chat. A function may need no argument.
	const requests = sent.filter(([, body]) => Object.keys(body).length > 0);
	expect(requests.map(([path]) => path.split('/')[0])).toEqual(Object.keys(theirArguments));
	const features = {
		...{ amount: 412.5, hour: 3, country: 'US', merchant_category: 'electronics', card_present: false },
		...{ customer_age_days: 240, chargebacks: 0, customer_id: 'C001' },
	};
	expect(requests[0]![1]).toEqual({ items: [{ features }] });
	expect(requests.at(-1)).toEqual(['add/run', { a: 2, b: 3 }]);
	expect(JSON.stringify(sent)).not.toMatch(/chat|session|toolCallId|mcp|jsonrpc|guess/i);
}
