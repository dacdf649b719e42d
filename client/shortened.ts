/** A text of at most so many characters, whose end shows that it was cut. */
export function shortened(text: string, most: number): string {
	if (text.length <= most) return text;
	// Not between the halves of a character that takes two.
	return `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
