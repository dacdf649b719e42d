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
	[
		'has a toJSON that throws a value without a text',
		{
			toJSON: () => {
				throw Object.create(null);
			},
		},
	],
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

it('only the record fails when a getter of it throws', async () => {
	const chaos = await stage.scoring();
	const unreadable = {
		get features() {
			throw new RangeError('gone');
		},
	};
	const records = [{ features: { id: 0 } }, unreadable] as never[];
	const outcomes = await stage.client({ url: chaos.url }).settle('predict', 'e', records, {});
	expect(outcomes[0]!.error).toBeUndefined();
	expect(outcomes[1]!.error).toMatchObject({ name: 'InvalidCallError', cause: expect.any(RangeError) as Error });
});
