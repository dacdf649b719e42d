import type { Endpoint, Field } from './endpoint';
import { badRequest } from './errors';
import { itemsOf, type JsonObject, objectOf } from './json';

export type LookupReason = 'MISSING_LOOKUP_KEY' | 'NO_LOOKUP_MATCH' | 'MULTIPLE_LOOKUP_MATCHES';
/** What happens to a record without exactly one match: it is ignored, gets no columns, or fails. */
export type LookupPolicy = Record<LookupReason, 'ignore' | 'empty' | 'fail'>;

interface Ignored {
	ignored: true;
	ignoreReason: LookupReason;
}

export class Lookup {
	/** The columns of each match, by key. */
	private readonly matches = new Map<string, JsonObject[]>();

	constructor(
		rows: JsonObject[],
		private readonly keys: string[],
		columns: string[],
		private readonly policy: LookupPolicy,
	) {
		for (const row of rows) {
			const key = this.keyOf(row);
			const data = Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
			if (key !== undefined) this.matches.set(key, [...(this.matches.get(key) ?? []), data]);
		}
	}

	find(record: JsonObject): Ignored | { ignored: false; data: JsonObject } {
		const key = this.keyOf(record);
		if (key === undefined) return this.without('MISSING_LOOKUP_KEY', record);
		const [data, ...others] = this.matches.get(key) ?? [];
		if (data === undefined) return this.without('NO_LOOKUP_MATCH', record);
		if (others.length > 0) return this.without('MULTIPLE_LOOKUP_MATCHES', record);
		return { ignored: false, data };
	}

	private keyOf(record: JsonObject): string | undefined {
		let whole = '';
		for (const key of this.keys) {
			const value = record[key] ?? '';
			if (value === '') return undefined;
			whole += `${String(value)}\u0000`;
		}
		return whole;
	}

	private without(ignoreReason: LookupReason, record: JsonObject): Ignored | { ignored: false; data: JsonObject } {
		const action = this.policy[ignoreReason];
		if (action === 'ignore') return { ignored: true, ignoreReason };
		if (action === 'empty') return { ignored: false, data: {} };
		const keys = this.keys.map((key) => `${key} = ${JSON.stringify(record[key] ?? null)}`);
		throw badRequest(`Lookup failed: ${ignoreReason} for ${keys.join(', ')}`);
	}
}

export function lookupEndpoint(id: string, summary: string, lookup: Lookup, fields: Field[]): Endpoint {
	const result = (data: JsonObject) => {
		const found = lookup.find(data);
		return found.ignored ? found : { data: found.data };
	};
	return {
		id,
		summary,
		fields,
		actions: {
			lookup: (body) => ({ results: [result(objectOf(body, 'data'))] }),
			'lookup-multi': (body) => ({ results: itemsOf(body, 'data').map(result) }),
		},
	};
}
