import { type ApiNode, startApiNode } from '../../../demo/api-node';
import fraud from '../../../demo/api-node/models/fraud.json';
import housePrice from '../../../demo/api-node/models/house-price.json';
import { ask, type ErrorBody } from './ask';

interface Result {
	ignored: boolean;
	ignoreReason?: string;
	prediction: string | number | null;
	probas: Record<string, number>;
	probaPercentile: number;
	explanations: Record<string, number>;
}
interface One {
	result: Result;
	apiContext: { serviceGeneration: string };
}
interface Many {
	results: Result[];
}

const risky = { amount: 900, hour: 3, country: 'US', merchant_category: 'gift_cards', card_present: false };
const usual = { amount: 15, hour: 12, country: 'FR', merchant_category: 'grocery', card_present: true };
const home = { surface: 92, rooms: 4, built: 1987, city: 'Lyon', garden: true };

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

const predict = async (endpoint: string, features: object, more: object = {}) =>
	(await ask<One>(node, `open/${endpoint}/predict`, { features, ...more })).body;
const predictAll = (endpoint: string, records: object[], more: object = {}) =>
	ask<Many & ErrorBody>(node, `open/${endpoint}/predict-multi`, {
		items: records.map((features) => ({ features })),
		...more,
	});
const sum = (values: Record<string, number>) => Object.values(values).reduce((total, value) => total + value, 0);

describe('overrides', () => {
	const large = { ...usual, amount: 6_000 };

	test("a rule decides and the model's own result is kept beside it when the rule matches", async () => {
		const { result: own } = await predict('fraud', large);
		const { result } = await predict('fraud_with_rules', large);
		expect(result).toMatchObject({
			prediction: 'fraud',
			probas: { legitimate: 0, fraud: 1 },
			override: {
				ruleMatched: true,
				appliedRule: 'large_amount',
				rawResult: { prediction: own.prediction, probabilities: own.probas },
				predictionChanged: own.prediction !== 'fraud',
			},
		});
	});

	test('the model decides when no rule matches', async () => {
		const { result } = await predict('fraud_with_rules', usual);
		expect(result).toEqual({ ...(await predict('fraud', usual)).result, override: { ruleMatched: false } });
	});
});

describe('predict', () => {
	test('a binary classification returns the class, the probabilities and the percentile', async () => {
		const { body } = await predictAll('fraud', [risky, usual]);
		const [first, second] = body.results;
		expect(first).toMatchObject({ ignored: false, prediction: 'fraud', probaPercentile: 99 });
		expect(second).toMatchObject({ ignored: false, prediction: 'legitimate' });
		expect(second?.probaPercentile).toBeLessThan(50);
		for (const { probas } of body.results) expect(sum(probas)).toBeCloseTo(1, 12);
		expect(first?.probas.fraud).toBeGreaterThan(second!.probas.fraud!);
	});

	test('a regression returns a number', async () => {
		const { result } = await predict('house_price', home, { explanations: { enabled: false } });
		expect(result).toEqual({ ignored: false, prediction: expect.any(Number) });
		expect(result.prediction).toBeGreaterThan(200_000);
		expect(result.prediction).toBeLessThan(800_000);
	});

	test('a multiclass classification returns a probability per class and no percentile', async () => {
		const { result } = await predict('ticket_team', { mentions_invoice: true, mentions_error: false, plan: 'home' });
		expect(result.prediction).toBe('billing');
		expect(Object.keys(result.probas)).toEqual(['billing', 'sales', 'technical']);
		expect(sum(result.probas)).toBeCloseTo(1, 12);
		expect(result).not.toHaveProperty('probaPercentile');
	});

	test('a custom model returns its own keys and may have no prediction', async () => {
		const { body } = await predictAll('unusual_amount', [
			{ amount: 4_000, merchant_category: 'fuel' },
			{ amount: null },
		]);
		expect(body.results).toEqual([
			{ ignored: false, prediction: 'unusual', distance: expect.any(Number), comparedWith: 'fuel' },
			{ ignored: false, prediction: null, comparedWith: 'all' },
		]);
	});

	test('a record gets the same result alone and in a batch, and a batch keeps its order', async () => {
		const records = [usual, risky, usual, {}, risky];
		const { body } = await predictAll('fraud', records);
		const alone = await Promise.all(records.map((features) => predict('fraud', features)));
		expect(body.results).toEqual(alone.map(({ result }) => result));
	});

	test('an empty batch has no result', async () => {
		expect((await predictAll('fraud', [])).body.results).toEqual([]);
	});

	test('missing, null, empty and unseen values are imputed', async () => {
		const { body } = await predictAll('fraud', [
			{},
			{ amount: null, country: '', hour: null },
			{ country: 'XX', other: 1 },
			{ country: 'constructor' },
		]);
		const base = 1 / (1 + Math.exp(-fraud.base[0]!));
		for (const { probas } of body.results) expect(probas.fraud).toBeCloseTo(base, 12);
	});

	test('a number may come as text', async () => {
		expect((await predict('fraud', { amount: '900' })).result).toEqual(
			(await predict('fraud', { amount: 900 })).result,
		);
	});

	test.each([
		['a text for a number', { amount: 'a lot' }, "'amount' must be a number"],
		['a boolean for a number', { amount: true }, "'amount' must be a number"],
		['a negative amount', { amount: -1 }, 'must not be negative'],
		['an object for a value', { country: { name: 'FR' } }, "'country' must be a single value"],
	])('the whole batch fails when a record has %s, and the message says where', async (_case, features, message) => {
		const answer = await predictAll('fraud', [usual, features]);
		expect(answer.status).toBe(400);
		expect(answer.body.message).toMatch(/^Item 1: /);
		expect(answer.body.message).toContain(message);
	});

	test('features that are not an object fail', async () => {
		const answer = await ask<ErrorBody>(node, 'open/fraud/predict-multi', {
			items: [{ features: usual }, { features: [1] }],
		});
		expect(answer).toMatchObject({ status: 400, body: { message: "Item 1 must have an object 'features'" } });
	});

	test('the context of a record changes nothing', async () => {
		const { result } = await predict('fraud', risky, { context: { amount: 1 } });
		expect(result).toEqual((await predict('fraud', risky)).result);
	});
});

