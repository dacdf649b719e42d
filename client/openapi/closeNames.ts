/** Comparisons for one document, which take seconds. Beyond these, no more misspellings are found. */
const mostComparisons = 5_000_000;
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
	const candidates = names.map((name) => ({ name, words: wordsOf(name) }));
	const byLetters = new Map<string, string[]>();
	for (const { name, words } of candidates) {
		const same = byLetters.get(words.join(''));
		if (!same) byLetters.set(words.join(''), [name]);
		else if (same.length < mostSuggestions) same.push(name);
	}
	const remembered = new Map<string, { same: readonly string[]; all?: readonly string[] }>();
	let comparisons = 0;
	const misspelt = (words: string[], same: readonly string[]) =>
		candidates.filter((other) => !same.includes(other.name) && areMisspelt(words, other.words)).map(({ name }) => name);
	return (name, compares = true) => {
		let known = remembered.get(name);
		if (!known) {
			const letters = wordsOf(name).join('');
			known = letters === '' ? nothing : { same: byLetters.get(letters) ?? none };
			if (remembered.size < mostRemembered) remembered.set(name, known);
		}
		if (known.all || !compares || comparisons >= mostComparisons) return known.all ?? known.same;
		comparisons += names.length;
		return (known.all = [...known.same, ...misspelt(wordsOf(name), known.same)].slice(0, mostSuggestions));
	};
}

function wordsOf(name: string): string[] {
	const parted = name
		.normalize('NFC')
		.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
		.toLowerCase();
	return parted.match(/[\p{L}\p{M}]+|\p{N}+/gu) ?? [];
}

function areMisspelt(words: string[], others: string[]): boolean {
	if (words.length !== others.length) return isMisspelt(words.join(''), others.join(''));
	return words.every((word, i) => isMisspelt(word, others[i]!));
}

function isMisspelt(word: string, other: string): boolean {
	const length = Math.max(word.length, other.length);
	const tolerated = /\p{N}/u.test(word + other) || length < 4 ? 0 : length < 9 ? 1 : 2;
	return Math.abs(word.length - other.length) <= tolerated && areWithin(tolerated, word, other);
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
