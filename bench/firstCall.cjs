/**
 * The first call of a fresh process: prints milliseconds from before the client is loaded to its response. Run as
 * `node firstCall.cjs <client or undici> <url>`, with what n8n has loaded long before loaded already.
 */
for (const name of ['http', 'https', 'tls', 'crypto', 'zlib', 'stream', 'dns', 'worker_threads', 'http2']) {
	require(`node:${name}`);
}
const [peer, url] = process.argv.slice(2);
const started = performance.now();

async function withClient() {
	const { ApiNodeClient } = require('../dist/client');
	await new ApiNodeClient({ url, serviceId: 'demo', apiKey: 'demo-key' }).predictRecord('fraud', { amount: 1 });
}

async function withUndici() {
	const { Pool } = require('undici');
	const authorization = `Basic ${Buffer.from('demo-key:').toString('base64')}`;
	const response = await new Pool(url).request({
		path: '/public/api/v1/demo/fraud/predict',
		method: 'POST',
		headers: { authorization, 'content-type': 'application/json' },
		body: '{"features":{"amount":1}}',
	});
	await response.body.json();
}

(peer === 'client' ? withClient() : withUndici()).then(() => {
	console.log(performance.now() - started);
	process.exit(0);
});
