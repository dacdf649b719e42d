import { isObject } from '../json';
import { decoded } from '../decoded';
import type { JsonObject } from '../types';

/** Limits for hostile documents, far above any schema that people write. */
const mostParts = 100;
/** Nodes visited per endpoint, however its fields share them. */
const mostVisits = 200_000;
const longestReference = 1_000;
const mostHops = 10;

/** Returns an own property, because a document may have a feature named `constructor`. */
export function own(holder: unknown, key: string): unknown {
	return typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key)
		? (holder as JsonObject)[key]
		: undefined;
}

export function listOf(value: unknown): unknown[] {
	return Array.isArray(value) ? value : [];
}

/** The values that a schema lists, or its single constant. */
function valuesIn(schema: unknown): unknown {
	const constant = own(schema, 'const');
	return constant === undefined ? own(schema, 'enum') : [constant];
}

const choices = ['anyOf', 'oneOf'] as const;

function alternatives(schema: unknown, choice: (typeof choices)[number]): unknown[] {
	const all = listOf(own(schema, choice));
	return all.length > mostParts ? [] : all;
}

/** The types and the values that a schema names. The type `null` counts as the value null. */
function namesIn(schema: unknown): unknown[][] {
	const types = [own(schema, 'type')].flat();
	return [types.map((type) => (type === 'null' ? null : type)), listOf(valuesIn(schema))];
}

const isNull = (schema: unknown) => namesIn(schema).some(([first, ...others]) => first === null && others.length === 0);
const takesNull = (schema: unknown) => own(schema, 'nullable') === true || namesIn(schema).flat().includes(null);

/**
 * Walks a document whose parts may be spread over `$ref`, `allOf` and unions with null. A place in it is a list of nodes
 * that apply together. A place that does not exist is an empty list. References to other documents are not followed.
 */
export class SchemaParts {
	private visits = 0;
	/** Cached, because lists may be long and fields may share one. */
	private readonly constants = new WeakMap<unknown[], unknown[]>();

	constructor(private readonly document: JsonObject) {}

	begin(): void {
		this.visits = 0;
	}

	/**
	 * Returns the objects that make up the nodes. For each node: first the target of its reference, the members of its
	 * `allOf`, and the schema next to null in a union; then the node itself.
	 */
	of(nodes: readonly unknown[]): JsonObject[] {
		const parts: JsonObject[] = [];
		const seen = new Set<unknown>();
		const visit = (node: unknown) => {
			if (!isObject(node) || seen.has(node) || seen.size >= mostParts || this.visits >= mostVisits) return;
			this.visits++;
			seen.add(node);
			visit(this.target(own(node, '$ref')));
			listOf(own(node, 'allOf')).slice(0, mostParts).forEach(visit);
			for (const key of choices) this.besideNull(node, key).forEach(visit);
			parts.push(node);
		};
		nodes.slice(0, mostParts).forEach(visit);
		return parts;
	}

	under(nodes: readonly unknown[], key: string): unknown[] {
		return this.of(nodes)
			.map((part) => own(part, key))
			.filter((value) => value !== undefined);
	}

	/** Whether the parts are the complete schema: all references can be resolved, and all choices are with null or between values. */
	areComplete(parts: readonly JsonObject[]): boolean {
		if (parts.length >= mostParts || this.visits >= mostVisits) return false;
		return parts.every((part) => {
			const reference = own(part, '$ref');
			if (reference !== undefined && !isObject(this.target(reference))) return false;
			return choices.every(
				(key) =>
					own(part, key) === undefined ||
					this.besideNull(part, key).length > 0 ||
					this.constantsIn(part, key).length > 0,
			);
		});
	}

	/** The values that a schema lists, also as a choice between constants. */
	valuesIn(part: JsonObject): unknown {
		return valuesIn(part) ?? choices.map((key) => this.constantsIn(part, key)).find(({ length }) => length > 0);
	}

	/** The values of a choice between schemas that each list their values; empty if the choice is not of this kind. */
	private constantsIn(part: JsonObject, key: (typeof choices)[number]): unknown[] {
		const all = listOf(own(part, key));
		let values = this.constants.get(all);
		if (!values) {
			const lists = all
				.map((schema) => this.behind(schema))
				.map((each) => (isNull(each) ? [null] : listOf(valuesIn(each))));
			values = lists.every(({ length }) => length > 0) ? lists.flat() : [];
			this.constants.set(all, values);
		}
		return values;
	}

	offerNull(parts: readonly JsonObject[]): boolean {
		return parts.some((part) =>
			choices.some((key) => alternatives(part, key).some((schema) => takesNull(this.behind(schema)))),
		);
	}

	/** The single schema of a choice whose other schemas are null. Empty if the choice is not of this kind. */
	private besideNull(part: JsonObject, key: (typeof choices)[number]): unknown[] {
		const all = alternatives(part, key);
		const others = all.filter((schema) => !isNull(this.behind(schema)));
		return all.length > 1 && others.length === 1 ? others : [];
	}

	private behind(schema: unknown, hops = mostHops): unknown {
		const target = hops > 0 ? this.target(own(schema, '$ref')) : undefined;
		return target === undefined ? schema : this.behind(target, hops - 1);
	}

	/** The target of a JSON pointer such as `#/definitions/a~1b`. */
	private target(reference: unknown): unknown {
		if (typeof reference !== 'string' || reference.length > longestReference) return undefined;
		const [base, ...keys] = decoded(reference).split('/');
		if (base !== '#') return undefined;
		const unescaped = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
		return unescaped.reduce<unknown>(own, this.document);
	}
}
