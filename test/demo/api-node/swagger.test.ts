import SwaggerParser from '@apidevtools/swagger-parser';
import { request } from 'undici';
import { startApiNode } from '../../../demo/api-node';
import { basic, read } from './ask';

type Document = NonNullable<Parameters<SwaggerParser.ApiCallback>[1]>;

/** Against the JSON schema of OpenAPI 2 and the rules of its specification; throws what is wrong. */
const validate = async (document: object) =>
	await SwaggerParser.validate(structuredClone(document) as Document, {
		resolve: { external: false },
	});

const services: Array<[service: string, headers: Record<string, string>]> = [
	['open', {}],
	['demo', basic('demo-key')],
	['secured', { authorization: 'Bearer demo-token' }],
	['retail', basic('retail-key')],
];

test.each(services)('The OpenAPI document of the service %s is valid', async (service, headers) => {
	for (const pathPrefix of ['', '/behind/a/proxy']) {
		const node = await startApiNode({ pathPrefix });
		try {
			const document = await read<object>(
				await request(`${node.url}/public/api/v1/${service}/swagger`, {
					headers,
				}),
			);
			expect(document.status).toBe(200);
			await expect(validate(document.body)).resolves.toMatchObject({
				swagger: '2.0',
			});
			// the validator does say what is wrong
			await expect(validate({ ...document.body, info: undefined })).rejects.toThrow(/info/);
		} finally {
			await node.close();
		}
	}
});
