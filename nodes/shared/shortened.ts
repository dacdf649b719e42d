/** A text of at most so many characters. */
export const shortened = (text: string, most: number): string =>
	// Not between the halves of a character that takes two.
	text.length > most ? `${text.slice(0, most - 3).replace(/[\uD800-\uDBFF]$/, '')}...` : text;
