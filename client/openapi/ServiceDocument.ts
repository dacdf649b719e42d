import { decoded } from '../decoded';
import { InvalidCallError } from '../errors';
import { isObject } from '../json';
import { type Operation, type OperationName, operations } from '../operations';
import type { JsonObject } from '../types';
import { type EndpointSchema, recordSchema } from './EndpointSchema';
import { listOf, own, SchemaParts } from './SchemaParts';
import { shortened } from '../shortened';

/** An endpoint under one of the operations that can call it. */
export interface DocumentedEndpoint {
	readonly id: string;
	readonly operation: OperationName;
	/** At most 200 characters. */
	readonly summary?: string;
	/** At most 1,000 characters. */
	readonly description?: string;
}

const mostEndpoints = 2_000;

const jsonType = /^application\/([\w.-]+\+)?json\b|^\*\/\*$/i;

const operationOf = new Map<string, OperationName>();
for (const name of Object.keys(operations) as OperationName[]) {
	const { action, batchAction = action }: Operation = operations[name];
	operationOf.set(action, name).set(batchAction, name);
}

/** The path to the record in the body of an action. `items` stands for each entry of that list. */
function placeOf(operation: OperationName, action: string): readonly string[] {
	const { batchAction, recordKey }: Operation = operations[operation];
	const keys = recordKey ? [recordKey] : [];
	return action === batchAction || operation === 'forecast' ? ['items', ...keys] : keys;
}

/** An endpoint under one operation, with the path item of each action. */
interface Entry {
	readonly id: string;
	readonly operation: OperationName;
	readonly paths: Map<string, unknown>;
	schema?: EndpointSchema;
}

const keyOf = (id: string, operation: OperationName) => `${operation}/${id}`;

/**
 * A service's OpenAPI document (2, 3.0 or 3.1), with its endpoints and the schemas of their records. Paths end in
 * `/<endpoint>/<action>`, with or without a trailing slash. Missing and malformed parts are ignored.
 */
export class ServiceDocument {
	/** Sorted by ID; at most 2,000. */
	readonly endpoints: readonly DocumentedEndpoint[];
	readonly #parts: SchemaParts;
	readonly #entries: ReadonlyMap<string, Entry>;

	/** @throws InvalidCallError when the JSON is not an OpenAPI document */
	constructor(json: unknown) {
		const version = own(json, 'swagger') ?? own(json, 'openapi');
		if (!isObject(json) || typeof version !== 'string' || !/^[23]\b/.test(version)) {
			throw new InvalidCallError(
				'Not an OpenAPI document: it must be an object with "swagger": "2.0" or "openapi": "3.…"',
			);
		}
		const paths = own(json, 'paths');
		if (!isObject(paths)) throw new InvalidCallError('The OpenAPI document has no "paths" object');
		this.#parts = new SchemaParts(json);
		this.#entries = entriesOf(paths);
		this.endpoints = [...this.#entries.values()]
			.map((entry) => this.#about(entry))
			.sort((a, b) => a.id.localeCompare(b.id));
	}

	/** The schema of an endpoint's records; undefined if the document has no such endpoint for the operation. */
	schemaOf(id: string, operation: OperationName): EndpointSchema | undefined {
		const entry = this.#entries.get(keyOf(id, operation));
		return entry && (entry.schema ??= this.#schema(entry));
	}

	#about({ id, operation, paths }: Entry): DocumentedEndpoint {
		const posts = this.#parts.under([...paths.values()], 'post');
		const text = (key: string, most: number) => {
			const found = this.#parts.under(posts, key).find((value) => typeof value === 'string' && value !== '');
			return found === undefined ? undefined : shortened(found as string, most);
		};
		return { id, operation, summary: text('summary', 200), description: text('description', 1_000) };
	}

	/** Uses the first action whose body has fields. */
	#schema({ id, operation, paths }: Entry): EndpointSchema {
		const schemas = [...paths].map(([action, item]) => {
			this.#parts.begin();
			const place = placeOf(operation, action);
			const record = place.reduce((nodes, key) => this.#inside(nodes, key), this.#bodiesOf(item));
			return { id, operation, ...recordSchema(record, this.#parts) };
		});
		return schemas.find(({ fields }) => fields.length > 0) ?? schemas[0]!;
	}

	#inside(nodes: readonly unknown[], key: string): unknown[] {
		const values = this.#parts.under(this.#parts.under(nodes, 'properties'), key);
		return key === 'items' ? this.#parts.under(values, 'items') : values;
	}

	/** Schemas of the body: the parameter `body` in OpenAPI 2, the JSON content in OpenAPI 3. */
	#bodiesOf(item: unknown): unknown[] {
		const posts = this.#parts.under([item], 'post');
		const parameters = this.#parts.under([...posts, item], 'parameters').flatMap(listOf);
		const content = this.#parts.of(this.#parts.under(this.#parts.under(posts, 'requestBody'), 'content'));
		const [media] = content.flatMap((types) =>
			Object.entries(types).flatMap(([type, media]) => (jsonType.test(type) ? [media] : [])),
		);
		return [
			...parameters.flatMap((one) =>
				this.#parts.under([one], 'in').includes('body') ? this.#parts.under([one], 'schema') : [],
			),
			...this.#parts.under([media], 'schema'),
		];
	}
}

function entriesOf(paths: JsonObject): Map<string, Entry> {
	const entries = new Map<string, Entry>();
	for (const [path, item] of Object.entries(paths)) {
		const [action = '', segment = ''] = path.replace(/\/$/, '').split('/').reverse();
		const operation = operationOf.get(action);
		// A template in place of an ID does not name an endpoint.
		if (operation === undefined || segment === '' || segment.includes('{')) continue;
		const id = decoded(segment);
		const key = keyOf(id, operation);
		const entry = entries.get(key) ?? { id, operation, paths: new Map<string, unknown>() };
		if (entries.size < mostEndpoints) entries.set(key, entry);
		if (!entry.paths.has(action)) entry.paths.set(action, item);
	}
	return entries;
}
