import type { INodeProperties } from 'n8n-workflow';

/** Where the service is. */
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
		displayName: 'Service ID',
		name: 'serviceId',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. fraud_detection',
		description:
			"The deployed ID of the API service, as in an endpoint's URL. It can differ from the ID in the API Designer.",
	},
];

/** Whom to trust, and how to be trusted where the API node asks for a client certificate. */
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
		description: "Certificate of a private authority that signed the API node's certificate, as PEM text",
	},
	{
		displayName: 'Client Certificate',
		name: 'cert',
		type: 'string',
		typeOptions: { password: true, rows: 4 },
		default: '',
		description: 'Client certificate for mutual TLS (PEM)',
	},
	{
		displayName: 'Client Private Key',
		name: 'key',
		type: 'string',
		typeOptions: { password: true, rows: 4 },
		default: '',
		description: 'Private key of the client certificate (PEM)',
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

/** For features from a list and checked records, where the API node does not serve the document. */
export const openApiProperties: INodeProperties[] = [
	{
		displayName: 'OpenAPI Document',
		name: 'openApi',
		// n8n's field for JSON marks an empty one as an error.
		type: 'string',
		typeOptions: { rows: 6 },
		default: '',
		placeholder: '{ "swagger": "2.0", "paths": { … } }',
		description: 'OpenAPI document of the service (JSON). Overrides the one served by the API node.',
	},
];

/**
 * Folds properties away behind a toggle, which does not decide whether they count: n8n drops what a field holds that its
 * conditions hide, so that a hidden one of the same name holds it meanwhile. Not for a credential that extends another,
 * where n8n keeps only the last property of a name.
 */
export function folded(toggle: INodeProperties, properties: INodeProperties[]): INodeProperties[] {
	const when = (shown: boolean) => ({ displayOptions: { show: { [toggle.name]: [shown] } } });
	return [
		toggle,
		...properties.map((property) => ({ ...property, ...when(true) })),
		...properties.map((property) => ({ ...property, ...when(false), type: 'hidden' as const })),
	];
}
