import type { Field } from './endpoint';
import { badRequest } from './errors';
import type { Json } from './json';
import type { Predict } from './prediction';

interface Picture {
	format: 'PNG' | 'JPEG' | 'GIF';
	width: number;
	height: number;
	bytes: number;
}

type Size = Pick<Picture, 'width' | 'height'>;

/** Reads format and size from the bytes of a picture; undefined for any other data. */
export function readPicture(base64: Json | undefined): Picture | undefined {
	if (typeof base64 !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
	const bytes = Buffer.from(base64, 'base64');
	for (const [format, sizeOf] of Object.entries(formats)) {
		const size = sizeOf(bytes);
		if (size && size.width > 0 && size.height > 0) {
			return { format: format as Picture['format'], ...size, bytes: bytes.length };
		}
	}
	return undefined;
}

const formats: Record<Picture['format'], (bytes: Buffer) => Size | undefined> = {
	PNG: (bytes) =>
		bytes.length >= 24 && bytes.toString('latin1', 0, 8) === '\x89PNG\r\n\x1a\n'
			? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
			: undefined,
	GIF: (bytes) =>
		bytes.length >= 10 && /^GIF8[79]a$/.test(bytes.toString('latin1', 0, 6))
			? { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) }
			: undefined,
	JPEG: jpegSize,
};

/** The size is in the first start-of-frame segment. */
function jpegSize(bytes: Buffer): Size | undefined {
	if (bytes.length < 4 || bytes.readUInt16BE(0) !== 0xffd8) return undefined;
	for (let at = 2; at + 9 <= bytes.length;) {
		if (bytes[at] !== 0xff) return undefined;
		const marker = bytes[at + 1]!;
		// 0xc4, 0xc8 and 0xcc lie in the range of frame markers, but are not frames.
		const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
		if (isFrame) return { height: bytes.readUInt16BE(at + 5), width: bytes.readUInt16BE(at + 7) };
		// 0xff is a fill byte.
		at += marker === 0xff ? 1 : 2 + bytes.readUInt16BE(at + 2);
	}
	return undefined;
}

/** A GIF of one pixel. */
export const onePixel = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';

const fields: Field[] = [
	{
		name: 'input',
		type: 'string',
		description: 'The picture as base64: PNG, JPEG or GIF',
		example: onePixel,
		required: true,
	},
];

/** Accepts its record in the format of computer-vision models. */
const predict: Predict = ({ input }) => {
	const picture = readPicture(input);
	if (!picture) throw badRequest("Feature 'input' must be a PNG, JPEG or GIF picture in base64");
	const { width, height } = picture;
	const prediction = width > height ? 'landscape' : width < height ? 'portrait' : 'square';
	return { ignored: false, prediction, ...picture };
};

export const pictureShape = { fields, predict };
