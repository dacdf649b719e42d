import fc from 'fast-check';
import { type Finding, mostAside, type Part, RecordSearch } from '../../../client/batches/RecordSearch';
import { random, range } from '../session/harness';

interface Owner {
	active: number;
	name: string;
}
type SentPart = Part<number, Owner>;
/** What an endpoint makes of a request with these records; the time is the number of the request. */
type Endpoint = (ids: readonly number[], time: number) => Finding;

const served: Finding = { kind: 'served' };
const refused = (words = 'No'): Finding => ({ kind: 'refused', words });
const refusing =
	(isBad: (id: number) => boolean, wordsOf: (id: number) => string = () => 'No'): Endpoint =>
	(ids) => {
		const bad = ids.find(isBad);
		return bad === undefined ? served : refused(wordsOf(bad));
	};

const ownerOf = (name = 'owner'): Owner => ({ active: 0, name });

/** A search, and an endpoint that is asked in its order, in the reverse order, or at random. */
function searchOf(endpoint: Endpoint, { atOnce = 8, chance = random(1) } = {}) {
	const outcomes = new Map<number, 'served' | 'failed' | 'untried'>();
	const words = new Map<number, string>();
	const requests: number[][] = [];
	const end = (id: number, outcome: 'served' | 'failed' | 'untried') => {
		if (outcomes.has(id)) throw new Error(`Record ${id} has two outcomes`);
		outcomes.set(id, outcome);
	};
	const search = new RecordSearch<number, Owner, string>((_owner, id, failure, untried) => {
		end(id, untried ? 'untried' : 'failed');
		words.set(id, failure);
	}, chance);
	const inFlight: SentPart[] = [];
	const findings = new Map<SentPart, Finding>();
	const send = () => {
		while (inFlight.length < atOnce) {
			const part = search.next();
			if (!part) return;
			inFlight.push(part);
			requests.push([...part.items]);
			findings.set(part, endpoint(part.items, requests.length));
		}
	};
	const answer = () => {
		const [part] = inFlight.splice(Math.floor(chance() * inFlight.length), 1);
		const finding = findings.get(part!)!;
		if (finding.kind === 'served') for (const id of part!.items) end(id, 'served');
		search.report(part!, finding, 'words' in finding ? finding.words : finding.kind);
	};
	return {
		search,
		outcomes,
		words,
		requests,
		inFlight,
		send,
		answer,
		/** Sends and answers until nothing is left to send. */
		run: () => {
			for (send(); inFlight.length > 0; send()) answer();
		},
		kinds: (ids: readonly number[]) => ids.map((id) => outcomes.get(id)),
		of: (kind: 'served' | 'failed' | 'untried') => [...outcomes].filter(([, each]) => each === kind).map(([id]) => id),
	};
}

/** Settles batches of one owner, which adds as many as may be under way. */
function settle(n: number, batchSize: number, endpoint: Endpoint, options: Parameters<typeof searchOf>[1] = {}) {
	const scene = searchOf(endpoint, options);
	const owner = ownerOf();
	for (let first = 0; first < n; first += batchSize) {
		scene.search.add(range(Math.min(n, first + batchSize), first), 'group', owner);
		while (owner.active >= 8) {
			scene.send();
			scene.answer();
		}
	}
	scene.search.conclude(owner);
	scene.run();
	expect(scene.outcomes.size).toBe(n);
	expect(owner.active).toBe(0);
	return scene;
}

/** The most requests that n records with k bad ones among them take by halving. */
function mostRequests(n: number, k: number): number {
	if (k === 0) return 1;
	const levels = Math.ceil(Math.log2(n));
	const full = Math.floor(Math.log2(k));
	return Math.min(2 * n - 1, 1 + 2 * (2 ** (full + 1) - 1 + k * (levels - full - 1)));
}

const wordings: Array<[string, (id: number) => string]> = [
	['in the same words', () => 'No'],
	['each in its own words', (id) => `Record ${id}`],
	['in words of two kinds', (id) => `Kind ${id % 2}`],
];

