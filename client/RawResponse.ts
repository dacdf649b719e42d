import { decodedText } from './wire/decode';

/** A function's response that is not JSON, whatever its content type says. */
export class RawResponse {
	/** A Buffer of Node.js. */
	readonly data: Uint8Array;
	readonly #text: () => string;

	/** @internal */
	constructor(
		/** Media type in lower case without parameters. Empty if the response has none. */
		readonly contentType: string,
		data: Buffer,
		charset = 'utf-8',
	) {
		this.data = data;
		this.#text = () => decodedText(data, charset);
	}

	/** The data as text. @throws RangeError when the charset does not exist */
	text(): string {
		return this.#text();
	}
}
