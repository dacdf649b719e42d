import { Pool } from 'undici';

const headers = {
	authorization: `Basic ${Buffer.from('demo-key:').toString('base64')}`,
	'content-type': 'application/json',
};

/** The upper bound: undici with prepared bodies, whose responses are read but not parsed. */
export async function sendBare(url: string, path: string, bodies: readonly string[], concurrency = 8): Promise<void> {
	const pool = new Pool(url, { connections: concurrency });
	let next = 0;
	const worker = async () => {
		while (next < bodies.length) {
			const body = bodies[next++];
			const answer = await pool.request({ path: `/public/api/v1/demo/${path}`, method: 'POST', headers, body });
			await answer.body.text();
			if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`);
		}
	};
	await Promise.all(Array.from({ length: concurrency }, worker));
	await pool.close();
}
