import type { Action, Endpoint, Field } from './endpoint';
import type { Service } from './service';

/** OpenAPI 2 document of the endpoints with documentation. */
export function openApi(service: Service, pathPrefix: string): object {
	const { newest } = service;
	const documented = newest.endpoints.filter((endpoint) => endpoint.documented !== false);
	const paths = documented.flatMap((endpoint) =>
		Object.keys(endpoint.actions).map((action) => [
			`/${encodeURIComponent(endpoint.id)}/${action}`,
			{ post: operation(endpoint, action as Action) },
		]),
	);
	return {
		swagger: '2.0',
		info: { title: `Service ${service.id}`, version: newest.id },
		basePath: `${pathPrefix}/public/api/v1/${encodeURIComponent(service.id)}`,
		consumes: ['application/json'],
		produces: ['application/json'],
		...security(service),
		paths: Object.fromEntries(paths) as Record<string, object>,
	};
}

function security({ authentication }: Service): object {
	if (authentication.type === 'none') return {};
	const definition =
		authentication.type === 'apiKey' ? { type: 'basic' } : { type: 'apiKey', in: 'header', name: 'Authorization' };
	return { securityDefinitions: { [authentication.type]: definition }, security: [{ [authentication.type]: [] }] };
}

function operation({ id, summary, description, fields }: Endpoint, action: Action): object {
	return {
		operationId: `${id}_${action}`,
		tags: [id],
		summary,
		description,
		parameters: [{ in: 'body', name: 'body', required: true, schema: bodySchema(action, record(fields)) }],
		responses: {
			200: { description: 'The answer', schema: { type: 'object' } },
			400: { description: 'The request cannot be used' },
			503: { description: 'The endpoint is overloaded' },
		},
	};
}

function bodySchema(action: Action, own: object): object {
	const object = (properties: object, required: string[]) => ({ type: 'object', properties, required });
	const many = (items: object) => object({ items: { type: 'array', items } }, ['items']);
	if (action === 'query' || action === 'run') return own;
	if (action === 'forecast') return many(own);
	const key = action.startsWith('lookup') ? 'data' : 'features';
	const one = object({ [key]: own }, [key]);
	return action.endsWith('-multi') ? many(one) : one;
}

function record(fields: Field[]): object {
	const properties = fields.map(({ name, type, description, example, minimum, maximum, ...field }) => [
		name,
		{ type, description, enum: field.values, minimum, maximum, example, ...(type === 'array' && { items: {} }) },
	]);
	const required = fields.filter((field) => field.required).map(({ name }) => name);
	const example = Object.fromEntries(fields.map((field) => [field.name, field.example]));
	return {
		type: 'object',
		properties: Object.fromEntries(properties) as Record<string, object>,
		// An empty list is not valid in OpenAPI 2.
		...(required.length > 0 && { required }),
		example,
	};
}
