/** Comparisons for one document, which take seconds. Beyond these, no more misspellings are found. */
const mostComparisons = 5_000_000;
/** Longer names count as several comparisons. */
const usualLength = 20;
const mostRemembered = 50_000;
const mostSuggestions = 20;
const none: readonly string[] = [];
const nothing = { same: none, all: none };

/**
 * Finds the names that another name may be meant for: first those that differ only in case and separators, then those
 * with typos. Names that differ in a number or a short word (`lag_1`, `lag_2`; `min_price`, `max_price`) are different
 * names.
 *
 * @returns a search that can skip typos, which require a comparison with every name
 */
export function closeNames(names: readonly string[]): (name: string, compares?: boolean) => readonly string[] {
	const candidates = names.map((name) => ({ name, ...spellingOf(name) }));
	const cost = comparisonsWith(names);
	const byLetters = new Map<string, string[]>();
	for (const { name, letters } of candidates) {
		const same = byLetters.get(letters);
		if (!same) byLetters.set(letters, [name]);
		else if (same.length < mostSuggestions) same.push(name);
	}
	const remembered = new Map<string, { same: readonly string[]; all?: readonly string[] }>();
	let comparisons = 0;
	const misspelt = (spelling: Spelling, same: readonly string[]) =>
		candidates.filter((other) => !same.includes(other.name) && areMisspelt(spelling, other)).map(({ name }) => name);
	return (name, compares = true) => {
		let known = remembered.get(name);
		if (!known) {
			const { letters } = spellingOf(name);
			known = letters === '' ? nothing : { same: byLetters.get(letters) ?? none };
			if (remembered.size < mostRemembered) remembered.set(name, known);
		}
		if (known.all || !compares || comparisons >= mostComparisons) return known.all ?? known.same;
		comparisons += cost;
		return (known.all = [...known.same, ...misspelt(spellingOf(name), known.same)].slice(0, mostSuggestions));
	};
}

/** The number of comparisons that a name takes with all of these. */
export const comparisonsWith = (names: readonly string[]): number =>
	names.reduce((sum, { length }) => sum + Math.max(1, length / usualLength), 0);

interface Spelling {
	readonly words: string[];
	readonly letters: string;
}

function spellingOf(name: string): Spelling {
	const parted = name
		.normalize('NFKC')
		.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
		.toLowerCase();
	const words: string[] = parted.match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? [];
	return { words, letters: words.join('') };
}

function areMisspelt({ words, letters }: Spelling, others: Spelling): boolean {
	if (words.length !== others.words.length) return isMisspelt(letters, others.letters);
	return words.every((word, i) => isMisspelt(word, others.words[i]!));
}

function isMisspelt(word: string, other: string): boolean {
	if (word === other) return true;
	const length = Math.max(word.length, other.length);
	const tolerated = length < 4 ? 0 : length < 9 ? 1 : 2;
	if (Math.abs(word.length - other.length) > tolerated || !areWithin(tolerated, word, other)) return false;
	// Tested last, because this reads both words as a whole.
	return !/\p{N}/u.test(word + other);
}

/** Whether at most `edits` letters were added, left out, replaced, or swapped with the next one. */
function areWithin(edits: number, word: string, other: string): boolean {
	let same = 0;
	while (same < word.length && word[same] === other[same]) same++;
	const [a, b] = [word.slice(same), other.slice(same)];
	if (a === b) return true;
	if (edits === 0) return false;
	const areSwapped = a[0] === b[1] && a[1] === b[0];
	return (
		areWithin(edits - 1, a.slice(1), b.slice(1)) ||
		areWithin(edits - 1, a.slice(1), b) ||
		areWithin(edits - 1, a, b.slice(1)) ||
		(areSwapped && areWithin(edits - 1, a.slice(2), b.slice(2)))
	);
}
