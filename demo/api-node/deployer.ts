import type { FastifyInstance, FastifyRequest } from 'fastify';
import { notFound, unauthorized } from './errors';
import { basicUser, type Service } from './service';
import { openApi } from './swagger';

/** A key of DSS. Services do not accept it, and DSS does not accept the keys of services. */
const dssKey = 'dss-key';

interface Deployment {
	id: string;
	service: Service;
	/** Kubernetes has one public URL; a static infrastructure has the URL of each API node. */
	infra: 'k8s' | 'static';
	/** Whether the deployment has an OpenAPI document. */
	documented: boolean;
}

/** Each service is deployed as `<service>-on-k8s` and `<service>-on-static`. `demo-undocumented` has no document. */
function deploymentsOf(services: Map<string, Service>): Deployment[] {
	const all = [...services.values()].flatMap((service): Deployment[] => [
		{ id: `${service.id}-on-k8s`, service, infra: 'k8s', documented: true },
		{ id: `${service.id}-on-static`, service, infra: 'static', documented: true },
	]);
	return [...all, { id: 'demo-undocumented', service: services.get('demo')!, infra: 'k8s', documented: false }];
}

/** The calls of DSS's API Deployer that describe deployments, as in `dataikuapi/dss/apideployer.py` 14.3.3. */
export function addDeployer(app: FastifyInstance, services: Map<string, Service>, base: string): void {
	const deployments = deploymentsOf(services);
	const authorize = ({ headers }: FastifyRequest) => {
		if (basicUser(headers.authorization) !== dssKey) throw unauthorized('Invalid API key');
	};
	const find = (request: FastifyRequest<{ Params: { id: string } }>) => {
		authorize(request);
		const { id } = request.params;
		const deployment = deployments.find((each) => each.id === id);
		if (!deployment) throw notFound(`No such deployment: ${JSON.stringify(id)}`);
		return deployment;
	};
	const about = ({ id, service, infra }: Deployment) => ({
		deploymentBasicInfo: {
			id,
			// The service's name in the API Designer.
			publishedServiceId: `${service.id}_designed`,
			deployedServiceId: service.id,
			infraId: infra,
			enabled: true,
		},
	});
	const path = `${base}/public/api/api-deployer/deployments`;

	app.get(path, async (request) => {
		authorize(request);
		return deployments.map(about);
	});
	app.get<{ Params: { id: string } }>(`${path}/:id`, async (request) => about(find(request)));
	app.get<{ Params: { id: string } }>(`${path}/:id/status`, async (request) => {
		const url = `${request.protocol}://${request.host}${base}`;
		const where = find(request).infra === 'k8s' ? { publicURL: url } : { apiNodes: [{ url }] };
		return { health: 'HEALTHY', healthMessages: { messages: [] }, ...where };
	});
	app.get<{ Params: { id: string } }>(`${path}/:id/get-open-api`, async (request, reply) => {
		const { id, service, documented } = find(request);
		if (!documented) throw notFound(`Deployment ${id} has no OpenAPI document`);
		return reply.type('text/plain').send(JSON.stringify(openApi(service, base)));
	});
}
