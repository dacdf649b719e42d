/** Calls with the client, at its defaults. */
const { ApiNodeClient } = require('../dist/client');
const { run } = require('./caller.cjs');

let rejected = 0;
const countIfRejected = ({ status }) => void (rejected += status === 503 ? 1 : 0);
const client = new ApiNodeClient({
	url: process.argv[2],
	serviceId: 'demo',
	apiKey: 'demo-key',
	onEvent: (event) => event.type === 'retry' && countIfRejected(event.error),
});
let calls = 0;

run(async (counts) => {
	const n = calls++;
	try {
		await client.predictRecord('fraud', { amount: n % 900, hour: n % 24, country: 'FR' });
		return true;
	} catch (error) {
		countIfRejected(error);
		counts.failed++;
		return false;
	} finally {
		counts.rejected = rejected;
	}
});
