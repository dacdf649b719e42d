/**
 * One process of several against one pool, run as `node clientProcess.cjs <url>` with a channel to its parent: calls as fast
 * as it may from the message `start` on, and answers each `count` with what came of its requests so far.
 */
const { ApiNodeClient } = require('../dist/client');

const counts = { answered: 0, rejected: 0, failed: 0 };
const countIfRejected = ({ status }) => void (counts.rejected += status === 503 ? 1 : 0);
const client = new ApiNodeClient({
	url: process.argv[2],
	serviceId: 'demo',
	apiKey: 'demo-key',
	onEvent: (event) => event.type === 'retry' && countIfRejected(event.error),
});

async function callOnAndOn() {
	for (let n = 0; ; n++) {
		try {
			await client.predictRecord('fraud', { amount: n % 900, hour: n % 24, country: 'FR' });
			counts.answered++;
		} catch (error) {
			countIfRejected(error);
			counts.failed++;
		}
	}
}

process.on('message', (message) => {
	if (message === 'count') process.send(counts);
	// More than may be in flight at a time.
	else for (let n = 0; n < 16; n++) void callOnAndOn();
});
process.send('ready');
