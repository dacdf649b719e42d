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
		description:
			'Address of the API node, without /public/api/v1. Several instances of the same API node: their addresses separated by commas.',
	},
	{
		displayName: 'Service ID',
		name: 'serviceId',
		type: 'string',
		default: '',
		required: true,
		placeholder: 'e.g. fraud_detection',
		description: 'The service that the key or token belongs to',
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
		typeOptions: { password: true },
		default: '',
		description: "Certificate of a private authority that signed the API node's certificate, as PEM text",
	},
	{
		displayName: 'Client Certificate',
		name: 'cert',
		type: 'string',
		typeOptions: { password: true },
		default: '',
		description: 'For mutual TLS: the certificate that n8n shows to the API node, as PEM text',
	},
	{
		displayName: 'Client Private Key',
		name: 'key',
		type: 'string',
		typeOptions: { password: true },
		default: '',
		description: 'For mutual TLS: the private key of the client certificate, as PEM text',
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
