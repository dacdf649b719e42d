import { RecentlyUsed } from '../../../nodes/shared/RecentlyUsed';

let now = 0;
beforeEach(() => void jest.spyOn(performance, 'now').mockImplementation(() => now));
afterEach(() => jest.restoreAllMocks());

const made = (of: RecentlyUsed<object>, key: string) => {
	const make = jest.fn(() => ({}));
	of.get(key, make);
	return make.mock.calls.length > 0;
};

describe('What is kept by key', () => {
	it('is made once, and shared by all who request it', () => {
		const kept = new RecentlyUsed<object>({});
		const first = kept.get('a', () => ({}));
		expect(kept.get('a', () => ({}))).toBe(first);
		expect(kept.find('a')).toBe(first);
		expect(kept.find('b')).toBeUndefined();
	});

	it('is removed when nobody has requested it for too long, and not before', () => {
		const kept = new RecentlyUsed<object>({ idleMs: 1_000 });
		made(kept, 'asked for');
		made(kept, 'forgotten');
		for (let times = 0; times < 5; times++) {
			now += 600;
			expect(kept.find('asked for')).toBeDefined();
		}
		expect([made(kept, 'asked for'), made(kept, 'forgotten')]).toEqual([false, true]);
	});

	it('stays while it is in use, although nobody requests it', () => {
		const busy = {};
		const kept = new RecentlyUsed<object>({ idleMs: 1_000, isInUse: (value) => value === busy });
		kept.get('busy', () => busy);
		made(kept, 'idle');
		now += 5_000;
		made(kept, 'another');
		expect([kept.find('busy'), kept.find('idle')]).toEqual([busy, undefined]);
	});

	it('is removed in the order of the last request when there are too many values', () => {
		const kept = new RecentlyUsed<object>({ most: 2 });
		for (const key of ['a', 'b', 'a', 'c']) made(kept, key);
		expect([kept.find('a'), kept.find('b'), kept.find('c')].map((value) => value !== undefined)).toEqual([
			true,
			false,
			true,
		]);
	});
});
