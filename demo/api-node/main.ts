import { parseArgs } from 'node:util';
import { jwtCheck, startApiNode } from './index';

async function main() {
	const { values } = parseArgs({
		options: {
			port: { type: 'string', default: '12443' },
			host: { type: 'string', default: '127.0.0.1' },
			latency: { type: 'string', default: '0' },
			issuer: { type: 'string' },
			audience: { type: 'string' },
			scope: { type: 'string' },
			jwks: { type: 'string' },
		},
	});
	const { issuer, audience, scope, jwks } = values;
	const jwt = issuer && audience && jwks ? jwtCheck({ issuer, audience, scope, jwksUrl: jwks }) : undefined;
	if (!jwt && (issuer || audience || scope || jwks)) throw new Error('JWTs need --issuer, --audience and --jwks');
	const node = await startApiNode({
		port: whole('port', values.port, 65_535),
		host: values.host,
		latencyMs: whole('latency', values.latency, 3_600_000),
		acceptsToken: jwt,
	});
	console.log(
		`API node on ${node.url}: services demo (API key demo-key), open (no authentication), secured (bearer token demo-token), ` +
			'retail (API key retail-key)',
	);
	const stop = () => void node.close();
	process.once('SIGINT', stop).once('SIGTERM', stop);
}

function whole(name: string, value: string, max: number): number {
	const number = Number(value);
	if (value.trim() !== '' && Number.isInteger(number) && number >= 0 && number <= max) return number;
	throw new Error(`--${name} must be an integer up to ${max}, not ${value}`);
}

main().catch((error: NodeJS.ErrnoException) => {
	const busy = error.code === 'EADDRINUSE';
	console.error(
		busy ? `The port is already in use. Choose a different port with --port (${error.message})` : error.message,
	);
	process.exitCode = 1;
});
