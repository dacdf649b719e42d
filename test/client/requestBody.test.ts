import { ApiNodeError } from '../../client';
import { Stage } from './harness';

const stage = new Stage();
const circular: Record<string, unknown> = {};
circular.self = circular;

it.each<[string, object]>([
	['has a toJSON that gives nothing', { toJSON: () => undefined }],
	[
		'has a toJSON that throws',
		{
			toJSON: () => {
				throw new Error('no');
			},
		},
	],
	['holds a BigInt', { amount: 1n }],
	['holds itself', circular],
])('only the record fails when it %s', async (_name, features) => {
	const chaos = await stage.scoring();
	const records = [{ features: { id: 0 } }, { features }, { features: { id: 2 } }] as never[];
	const outcomes = await stage.client({ url: chaos.url }).settle('predict', 'e', records, {});
	expect(outcomes.map(({ error }) => error instanceof ApiNodeError && error.name)).toEqual([
		false,
		'InvalidCallError',
		false,
	]);
});

it('only the record fails when its toJSON returns nothing', async () => {
	const chaos = await stage.scoring();
	const whole = Object.assign({ features: { id: 1 } }, { toJSON: () => undefined });
	const records = [{ features: { id: 0 } }, whole] as never[];
	const outcomes = await stage.client({ url: chaos.url }).settle('predict', 'e', records, {});
	expect(outcomes.map(({ error }) => error?.name)).toEqual([undefined, 'InvalidCallError']);
});
