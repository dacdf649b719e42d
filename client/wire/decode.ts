import type { IncomingHttpHeaders } from 'node:http';
import { versions } from 'node:process';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { ExchangeTooLarge, type WireResponse } from './exchange';

/** A header's value, the first where it comes twice; empty without one. */
export function firstOf(headers: IncomingHttpHeaders, name: string): string {
	const value = headers[name];
	return (Array.isArray(value) ? value[0] : value) ?? '';
}

type Decoder = (data: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const inflate = promisify(zlib.inflate);
const inflateRaw = promisify(zlib.inflateRaw);
const gunzip = promisify(zlib.gunzip);

const decoders: Record<string, Decoder> = {
	gzip: gunzip,
	'x-gzip': gunzip,
	// Some servers leave out the two bytes that RFC 9110 wants in front: they say method 8 and are a multiple of 31.
	deflate: async (data, options) =>
		await ((data[0]! & 15) === 8 && data.readUInt16BE(0) % 31 === 0 ? inflate : inflateRaw)(data, options),
	br: promisify(zlib.brotliDecompress),
};
// Node.js 20 has no zstd.
const { zstdDecompress } = zlib as { zstdDecompress?: typeof zlib.gunzip };
if (zstdDecompress) decoders.zstd = promisify(zstdDecompress);

const gzipMagic = Buffer.from([0x1f, 0x8b]);

/** A body that cannot be decoded, told in words that go on after "The response of <host>". */
export class DecodeError extends Error {
	constructor(
		message: string,
		/** It may be whole the next time. */
		readonly cutOff = false,
	) {
		super(message);
	}
}

/**
 * The body without the compression that was not asked for, since some servers and proxies compress all the same. A body that is
 * text is taken as it is, whatever `content-encoding` says, and JSON that is gzip is unpacked without any such header.
 *
 * @throws DecodeError, ExchangeTooLarge
 */
export async function decodedBody(
	{ headers, body }: WireResponse,
	isJson: boolean,
	maxOutputLength: number,
): Promise<Buffer> {
	// A header that comes twice is a list.
	const named = headers['content-encoding']?.toString().toLowerCase().split(',') ?? [];
	let encodings = named.map((each) => each.trim()).filter((each) => each !== '' && each !== 'identity');
	if (encodings.length === 0 && isJson && body.subarray(0, 2).equals(gzipMagic)) encodings = ['gzip'];
	let data = body;
	for (const encoding of encodings.reverse()) {
		if (data.length === 0 || isText(data)) return data;
		if (!Object.hasOwn(decoders, encoding)) throw unknown(encoding);
		try {
			data = await decoders[encoding]!(data, { maxOutputLength });
		} catch (error) {
			throw failureOf(error as NodeJS.ErrnoException, encoding);
		}
	}
	return data;
}

/** Whether it begins as text does and no compressed data do: UTF-8 without control characters. */
function isText(data: Buffer): boolean {
	try {
		const beginning = new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(0, 512), { stream: true });
		return !/[\0-\x08\x0e-\x1f\x7f]/.test(beginning);
	} catch {
		return false;
	}
}

function unknown(encoding: string): DecodeError {
	const name = JSON.stringify(encoding.slice(0, 40));
	const known = Object.keys(decoders).join(', ');
	return new DecodeError(`has the content-encoding ${name}, which Node.js ${versions.node} cannot decode (${known})`);
}

function failureOf({ code }: NodeJS.ErrnoException, encoding: string): Error {
	if (code === 'ERR_BUFFER_TOO_LARGE') return new ExchangeTooLarge();
	if (code === 'Z_BUF_ERROR') return new DecodeError('was cut off', true);
	return new DecodeError(`is not the ${encoding} that its content-encoding says`);
}

const charsetIn = /;\s*charset\s*=\s*["']?([^"';,\s]{1,40})/i;

/** Windows-1252 from 0x80 to 0x9f, which Node.js reads as control characters (https://github.com/nodejs/node/issues/56542). */
const windows1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/** The name of a body's character set: a byte order mark goes before what `content-type` says, which goes before UTF-8. */
export function charsetOf({ body, headers }: Pick<WireResponse, 'body' | 'headers'>): string {
	const [first, second] = body;
	if (first === 0xfe && second === 0xff) return 'utf-16be';
	if (first === 0xff && second === 0xfe) return 'utf-16le';
	if (first === 0xef && second === 0xbb) return 'utf-8';
	// JSON begins with an ASCII character, whose other half is zero.
	if (first === 0 && second !== undefined) return 'utf-16be';
	if (second === 0) return 'utf-16le';
	return charsetIn.exec(firstOf(headers, 'content-type'))?.[1]?.toLowerCase() ?? 'utf-8';
}

/** Text without its byte order mark. @throws RangeError for a character set that does not exist */
export function decodedText(body: Buffer, charset: string): string {
	if (charset === 'utf-8') {
		const text = body.toString('utf8');
		return text.startsWith('\ufeff') ? text.slice(1) : text;
	}
	const decoder = new TextDecoder(charset);
	if (decoder.encoding !== 'windows-1252') return decoder.decode(body);
	return body.toString('latin1').replace(/[\x80-\x9f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80]!);
}

/** A body as text; in UTF-8, as JSON is, where its character set does not exist. */
export function bodyText(response: Pick<WireResponse, 'body' | 'headers'>): string {
	try {
		return decodedText(response.body, charsetOf(response));
	} catch {
		return decodedText(response.body, 'utf-8');
	}
}
