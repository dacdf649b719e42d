import type { Field } from './endpoint';
import { badRequest } from './errors';
import type { Predict } from './prediction';

/** The usual amount per category: mean and standard deviation of its logarithm. */
const usual: Record<string, [mean: number, deviation: number]> = {
	grocery: [3.3, 0.6],
	restaurant: [3.5, 0.5],
	fuel: [4, 0.4],
	travel: [5.5, 0.9],
	electronics: [5.2, 0.8],
	gift_cards: [3.8, 0.7],
};
const overall: [number, number] = [3.4, 1];

const fields: Field[] = [
	{ name: 'amount', type: 'number', example: 412.5, description: 'Amount in euros' },
	{ name: 'merchant_category', type: 'string', example: 'grocery', values: Object.keys(usual) },
];

/** Like custom Python models, it returns its own keys, and no prediction if none is possible. */
const predict: Predict = ({ amount, merchant_category }) => {
	const category = String(merchant_category);
	const own = Object.hasOwn(usual, category) ? usual[category] : undefined;
	const comparedWith = own ? category : 'all';
	if (amount === null || amount === undefined) return { ignored: false, prediction: null, comparedWith };
	if (typeof amount !== 'number' || amount <= 0) {
		throw badRequest(`Feature 'amount' must be a number above 0, not ${JSON.stringify(amount)}`);
	}
	const [mean, deviation] = own ?? overall;
	const distance = (Math.log(amount) - mean) / deviation;
	return { ignored: false, prediction: Math.abs(distance) > 2 ? 'unusual' : 'usual', distance, comparedWith };
};

export const unusualAmount = { fields, predict };
