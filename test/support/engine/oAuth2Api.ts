import type { ICredentialType, INodeProperties } from 'n8n-workflow';

const field = (name: string, property: Partial<INodeProperties> = {}): INodeProperties => ({
	displayName: name,
	name,
	type: 'string',
	default: '',
	...property,
});

/**
 * Stands for n8n's own credential type, which ships in n8n-nodes-base: too large to install for what a credential that
 * extends it inherits, these names and defaults (as of n8n 2.41).
 */
export const oAuth2Api: ICredentialType = {
	name: 'oAuth2Api',
	displayName: 'OAuth2 API',
	properties: [
		field('useDynamicClientRegistration', { type: 'hidden', default: false }),
		field('grantType', {
			type: 'options',
			options: ['authorizationCode', 'clientCredentials', 'pkce'].map((value) => ({ name: value, value })),
			default: 'authorizationCode',
		}),
		field('authUrl', { displayOptions: { show: { grantType: ['authorizationCode', 'pkce'] } } }),
		field('accessTokenUrl'),
		field('clientId'),
		field('clientSecret', { typeOptions: { password: true } }),
		field('scope'),
		field('authQueryParameters', { displayOptions: { show: { grantType: ['authorizationCode', 'pkce'] } } }),
		field('authentication', {
			type: 'options',
			options: ['body', 'header'].map((value) => ({ name: value, value })),
			default: 'header',
		}),
		field('sendAdditionalBodyProperties', {
			type: 'boolean',
			default: false,
			displayOptions: { show: { grantType: ['clientCredentials'], authentication: ['body'] } },
		}),
		field('additionalBodyProperties', {
			type: 'json',
			displayOptions: {
				show: {
					grantType: ['clientCredentials'],
					authentication: ['body'],
					sendAdditionalBodyProperties: [true],
				},
			},
		}),
		field('ignoreSSLIssues', { type: 'boolean', default: false, doNotInherit: true }),
		field('tokenExpiredStatusCode', { type: 'number', default: 401, doNotInherit: true }),
		field('oauthTokenData', { type: 'json', default: {} }),
	],
};
