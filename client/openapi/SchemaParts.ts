import { isObject } from '../json';
import { decoded } from '../decoded';
import type { JsonObject } from '../types';

/** Bounds on what a hostile document costs: no schema that someone wrote comes near them. */
const mostParts = 100;
const longestReference = 1_000;

/** An own property, whatever the holder: a document may well call a feature `constructor`. */
export function own(holder: unknown, key: string): unknown {
	return typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key)
		? (holder as JsonObject)[key]
		: undefined;
}

export function listOf(value: unknown): unknown[] {
	return Array.isArray(value) ? value : [];
}

/**
 * Walks a document whose parts may be spread over `$ref` and `allOf`. A place in it is a list of nodes, which count together;
 * what leads nowhere is an empty list. References to other documents are not followed.
 */
export class SchemaParts {
	constructor(private readonly document: JsonObject) {}

	/** The objects that make up the nodes: what a node refers to and the members of its `allOf` first, then itself. */
	of(nodes: readonly unknown[]): JsonObject[] {
		const parts: JsonObject[] = [];
		const seen = new Set<unknown>();
		const visit = (node: unknown) => {
			if (!isObject(node) || seen.has(node) || seen.size >= mostParts) return;
			seen.add(node);
			visit(this.target(own(node, '$ref')));
			listOf(own(node, 'allOf')).slice(0, mostParts).forEach(visit);
			parts.push(node);
		};
		nodes.slice(0, mostParts).forEach(visit);
		return parts;
	}

	/** What the nodes have under a key. */
	under(nodes: readonly unknown[], key: string): unknown[] {
		return this.of(nodes)
			.map((part) => own(part, key))
			.filter((value) => value !== undefined);
	}

	/** Whether the parts say all that is to be known: no choice between schemas, no reference that leads nowhere. */
	areComplete(parts: readonly JsonObject[]): boolean {
		if (parts.length >= mostParts) return false;
		return parts.every((part) => {
			const reference = own(part, '$ref');
			if (reference !== undefined && !isObject(this.target(reference))) return false;
			return own(part, 'oneOf') === undefined && own(part, 'anyOf') === undefined;
		});
	}

	/** What a JSON pointer such as `#/definitions/a~1b` leads to. */
	private target(reference: unknown): unknown {
		if (typeof reference !== 'string' || reference.length > longestReference) return undefined;
		const [base, ...keys] = decoded(reference).split('/');
		if (base !== '#') return undefined;
		const unescaped = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
		return unescaped.reduce<unknown>(own, this.document);
	}
}
