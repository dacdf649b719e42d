import { run, type CommandOptions } from './process-group';

/**
 * The environment for package managers in other folders, without the settings of this repository that npm passes to its
 * scripts.
 */
export function packageManagerEnvironment(): NodeJS.ProcessEnv {
	const { npm_config_ignore_scripts: _scripts, npm_config_local_prefix: _prefix, ...environment } = process.env;
	return environment;
}

/** Runs npm by its script if npm runs this process, because on Windows only a shell can start npm by name. */
export async function npm(
	args: string[],
	options: Omit<CommandOptions, 'env'> & { signal?: AbortSignal },
): Promise<string> {
	const environment = { ...options, env: packageManagerEnvironment() };
	const quiet = [...args, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];
	const script = process.env.npm_execpath;
	return script?.endsWith('npm-cli.js')
		? await run(process.execPath, [script, ...quiet], environment)
		: await run('npm', quiet, environment);
}
