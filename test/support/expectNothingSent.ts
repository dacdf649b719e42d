import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as wait } from 'node:timers/promises';

/**
 * Fails if this process sends a request to a server from now on. Counted where requests leave: at the server, one that was on
 * the wire before may arrive late.
 */
export async function expectNothingSent(url: string, ms = 150): Promise<void> {
	const sent: string[] = [];
	const note = (message: unknown) => {
		const { request } = message as { request: { origin: string; path: string } };
		if (String(request.origin) === new URL(url).origin) sent.push(request.path);
	};
	const channel = 'undici:client:sendHeaders';
	subscribe(channel, note);
	await wait(ms);
	unsubscribe(channel, note);
	expect(sent).toEqual([]);
}
