import { decodedText } from './wire/decode';

/** A function's response that is not JSON, whatever its content type says. */
export class RawResponse {
	constructor(
		/** Without parameters, in lower case; empty when the function named none. */
		readonly contentType: string,
		readonly data: Buffer,
		private readonly charset = 'utf-8',
	) {}

	/** The data as text. @throws RangeError for a charset that does not exist */
	text(): string {
		return decodedText(this.data, this.charset);
	}
}
