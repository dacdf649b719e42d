import type { Field } from './endpoint';
import type { SqlSettings } from './sql';

const customer: Field = { name: 'customer_id', type: 'string', example: 'C001', required: true };
const amount: Field = { name: 'amount', type: 'number', example: 25, required: true };

export const queries: SqlSettings[] = [
	{
		id: 'customer_transactions',
		summary: "A customer's transactions from an amount on",
		fields: [customer, { ...amount, name: 'min_amount', example: 50 }],
		transactions: [
			[
				'SELECT id, amount, merchant, note FROM transactions ' +
					'WHERE customer_id = :customer_id AND amount >= :min_amount ORDER BY amount DESC, id LIMIT 20',
			],
		],
	},
	{
		id: 'all_transactions',
		summary: 'All 10,000 transactions',
		fields: [],
		transactions: [['SELECT id, customer_id, amount, merchant, note FROM transactions ORDER BY id']],
	},
	{
		id: 'customer_orders',
		summary: 'A customer joined with transactions: two columns are called id',
		fields: [customer],
		transactions: [
			[
				'SELECT c.id, c.name, c.city, t.id, t.amount, t.note FROM customers c ' +
					'LEFT JOIN transactions t ON t.customer_id = c.id WHERE c.id = :customer_id ORDER BY t.id LIMIT 10',
			],
		],
	},
	{
		id: 'payments',
		summary: 'What was paid',
		fields: [],
		transactions: [['SELECT id, customer_id, amount FROM payments ORDER BY id']],
	},
	{
		id: 'add_payment',
		summary: 'Records a payment',
		fields: [customer, amount],
		transactions: [['INSERT INTO payments (customer_id, amount) VALUES (:customer_id, :amount)']],
	},
	{
		id: 'transfer',
		summary: 'Moves an amount from one account to another',
		fields: [{ ...customer, name: 'from' }, { ...customer, name: 'to', example: 'C002' }, amount],
		transactions: [
			[
				'UPDATE accounts SET balance = balance + :amount WHERE customer_id = :to',
				'UPDATE accounts SET balance = balance - :amount WHERE customer_id = :from',
			],
		],
	},
	{
		id: 'settle',
		summary: 'Fails after its first statement was committed',
		documented: false,
		fields: [customer],
		transactions: [
			['INSERT INTO payments (customer_id, amount) VALUES (:customer_id, 1)'],
			['INSERT INTO payments (customer_id, amount) VALUES (:customer_id, -1)'],
		],
	},
];
