/** Cuts a text to `most` characters. An ellipsis shows that it was cut. */
export function shortened(text: string, most: number): string {
	if (text.length <= most) return text;
	// A cut must not split a surrogate pair.
	return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