describe('enrichment', () => {
	test('adds what is known about the customer', async () => {
		const { body } = await predictAll('fraud', [usual, { ...usual, customer_id: 'C003' }]);
		expect(body.results[1]?.probas.fraud).toBeGreaterThan(body.results[0]!.probas.fraud! * 2);
	});

	test('keeps what was sent, unless that is null', async () => {
		const own = { ...usual, customer_age_days: 1_000, chargebacks: 0 };
		const { body } = await predictAll('fraud', [
			own,
			{ ...own, customer_id: 'C003' },
			{ ...own, customer_id: 'C003', chargebacks: null, customer_age_days: null },
			{ ...usual, customer_id: 'C003' },
		]);
		const [sent, both, nulls, looked] = body.results;
		expect(both).toEqual(sent);
		expect(nulls).toEqual(looked);
	});

	test('ignores the record with a status of 200 when a customer is found twice', async () => {
		const { status, body } = await predictAll('fraud', [usual, { ...usual, customer_id: 'C007' }, usual]);
		expect(status).toBe(200);
		expect(body.results[1]).toEqual({ ignored: true, ignoreReason: 'MULTIPLE_LOOKUP_MATCHES' });
		expect(body.results[2]?.ignored).toBe(false);
	});

	test('imputes or ignores an unknown customer, as the endpoint is set up', async () => {
		const stranger = { ...usual, customer_id: 'C999' };
		expect((await predict('fraud', stranger)).result).toEqual((await predict('fraud', usual)).result);
		const { result } = await predict('fraud_known_customers', stranger);
		expect(result).toEqual({ ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' });
	});

	test('fails when a required key is missing', async () => {
		const answer = await predictAll('fraud_known_customers', [{ ...usual, customer_id: 'C001' }, usual]);
		expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('Item 1: Lookup failed') } });
	});
});

