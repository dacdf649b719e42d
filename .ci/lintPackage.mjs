/**
 * `npm run lint:package`: runs n8n's own scan of community packages, and publint, on everything that is published. n8n's tool
 * accepts only names of published packages, so this script applies its rules in the same way: to the sources that the
 * provenance statement will name, and to the tarball's JavaScript and manifest.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildScanConfig, SOURCE_FILE_PATTERNS } from '@n8n/scan-community-package/scanner/scanner.mjs';
import { ESLint } from 'eslint';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const repository = path.resolve(import.meta.dirname, '..');

/** Modules of Node.js that an HTTP client based on undici needs. n8n Cloud allows only `crypto`. */
const modules = ['buffer', 'http', 'net', 'process', 'stream', 'timers', 'timers/promises', 'tls', 'util', 'zlib'];
const imported = ['undici', ...modules.map((name) => `node:${name}`)].join('|');

/** Findings of the scan that are intended. Because of them, the package cannot be verified for n8n Cloud. */
const accepted = [
	{
		why: 'undici keeps connections open between requests: with the helpers of n8n every item costs a connection.',
		rule: '@n8n/community-nodes/no-runtime-dependencies',
		file: /^package\.json$/,
		message: /./,
		holds: ({ dependencies }) => Object.keys(dependencies).join() === 'undici',
	},
	{
		why: 'undici itself, and the modules of Node.js that hold its certificates, sockets, timers and bodies.',
		rule: '@n8n/community-nodes/no-restricted-imports',
		file: /^(dist\/)?(client|nodes)\//,
		message: new RegExp(`of '(${imported})' is not allowed`),
	},
];

async function scan(folder, patterns) {
	const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
	const eslint = new ESLint({
		cwd: folder,
		allowInlineConfig: false,
		overrideConfigFile: true,
		overrideConfig: await buildScanConfig(),
		errorOnUnmatchedPattern: false,
	});
	const results = await eslint.lintFiles(patterns);
	if (results.length < 10) throw new Error(`Only ${results.length} files of ${folder} were scanned`);
	return results.flatMap(({ filePath, messages }) => {
		const file = path.relative(folder, filePath).replaceAll(path.sep, '/');
		return messages
			.filter(
				({ ruleId, message }) =>
					!accepted.some(
						(one) =>
							one.rule === ruleId &&
							one.file.test(file) &&
							one.message.test(message) &&
							(one.holds?.(manifest) ?? true),
					),
			)
			.map(({ ruleId, line, message }) => `${file}:${line}: ${message} (${ruleId ?? 'ESLint'})`);
	});
}

const temporary = mkdtempSync(path.join(tmpdir(), 'lint-package-'));
try {
	const pack = [path.join(repository, '.ci/release.mjs'), 'pack', temporary];
	execFileSync(process.execPath, pack, { stdio: ['ignore', 'ignore', 'inherit'] });
	const tarball = readdirSync(temporary).find((file) => file.endsWith('.tgz'));
	const unpacked = path.join(temporary, 'package');
	mkdirSync(unpacked);
	execFileSync('tar', ['-xzf', tarball, '-C', unpacked, '--strip-components=1'], { cwd: temporary });

	const { messages, pkg } = await publint({ pkgDir: unpacked, pack: false, strict: true });
	const problems = [
		// The scan sees only the compiled form of the client, so the rules are applied to its sources, too.
		...(await scan(repository, [
			...SOURCE_FILE_PATTERNS,
			...(existsSync(path.join(repository, 'client')) ? ['client/**/*.ts'] : []),
		])),
		...(await scan(unpacked, ['**/*.js', 'package.json'])),
		...messages.map((message) => `publint: ${formatMessage(message, pkg)}`),
	];
	for (const problem of problems) console.error(problem);
	process.exitCode = problems.length === 0 ? 0 : 1;
	if (problems.length === 0) console.log(`${tarball}: nothing that n8n's scan or publint objects to, but for undici`);
} finally {
	rmSync(temporary, { recursive: true, force: true });
}