describe.each(wordings)('Records that are refused %s', (_name, wordsOf) => {
	it('are found within the request bound of halving, for every subset of 8 records', () => {
		for (let set = 0; set < 2 ** 8; set++) {
			const bad = range(8).filter((id) => set & (2 ** id));
			const scene = settle(
				8,
				8,
				refusing((id) => bad.includes(id), wordsOf),
			);
			expect([set, scene.of('failed').sort(), scene.of('untried')]).toEqual([set, bad, []]);
			expect(scene.requests.length).toBeLessThanOrEqual(mostRequests(8, bad.length));
			for (const id of bad) expect(scene.words.get(id)).toBe(wordsOf(id));
		}
	});

	it('cost no good record after the first success, in any number and layout', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 2_000 }),
				fc.integer({ min: 1, max: 200 }),
				fc.double({ min: 0, max: 1, noNaN: true }),
				fc.integer({ min: 0, max: 1_000 }),
				fc.integer(),
				(n, batchSize, share, badAtFirst, seed) => {
					const chance = random(seed);
					const bad = new Set(range(n).filter((id) => id < badAtFirst || chance() < share));
					const scene = settle(
						n,
						batchSize,
						refusing((id) => bad.has(id), wordsOf),
						{ chance },
					);
					expect(scene.of('served').filter((id) => bad.has(id))).toEqual([]);
					expect(scene.of('failed').filter((id) => !bad.has(id))).toEqual([]);
					if (scene.of('served').length > 0) expect(scene.of('untried')).toEqual([]);
					else if (n <= 200) expect(scene.of('untried')).toEqual([]);
					expect(scene.requests.length).toBeLessThanOrEqual(2 * n);
				},
			),
			{ numRuns: 300 },
		);
	});
});

describe('An endpoint that has served nothing', () => {
	const refusesAll = refusing(() => true);

	it.each([1, 2, 8, 50])('is asked about each of 200 records when they are refused alone (%d at a time)', (atOnce) => {
		for (const batchSize of [1, 3, 10, 100, 200]) {
			expect(settle(200, batchSize, refusesAll, { atOnce }).of('failed')).toHaveLength(200);
		}
	});

	it.each([1, 2, 8, 50])('costs at most 600 requests for 50 batches of 100 records (%d at a time)', (atOnce) => {
		const kinds = (id: number) => `Kind ${id % 3}`;
		for (const endpoint of [refusesAll, refusing(() => true, kinds)]) {
			for (const seed of range(20)) {
				const scene = searchOf(endpoint, { atOnce, chance: random(seed) });
				const owners = range(50).map(() => ownerOf());
				owners.forEach((owner, n) => {
					scene.search.add(range(100 * n + 100, 100 * n), 'group', owner);
					scene.search.conclude(owner);
				});
				scene.run();
				expect(scene.outcomes.size).toBe(5_000);
				expect(scene.requests.length).toBeLessThanOrEqual(600);
			}
		}
	});

	it('fails a batch after two refused representatives, and not after one', () => {
		for (const seed of range(50)) {
			let asked = 0;
			// All are bad but half of the last batch, of which nobody is asked before.
			const scene = searchOf(
				(ids) => {
					if (ids.length === 1 && ids[0]! >= 1_000) asked++;
					return ids.every((id) => id >= 1_050) ? served : refused();
				},
				{ chance: random(seed) },
			);
			const owner = ownerOf();
			for (const n of range(3)) scene.search.add(range(100 * n + 100, 100 * n), 'group', owner);
			scene.run();
			scene.search.add(range(1_100, 1_000), 'group', owner);
			scene.run();
			if (scene.of('served').length > 0) expect(scene.of('served').sort()).toEqual(range(1_100, 1_050));
			else expect(asked).toBe(2);
		}
	});

	it('does not count as refusing everything when records are refused with other messages', () => {
		const scene = settle(
			1_000,
			100,
			refusing(
				() => true,
				(id) => (id < 500 ? 'No' : `Record ${id}`),
			),
		);
		expect(scene.of('untried').filter((id) => id >= 520)).toEqual([]);
	});

	it('has the records set aside searched after its first success', () => {
		const scene = searchOf(refusing((id) => id !== 4_000 && id % 7 !== 0 && id < 5_000));
		const owner = ownerOf();
		const bad = range(3_000)
			.filter((id) => id % 7 !== 0)
			.slice(0, 2_500);
		for (const n of range(25)) scene.search.add(bad.slice(100 * n, 100 * n + 100), 'group', owner);
		scene.run();
		const before = scene.outcomes.size;
		expect(before).toBeLessThan(300);
		scene.search.add([3_500, 3_507, 4_000], 'other group', ownerOf());
		scene.run();
		expect(scene.outcomes.size).toBe(before + 3);
		scene.search.add([5_000], 'group', owner);
		scene.run();
		expect(scene.of('failed')).toHaveLength(bad.length);
		expect(scene.of('untried')).toEqual([]);
	});

	it('fails the oldest records set aside when their number exceeds the limit', () => {
		const scene = searchOf(refusesAll);
		const owner = ownerOf();
		for (const n of range(300)) {
			scene.search.add(range(100 * n + 100, 100 * n), 'group', owner);
			scene.run();
			expect(100 * n + 100 - scene.outcomes.size).toBeLessThanOrEqual(mostAside);
		}
		expect(Math.max(...scene.of('untried'))).toBeLessThan(30_000 - mostAside + 200);
	});

	it('fails no record set aside while work in progress may still save it', () => {
		const scene = searchOf(refusesAll, { atOnce: 1 });
		const [ended, other] = [ownerOf('ended'), ownerOf('other')];
		for (const n of range(3)) scene.search.add(range(100 * n + 100, 100 * n), 'group', ended);
		scene.run();
		scene.search.add([1_000], 'group', other);
		scene.send();
		scene.search.conclude(ended);
		expect(scene.of('untried')).toEqual([]);
		scene.answer();
		expect(scene.outcomes.size).toBe(301);
		expect(scene.of('untried').length).toBeGreaterThan(90);
	});

	it('does not keep an owner that has finished waiting for another owner', () => {
		const scene = searchOf(refusesAll, { atOnce: 1 });
		const [ended, endless] = [ownerOf('ended'), ownerOf('endless')];
		for (const n of range(3)) scene.search.add(range(100 * n + 100, 100 * n), 'group', ended);
		scene.run();
		scene.search.conclude(ended);
		scene.search.add([1_000], 'group', endless);
		scene.send();
		expect(scene.outcomes.size).toBe(300);
	});
});

