import { n8nCommunityNodesPlugin } from '@n8n/eslint-plugin-community-nodes';
import n8nNodesBase from 'eslint-plugin-n8n-nodes-base';
import tseslint from 'typescript-eslint';

const rulesOf = (name) => n8nNodesBase.configs[name].rules;

/** Data walks one way: nodes → the client's door → sessions and batches → traffic → wire. Nothing knows what is above it. */
const notFrom = (...patterns) => ({
	'no-restricted-imports': ['error', { patterns: patterns.map(([group, message]) => ({ group, message })) }],
});
const n8n = [['n8n-*', '**/nodes/**', '**/credentials/**'], 'The client knows nothing of n8n.'];
const aboveTraffic = [
	['**/ApiNode*', '**/Session*', '**/Settlement', '**/Refusals'],
	'Traffic and wire know nothing of who uses them.',
];

export default tseslint.config(
	{ ignores: ['dist/', '.runtime/', 'node_modules/', 'test/support/fixture/', 'coverage/'] },
	{
		files: ['**/*.ts'],
		extends: [tseslint.configs.recommended],
		rules: { '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, varsIgnorePattern: '^_' }] },
	},
	{ files: ['client/**/*.ts'], rules: notFrom(n8n) },
	{ files: ['client/traffic/**/*.ts'], rules: notFrom(n8n, aboveTraffic) },
	{
		files: ['client/wire/**/*.ts'],
		rules: notFrom(n8n, aboveTraffic, [['**/traffic/**'], 'An exchange knows nothing of queues and retries.']),
	},
	{
		files: ['nodes/**/*.ts', 'credentials/**/*.ts'],
		rules: notFrom([['**/client/**'], "Go through the client's door: import from 'client' itself."]),
	},
	{
		files: ['nodes/**/*.ts', 'credentials/**/*.ts'],
		...n8nCommunityNodesPlugin.configs.recommended,
	},
	{
		files: ['package.json'],
		plugins: { 'n8n-nodes-base': n8nNodesBase },
		languageOptions: { parser: tseslint.parser, parserOptions: { extraFileExtensions: ['.json'] } },
		rules: rulesOf('community'),
	},
	{
		files: ['nodes/**/*.ts'],
		plugins: { 'n8n-nodes-base': n8nNodesBase },
		rules: {
			...rulesOf('nodes'),
			// Off as in n8n's own CLI: they contradict the types of today's n8n-workflow.
			'n8n-nodes-base/node-class-description-inputs-wrong-regular-node': 'off',
			'n8n-nodes-base/node-class-description-outputs-wrong': 'off',
		},
	},
	{
		files: ['credentials/**/*.ts'],
		plugins: { 'n8n-nodes-base': n8nNodesBase },
		rules: { ...rulesOf('credentials'), 'n8n-nodes-base/cred-class-field-documentation-url-miscased': 'off' },
	},
	{
		// undici is this project's one decision against verification for n8n Cloud: without it every item costs a connection.
		files: ['client/**/*.ts', 'nodes/**/*.ts', 'credentials/**/*.ts', 'package.json'],
		rules: {
			'@n8n/community-nodes/no-restricted-imports': 'off',
			'@n8n/community-nodes/no-runtime-dependencies': 'off',
		},
	},
);
