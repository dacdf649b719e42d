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

	it('stays closed when a response comes between failures', () => {
		const { circuit, fail, admits } = circuitAndClock();
		fail(2);
		circuit.responded();
		fail(2);
		expect([circuit.closed, admits()]).toEqual([true, true]);
	});

	it('opens with the third failure, and then admits one probe', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(3)).toEqual([undefined, undefined, 250]);
		expect([circuit.closed, admits()]).toEqual([false, false]);
		clock.advance(250);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});

	it('admits another probe when the first one ended without evidence', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(3);
		clock.advance(250);
		admits();
		circuit.pass();
		circuit.endedWithoutEvidence(false);
		expect(admits()).toBe(false);
		circuit.endedWithoutEvidence(true);
		expect(admits()).toBe(true);
	});

	it('opens only once for all requests in flight', () => {
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

	it('stays open for longer after each failed probe, up to five seconds', () => {
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

	it('closes with the first response', () => {
		const { circuit, fail, admits } = circuitAndClock();
		fail(3);
		circuit.responded();
		expect([circuit.closed, circuit.resumesAt, admits()]).toEqual([true, undefined, true]);
	});

	it('admits single probes while it fails, even for hours', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		fail(3);
		for (let hours = 0; hours < 3; hours++) {
			clock.advance(3_600_000);
			expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
			fail();
		}
	});
});

describe('A circuit with Retry-After', () => {
	it('opens with the first failure for that time, until a probe gets a response', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(1, 7_000)).toEqual([7_000]);
		expect([admits(), circuit.resumesAt! - clock.now()]).toEqual([false, 7_000]);
		clock.advance(7_000);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});

	it('stays open for longer, and never shorter, because of requests in flight', () => {
		const { circuit, clock, fail } = circuitAndClock();
		fail(1, 7_000);
		fail(1, 9_000);
		fail(1, 1_000);
		expect(circuit.resumesAt! - clock.now()).toBe(9_000);
	});

	it('stays closed for a pause of more than a minute, which only ends the call', () => {
		const { circuit, fail, admits } = circuitAndClock();
		expect(fail(1, 60_001)).toEqual([undefined]);
		expect([circuit.closed, admits()]).toEqual([true, true]);
	});

	it('ignores the pause when the endpoint has failed for thirty seconds', () => {
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

	it('admits single probes during a pause of more than ten seconds', () => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		const asked = clock.now() + 50_000;
		expect(fail(1, 50_000)).toEqual([10_000]);
		expect(circuit.askedUntil).toBe(asked);
		clock.advance(10_000);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
		circuit.responded();
		expect([circuit.closed, circuit.askedUntil]).toEqual([true, -Infinity]);
	});

	it.each([50_000, 60_000])('admits nothing for the whole pause of %i ms when it came with a 429', (ms) => {
		const { circuit, clock, fail, admits } = circuitAndClock();
		expect(fail(1, ms, true)).toEqual([ms]);
		clock.advance(ms - 1);
		expect([admits(), circuit.keptUntil]).toEqual([false, clock.now() + 1]);
		clock.advance(1);
		expect([admits(), circuit.pass(), admits()]).toEqual([true, true, false]);
	});
});
