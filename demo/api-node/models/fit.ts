/**
 * Simulates the training data and fits the demo's models: `npx tsx demo/api-node/models/fit.ts` writes the JSON files
 * beside it, the same ones each time.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Field } from '../endpoint';
import type { JsonObject } from '../json';
import { type Feature, type LinearModel, scorer, sigmoid } from './linear-model';

type Spec = Field & { encoding: Feature['encoding']; edges?: number[] };
type Row = { record: JsonObject; target: number };
type Loss = (row: Row, scores: number[]) => number[];

let seed = 20_240_501;
const random = () => {
	seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
	return seed / 2 ** 32;
};
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const pick = <T>(values: T[]): T => values[Math.floor(random() * values.length)];
const chance = (probability: number) => random() < probability;
const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
const rows = <R extends Row>(count: number, draw: () => R): R[] => Array.from({ length: count }, draw);

/** Nesterov's gradient descent on any linear model whose loss has the gradient `error` with respect to its scores. */
function fit(
	specs: Spec[],
	data: Row[],
	outputs: number,
	error: Loss,
	unit = 1,
): Pick<LinearModel, 'base' | 'features'> {
	const columns = specs.flatMap((spec) => {
		const encoded = data.map(({ record }) => encode(spec, record));
		if (spec.encoding === 'category' || spec.encoding === 'bins') {
			const values = [...new Set(encoded)].sort();
			return values.map((value) =>
				column(
					spec,
					String(value),
					encoded.map((other) => Number(other === value)),
				),
			);
		}
		return [column(spec, '', encoded.map(Number))];
	});
	const weights = [...columns.map(() => zeros(outputs)), zeros(outputs)];
	const velocity = weights.map(() => zeros(outputs));
	for (let step = 0; step < 400; step++) {
		const gradient = weights.map(() => zeros(outputs));
		data.forEach((row, index) => {
			const predicted = zeros(outputs).map((_, output) =>
				columns.reduce(
					(sum, { values }, c) => sum + values[index] * (weights[c][output] + 0.9 * velocity[c][output]),
					weights[columns.length][output] + 0.9 * velocity[columns.length][output],
				),
			);
			error(row, predicted).forEach((value, output) => {
				columns.forEach(({ values }, c) => (gradient[c][output] += value * values[index]));
				gradient[columns.length][output] += value;
			});
		});
		weights.forEach((weight, c) =>
			weight.forEach((_, output) => {
				velocity[c][output] = 0.9 * velocity[c][output] - (0.3 / data.length) * gradient[c][output];
				weight[output] += velocity[c][output];
			}),
		);
	}
	const features = specs.map((spec) => {
		const own = columns.flatMap((one, c) => (one.spec === spec ? [{ ...one, weight: weights[c] }] : []));
		if (spec.encoding === 'number' || spec.encoding === 'log') {
			const [{ mean, deviation, weight }] = own;
			return { ...spec, mean: round(mean), weights: weight.map((value) => round((value * unit) / deviation)) };
		}
		const centre = zeros(outputs).map((_, output) =>
			own.reduce((sum, { mean, weight }) => sum + mean * weight[output], 0),
		);
		const byValue = own.map(({ value, weight }) => [
			value,
			weight.map((w, output) => round((w - centre[output]) * unit)),
		]);
		const values = spec.encoding === 'category' && spec.type === 'string' ? own.map(({ value }) => value) : undefined;
		return { ...spec, values, weights: Object.fromEntries(byValue) };
	});
	return { base: weights[columns.length].map((value) => round(value * unit)), features: features as Feature[] };
}

function column(spec: Spec, value: string, encoded: number[]) {
	const mean = encoded.reduce((sum, number) => sum + number, 0) / encoded.length;
	const variance = encoded.reduce((sum, number) => sum + (number - mean) ** 2, 0) / encoded.length;
	// Categories keep the unit of their weight: only numbers are scaled.
	const deviation = value === '' ? Math.sqrt(variance) : 1;
	return { spec, value, mean, deviation, values: encoded.map((number) => (number - mean) / deviation) };
}

