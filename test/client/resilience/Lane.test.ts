import { Lane } from '../../../nodes/shared/client/Lane';
import type { Instance } from '../../../nodes/shared/client/Instance';

const nobody = {} as Instance;

beforeEach(() => {
	jest.useFakeTimers({ now: 1_000_000 });
	jest.spyOn(Math, 'random').mockReturnValue(0.999999);
});
afterEach(() => {
	jest.useRealTimers();
	jest.restoreAllMocks();
});

/** How many requests the lane takes at a time. */
const room = (lane: Lane, maxConcurrency = 1_000) => {
	let requests = 0;
	while (requests < 2_000) {
		lane.inFlight = requests;
		if (!lane.hasRoom(maxConcurrency, Date.now())) break;
		requests++;
	}
	lane.inFlight = 0;
	return requests;
};

const succeed = (lane: Lane, times: number, inFlight = room(lane)) => {
	for (let i = 0; i < times; i++) {
		lane.inFlight = inFlight;
		lane.succeeded();
	}
	lane.inFlight = 0;
};

const raisedTo = (limit: number) => {
	const lane = new Lane(nobody);
	while (room(lane) < limit) succeed(lane, 1);
	return lane;
};

const fail = (lane: Lane, times = 1) => {
	for (let i = 0; i < times; i++) lane.failed(Date.now());
};

describe('The limit of a lane', () => {
	it('starts at two', () => expect(room(new Lane(nobody))).toBe(2));

	it('goes up by one after as many successes as it allows requests', () => {
		const lane = new Lane(nobody);
		for (const limit of [2, 3, 4, 5, 6]) {
			succeed(lane, limit - 1);
			expect(room(lane)).toBe(limit);
			succeed(lane, 1);
			expect(room(lane)).toBe(limit + 1);
		}
	});

	it('does not go up while less is asked of it than it allows', () => {
		const lane = new Lane(nobody);
		succeed(lane, 100, 1);
		expect(room(lane)).toBe(2);
	});

	it('is never above what the caller allows, and stops there instead of growing unseen', () => {
		const lane = new Lane(nobody);
		succeed(lane, 1_000, 8);
		expect(room(lane, 8)).toBe(8);
		expect(room(lane)).toBeLessThanOrEqual(9);
	});

	it('is halved by an overload', () => {
		const lane = raisedTo(24);
		lane.overloaded(Date.now());
		expect(room(lane)).toBe(12);
	});

	it('is halved once for all requests of the same round trip, and again for a later one', () => {
		const lane = raisedTo(24);
		const sentTogether = Date.now();
		jest.advanceTimersByTime(20);
		for (let i = 0; i < 12; i++) lane.overloaded(sentTogether);
		expect(room(lane)).toBe(12);
		jest.advanceTimersByTime(20);
		lane.overloaded(Date.now());
		expect(room(lane)).toBe(6);
	});

	it('is at least one', () => {
		const lane = new Lane(nobody);
		for (let i = 0; i < 10; i++) {
			jest.advanceTimersByTime(10);
			lane.overloaded(Date.now());
		}
		expect(room(lane)).toBe(1);
		succeed(lane, 1);
		expect(room(lane)).toBe(2);
	});
});

describe('A lane after failures', () => {
	it('goes on as before after two in a row', () => {
		const lane = raisedTo(5);
		fail(lane, 2);
		expect([room(lane), lane.paced, lane.resumesAt]).toEqual([5, false, Date.now()]);
	});

	it('takes a success between them for the end of the row', () => {
		const lane = raisedTo(5);
		fail(lane, 2);
		succeed(lane, 1);
		fail(lane, 2);
		expect([room(lane), lane.paced]).toEqual([5, false]);
	});

	it('is paused after three, and then lets one probe through', () => {
		const lane = raisedTo(5);
		fail(lane, 3);
		expect([room(lane), lane.paced]).toEqual([0, true]);
		jest.advanceTimersByTime(250);
		expect(room(lane)).toBe(1);
	});

	it('is paused once for all requests that were under way', () => {
		const lane = raisedTo(5);
		const sentTogether = Date.now();
		jest.advanceTimersByTime(20);
		for (let i = 0; i < 5; i++) lane.failed(sentTogether);
		expect(Math.round(lane.resumesAt - Date.now())).toBe(250);
	});

	it('is paused for longer after each probe that fails, up to five seconds', () => {
		const lane = new Lane(nobody);
		fail(lane, 2);
		const pauses: number[] = [];
		for (let probe = 0; probe < 8; probe++) {
			fail(lane);
			pauses.push(Math.round(lane.resumesAt - Date.now()));
			jest.setSystemTime(Math.ceil(lane.resumesAt));
		}
		expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
	});

	it('is open again with the first success', () => {
		const lane = new Lane(nobody);
		fail(lane, 3);
		succeed(lane, 1);
		expect([lane.paced, lane.resumesAt, room(lane)]).toEqual([false, 0, 1]);
	});

	it('is not paused any more once it has failed for thirty seconds', () => {
		const lane = new Lane(nobody);
		fail(lane, 3);
		jest.advanceTimersByTime(30_000);
		fail(lane);
		expect([lane.paced, room(lane)]).toEqual([false, 1]);
	});

	it('is closed for as long as Retry-After says, from the first failure on', () => {
		const lane = new Lane(nobody);
		lane.failed(Date.now(), 7_000);
		expect([room(lane), lane.resumesAt - Date.now()]).toEqual([0, 7_000]);
		jest.advanceTimersByTime(7_000);
		expect(room(lane)).toBe(2);
	});

	it('is not closed by a Retry-After of more than a minute, which ends only the call that got it', () => {
		const lane = new Lane(nobody);
		lane.failed(Date.now(), 60_001);
		expect(room(lane)).toBe(2);
	});
});
