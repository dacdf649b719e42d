import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { type ExchangeFailure, ExchangeTooLarge, type WireAnswer } from './exchange';

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
export async function decoded(answer: WireAnswer, maxOutputLength: number): Promise<WireAnswer> {
	// A header that comes twice is a list.
	const encoding = answer.headers['content-encoding']?.toString();
	const decode = encoding && decoders[encoding.trim().toLowerCase()];
	if (!decode) return answer;
	try {
		return { ...answer, body: await decode(answer.body, { maxOutputLength }) };
	} catch (error) {
		const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
		throw { error: tooLarge ? new ExchangeTooLarge() : (error as Error), sent: true } satisfies ExchangeFailure;
	}
}