function encode({ name, encoding, edges = [] }: Spec, record: JsonObject): string | number {
	const value = record[name];
	if (encoding === 'category') return String(value);
	if (encoding === 'bins') return String(edges.filter((edge) => Number(value) >= edge).length);
	return encoding === 'log' ? Math.log1p(Number(value)) : Number(value);
}

const zeros = (count: number) => new Array<number>(count).fill(0);
const round = (value: number) => Number(value.toPrecision(6));

function binary(target: string, classes: string[], specs: Spec[], data: Row[], description: string): LinearModel {
	const held = Math.floor(data.length * 0.8);
	const fitted = fit(specs, data.slice(0, held), 1, ({ target: y }, [score]) => [sigmoid(score) - y]);
	const model: LinearModel = {
		...{ kind: 'BINARY', target, classes, threshold: 0.5, percentiles: [], data: description, metrics: {} },
		...fitted,
	};
	const score = scorer(model);
	const probaOf = ({ record }: Row) => sigmoid(score(record).values[0]);
	const probas = data.slice(0, held).map(probaOf);
	const sorted = [...probas].sort((a, b) => a - b);
	model.percentiles = Array.from({ length: 99 }, (_, p) => round(sorted[Math.floor(((p + 1) / 100) * sorted.length)]));
	const test = data.slice(held).map((row) => ({ y: row.target, p: probaOf(row) }));
	const f1 = (threshold: number) => {
		const hits = test.filter(({ y, p }) => y === 1 && p >= threshold).length;
		return (2 * hits) / (test.filter(({ p }) => p >= threshold).length + test.filter(({ y }) => y === 1).length);
	};
	const thresholds = Array.from({ length: 99 }, (_, index) => (index + 1) / 100);
	model.threshold = thresholds.reduce((best, threshold) => (f1(threshold) > f1(best) ? threshold : best), 0.5);
	const ranks = test.sort((a, b) => a.p - b.p).map(({ y }, index) => (y === 1 ? index + 1 : 0));
	const positives = test.filter(({ y }) => y === 1).length;
	const area = ranks.reduce((sum, rank) => sum + rank, 0) - (positives * (positives + 1)) / 2;
	model.metrics = { auc: round(area / (positives * (test.length - positives))), f1: round(f1(model.threshold)) };
	return model;
}

function multiclass(target: string, classes: string[], specs: Spec[], data: Row[], description: string): LinearModel {
	const held = Math.floor(data.length * 0.8);
	const fitted = fit(specs, data.slice(0, held), classes.length, ({ target: y }, values) => {
		const total = values.reduce((sum, value) => sum + Math.exp(value), 0);
		return values.map((value, output) => Math.exp(value) / total - Number(output === y));
	});
	const model: LinearModel = {
		...{ kind: 'MULTICLASS', target, classes, threshold: 0, percentiles: [], data: description, metrics: {} },
		...fitted,
	};
	const score = scorer(model);
	const right = data.slice(held).filter((row) => {
		const { values } = score(row.record);
		return values.indexOf(Math.max(...values)) === row.target;
	});
	model.metrics = { accuracy: round(right.length / (data.length - held)) };
	return model;
}

function regression(target: string, specs: Spec[], data: Row[], description: string): LinearModel {
	const held = Math.floor(data.length * 0.8);
	const mean = data.reduce((sum, row) => sum + row.target, 0) / data.length;
	const fitted = fit(specs, data.slice(0, held), 1, ({ target: y }, [score]) => [score - y / mean], mean);
	const model: LinearModel = {
		...{ kind: 'REGRESSION', target, classes: [], threshold: 0, percentiles: [], data: description, metrics: {} },
		...fitted,
	};
	const test = data.slice(held);
	const average = test.reduce((sum, row) => sum + row.target, 0) / test.length;
	const score = scorer(model);
	const left = test.reduce((sum, { target, record }) => sum + (target - score(record).values[0]) ** 2, 0);
	model.metrics = { r2: round(1 - left / test.reduce((sum, row) => sum + (row.target - average) ** 2, 0)) };
	return model;
}

