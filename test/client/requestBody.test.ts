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
])('fails alone of its batch when a record %s', async (_name, features) => {
	const chaos = await stage.scoring();
	const records = [{ features: { id: 0 } }, { features }, { features: { id: 2 } }] as never[];
	const outcomes = await stage.client({ url: chaos.url }).settle('predict', 'e', records, {});
	expect(outcomes.map(({ error }) => error instanceof ApiNodeError && error.name)).toEqual([
		false,
		'InvalidCallError',
		false,
	]);
});

it('fails alone of its batch when the whole record makes nothing of itself', async () => {
	const chaos = await stage.scoring();
	const whole = Object.assign({ features: { id: 1 } }, { toJSON: () => undefined });
	const records = [{ features: { id: 0 } }, whole] as never[];
	const outcomes = await stage.client({ url: chaos.url }).settle('predict', 'e', records, {});
	expect(outcomes.map(({ error }) => error?.name)).toEqual([undefined, 'InvalidCallError']);
});
