import { Circuit } from '../../../client/traffic/Circuit';
import { ManualClock, Stage } from '../harness';

const stage = new Stage();
// the longest pause of each range
beforeEach(() => stage.jitter(0.999999));

function circuitAndClock() {
	const circuit = new Circuit();
	const clock = new ManualClock();
	return {
		circuit,
		clock,
		/** @returns the milliseconds of each pause that the failures set off */
		fail: (times = 1, retryAfter?: number, kept?: boolean) =>
			Array.from({ length: times }, () => circuit.failed(clock.now(), clock.now(), retryAfter, kept)).map(
				(ms) => ms && Math.round(ms),
			),
		admits: () => circuit.admits(clock.now()),
	};
}

describe('A circuit', () => {
	it('stays closed after two failures in a row', () => {
		const { circuit, fail, admits } = circuitAndClock();
		expect(fail(2)).toEqual([undefined, undefined]);
		expect([circuit.closed, admits(), circuit.resumesAt]).toEqual([true, true, undefined]);
	});

	it('takes an answer between them for the end of the row', () => {
		const { circuit, fail, admits } = circuitAndClock();
		fail(2);
		circuit.answered();
		fail(2);
		expect([circuit.closed, admits()]).toEqual([true, true]);
	});

	it('opens with the third, and then lets one probe through', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(3)).toEqual([undefined, undefined, 250]);
		expect([circuit.closed, admits()]).toEqual([false, false]);
		clock.advance(250);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});

	it('lets another probe through when one came to nothing that says anything', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(3);
		clock.advance(250);
		admits();
		circuit.pass();
		circuit.passedWithoutWord(false);
		expect(admits()).toBe(false);
		circuit.passedWithoutWord(true);
		expect(admits()).toBe(true);
	});

	it('opens once for all requests that were under way', () => {
		const { circuit, clock } = circuitAndClock();
		const sentTogether = clock.now();
		clock.advance(20);
		for (let i = 0; i < 5; i++) circuit.failed(sentTogether, clock.now());
		expect(Math.round(circuit.resumesAt! - clock.now())).toBe(250);
		clock.advance(250);
		circuit.admits(clock.now());
		circuit.pass();
		// one that was sent before it opened is no news, the probe is
		expect(circuit.failed(sentTogether, clock.now())).toBeUndefined();
		expect(Math.round(circuit.failed(clock.now(), clock.now())!)).toBe(500);
	});

	it('is open for longer after each probe that fails, up to five seconds', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(2);
		const pauses: unknown[] = [];
		for (let probe = 0; probe < 8; probe++) {
			pauses.push(...fail());
			clock.advance(Math.ceil(circuit.resumesAt! - clock.now()));
			admits();
			circuit.pass();
		}
		expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
	});

	it('is closed again with the first answer', () => {
		const { circuit, fail, admits } = circuitAndClock();
		fail(3);
		circuit.answered();
		expect([circuit.closed, circuit.resumesAt, admits()]).toEqual([true, undefined, true]);
	});

	it('lets through single probes for as long as it fails, be it for hours', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(3);
		for (let hours = 0; hours < 3; hours++) {
			clock.advance(3_600_000);
			expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
			fail();
		}
	});
});

describe('Retry-After', () => {
	it('opens it with the first failure, for as long as it says, until a probe is answered', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(1, 7_000)).toEqual([7_000]);
		expect([admits(), circuit.resumesAt! - clock.now()]).toEqual([false, 7_000]);
		clock.advance(7_000);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});

	it('of others that were under way keeps it open for longer, never for less', () => {
		const { circuit, clock, fail } = circuitAndClock();
		fail(1, 7_000);
		fail(1, 9_000);
		fail(1, 1_000);
		expect(circuit.resumesAt! - clock.now()).toBe(9_000);
	});

	it('of more than a minute does not open it: that ends only the call that got it', () => {
		const { circuit, fail, admits } = circuitAndClock();
		expect(fail(1, 60_001)).toEqual([undefined]);
		expect([circuit.closed, admits()]).toEqual([true, true]);
	});

	it('is no longer respected by an endpoint that has failed for thirty seconds', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(1, 7_000);
		for (const ms of [7_000, 7_000, 7_000]) {
			clock.advance(ms);
			admits();
			circuit.pass();
			expect(fail(1, 7_000)).toEqual([7_000]);
		}
		clock.advance(9_000);
		admits();
		circuit.pass();
		expect(fail(1, 7_000)).toEqual([2_000]);
	});

	it('of more than ten seconds lets single probes through meanwhile', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		const asked = clock.now() + 50_000;
		expect(fail(1, 50_000)).toEqual([10_000]);
		expect(circuit.askedUntil).toBe(asked);
		clock.advance(10_000);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
		circuit.answered();
		expect([circuit.closed, circuit.askedUntil]).toEqual([true, -Infinity]);
	});

	it.each([50_000, 60_000])('of %i ms is kept whole when it came with a 429', (ms) => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(1, ms, true)).toEqual([ms]);
		clock.advance(ms - 1);
		expect([admits(), circuit.keptUntil]).toEqual([false, clock.now() + 1]);
		clock.advance(1);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});
});
