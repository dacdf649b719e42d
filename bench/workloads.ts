import type { IDataObject } from 'n8n-workflow';

const countries = ['FR', 'DE', 'ES', 'IT', 'GB', 'US'];
const categories = ['grocery', 'restaurant', 'fuel', 'travel', 'electronics', 'gift_cards'];

/** Payments for the fraud endpoint, with the column that an expression reads. */
export function payments(count: number): IDataObject[] {
	return Array.from({ length: count }, (_, i) => ({
		amount: (i * 37) % 900,
		hour: i % 24,
		country: countries[i % 6],
		merchant_category: categories[i % 5],
		card_present: i % 2 === 0,
		output: 'withInput',
	}));
}

/** Two months of daily sales and the week to forecast, for each of many stores. */
export function sales(stores: number): IDataObject[] {
	const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString().slice(0, 10);
	return Array.from({ length: stores }, (_, s) =>
		Array.from({ length: 67 }, (__, n) => ({
			date: day(n),
			store: `store ${s}`,
			...(n < 60 && { sales: 100 + s + ((n * 13) % 29) }),
			promo: n % 7 === 0 ? 1 : 0,
		})),
	).flat();
}