function write(name: string, model: object) {
	writeFileSync(join(__dirname, `${name}.json`), `${JSON.stringify(model, null, '\t')}\n`);
}

const fraudFeatures: Spec[] = [
	{ name: 'amount', type: 'number', encoding: 'log', example: 412.5, description: 'Amount in euros' },
	{
		name: 'hour',
		type: 'integer',
		encoding: 'bins',
		edges: [6, 12, 18],
		example: 3,
		description: 'Hour of the day, 0 to 23',
	},
	{ name: 'country', type: 'string', encoding: 'category', example: 'US', description: "The merchant's country" },
	{ name: 'merchant_category', type: 'string', encoding: 'category', example: 'electronics' },
	{
		name: 'card_present',
		type: 'boolean',
		encoding: 'category',
		example: false,
		description: 'The card was in the terminal',
	},
	{
		name: 'customer_age_days',
		type: 'number',
		encoding: 'log',
		example: 240,
		description: 'Days since the first purchase',
	},
	{ name: 'chargebacks', type: 'number', encoding: 'number', example: 0, description: 'Disputed payments so far' },
];
const transactions = rows(12_000, () => {
	const record = {
		amount: round(Math.exp(3.4 + normal())),
		hour: Math.min(23, Math.max(0, Math.round(14 + 5 * normal()))),
		country: pick(['FR', 'FR', 'FR', 'DE', 'ES', 'IT', 'GB', 'US']),
		merchant_category: pick(['grocery', 'grocery', 'restaurant', 'fuel', 'travel', 'electronics', 'gift_cards']),
		card_present: chance(0.65),
		customer_age_days: whole(1, 2_000),
		chargebacks: chance(0.06) ? whole(1, 3) : 0,
	};
	const logOdds =
		-8.4 +
		1.1 * Math.log1p(record.amount) +
		(record.hour < 6 ? 1.6 : record.hour >= 18 ? 0.3 : 0) +
		({ US: 0.9, GB: 0.4, IT: 0.2 }[record.country] ?? 0) +
		({ electronics: 0.9, gift_cards: 1.6, travel: 0.4, grocery: -0.7 }[record.merchant_category] ?? 0) +
		(record.card_present ? -1.3 : 0.8) -
		0.35 * (Math.log1p(record.customer_age_days) - 6.6) +
		0.8 * record.chargebacks;
	return { record, target: Number(chance(sigmoid(logOdds))) };
});
const fraudClasses = ['legitimate', 'fraud'];
const fraudData = '12,000 simulated card payments, a fifth held out for the metrics';
write('fraud', binary('fraud', fraudClasses, fraudFeatures, transactions, fraudData));
const firstFeatures = fraudFeatures.slice(0, 5);
const first = 'The first 3,000 of the simulated card payments, without what is known of the customer';
write('fraud-first', binary('fraud', fraudClasses, firstFeatures, transactions.slice(0, 3_000), first));

const houseFeatures: Spec[] = [
	{ name: 'surface', type: 'number', encoding: 'number', example: 92, description: 'Living area in square metres' },
	{ name: 'rooms', type: 'integer', encoding: 'number', example: 4 },
	{ name: 'built', type: 'integer', encoding: 'number', example: 1987, description: 'Year of construction' },
	{ name: 'city', type: 'string', encoding: 'category', example: 'Lyon' },
	{ name: 'garden', type: 'boolean', encoding: 'category', example: true },
];
const houses = rows(4_000, () => {
	const surface = Math.round(Math.max(18, 85 + 35 * normal()));
	const rooms = Math.max(1, Math.round(surface / 24 + 0.6 * normal()));
	const record = {
		surface,
		rooms,
		built: whole(1900, 2023),
		city: pick(['Paris', 'Lyon', 'Lille', 'Nantes']),
		garden: chance(0.3),
	};
	const place = { Paris: 260_000, Lyon: 60_000, Nantes: 15_000 }[record.city] ?? 0;
	const worth = 3_100 * surface + 6_000 * rooms + 350 * (record.built - 1900) + place + (record.garden ? 28_000 : 0);
	return { record, target: 20_000 + worth + 30_000 * normal() };
});
write(
	'house-price',
	regression('price', houseFeatures, houses, '4,000 simulated sales, prices in euros, a fifth held out'),
);

