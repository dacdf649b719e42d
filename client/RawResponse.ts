import { decodedText } from './wire/decode';

/** A function's response that is not JSON, whatever its content type says. */
export class RawResponse {
	constructor(
		/** Media type in lower case without parameters. Empty if the response has none. */
		readonly contentType: string,
		readonly data: Buffer,
		private readonly charset = 'utf-8',
	) {}

	/** The data as text. @throws RangeError when the charset does not exist */
	text(): string {
		return decodedText(this.data, this.charset);
	}
}
