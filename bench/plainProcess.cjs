/** As clientProcess.cjs, of a caller without a rule: `node plainProcess.cjs <url> <requests that it always has outstanding>`. */
const { Agent } = require('undici');

const agent = new Agent();
const counts = { answered: 0, rejected: 0, failed: 0 };
const request = {
	origin: process.argv[2],
	path: '/public/api/v1/demo/fraud/predict',
	method: 'POST',
	headers: {
		'content-type': 'application/json',
		authorization: `Basic ${Buffer.from('demo-key:').toString('base64')}`,
	},
	body: JSON.stringify({ features: { amount: 20, hour: 3, country: 'FR' } }),
};

async function callOnAndOn() {
	for (;;) {
		const { statusCode, body } = await agent.request(request);
		await body.dump();
		if (statusCode === 200) counts.answered++;
		else {
			counts.rejected++;
			await new Promise((resolve) => setTimeout(resolve, 250 * Math.random()));
		}
	}
}

process.on('message', (message) => {
	if (message === 'count') process.send(counts);
	else for (let n = 0; n < Number(process.argv[3]); n++) void callOnAndOn();
});
process.send('ready');
