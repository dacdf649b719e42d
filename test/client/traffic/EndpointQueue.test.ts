import { Caller } from '../../../client/traffic/Caller';
import { Cancellation } from '../../../client/traffic/cancellation';
import { systemClock } from '../../../client/traffic/clock';
import { EndpointQueue, type QueuedCall } from '../../../client/traffic/EndpointQueue';
import { Instances } from '../../../client/traffic/Instances';
import type { Connections } from '../../../client/wire/Connections';
import { ManualClock } from '../harness';

const aCall = (order = 0, caller = new Caller({})): QueuedCall => ({
	caller,
	stopping: new Cancellation(),
	maxConcurrency: 8,
	tried: new Set(),
	left: 120_000,
	order,
	noResponse: () => new Error('no response'),
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

it('The calls of one caller are served by the age of their work, then in their order', async () => {
	const callbacks = { checkAlive: jest.fn(), onOut: jest.fn(), onBack: jest.fn() };
	const instances = new Instances([{ host: 'one' } as Connections], systemClock, callbacks);
	const queue = new EndpointQueue(instances, systemClock);
	const caller = new Caller({});
	const served: string[] = [];
	const serve = async (order: number, name: string) => {
		const call = aCall(order, caller);
		const slot = await queue.enter(call);
		served.push(`${order}${name}`);
		await Promise.resolve();
		slot.pool.leave('none', { ...slot, reduce: false }, systemClock.now());
		queue.leave(call, slot);
	};
	// The limit starts at two: those go out at once.
	const first = [serve(5, 'a'), serve(6, 'a')];
	const others = [3, 7, 1, 3, 5, 1, 7, 4].map(async (order, n) => await serve(order, String(n)));
	await Promise.all([...first, ...others]);

	expect(served).toEqual(['5a', '6a', '12', '15', '30', '33', '47', '54', '71', '76']);
});

it('A call that comes during the pause of a pool with a limit below one is admitted at its end', async () => {
	const callbacks = { checkAlive: jest.fn(), onOut: jest.fn(), onBack: jest.fn() };
	const clock = new ManualClock();
	const queue = new EndpointQueue(new Instances([{ host: 'one' } as Connections], clock, callbacks), clock);
	for (let i = 0; i < 5; i++) {
		for (const refused of [false, true]) {
			const call = aCall();
			const slot = await queue.enter(call);
			clock.advance(refused ? 0 : 100);
			const request = { ...slot, reduce: refused, waitedMs: 50 };
			slot.pool.leave(refused ? 'busy' : 'responded', request, clock.now());
			queue.leave(call, slot);
		}
	}
	let letIn = false;
	const entered = Promise.resolve(queue.enter(aCall())).then(() => (letIn = true));
	clock.advance(99);
	await Promise.resolve();
	expect(letIn).toBe(false);
	clock.advance(2);
	expect(await entered).toBe(true);
});
