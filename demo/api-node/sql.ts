import initSqlJs, { type Database } from 'sql.js';
import type { Endpoint, Field } from './endpoint';
import { ApiNodeError, badRequest } from './errors';
import type { JsonObject } from './json';

export interface SqlSettings {
	id: string;
	summary: string;
	documented?: boolean;
	fields: Field[];
	/** Each transaction is a list of statements that are committed together. */
	transactions: string[][];
}

type Parameters = Record<string, string | number | null>;
type Outcome = { columns: string[]; rows: Array<Array<string | null>> } | { updatedRows: number };

const schema = `
	CREATE TABLE customers (id TEXT, name TEXT, city TEXT);
	CREATE TABLE transactions (id INTEGER PRIMARY KEY, customer_id TEXT, amount REAL, merchant TEXT, note TEXT);
	CREATE INDEX by_customer ON transactions (customer_id);
	CREATE TABLE accounts (customer_id TEXT PRIMARY KEY, balance REAL CHECK (balance >= 0));
	CREATE TABLE payments (id INTEGER PRIMARY KEY, customer_id TEXT NOT NULL, amount REAL CHECK (amount > 0));
`;
const merchants = ['Bakery', 'Bookshop', 'Fuel', 'Hotel', "L'Épicerie", 'Market', 'Train'];

/** A new database with the known customers, 100 in each account, and 10,000 transactions between them. */
export async function demoDatabase(customers: JsonObject[]): Promise<Database> {
	const { Database } = await initSqlJs();
	const database = new Database();
	database.run(schema);
	const ids = [...new Set(customers.map((customer) => String(customer.customer_id)))];
	database.run('BEGIN');
	for (const { customer_id: id, name, city } of customers) {
		database.run('INSERT INTO customers VALUES (?, ?, ?)', [String(id), String(name), city as string | null]);
	}
	for (const id of ids) database.run('INSERT INTO accounts VALUES (?, 100)', [id]);
	const insert = database.prepare('INSERT INTO transactions VALUES (?, ?, ?, ?, ?)');
	for (let id = 1; id <= 10_000; id++) {
		const amount = ((id * 7_919) % 20_000) / 100;
		insert.run([
			id,
			ids[id % ids.length]!,
			amount,
			merchants[id % merchants.length]!,
			id % 5 === 0 ? null : `No. ${id}`,
		]);
	}
	insert.free();
	database.run('COMMIT');
	return database;
}

export function sqlEndpoint(database: Database, settings: SqlSettings): Endpoint {
	const { transactions, ...about } = settings;
	return { ...about, actions: { query: (body) => run(database, transactions, parametersOf(settings, body)) } };
}

/**
 * Returns the last SELECT's rows, or else the total number of updated rows. Dataiku does not document how several statements
 * are handled.
 */
function run(database: Database, transactions: string[][], parameters: Parameters): Outcome {
	let selected: Outcome | undefined;
	let updatedRows = 0;
	for (const statements of transactions) {
		database.run('BEGIN');
		try {
			for (const sql of statements) {
				const outcome = execute(database, sql, parameters);
				if ('rows' in outcome) selected = outcome;
				else updatedRows += outcome.updatedRows;
			}
			database.run('COMMIT');
		} catch (error) {
			database.run('ROLLBACK');
			throw new ApiNodeError(500, 'SQLException', 'The query failed', (error as Error).message);
		}
	}
	return selected ?? { updatedRows };
}

function execute(database: Database, sql: string, parameters: Parameters): Outcome {
	const statement = database.prepare(sql);
	try {
		const own = [...sql.matchAll(/:(\w+)/g)].map(([placeholder, name]) => [placeholder, parameters[name!]]);
		statement.bind(Object.fromEntries(own) as Parameters);
		const rows: Array<Array<string | null>> = [];
		while (statement.step()) rows.push(statement.get().map((cell) => (cell === null ? null : String(cell))));
		const columns = statement.getColumnNames();
		return columns.length > 0 ? { columns, rows } : { updatedRows: database.getRowsModified() };
	} finally {
		statement.free();
	}
}

function parametersOf({ id, fields }: SqlSettings, body: JsonObject): Parameters {
	return Object.fromEntries(
		fields.map(({ name }) => {
			const value = body[name];
			if (value === undefined) throw badRequest(`Query ${id} needs parameter '${name}'`);
			if (typeof value === 'object' && value !== null) throw badRequest(`Parameter '${name}' must be a single value`);
			return [name, typeof value === 'boolean' ? Number(value) : value];
		}),
	);
}
