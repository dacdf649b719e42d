import type { Icon, ICredentialType, INodeProperties } from 'n8n-workflow';
import { instanceProperties, openApiProperties, tlsProperties } from '../nodes/shared/description/credentialProperties';

/** Replaces n8n's own field, whose default grant requires that a person signs in. */
const grantType: INodeProperties = {
	displayName: 'Grant Type',
	name: 'grantType',
	type: 'options',
	options: [
		{ name: 'Client Credentials', value: 'clientCredentials' },
		{ name: 'Authorization Code', value: 'authorizationCode' },
		{ name: 'PKCE', value: 'pkce' },
	],
	default: 'clientCredentials',
};

export class DataikuApiNodeOAuth2Api implements ICredentialType {
	name = 'dataikuApiNodeOAuth2Api';

	extends = ['oAuth2Api'];

	displayName = 'Dataiku JWT OAuth2 API';

	icon: Icon = { light: 'file:../icons/apinode.svg', dark: 'file:../icons/apinode.dark.svg' };

	documentationUrl =
		'https://github.com/n8n-nodes-dataiku/n8n-nodes-dataiku/blob/HEAD/docs/credentials.md#dataiku-jwt-oauth2-api';

	properties: INodeProperties[] = [grantType, ...instanceProperties, ...tlsProperties, ...openApiProperties];
}
