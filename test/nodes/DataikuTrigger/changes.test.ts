import {
	compare,
	type DocumentedField,
	type Memory,
	type Rules,
	sample,
	type Seen,
} from '../../../nodes/DataikuTrigger/changes';

const rules: Rules = { measure: 'share', tolerance: 0.1, failures: 3 };
let minute = 0;
beforeEach(() => (minute = 0));
/** The time of the n-th poll. */
const time = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString();

const fraud = (proba: number) => ({
	prediction: proba >= 0.5 ? 'fraud' : 'legitimate',
	probas: { fraud: proba, legitimate: 1 - proba },
});
type Results = Seen['responses'][number]['results'];
const by = (generation: string, ...results: Results) => ({
	generation,
	results: results.length > 0 ? results : [fraud(0.2)],
});
const responses = (...all: Seen['responses']): Partial<Seen> => ({ responses: all });
const fails = (failure = 'The API node did not respond'): Partial<Seen> => ({ failure });

/** Polls in a row, one a minute, with what each of them sees. */
function polls(start?: Memory, given = rules) {
	let memory = start;
	return {
		see(seen: Partial<Seen>) {
			const at = time(minute++);
			const compared = compare(memory, { at, responses: [], ...seen }, given);
			// n8n keeps JSON.
			memory = JSON.parse(JSON.stringify(compared.memory)) as Memory;
			return compared.changes;
		},
		get memory() {
			return memory!;
		},
	};
}
/** What the second of two polls finds. */
function changesBetween(first: Partial<Seen>, second: Partial<Seen>, given = rules) {
	const each = polls(undefined, given);
	expect(each.see(first)).toEqual([]);
	return each.see(second);
}
const driftBetween = (before: Results, after: Results, given: Partial<Rules> = {}) =>
	changesBetween(responses(by('v1', ...before)), responses(by('v1', ...after)), { ...rules, ...given });

describe('another generation', () => {
	it('is an event with the generations before and after when it responds for the first time', () => {
		expect(changesBetween(responses(by('v1')), responses(by('v2')))).toEqual([
			{
				event: 'generation',
				generation: 'v2',
				before: 'v1',
				after: 'v2',
				since: time(1),
				beforeSince: time(0),
				details: [],
			},
		]);
	});

	it('is an event once, and again when the earlier generation is back', () => {
		const each = polls();
		each.see(responses(by('v1')));
		expect(each.see(responses(by('v2')))).toHaveLength(1);
		for (let n = 0; n < 10; n++) expect(each.see(responses(by('v2')))).toEqual([]);
		expect(each.see(responses(by('v1')))).toMatchObject([{ before: 'v2', after: 'v1', beforeSince: time(1) }]);
	});

	it('is an event with all generations that respond when it gets a share of the requests', () => {
		expect(changesBetween(responses(by('v1')), responses(by('v2'), by('v1'), by('v2')))).toMatchObject([
			{ event: 'generation', before: 'v1', after: 'v1, v2' },
		]);
	});

	it('is not an event in 1,000 polls when the two generations of an A/B test respond in turns, at random or in long rows', () => {
		const patterns = [
			(n: number) => n % 2,
			(n: number) => Number((n * 7919) % 100 < 3),
			(n: number) => Number(n % 900 === 1),
		];
		for (const pattern of patterns) {
			const each = polls();
			each.see(responses(by('v1'), by('v2')));
			const changes = Array.from({ length: 1_000 }, (_, n) => each.see(responses(by(pattern(n) ? 'v2' : 'v1')))).flat();
			expect(changes).toEqual([]);
		}
	});

	it('is an event when it is back after 1,000 responses of other generations', () => {
		const each = polls();
		each.see(responses(by('v1'), by('v2')));
		for (let n = 0; n < 1_000; n++) expect(each.see(responses(by('v2')))).toEqual([]);
		expect(each.see(responses(by('v1')))).toMatchObject([{ event: 'generation', before: 'v2', after: 'v1' }]);
	});

	it("is the only one in the event's field when it gets a share of the requests", () => {
		expect(changesBetween(responses(by('v1')), responses(by('v2'), by('v1')))).toMatchObject([
			{ generation: 'v2', before: 'v1', after: 'v1, v2' },
		]);
	});

	it('is not an event when most of the responses of the first polls are missing', () => {
		const each = polls();
		const few = (...generations: string[]) => ({ ...responses(...generations.map((id) => by(id))), isPartial: true });
		expect(each.see(few('v1'))).toEqual([]);
		expect(each.see(few('v1', 'v2'))).toEqual([]);
		expect(each.see(responses(by('v1'), by('v3')))).toEqual([]);
		expect(each.see(responses(by('v4')))).toMatchObject([{ before: 'v1, v3', after: 'v4' }]);
	});

	it('is an event when most of the responses are missing, and the next generation is one, too', () => {
		const each = polls();
		each.see(responses(by('v1')));
		const few = (id: string) => ({ ...responses(...Array<ReturnType<typeof by>>(10).fill(by(id))), isPartial: true });
		expect(each.see(few('v2'))).toMatchObject([{ generation: 'v2', before: 'v1', after: 'v2' }]);
		expect(each.see(few('v2'))).toEqual([]);
		expect(each.see(few('v1'))).toMatchObject([{ generation: 'v1', before: 'v2' }]);
	});

	it('is not an event when polls fail in between', () => {
		const each = polls(undefined, { ...rules, failures: 100 });
		each.see(responses(by('v1'), by('v2')));
		for (let n = 0; n < 50; n++) each.see(fails());
		expect([...each.see(responses(by('v1'))), ...each.see(responses(by('v2')))]).toEqual([]);
	});

	it.each(['__proto__', 'constructor', '', ' ', 'v1, v2'])('is recognized when its name is %j', (name) => {
		const each = polls();
		each.see(responses(by(name)));
		expect(each.see(responses(by(name)))).toEqual([]);
		expect(each.see(responses(by('v9')))).toMatchObject([{ event: 'generation', before: name || null, after: 'v9' }]);
	});

	it('is not an event when responses no longer name a generation', () => {
		expect(changesBetween(responses(by('v1')), responses(by('')))).toEqual([]);
	});
});

