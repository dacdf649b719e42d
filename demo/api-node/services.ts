import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Endpoint, Field } from './endpoint';
import type { JsonObject } from './json';
import { Lookup, lookupEndpoint, type LookupPolicy } from './lookup';
import type { LinearModel } from './models/linear-model';
import { type Explanations, linearPrediction, predictionEndpoint } from './prediction';
import { type Authentication, Service } from './service';

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
		{ ...customerId, description: 'Looked up for what is known of the customer' },
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
	];
}

/** The endpoint whose model was changed from one generation to the next. */
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

export type AcceptsToken = (token: string) => boolean | Promise<boolean>;

export function demoServices(accepts: AcceptsToken = (token) => token === 'demo-token'): Map<string, Service> {
	const both = [...predictions(), ...lookups()];
	const generations = [
		{ id: 'v1', probability: 0.3, endpoints: [...both, changed('fraud-first')] },
		{ id: 'v2', probability: 0.7, endpoints: [...both, changed('fraud')] },
	];
	const authentications: Array<[string, Authentication]> = [
		['demo', { type: 'apiKey', keys: ['demo-key'] }],
		['open', { type: 'none' }],
		['secured', { type: 'bearerToken', accepts }],
	];
	return new Map(authentications.map(([id, authentication]) => [id, new Service(id, authentication, generations)]));
}
