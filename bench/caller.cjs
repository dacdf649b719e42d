/**
 * A process that calls one pool, run as `node <script> <url> <calls>` with a channel to its parent. `<calls>` is either the
 * number of calls that it always has outstanding, such as `16`, or their number per second at random times, such as `5/s`.
 * It begins with the message `start` and responds to each `count` with what became of its calls.
 *
 * @param call resolves with whether it got a response, and counts rejections and failures
 */
exports.run = (call) => {
	const counts = { answered: 0, rejected: 0, failed: 0, tookMs: [] };
	const [number, perSecond] = process.argv[3].split('/');
	const callOnce = async () => {
		const startedAt = performance.now();
		if (!(await call(counts))) return;
		counts.answered++;
		counts.tookMs.push(performance.now() - startedAt);
	};
	const callOnAndOn = async () => {
		for (;;) await callOnce();
	};
	const callAtRandom = () => {
		void callOnce();
		setTimeout(callAtRandom, (-1_000 * Math.log(1 - Math.random())) / number);
	};
	process.on('message', (message) => {
		if (message === 'count') process.send(counts);
		else if (perSecond) callAtRandom();
		else for (let n = 0; n < number; n++) void callOnAndOn();
	});
	process.send('ready');
};
