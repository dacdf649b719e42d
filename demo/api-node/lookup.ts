import type { Endpoint, Field } from './endpoint';
import { badRequest } from './errors';
import { itemsOf, type JsonObject, objectOf } from './json';

export type LookupReason = 'MISSING_LOOKUP_KEY' | 'NO_LOOKUP_MATCH' | 'MULTIPLE_LOOKUP_MATCHES';
/** What becomes of a record without exactly one match: answered as ignored, left without columns, or an error. */
export type LookupPolicy = Record<LookupReason, 'ignore' | 'empty' | 'fail'>;

export interface Ignored {
	ignored: true;
	ignoreReason: LookupReason;
}

export class Lookup {
	private readonly matches = new Map<string, JsonObject[]>();

	constructor(
		rows: JsonObject[],
		readonly keys: string[],
		readonly columns: string[],
		private readonly policy: LookupPolicy,
	) {
		for (const row of rows) {
			const key = this.keyOf(row);
			if (key !== undefined) this.matches.set(key, [...(this.matches.get(key) ?? []), row]);
		}
	}

	find(record: JsonObject): Ignored | { ignored: false; data: JsonObject } {
		const key = this.keyOf(record);
		if (key === undefined) return this.without('MISSING_LOOKUP_KEY', record);
		const matches = this.matches.get(key) ?? [];
		if (matches.length === 0) return this.without('NO_LOOKUP_MATCH', record);
		if (matches.length > 1) return this.without('MULTIPLE_LOOKUP_MATCHES', record);
		const data = Object.fromEntries(this.columns.map((column) => [column, matches[0][column] ?? null]));
		return { ignored: false, data };
	}

	private keyOf(record: JsonObject): string | undefined {
		const values = this.keys.map((key) => record[key] ?? '');
		return values.includes('') ? undefined : JSON.stringify(values.map(String));
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