describe('drift', () => {
	it('is an event with the largest change, and each record that changed', () => {
		const [change] = driftBetween([fraud(0.2), fraud(0.3), fraud(0.9)], [fraud(0.25), fraud(0.6), fraud(0.9)]);
		expect(change).toEqual({
			event: 'drift',
			generation: 'v1',
			before: 0.7,
			after: 0.4,
			since: time(1),
			beforeSince: time(0),
			details: [{ record: 2, before: 0.7, after: 0.4 }],
		});
	});

	it.each<[string, Partial<Rules>, number, number, boolean]>([
		['a number', { measure: 'number', tolerance: 5 }, 100, 105, false],
		['a number', { measure: 'number', tolerance: 5 }, 100, 105.5, true],
		['a number', { measure: 'number', tolerance: 5 }, -2, -8, true],
		['a share', { measure: 'share', tolerance: 0.1 }, 100, 110, false],
		['a share', { measure: 'share', tolerance: 0.1 }, 100, 89, true],
		['a share', { measure: 'share', tolerance: 0.1 }, -100, -111, true],
		['a share', { measure: 'share', tolerance: 0.1 }, 0, 0.001, true],
		['a share', { measure: 'share', tolerance: 0.1 }, 0, 0, false],
		['a number', { measure: 'number', tolerance: 0 }, 1, 1, false],
		['a number', { measure: 'number', tolerance: 0 }, 1, 1.0000001, true],
		['its class', { measure: 'class' }, 1, 1, false],
		['its class', { measure: 'class' }, 1, 2, true],
	])('is measured by %s (%j) when a prediction goes from %d to %d', (_by, given, before, after, expected) => {
		expect(driftBetween([{ prediction: before }], [{ prediction: after }], given)).toHaveLength(expected ? 1 : 0);
	});

	it('is measured by the probability of the class that was predicted first, whatever class is predicted now', () => {
		expect(driftBetween([fraud(0.51)], [fraud(0.49)])).toEqual([]);
		expect(driftBetween([fraud(0.51)], [fraud(0.4)])).toMatchObject([{ before: 0.51, after: 0.4 }]);
		expect(driftBetween([fraud(0.51)], [fraud(0.49)], { measure: 'class' })).toMatchObject([
			{ before: 'fraud', after: 'legitimate' },
		]);
		expect(driftBetween([fraud(0.2)], [fraud(0.4)], { measure: 'class' })).toEqual([]);
	});

	it.each([1, true])('is measured by the probability of a class that is %j', (prediction) => {
		const result = (proba: number) => ({ prediction, probas: { [String(prediction)]: proba, other: 1 - proba } });
		expect(driftBetween([result(0.51)], [result(0.49)])).toEqual([]);
		expect(driftBetween([result(0.51)], [result(0.4)])).toMatchObject([{ before: 0.51, after: 0.4 }]);
	});

	it.each<[string, object, object]>([
		['a class without probabilities', { prediction: 'a' }, { prediction: 'b' }],
		['a number and then a text', { prediction: 1 }, { prediction: 'one' }],
		['a prediction and then none', { prediction: 'a' }, { prediction: null }],
		['a prediction and then an ignored record', fraud(0.2), { ignored: true, ignoreReason: 'NO_LOOKUP_MATCH' }],
		['an object of a custom model', { prediction: { top: ['a'] } }, { prediction: { top: ['b'] } }],
		['keys of a custom model', { anomaly: 0.1 }, { anomaly: 0.2 }],
		['a long text', { prediction: 'x'.repeat(5_000) }, { prediction: 'y'.repeat(5_000) }],
		['a class whose probability is gone', fraud(0.2), { prediction: 'other', probas: { other: 1 } }],
	])('is an event when a result is %s', (_what, before, after) => {
		for (const measure of ['number', 'share', 'class'] as const) {
			expect(driftBetween([{ ...before }], [{ ...before }], { measure })).toEqual([]);
			expect(driftBetween([{ ...before }], [{ ...after }], { measure })).toMatchObject([{ event: 'drift' }]);
		}
	});

	it('is measured when the raw response of a model is a number', () => {
		const raw = (score: number) => [score] as unknown as Results;
		expect(driftBetween(raw(100), raw(105))).toEqual([]);
		expect(driftBetween(raw(100), raw(120))).toMatchObject([{ before: 100, after: 120 }]);
	});

	it('is an event once, and the new scores are the baseline, when scores stay as they are', () => {
		const each = polls();
		each.see(responses(by('v1', fraud(0.9))));
		expect(each.see(responses(by('v1', fraud(0.7))))).toHaveLength(1);
		expect(each.see(responses(by('v1', fraud(0.7))))).toEqual([]);
		expect(each.see(responses(by('v1', fraud(0.9))))).toMatchObject([
			{ before: 0.7, after: 0.9, beforeSince: time(1) },
		]);
	});

	it('is an event when many small changes add up', () => {
		const each = polls();
		for (let n = 0; n < 10; n++) expect(each.see(responses(by('v1', { prediction: 100 + n })))).toEqual([]);
		expect(each.see(responses(by('v1', { prediction: 111 })))).toMatchObject([{ before: 100, after: 111 }]);
	});

	it('is measured for each generation with its own scores', () => {
		const each = polls();
		each.see(responses(by('v1', fraud(0.2)), by('v2', fraud(0.9))));
		for (let n = 0; n < 20; n++) {
			expect(each.see(responses(n % 2 ? by('v1', fraud(0.2)) : by('v2', fraud(0.9))))).toEqual([]);
		}
		expect(each.see(responses(by('v2', fraud(0.6))))).toMatchObject([{ event: 'drift', generation: 'v2' }]);
	});

	it('is not an event when another generation has other scores', () => {
		const changes = changesBetween(responses(by('v1', fraud(0.2))), responses(by('v2', fraud(0.9))));
		expect(changes.map(({ event }) => event)).toEqual(['generation']);
	});
});

