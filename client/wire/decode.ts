import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { versions } from 'node:process';
import type { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { ExchangeTooLarge, type WireResponse } from './exchange';
import { joined, ownTurn, sliceBytes } from './slices';

/** The first value of a header; an empty string if it is missing. */
export function firstOf(headers: IncomingHttpHeaders, name: string): string {
	const value = headers[name];
	return (Array.isArray(value) ? value[0] : value) ?? '';
}

const options = { chunkSize: sliceBytes };

const decoders: Record<string, (data: Buffer) => Transform> = {
	gzip: () => zlib.createGunzip(options),
	'x-gzip': () => zlib.createGunzip(options),
	// Some servers omit the two bytes that RFC 9110 requires in front: method 8, and a multiple of 31.
	deflate: (data) =>
		(data[0]! & 15) === 8 && data.readUInt16BE(0) % 31 === 0
			? zlib.createInflate(options)
			: zlib.createInflateRaw(options),
	br: () => zlib.createBrotliDecompress(options),
};
// Node.js 20 has no zstd.
const { createZstdDecompress } = zlib as { createZstdDecompress?: typeof zlib.createGunzip };
if (createZstdDecompress) decoders.zstd = () => createZstdDecompress(options);

const gzipMagic = Buffer.from([0x1f, 0x8b]);

/** A body that cannot be decoded. The message continues the sentence "The response from <host>". */
export class DecodeError extends Error {
	constructor(
		message: string,
		/** The body is incomplete, so another attempt may succeed. */
		readonly cutOff = false,
	) {
		super(message);
	}
}

/**
 * Decodes a body that a server or a proxy compressed although the client did not ask for it. A body that is already text
 * stays unchanged, whatever `content-encoding` says. JSON in gzip is decoded even without that header.
 *
 * @throws DecodeError, ExchangeTooLarge
 */
export async function decodedBody({ headers, body }: WireResponse, isJson: boolean, most: number): Promise<Buffer> {
	// A repeated header is a list.
	const named = headers['content-encoding']?.toString().toLowerCase().split(',') ?? [];
	let encodings = named.map((each) => each.trim()).filter((each) => each !== '' && each !== 'identity');
	if (encodings.length === 0 && isJson && body.subarray(0, 2).equals(gzipMagic)) encodings = ['gzip'];
	let data = body;
	for (const encoding of encodings.reverse()) {
		if (data.length === 0 || isText(data)) return data;
		if (!Object.hasOwn(decoders, encoding)) throw unknown(encoding);
		try {
			data = await decompressed(decoders[encoding]!(data), data, most);
		} catch (error) {
			throw failureOf(error as NodeJS.ErrnoException, encoding);
		}
	}
	return data;
}

async function decompressed(decoder: Transform, data: Buffer, most: number): Promise<Buffer> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	decoder.end(data);
	for await (const chunk of decoder as AsyncIterable<Buffer>) {
		bytes += chunk.length;
		if (bytes > most) throw new ExchangeTooLarge();
		chunks.push(chunk);
	}
	return await joined(chunks, bytes);
}

/** Whether the data begin like text: valid UTF-8 without control characters. Compressed data never do. */
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
	return new DecodeError(
		`has the content-encoding ${name}, which Node.js ${versions.node} cannot decode (supported: ${known})`,
	);
}

function failureOf(error: NodeJS.ErrnoException, encoding: string): Error {
	if (error instanceof ExchangeTooLarge) return error;
	if (error.code === 'Z_BUF_ERROR') return new DecodeError('was cut off', true);
	return new DecodeError(`does not match its content-encoding ${encoding}`);
}

const charsetIn = /;\s*charset\s*=\s*["']?([^"';,\s]{1,40})/i;

/**
 * Windows-1252 from 0x80 to 0x9f. Node.js decodes these bytes as control characters
 * (https://github.com/nodejs/node/issues/56542).
 */
const windows1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * Name of a body's charset. A byte order mark takes precedence over `content-type`. The default is UTF-8. A body that is not
 * UTF-8 is read as Windows-1252, which contains ISO-8859-1.
 */
export function charsetOf({ body, headers }: Pick<WireResponse, 'body' | 'headers'>): string {
	const [first, second] = body;
	if (first === 0xfe && second === 0xff) return 'utf-16be';
	if (first === 0xff && second === 0xfe) return 'utf-16le';
	if (first === 0xef && second === 0xbb) return 'utf-8';
	// JSON begins with an ASCII character, so in UTF-16 one of its two bytes is zero.
	if (first === 0 && second !== undefined) return 'utf-16be';
	if (second === 0) return 'utf-16le';
	const named = charsetIn.exec(firstOf(headers, 'content-type'))?.[1]?.toLowerCase() ?? 'utf-8';
	// Java writes `ISO8859_1` and Python `latin-1`, which Node.js knows only without separators.
	const charset = [named, named.replace(/[_-]/g, '')].find(isKnown) ?? named;
	return isUtf8Name(charset) && !isWholeUtf8(body) ? 'windows-1252' : charset;
}

const isUtf8Name = (charset: string) => /^utf-?8$/.test(charset);

function isKnown(charset: string): boolean {
	try {
		return isUtf8Name(charset) || new TextDecoder(charset).encoding !== '';
	} catch {
		return false;
	}
}

/** Whether a body is UTF-8, apart from a character that is cut off at its end. */
const isWholeUtf8 = (body: Buffer) =>
	[0, 1, 2, 3].some((cut) => isUtf8(body.subarray(0, Math.max(0, body.length - cut))));

/** Returns the text without its byte order mark. @throws RangeError when the charset does not exist */
export function decodedText(body: Buffer, charset: string): string {
	if (charset === 'utf-8') {
		const text = body.toString('utf8');
		return text.startsWith('\ufeff') ? text.slice(1) : text;
	}
	return decoderOf(charset)(body);
}

function decoderOf(charset: string): (part: Buffer, stream?: boolean) => string {
	const decoder = new TextDecoder(charset);
	if (decoder.encoding !== 'windows-1252') return (part, stream) => decoder.decode(part, { stream });
	return (part) =>
		part.toString('latin1').replace(/[\x80-\x9f]/g, (character) => windows1252[character.charCodeAt(0) - 0x80]!);
}

/** JSON is read as if it had no charset if its charset does not exist. */
function existingCharset(response: Pick<WireResponse, 'body' | 'headers'>): string {
	const charset = charsetOf(response);
	return isKnown(charset) ? charset : charsetOf({ ...response, headers: {} });
}

export async function inUtf8(response: Pick<WireResponse, 'body' | 'headers'>): Promise<Buffer> {
	const { body } = response;
	const charset = existingCharset(response);
	if (isUtf8Name(charset)) return body;
	const decode = decoderOf(charset);
	const parts: Buffer[] = [];
	let bytes = 0;
	for (let at = 0; at < body.length; at += sliceBytes) {
		const part = Buffer.from(decode(body.subarray(at, at + sliceBytes), true));
		bytes += part.length;
		parts.push(part);
		await ownTurn();
	}
	return await joined(parts, bytes);
}

export const bodyText = (response: Pick<WireResponse, 'body' | 'headers'>): string =>
	decodedText(response.body, existingCharset(response));
