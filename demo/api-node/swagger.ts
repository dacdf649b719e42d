import type { Service } from './service';

export function openApi(service: Service, pathPrefix: string): object {
	return {
		swagger: '2.0',
		info: { title: service.id, version: 'v1' },
		basePath: `${pathPrefix}/public/api/v1/${service.id}`,
		paths: {},
	};
}