const ticketFeatures: Spec[] = [
	{ name: 'channel', type: 'string', encoding: 'category', example: 'email' },
	{ name: 'product', type: 'string', encoding: 'category', example: 'router' },
	{ name: 'plan', type: 'string', encoding: 'category', example: 'business' },
	{ name: 'mentions_invoice', type: 'boolean', encoding: 'category', example: true },
	{ name: 'mentions_error', type: 'boolean', encoding: 'category', example: false },
	{ name: 'words', type: 'integer', encoding: 'log', example: 80, description: 'Length of the message' },
];
const teams = ['billing', 'sales', 'technical'];
const tickets = rows(4_000, () => {
	const record = {
		channel: pick(['email', 'chat', 'phone']),
		product: pick(['router', 'mobile', 'tv']),
		plan: pick(['none', 'home', 'business']),
		mentions_invoice: chance(0.3),
		mentions_error: chance(0.35),
		words: Math.round(Math.exp(4 + 0.7 * normal())),
	};
	const pull = [
		(record.mentions_invoice ? 2.6 : -0.6) + (record.channel === 'phone' ? 0.3 : 0) + normal() * 0.8,
		(record.plan === 'none' ? 2.1 : -0.4) + (record.product === 'mobile' ? 0.5 : 0) + normal() * 0.8,
		(record.mentions_error ? 2.4 : -0.5) + (record.product === 'router' ? 0.7 : 0) + 0.3 * (Math.log(record.words) - 4),
	];
	return { record, target: pull.indexOf(Math.max(...pull)) };
});
write(
	'ticket-team',
	multiclass('team', teams, ticketFeatures, tickets, '4,000 simulated support tickets, a fifth held out'),
);

const couponFeatures: Spec[] = [
	{ name: 'age', type: 'integer', encoding: 'number', example: 34 },
	{ name: 'visits', type: 'integer', encoding: 'log', example: 6, description: 'Visits in the last 30 days' },
	{ name: 'basket', type: 'number', encoding: 'number', example: 38.5, description: 'Average basket in euros' },
	{ name: 'loyalty', type: 'string', encoding: 'category', example: 'silver' },
];
const shoppers = rows(6_000, () => {
	const record = {
		age: whole(18, 80),
		visits: Math.floor(Math.exp(1.4 + 0.8 * normal())),
		basket: round(Math.max(5, 42 + 15 * normal())),
		loyalty: pick(['none', 'silver', 'gold']),
	};
	const treated = chance(sigmoid(0.4 * Math.log1p(record.visits) - 0.7 + (record.loyalty === 'gold' ? 0.5 : 0)));
	const effect = 9 - 0.12 * (record.age - 18) + ({ none: 4, gold: -5 }[record.loyalty] ?? 0);
	const spend = 10 + 0.7 * record.basket + 6 * Math.log1p(record.visits) + (treated ? effect : 0) + 6 * normal();
	return { record, treated, target: spend };
});
const arm = (treated: boolean) => shoppers.filter((shopper) => shopper.treated === treated);
const received = shoppers.map(({ record, treated }) => ({ record, target: Number(treated) }));
const couponData = '6,000 simulated shoppers: euros spent in the week after a coupon was sent or not';
write('coupon-effect', {
	control: 'none',
	treatment: 'coupon',
	models: {
		control: regression('spend', couponFeatures, arm(false), couponData),
		treatment: regression('spend', couponFeatures, arm(true), couponData),
		propensity: binary('coupon', ['none', 'coupon'], couponFeatures, received, couponData),
	},
});
