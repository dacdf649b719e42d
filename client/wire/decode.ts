import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { ExchangeFailure, ExchangeTooLarge, type WireResponse } from './exchange';

const decoders: Record<string, (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>> = {
	gzip: promisify(gunzip),
	deflate: promisify(inflate),
	br: promisify(brotliDecompress),
};

/**
 * Undoes a compression that was not asked for: some servers do not care.
 *
 * @throws ExchangeFailure
 */
export async function decoded(response: WireResponse, maxOutputLength: number): Promise<WireResponse> {
	// A header that comes twice is a list.
	const encoding = response.headers['content-encoding']?.toString();
	const decode = encoding && decoders[encoding.trim().toLowerCase()];
	if (!decode) return response;
	try {
		return { ...response, body: await decode(response.body, { maxOutputLength }) };
	} catch (error) {
		throw undecodable(error as NodeJS.ErrnoException);
	}
}

function undecodable(error: NodeJS.ErrnoException): ExchangeFailure {
	return new ExchangeFailure(error.code === 'ERR_BUFFER_TOO_LARGE' ? new ExchangeTooLarge() : error, true);
}
