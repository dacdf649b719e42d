/** Calls without a rule that limits them. */
const { Agent } = require('undici');
const { run } = require('./caller.cjs');

const agent = new Agent();
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

run(async (counts) => {
	for (;;) {
		const { statusCode, body } = await agent.request(request);
		await body.dump();
		if (statusCode === 200) return true;
		counts.rejected++;
		await new Promise((resolve) => setTimeout(resolve, 250 * Math.random()));
	}
});
