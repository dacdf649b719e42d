import { type ApiNode, startApiNode } from '../../../demo/api-node';
import { ask, type ErrorBody } from './ask';

interface Effect {
	ignored: boolean;
	predictedEffect: number;
	outcomes: Record<string, number>;
	propensity: number;
}

const young = { age: 20, visits: 6, basket: 40, loyalty: 'none' };
const old = { age: 75, visits: 6, basket: 40, loyalty: 'gold' };

let node: ApiNode;
beforeAll(async () => {
	node = await startApiNode();
});
afterAll(() => node.close());

test('the effect is the difference between the outcomes with and without treatment', async () => {
	const { body } = await ask<{ result: Effect }>(node, 'open/coupon_effect/predict-effect', { features: young });
	expect(body.result).toMatchObject({ ignored: false, treatment: 'coupon', control: 'none' });
	const { coupon, none } = body.result.outcomes;
	expect(body.result.predictedEffect).toBeCloseTo(coupon! - none!, 9);
	expect(body.result.propensity).toBeGreaterThan(0);
	expect(body.result.propensity).toBeLessThan(1);
});

test('a batch shows who gains from the treatment and who loses', async () => {
	const items = [{ features: young }, { features: old, context: { list: 'a' } }];
	const { body } = await ask<{ results: Effect[] }>(node, 'open/coupon_effect/predict-effect-multi', { items });
	expect(body.results[0]?.predictedEffect).toBeGreaterThan(5);
	expect(body.results[1]?.predictedEffect).toBeLessThan(0);
});

test('the batch fails with a message that names the record when a record cannot be used', async () => {
	const items = [{ features: young }, { features: { age: 'old' } }];
	const answer = await ask<ErrorBody>(node, 'open/coupon_effect/predict-effect-multi', { items });
	expect(answer).toMatchObject({ status: 400, body: { message: expect.stringMatching(/^Item 1: Feature 'age'/) } });
});