describe('down and up', () => {
	const down = { event: 'down', generation: null, before: 'up', after: 'down', since: time(1), beforeSince: time(0) };

	it('are events when as many consecutive polls fail as the setting says, and when one succeeds again', () => {
		const each = polls();
		each.see({});
		expect([...each.see(fails()), ...each.see(fails())]).toEqual([]);
		expect(each.see(fails('HTTP 503'))).toEqual([{ ...down, details: [{ reason: 'HTTP 503' }] }]);
		for (let n = 0; n < 5; n++) expect(each.see(fails())).toEqual([]);
		expect(each.see({})).toEqual([
			{ event: 'up', generation: null, before: 'down', after: 'up', since: time(9), beforeSince: time(1), details: [] },
		]);
		expect(each.see({})).toEqual([]);
	});

	it('are not events when a poll succeeds in between', () => {
		const each = polls();
		for (let n = 0; n < 20; n++) expect(each.see(n % 3 === 2 ? {} : fails())).toEqual([]);
	});

	it('are events at the first failure when the setting is one', () => {
		expect(changesBetween({}, fails(), { ...rules, failures: 1 })).toMatchObject([{ event: 'down', since: time(1) }]);
	});

	it('have no value for the time before when the endpoint has never responded', () => {
		const each = polls();
		expect([...each.see(fails()), ...each.see(fails())]).toEqual([]);
		expect(each.see(fails())).toMatchObject([{ event: 'down', before: null, beforeSince: null, since: time(0) }]);
		expect(each.see({})).toMatchObject([{ event: 'up', before: 'down' }]);
	});

	it('keep the known generations, scores and fields', () => {
		const each = polls(undefined, { ...rules, failures: 1 });
		const fields = [{ name: 'amount', type: 'number', required: true }];
		each.see({ ...responses(by('v1', fraud(0.2))), fields });
		each.see(fails());
		const changes = each.see({ ...responses(by('v1', fraud(0.4))), fields: [] });
		expect(changes.map(({ event }) => event)).toEqual(['up', 'drift', 'fields']);
	});
});

