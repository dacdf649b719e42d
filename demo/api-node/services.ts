import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Database } from 'sql.js';
import { effectEndpoint, type EffectModel } from './effect';
import type { Endpoint, Field } from './endpoint';
import { forecastEndpoint } from './forecast';
import { functions } from './functions';
import type { JsonObject } from './json';
import { Lookup, lookupEndpoint, type LookupPolicy } from './lookup';
import type { LinearModel } from './models/linear-model';
import { pictureShape } from './picture';
import { type Explanations, linearPrediction, predictionEndpoint } from './prediction';
import { withRules } from './rules';
import { type Authentication, Service } from './service';
import { queries } from './queries';
import { demoDatabase, sqlEndpoint } from './sql';
import { unusualAmount } from './unusual-amount';

const load = <T>(path: string): T => JSON.parse(readFileSync(join(__dirname, path), 'utf8')) as T;

const customers = load<JsonObject[]>('tables/customers.json');
const prices = load<JsonObject[]>('tables/prices.json');

const tolerant: LookupPolicy = {
	MISSING_LOOKUP_KEY: 'empty',
	NO_LOOKUP_MATCH: 'empty',
	MULTIPLE_LOOKUP_MATCHES: 'ignore',
};
const strict: LookupPolicy = {
	MISSING_LOOKUP_KEY: 'fail',
	NO_LOOKUP_MATCH: 'ignore',
	MULTIPLE_LOOKUP_MATCHES: 'ignore',
};
const customerId: Field = { name: 'customer_id', type: 'string', example: 'C001' };
const history = ['customer_age_days', 'chargebacks'];

const onRequest: Explanations = { enabled: false, method: 'SHAPLEY', nExplanations: 3, nMonteCarloSteps: 100 };

function predictions(): Endpoint[] {
	const fraud = load<LinearModel>('models/fraud.json');
	const housePrice = load<LinearModel>('models/house-price.json');
	const ticketTeam = load<LinearModel>('models/ticket-team.json');
	const anyCustomer = new Lookup(customers, ['customer_id'], history, tolerant);
	const knownCustomer = new Lookup(customers, ['customer_id'], history, strict);
	const fraudFields = [
		...fraud.features,
		{ ...customerId, description: 'Used to look up what is known about the customer' },
	];
	return [
		predictionEndpoint({
			id: 'fraud',
			summary: 'Is a card payment fraudulent?',
			fields: fraudFields,
			predict: linearPrediction(fraud),
			enrichment: anyCustomer,
			explanations: onRequest,
		}),
		predictionEndpoint({
			id: 'fraud_known_customers',
			summary: 'Is the card payment of a known customer fraudulent?',
			fields: fraudFields.map((field) => ({ ...field, required: field.name === 'customer_id' })),
			predict: linearPrediction(fraud),
			enrichment: knownCustomer,
			explanations: onRequest,
		}),
		predictionEndpoint({
			id: 'fraud_with_rules',
			summary: 'Is a card payment fraudulent? Two business rules override the model',
			fields: fraudFields,
			predict: withRules(linearPrediction(fraud), [
				{ name: 'large_amount', matches: ({ amount }) => Number(amount) > 5_000, prediction: 'fraud' },
				{ name: 'new_customer', matches: ({ customer_age_days: days }) => days === 0, prediction: 'fraud' },
			]),
			enrichment: anyCustomer,
			explanations: onRequest,
		}),
		predictionEndpoint({
			id: 'house_price',
			summary: 'What is a home worth?',
			fields: housePrice.features,
			predict: linearPrediction(housePrice),
			explanations: { enabled: true, method: 'ICE', nExplanations: 3, nMonteCarloSteps: 100 },
		}),
		predictionEndpoint({
			id: 'ticket_team',
			summary: 'Which team should answer a support ticket?',
			fields: ticketTeam.features,
			predict: linearPrediction(ticketTeam),
			explanations: onRequest,
		}),
		predictionEndpoint({
			id: 'unusual_amount',
			summary: 'How unusual is an amount? A custom model with keys of its own',
			fields: unusualAmount.fields,
			predict: unusualAmount.predict,
		}),
		predictionEndpoint({
			id: 'picture_shape',
			summary: 'Is a picture in portrait or landscape format? Takes a file, as computer vision does',
			fields: pictureShape.fields,
			predict: pictureShape.predict,
		}),
	];
}