describe('A failing part', () => {
	it('is halved down to single records when its body is too large', () => {
		const scene = settle(16, 16, () => ({ kind: 'tooLarge' }));
		expect(scene.of('failed')).toHaveLength(16);
		expect(scene.requests).toHaveLength(31);
	});

	it('is halved once when its response does not match', () => {
		const scene = settle(8, 8, () => ({ kind: 'misfit' }));
		expect(scene.requests).toEqual([range(8), range(4), range(8, 4)]);
	});

	it('is not split when no record can have caused its failure', () => {
		expect(settle(100, 100, () => ({ kind: 'failed' })).requests).toHaveLength(1);
	});

	it('is searched in both halves at once when it crashes a worker, and costs no neighbor', () => {
		for (const bad of range(16)) {
			let respondedAt = 0;
			const scene = settle(16, 16, (ids, at) => {
				if (ids.includes(bad)) return { kind: 'crashed', at, respondedAt };
				respondedAt = at;
				return served;
			});
			expect(scene.of('failed')).toEqual([bad]);
			expect(scene.requests.length).toBeLessThanOrEqual(11);
		}
	});

	it('is tried again when the endpoint has responded to nothing since it was split', () => {
		let down = 9;
		const scene = settle(4, 4, (_ids, at) => (down-- > 0 ? { kind: 'crashed', at, respondedAt: 0 } : served));
		expect(scene.of('served')).toEqual(expect.arrayContaining(range(4)));
	});

	it('is searched one request at a time, with at most 200 requests per session, when a firewall refused it', () => {
		let asking = 0;
		const scene = searchOf((ids) => (ids.some((id) => id % 100 === 37) ? { kind: 'blocked' } : served), { atOnce: 16 });
		const owner = ownerOf();
		const isPart = ({ items }: SentPart) => items.length < 100;
		for (const n of range(30)) scene.search.add(range(100 * n + 100, 100 * n), `group ${n % 2}`, owner);
		for (scene.send(); scene.inFlight.length > 0; scene.send()) {
			asking = Math.max(asking, scene.inFlight.filter(isPart).length);
			scene.answer();
		}
		expect(asking).toBe(1);
		expect(scene.requests.filter(({ length }) => length < 100)).toHaveLength(200);
		expect(scene.outcomes.size).toBe(3_000);
		const found = scene.requests.filter(({ length }) => length === 1).map(([id]) => id!);
		expect(found.filter((id) => id % 100 === 37).length).toBeGreaterThanOrEqual(13);
	});
});

describe('When an owner stops', () => {
	it('nothing more of it is sent, and other owners lose nothing', () => {
		const scene = searchOf(refusing((id) => id % 2 === 0));
		const [stopped, other] = [ownerOf('stopped'), ownerOf('other')];
		scene.search.add(range(100), 'group', stopped);
		scene.search.add(range(200, 100), 'group', other);
		scene.send();
		scene.answer();
		scene.search.drop(stopped);
		scene.run();
		expect(scene.requests.filter((ids) => ids[0]! < 100).length).toBeLessThanOrEqual(3);
		expect(scene.kinds(range(200, 100))).toEqual(range(200, 100).map((id) => (id % 2 ? 'served' : 'failed')));
		expect(stopped.active).toBe(0);
	});
});

it('Knowledge about idle requests is forgotten when there is too much of it', () => {
	const scene = searchOf(() => served);
	for (const n of range(5_000)) {
		scene.search.add([n], `group ${n}`, ownerOf());
		scene.run();
	}
	expect((scene.search as unknown as { groups: Map<string, unknown> }).groups.size).toBeLessThanOrEqual(1_000);
});
