/**
 * Scores a stream of records in batches of 100. Run as `node --expose-gc streaming.cjs <client or undici> <url> <records>`.
 * Prints the milliseconds, and the bytes of the heap after a collection: after the first 100,000 records, and the most
 * after each further 100,000.
 */
const [peer, url, count] = process.argv.slice(2);
const [step, batchSize, concurrency] = [100_000, 100, 8];

function* records() {
	for (let n = 0; n < Number(count); n++) {
		yield { features: { amount: (n * 37) % 900, hour: n % 24, country: 'FR', merchant_category: 'fuel' } };
	}
}

async function* withClient() {
	const { ApiNodeClient } = require('../dist/client');
	const client = new ApiNodeClient({ url, serviceId: 'demo', apiKey: 'demo-key' });
	yield* client.settleAll('predict', 'fraud', records(), { batchSize, maxConcurrency: concurrency });
}

/** The fastest loop by hand: it neither retries nor limits what it reads. */
async function* withUndici() {
	const { Pool } = require('undici');
	const pool = new Pool(url, { connections: concurrency });
	const authorization = `Basic ${Buffer.from('demo-key:').toString('base64')}`;
	const headers = { authorization, 'content-type': 'application/json' };
	const path = '/public/api/v1/demo/fraud/predict-multi';
	const send = async (items) => {
		const { body } = await pool.request({ path, method: 'POST', headers, body: JSON.stringify({ items }) });
		return (await body.json()).results.map((result) => ({ result }));
	};
	const sending = [];
	let items = [];
	for (const record of records()) {
		if (items.push(record) < batchSize) continue;
		if (sending.push(send(items)) >= concurrency) yield* await sending.shift();
		items = [];
	}
	for (const outcomes of await Promise.all([...sending, items.length > 0 ? send(items) : []])) yield* outcomes;
}

async function main() {
	const started = performance.now();
	const heaps = [];
	let scored = 0;
	for await (const { result } of peer === 'client' ? withClient() : withUndici()) {
		if (!result?.prediction) throw new Error(`Record ${scored} was not scored`);
		if (++scored % step > 0) continue;
		globalThis.gc();
		heaps.push(process.memoryUsage().heapUsed);
	}
	if (scored !== Number(count)) throw new Error(`${scored} of ${count} records were scored`);
	console.log(JSON.stringify({ ms: performance.now() - started, first: heaps[0], most: Math.max(...heaps.slice(1)) }));
	process.exit(0);
}

main();