/** The endpoint whose model changed from one generation to the next. */
function changed(name: string): Endpoint {
	const model = load<LinearModel>(`models/${name}.json`);
	return predictionEndpoint({
		id: 'fraud_changed',
		summary: 'Is a card payment fraudulent? Another model in each generation',
		documented: false,
		fields: model.features,
		predict: linearPrediction(model),
		explanations: onRequest,
	});
}

function lookups(): Endpoint[] {
	const columns = ['name', 'segment', 'city', ...history];
	const byCountry = new Lookup(prices, ['country', 'sku'], ['price', 'currency', 'vat'], {
		...tolerant,
		MISSING_LOOKUP_KEY: 'ignore',
	});
	return [
		lookupEndpoint(
			'customer',
			'What is known of a customer',
			new Lookup(customers, ['customer_id'], columns, tolerant),
			[customerId],
		),
		lookupEndpoint(
			'known_customer',
			'A customer who must be known',
			new Lookup(customers, ['customer_id'], columns, strict),
			[{ ...customerId, required: true }],
		),
		lookupEndpoint('price', 'The price of a product in a country', byCountry, [
			{ name: 'country', type: 'string', example: 'FR', values: ['FR', 'GB', 'US'], required: true },
			{ name: 'sku', type: 'string', example: 'A-100', required: true },
		]),
	];
}

function forecasts(): Endpoint[] {
	const storeSales = forecastEndpoint(
		'store_sales',
		"A week of each store's sales",
		{
			time: 'date',
			target: 'sales',
			identifiers: ['store'],
			external: 'promo',
			step: 'day',
			horizon: 7,
			period: 7,
			quantiles: [
				[0.1, -1.2815515655],
				[0.5, 0],
				[0.9, 1.2815515655],
			],
		},
		[
			{ name: 'date', type: 'string', example: '2024-05-01', required: true },
			{ name: 'store', type: 'string', example: 'Lyon', required: true },
			{ name: 'sales', type: 'number', example: 120, description: 'Left out in the days to come' },
			{ name: 'promo', type: 'integer', example: 0, description: '1 on a day with a promotion, known in advance' },
		],
	);
	const monthlyVisitors = forecastEndpoint(
		'monthly_visitors',
		'A year of visitors, month by month',
		{
			time: 'month',
			target: 'visitors',
			identifiers: [],
			step: 'month',
			horizon: 12,
			period: 12,
			quantiles: [
				[0.025, -1.9599639845],
				[0.5, 0],
				[0.975, 1.9599639845],
			],
		},
		[
			{ name: 'month', type: 'string', example: '2024-01-01', required: true },
			{ name: 'visitors', type: 'number', example: 1850, required: true },
		],
	);
	return [storeSales, monthlyVisitors];
}

export type AcceptsToken = (token: string) => boolean | Promise<boolean>;

export async function demoServices(accepts: AcceptsToken = (token) => token === 'demo-token') {
	const database: Database = await demoDatabase(customers);
	const couponEffect = load<EffectModel>('models/coupon-effect.json');
	const effect = effectEndpoint('coupon_effect', 'How much more does a shopper spend with a coupon?', couponEffect);
	const both = [
		...predictions(),
		...lookups(),
		...forecasts(),
		effect,
		...queries.map((query) => sqlEndpoint(database, query)),
		...functions(),
	];
	const generations = [
		{ id: 'v1', probability: 0.3, endpoints: [...both, changed('fraud-first')] },
		{ id: 'v2', probability: 0.7, endpoints: [...both, changed('fraud')] },
	];
	const ofRetail = ['store_sales', 'monthly_visitors', 'coupon_effect', 'price'];
	const retail = generations.map((generation) => ({
		...generation,
		endpoints: generation.endpoints.filter(({ id }) => ofRetail.includes(id)),
	}));
	const byKey = (key: string): Authentication => ({ type: 'apiKey', keys: [key] });
	const services = [
		new Service('demo', byKey('demo-key'), generations),
		new Service('open', { type: 'none' }, generations),
		new Service('secured', { type: 'bearerToken', accepts }, generations),
		new Service('retail', byKey('retail-key'), retail),
	];
	return new Map(services.map((service) => [service.id, service]));
}
