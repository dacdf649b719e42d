/**
 * Parses `Retry-After`, seconds or a date (RFC 9110, 10.2.3). Returns milliseconds from `now`; undefined if the value is
 * invalid or in the past.
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

export function parseHttpDate(text = ''): number | undefined {
	// Date.parse accepts many texts that are not HTTP dates: it reads '-1' as a year.
	return /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) || undefined : undefined;
}
