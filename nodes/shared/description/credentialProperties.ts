import type { INodeProperties } from 'n8n-workflow';
import { keptWhileHidden } from './keptWhileHidden';

export const deployedId =
	'shown as "API service id once deployed" in the API Deployer, and can differ from the ID in the API Designer';

export const instanceProperties: INodeProperties[] = [
	{
		displayName: 'API Node URL',
		name: 'url',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'https://apinode.example.com:12000',
		description: 'Base URL of the API node, without /public/api/v1. Separate multiple instances with commas.',
	},
	{
		displayName: 'Deployed Service ID',
		name: 'serviceId',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. fraud_detection',
		description:
			"ID of the deployed API service, as in an endpoint's URL. It can differ from the ID in the API Designer.",
	},
];

export const tlsProperties: INodeProperties[] = [
	{
		displayName: 'Ignore SSL Issues (Insecure)',
		name: 'allowUnauthorizedCerts',
		type: 'boolean',
		default: false,
		description: 'Whether to connect even if SSL certificate validation is not possible',
	},
	{
		displayName: 'Certificate Authority',
		name: 'ca',
		type: 'string',
		typeOptions: { password: true, rows: 4 },
		default: '',
		description: "PEM certificate of the private certificate authority (CA) that signed the API node's certificate",
	},
	{
		displayName: 'Client Certificate',
		name: 'cert',
		type: 'string',
		typeOptions: { password: true, rows: 4 },
		default: '',
		description: 'PEM client certificate for mutual TLS',
	},
	{
		displayName: 'Client Private Key',
		name: 'key',
		type: 'string',
		typeOptions: { password: true, rows: 4 },
		default: '',
		description: 'PEM private key for the client certificate',
	},
	{
		displayName: 'Passphrase',
		name: 'passphrase',
		type: 'string',
		typeOptions: { password: true },
		default: '',
		description: 'Passphrase of the private key, if it has one',
	},
];

const whenFrom = (openApiFrom: string) => ({ displayOptions: { show: { openApiFrom: [openApiFrom] } } });

/** The source of the document for endpoint lists, forms and checks. */
export const openApiProperties: INodeProperties[] = [
	{
		displayName: 'OpenAPI Document',
		name: 'openApiFrom',
		type: 'options',
		options: [
			{
				name: 'Served by the API Node',
				value: 'apiNode',
				description: "The API node's document contains only endpoints that have documentation",
			},
			{
				name: 'API Deployer',
				value: 'deployer',
				description:
					'Read the document from the API Deployer of Dataiku (DSS). Use this for deployments on Kubernetes, which usually do not serve the document.',
			},
			{ name: 'Pasted', value: 'text', description: 'A document that you paste into this credential as JSON' },
		],
		default: 'apiNode',
		description:
			'Where to get the document that describes the endpoints and their fields. Lists, forms and checks use this document.',
	},
	{
		displayName: 'DSS URL',
		name: 'deployerUrl',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'https://dss.example.com:11200',
		description: 'Base URL of the DSS node with the API Deployer. It is not the URL of the API node.',
		...whenFrom('deployer'),
	},
	{
		displayName: 'Deployment ID',
		name: 'deploymentId',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. fraud_detection-on-k8s',
		description: 'ID of the deployment in the API Deployer. It can differ from the service ID.',
		...whenFrom('deployer'),
	},
	{
		displayName: 'DSS API Key',
		name: 'deployerApiKey',
		type: 'string',
		typeOptions: { password: true },
		default: '',
		required: true,
		description:
			'A personal or global DSS API key with "Read" permission on the deployment. It is sent only to the DSS URL.',
		...whenFrom('deployer'),
	},
	{
		displayName: 'OpenAPI Document (JSON)',
		name: 'openApi',
		// n8n's JSON field marks an empty value as an error.
		type: 'string',
		typeOptions: { rows: 6 },
		default: '',
		placeholder: '{ "swagger": "2.0", "paths": { … } }',
		description: 'The complete OpenAPI document for the service. If the document is YAML, convert it to JSON first.',
		...whenFrom('text'),
	},
];

/**
 * Hides properties behind a toggle that does not change their values. This does not work for a credential that extends another
 * one, because n8n then keeps only the last property of a name.
 */
export function folded(toggle: INodeProperties, properties: INodeProperties[]): INodeProperties[] {
	return [toggle, ...keptWhileHidden({ [toggle.name]: [true] }, properties)];
}
