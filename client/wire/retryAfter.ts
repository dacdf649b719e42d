/**
 * `Retry-After`, seconds or a date (RFC 9110, 10.2.3), in milliseconds from `now`; undefined for junk and for the past.
 *
 * @param now milliseconds since 1970
 */
export function parseRetryAfter(value: string | undefined, now = Date.now()): number | undefined {
	const text = value?.trim();
	if (!text) return undefined;
	if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
	const date = parseHttpDate(text) ?? NaN;
	return date >= now ? date - now : undefined;
}

/** Milliseconds since 1970. */
export function parseHttpDate(text = ''): number | undefined {
	// Date.parse takes much that is no HTTP date: '-1' is a year to it.
	return /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) || undefined : undefined;
}