describe('explanations', () => {
	const unset = { enabled: null, method: null, nExplanations: null, nMonteCarloSteps: null };

	test.each(['ICE', 'SHAPLEY'])('by %s add up to the log-odds above the average', async (method) => {
		const explanations = { enabled: true, method, nExplanations: 20 };
		const { result } = await predict('fraud', { ...risky, customer_id: 'C003' }, { explanations });
		const logOdds = Math.log(result.probas.fraud! / result.probas.legitimate!);
		expect(Object.keys(result.explanations)).toHaveLength(fraud.features.length);
		expect(sum(result.explanations)).toBeCloseTo(logOdds - fraud.base[0]!, 8);
	});

	test('of a regression add up to the difference from the average, in its unit', async () => {
		const { result } = await predict('house_price', home, { explanations: { nExplanations: 9 } });
		expect(sum(result.explanations)).toBeCloseTo(Number(result.prediction) - housePrice.base[0]!, 4);
	});

	test('have the requested number, the strongest of either sign first', async () => {
		const explain = async (nExplanations: number) =>
			(await predict('fraud', { ...usual, hour: 3 }, { explanations: { enabled: true, nExplanations } })).result
				.explanations;
		const strongest = Object.entries(await explain(20)).sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
		const three = await explain(3);
		expect(three).toEqual(Object.fromEntries(strongest.slice(0, 3)));
		expect(new Set(Object.values(three).map(Math.sign))).toEqual(new Set([-1, 1]));
	});

	test("follow the endpoint's settings when nothing, or null, is requested", async () => {
		for (const more of [{}, { explanations: unset }, { explanations: null }, { explanations: {} }]) {
			expect((await predict('fraud', risky, more)).result).not.toHaveProperty('explanations');
			expect(Object.keys((await predict('house_price', home, more)).result.explanations)).toHaveLength(3);
		}
	});

	test('are returned for every record of a batch', async () => {
		const { body } = await predictAll('ticket_team', [{ plan: 'home' }, {}], { explanations: { enabled: true } });
		expect(body.results.map(({ explanations }) => Object.keys(explanations).length)).toEqual([3, 3]);
	});

	test.each([
		['fraud', { enabled: 'yes' }],
		['fraud', { enabled: true, method: 'LIME' }],
		['fraud', { enabled: true, nExplanations: 0 }],
		['fraud', { enabled: true, nMonteCarloSteps: 24 }],
		['fraud', { enabled: true, nMonteCarloSteps: 1_001 }],
		['fraud', []],
		['unusual_amount', { enabled: true }],
	])('of %s cannot be requested with %j', async (endpoint, explanations) => {
		const answer = await ask<ErrorBody>(node, `open/${endpoint}/predict`, { features: { amount: 3 }, explanations });
		expect(answer.status).toBe(400);
		expect(answer.body.message).toMatch(/explain|explanations/);
	});
});

describe('generations', () => {
	const changed = (dispatch?: object) => predict('fraud_changed', { ...risky, chargebacks: 3 }, { dispatch });

	test('respond with their own model when forced', async () => {
		const [first, second] = [await changed({ forcedGeneration: 'v1' }), await changed({ forcedGeneration: 'v2' })];
		expect([first, second].map(({ apiContext }) => apiContext.serviceGeneration)).toEqual(['v1', 'v2']);
		expect(first.result.probas.fraud).not.toBe(second.result.probas.fraud);
	});

	test('are the same for the same dispatch key, and keys spread by probability', async () => {
		const keys = Array.from({ length: 200 }, (_, index) => `customer-${index}`);
		const generationOf = async (dispatchKey: string) => (await changed({ dispatchKey })).apiContext.serviceGeneration;
		const once = await Promise.all(keys.map(generationOf));
		expect(await Promise.all(keys.map(generationOf))).toEqual(once);
		// 30 % of 200 is 60; the keys are fixed, so that this cannot fail by chance.
		const ofFirst = once.filter((generation) => generation === 'v1').length;
		expect(ofFirst).toBeGreaterThan(40);
		expect(ofFirst).toBeLessThan(80);
	});

	test('are reduced to one when it is activated', async () => {
		const other = await startApiNode();
		try {
			for (const generation of ['v1', 'v2']) {
				other.activate(generation);
				const asked = Array.from({ length: 20 }, () => ask<One>(other, 'open/fraud/predict', { features: usual }));
				const met = new Set((await Promise.all(asked)).map(({ body }) => body.apiContext.serviceGeneration));
				expect([...met]).toEqual([generation]);
			}
		} finally {
			await other.close();
		}
	});

	test('both respond without dispatch', async () => {
		const met = new Set<string>();
		for (let tries = 0; tries < 500 && met.size < 2; tries++) met.add((await changed()).apiContext.serviceGeneration);
		expect([...met].sort()).toEqual(['v1', 'v2']);
	});

	test('cause an error when an unknown one is forced', async () => {
		const body = { features: risky, dispatch: { forcedGeneration: 'v9' } };
		const answer = await ask<ErrorBody>(node, 'open/fraud_changed/predict', body);
		expect(answer).toMatchObject({ status: 400, body: { message: expect.stringContaining('v9') } });
	});

	test('are chosen as usual when the forced one is null', async () => {
		const answer = await changed({ forcedGeneration: null, dispatchKey: null });
		expect(answer.apiContext.serviceGeneration).toMatch(/^v[12]$/);
	});
});
