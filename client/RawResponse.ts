/** A function's response that is not JSON. */
export class RawResponse {
	constructor(
		/** Without parameters, in lower case; empty when the function named none. */
		readonly contentType: string,
		readonly data: Buffer,
		private readonly charset = 'utf-8',
	) {}

	/** The data as text. @throws RangeError for a charset that does not exist */
	text(): string {
		return new TextDecoder(this.charset).decode(this.data);
	}
}
