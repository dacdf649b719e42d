import type { buildConnector, EnvHttpProxyAgent, Pool } from 'undici';

/**
 * Loads one module of undici. Its index also loads fetch, WebSocket and caches, which blocks a new process for 65 to 120
 * ms instead of 20. If a release moves a file, the index still exports the class.
 */
function load<Part>(file: string, name: string): Part {
	try {
		// eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would be loaded whether it is used or not
		return require(`undici/lib/${file}`) as Part;
	} catch {
		// eslint-disable-next-line @typescript-eslint/no-require-imports
		return (require('undici') as Record<string, Part>)[name]!;
	}
}

export const loadPool = () => load<typeof Pool>('dispatcher/pool.js', 'Pool');
export const loadBuildConnector = () => load<typeof buildConnector>('core/connect.js', 'buildConnector');
/** Needs all of undici: it opens tunnels with `connect`, which only the index adds to dispatchers. */
export function loadProxyAgent(): typeof EnvHttpProxyAgent {
	// eslint-disable-next-line @typescript-eslint/no-require-imports
	const undici = require('undici') as { EnvHttpProxyAgent: typeof EnvHttpProxyAgent };
	return undici.EnvHttpProxyAgent;
}