describe('fields', () => {
	const field = (name: string, type = 'number', required = false): DocumentedField => ({ name, type, required });
	const fieldChanges = (before: DocumentedField[], after: DocumentedField[]) =>
		changesBetween({ fields: before }, { fields: after });

	it.each<[string, DocumentedField[], DocumentedField[], object]>([
		['added', [], [field('a')], { field: 'a', change: 'added', before: null, after: 'number' }],
		['removed', [field('a')], [], { field: 'a', change: 'removed', before: 'number', after: null }],
		[
			'of another type',
			[field('a')],
			[field('a', 'string')],
			{ field: 'a', change: 'another type', before: 'number', after: 'string' },
		],
		[
			'newly required',
			[field('a')],
			[field('a', 'number', true)],
			{ field: 'a', change: 'newly required', before: 'number', after: 'number, required' },
		],
		[
			'no longer required',
			[field('a', 'number', true)],
			[field('a')],
			{ field: 'a', change: 'no longer required', before: 'number, required', after: 'number' },
		],
		[
			'added under a name of JavaScript',
			[],
			[field('__proto__')],
			{ field: '__proto__', change: 'added', before: null, after: 'number' },
		],
	])('are an event when one is %s', (_what, before, after, detail) => {
		expect(fieldChanges([...before, field('z')], [...after, field('z')])).toMatchObject([
			{ event: 'fields', since: time(1), beforeSince: time(0), details: [detail] },
		]);
	});

	it('are one event with both sides as text when several changed', () => {
		const before = [field('amount'), field('hour', 'integer', true)];
		const after = [field('amount', 'string'), field('country', 'string')];
		expect(fieldChanges(before, after)).toMatchObject([
			{ before: 'amount: number, hour: integer, required', after: 'amount: string, country: string' },
		]);
	});

	it('are not an event when their order changes, or when the document was not read', () => {
		expect(fieldChanges([field('a'), field('b')], [field('b'), field('a')])).toEqual([]);
		const each = polls();
		each.see({ fields: [field('a')] });
		each.see({ fields: undefined });
		expect(each.see({ fields: [field('a')] })).toEqual([]);
		expect(each.see({ fields: [] })).toHaveLength(1);
	});

	it('are the baseline when they are read for the first time', () => {
		expect(changesBetween({}, { fields: [field('a')] })).toEqual([]);
	});
});

describe('what is remembered', () => {
	it('contains no record, and stays small, whatever a model returns', () => {
		const each = polls();
		const long = { prediction: 'secret '.repeat(10_000), explanations: { iban: 'DE00' }, probas: { a: 0.1 } };
		each.see(responses(...Array.from({ length: 31 }, () => by('v1', long, fraud(0.2)))));
		const text = JSON.stringify(each.memory);
		expect(text).not.toMatch(/secret|DE00|iban/);
		expect(text.length).toBeLessThan(500);
	});

	it('is not changed by a poll, so that a poll that is not saved can report again', () => {
		const each = polls();
		each.see(responses(by('v1')));
		const { memory } = each;
		const before = JSON.stringify(memory);
		const seen = { at: time(9), ...responses(by('v2')) } as Seen;
		expect(compare(memory, seen, rules).changes).toEqual(compare(memory, seen, rules).changes);
		expect(JSON.stringify(memory)).toBe(before);
	});
});

describe('a sample', () => {
	const seen: Seen = {
		at: time(0),
		responses: [by('v1', fraud(0.5), { prediction: 7 })],
		fields: [{ name: 'amount', type: 'number', required: true }],
	};
	it.each(['number', 'share', 'class'] as const)('has each event once, by %s', (measure) => {
		const changes = sample(seen, { ...rules, measure, tolerance: 1e9 });
		expect(changes.map(({ event }) => event).sort()).toEqual(['down', 'drift', 'fields', 'generation', 'up']);
		expect(changes).toContainEqual(expect.objectContaining({ event: 'generation', after: 'v1' }));
	});

	it('has the reason when the endpoint is down, and nothing else', () => {
		const changes = sample({ at: time(0), responses: [], failure: 'HTTP 503' }, rules);
		expect(changes).toMatchObject([{ event: 'down', details: [{ reason: 'HTTP 503' }] }]);
	});

	it('has only the requested data', () => {
		const changes = sample({ at: time(0), responses: [] }, rules);
		expect(changes.map(({ event }) => event).sort()).toEqual(['down', 'up']);
	});
});
