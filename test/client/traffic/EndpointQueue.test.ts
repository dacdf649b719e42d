import { Caller } from '../../../client/traffic/Caller';
import { Cancellation } from '../../../client/traffic/cancellation';
import { systemClock } from '../../../client/traffic/clock';
import { EndpointQueue, type QueuedCall } from '../../../client/traffic/EndpointQueue';
import { Instances } from '../../../client/traffic/Instances';
import type { Connections } from '../../../client/wire/Connections';

const aCall = (): QueuedCall => ({
	caller: new Caller({}),
	stopping: new Cancellation(),
	maxConcurrency: 8,
	tried: new Set(),
	left: 120_000,
	notAnswered: () => new Error('not answered'),
});

it.each([0, 1, 2, 3, 4])(
	'lets a call in that finds the endpoint paused, although the pause ends while it looks (%d readings of the clock before)',
	async (readings) => {
		let read = () => 1_000_000;
		const clock = { ...systemClock, now: () => read() };
		const callbacks = { checkAlive: jest.fn(), onOut: jest.fn(), onBack: jest.fn() };
		const queue = new EndpointQueue(new Instances([{ host: 'one' } as Connections], clock, callbacks), clock);
		const call = aCall();
		const slot = await queue.enter(call);
		const { pool } = slot;
		pool.leave('busy', { ...slot, retryAfter: 1_000, reduce: false }, clock.now());
		queue.leave(call, slot);
		const resumesAt = pool.resumesAt!;
		expect(resumesAt).toBeGreaterThan(clock.now());

		let times = 0;
		read = () => (times++ < readings ? resumesAt - 1 : resumesAt);

		expect((await queue.enter(aCall())).pool).toBe(pool);
	},
	2_000,
);
