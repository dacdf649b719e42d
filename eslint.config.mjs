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
	['**/ApiNode*', '**/Session*', '**/batches/**'],
	'Traffic and wire know nothing of who uses them.',
];

export default tseslint.config(
	{ ignores: ['dist/', '.runtime/', 'node_modules/', 'test/support/fixture/', 'test/package/types/', 'coverage/'] },
	{
		files: ['**/*.ts'],
		extends: [tseslint.configs.recommendedTypeChecked],
		languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
		rules: {
			'@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, varsIgnorePattern: '^_' }],
			// An interface that asks for a promise is met by an async function, whether or not it has something to wait for.
			'@typescript-eslint/require-await': 'off',
		},
	},
	{ files: ['client/**/*.ts'], rules: notFrom(n8n) },
	{ files: ['client/traffic/**/*.ts'], rules: notFrom(n8n, aboveTraffic) },
	{
		files: ['client/wire/**/*.ts'],
		rules: notFrom(n8n, aboveTraffic, [['**/traffic/**'], 'An exchange knows nothing of queues and retries.']),
	},
	{
		files: ['nodes/**/*.ts', 'credentials/**/*.ts'],
		rules: notFrom([['**/client/*', '**/client/*/**', '!**/client/internal'], "Import from 'client/internal'."]),
	},
	{
		// What a caller sends may be an object where text is due: that it then reads [object Object] is the demo's answer to it.
		files: ['demo/**/*.ts', 'test/**/*.ts'],
		rules: { '@typescript-eslint/no-base-to-string': 'off' },
	},
	{
		// jest's asymmetric matchers, such as expect.any(Number), have the type any.
		files: ['test/**/*.ts'],
		rules: { '@typescript-eslint/no-unsafe-assignment': 'off' },
	},
	{
		files: ['client/**/*.ts', 'nodes/**/*.ts', 'credentials/**/*.ts', 'package.json'],
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
		// undici is a runtime dependency: without it every item costs a connection. That rules out verification for n8n Cloud.
		files: ['package.json'],
		rules: { '@n8n/community-nodes/no-runtime-dependencies': 'off' },
	},
	{
		// The client works with undici and with Node.js's own modules for TLS, timers and bodies, none of which n8n Cloud allows.
		// `npm run lint:package` lists each one.
		files: ['client/**/*.ts', 'nodes/**/*.ts'],
		rules: { '@n8n/community-nodes/no-restricted-imports': 'off' },
	},
);
