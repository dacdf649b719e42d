import type {
	Icon,
	ICredentialDataDecryptedObject,
	ICredentialType,
	IHttpRequestOptions,
	INodeProperties,
} from 'n8n-workflow';
import { pastedSecret } from '../client/internal';
import {
	folded,
	instanceProperties,
	openApiProperties,
	tlsProperties,
} from '../nodes/shared/description/credentialProperties';

const text = (value: unknown): string => (typeof value === 'string' ? pastedSecret(value) : '');

/** The `authorization` header, if any: HTTP Basic with the key as user name and an empty password, or the token. */
function authorization({ authentication, ...secrets }: ICredentialDataDecryptedObject): string | undefined {
	const [apiKey, bearerToken] = [text(secrets.apiKey), text(secrets.bearerToken)];
	if (authentication === 'apiKey' && apiKey !== '') return `Basic ${Buffer.from(`${apiKey}:`).toString('base64')}`;
	if (authentication === 'bearerToken' && bearerToken !== '') return `Bearer ${bearerToken}`;
	return undefined;
}

export class DataikuApiNodeApi implements ICredentialType {
	name = 'dataikuApiNodeApi';

	displayName = 'Dataiku API';

	icon: Icon = { light: 'file:../icons/apinode.svg', dark: 'file:../icons/apinode.dark.svg' };

	documentationUrl = 'https://github.com/n8n-nodes-dataiku/n8n-nodes-dataiku/blob/HEAD/docs/credentials.md#dataiku-api';

	properties: INodeProperties[] = [
		...instanceProperties,
		{
			displayName: 'Authentication',
			name: 'authentication',
			type: 'options',
			options: [
				{
					name: 'API Key',
					value: 'apiKey',
					description: 'An API key for the service. You can also choose Bearer Token and enter the key there.',
				},
				{
					name: 'Bearer Token',
					value: 'bearerToken',
					description: 'A token for a service secured by JWT or OAuth2, or an API key sent as a token',
				},
				{ name: 'None', value: 'none', description: 'The service does not require authentication' },
			],
			default: 'apiKey',
		},
		{
			displayName: 'API Key',
			name: 'apiKey',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			displayOptions: { show: { authentication: ['apiKey'] } },
		},
		{
			displayName: 'Bearer Token',
			name: 'bearerToken',
			type: 'string',
			typeOptions: { password: true },
			default: '',
			displayOptions: { show: { authentication: ['bearerToken'] } },
		},
		...folded(
			{
				displayName: 'Show TLS Settings',
				name: 'showTlsSettings',
				type: 'boolean',
				default: false,
				description:
					'Whether to show the fields for a private certificate authority and a client certificate. The values still apply while their fields are hidden.',
			},
			tlsProperties,
		),
		...openApiProperties,
	];

	/**
	 * Lets n8n's HTTP Request node use the credential; this package's nodes have their own client. It is a function, because
	 * n8n's declarative form would send an empty header if there is no key.
	 */
	async authenticate(
		credentials: ICredentialDataDecryptedObject,
		requestOptions: IHttpRequestOptions,
	): Promise<IHttpRequestOptions> {
		const value = authorization(credentials);
		if (value === undefined) return requestOptions;
		return { ...requestOptions, headers: { ...requestOptions.headers, Authorization: value } };
	}
}
