import type { Icon, ICredentialType, INodeProperties } from 'n8n-workflow';
import { instanceProperties, tlsProperties } from '../nodes/shared/description/credentialProperties';

export class DataikuApiNodeApi implements ICredentialType {
	name = 'dataikuApiNodeApi';

	displayName = 'Dataiku API Node API';

	icon: Icon = { light: 'file:../icons/apinode.svg', dark: 'file:../icons/apinode.dark.svg' };

	documentationUrl = 'https://doc.dataiku.com/dss/latest/apinode/api/user-api.html';

	properties: INodeProperties[] = [
		...instanceProperties,
		{
			displayName: 'Authentication',
			name: 'authentication',
			type: 'options',
			options: [
				{ name: 'API Key', value: 'apiKey', description: 'A key of the service, as defined in DSS' },
				{ name: 'Bearer Token', value: 'bearerToken', description: 'A token for a service secured by JWT or OAuth2' },
				{ name: 'None', value: 'none', description: 'The service is open' },
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
		...tlsProperties,
	];
}
