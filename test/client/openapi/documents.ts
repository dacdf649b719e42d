import type { DocumentedEndpoint, EndpointSchema, OperationName } from '../../../client/internal';
import { ServiceDocument } from '../../../client/internal';

type Json = Record<string, unknown>;

/** An OpenAPI 2 document whose bodies are these schemas, by path. */
export const version2 = (bodies: Json, more: Json = {}): Json => ({
	swagger: '2.0',
	...more,
	paths: Object.fromEntries(
		Object.entries(bodies).map(([path, schema]) => [
			path,
			{ post: { parameters: [{ in: 'body', name: 'body', schema }] } },
		]),
	),
});

/** The same for OpenAPI 3. */
export const version3 = (bodies: Json, more: Json = {}): Json => ({
	openapi: '3.1.0',
	...more,
	paths: Object.fromEntries(
		Object.entries(bodies).map(([path, schema]) => [
			path,
			{ post: { requestBody: { content: { 'application/json': { schema } } } } },
		]),
	),
});

export const features = (schema: unknown): Json => ({ type: 'object', properties: { features: schema } });

/** What is said of the features of `e` by a document with this schema of them. */
export const schemaOf = (schema: unknown, more?: Json): EndpointSchema =>
	new ServiceDocument(version2({ '/e/predict': features(schema) }, more)).schemaOf('e', 'predict')!;

/** The names and types of the features. */
export const typesIn = ({ fields }: EndpointSchema) => fields.map(({ name, type }) => [name, type]);

/** The schema of an endpoint whose record has these fields. */
export const endpoint = (
	properties: Json,
	{ required, operation = 'predict' }: { required?: string[]; operation?: OperationName } = {},
): EndpointSchema => ({ ...schemaOf({ properties, required }), id: 'fraud', operation });

export const named = (endpoints: readonly DocumentedEndpoint[]) =>
	endpoints.map(({ id, operation }) => `${operation} ${id}`);
