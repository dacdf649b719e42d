import type { buildConnector, EnvHttpProxyAgent, Pool } from 'undici';

/**
 * One module of undici. Its index loads fetch, WebSocket and caches as well, 65 to 120 ms of a fresh process's event loop;
 * the two loaded here take 20. Should a release move a file, the index still has it.
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
/** From all of undici: it makes tunnels by `connect`, which only the index gives to dispatchers. */
export function loadProxyAgent(): typeof EnvHttpProxyAgent {
	// eslint-disable-next-line @typescript-eslint/no-require-imports
	const undici = require('undici') as { EnvHttpProxyAgent: typeof EnvHttpProxyAgent };
	return undici.EnvHttpProxyAgent;
}
